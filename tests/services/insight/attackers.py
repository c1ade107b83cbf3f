"""Goes the paths that were found: each hop by the calls that it names, with the credentials of whoever has got so far."""

import itertools
import json
import re
from dataclasses import dataclass, field
from typing import Any

from sekisho import arn, sigv4
from sekisho.errors import AccessDenied
from tests.harness import House
from tests.services.iam.documents import allow, trust

EVERYTHING = allow("*")
PASSWORD = "Correct-horse-7"  # nobody's
SECOND = "Incorrect-horse-8"
_numbers = itertools.count(1)


@dataclass
class Attacker:
    """Somebody with credentials, and the ARN of the principal as which it acts: of a role in a session of a certain name that session's."""

    house: House
    arn: str
    keys: sigv4.Credentials
    had: dict[str, sigv4.Credentials] = field(default_factory=dict)

    def call(self, name: str, **fields: Any) -> Any:
        return self.house.call(name, _as=self.keys, **fields)

    def go(self, hop: Any) -> None:
        """Do what a hop says; every call of it is the attacker's own."""
        assert hop.by_arn == self.arn
        self.had[self.arn] = self.keys
        done = hop.method.split(" + ")
        if any(grant.action == "iam:DeletePolicyVersion" for grant in hop.grants):
            versions = self.house.call("ListPolicyVersions", policy_arn=hop.on_arn if ":policy/" in hop.on_arn else _policy(hop)).versions
            oldest = next(one for one in reversed(versions) if not one.is_default_version)
            self.call("DeletePolicyVersion", policy_arn=_policy(hop), version_id=oldest.version_id)
        for action in done:
            _DONE[action](self, hop)
        if done[-1] == "iam:UpdateAssumeRolePolicy":
            _assume(self, hop)
        self.arn = hop.becomes_arn
        if hop.way == "own":  # of itself, or of whoever it was before
            self.keys = self.had[self.arn]

    def is_administrator(self) -> bool:
        """Whether it can do what only an administrator can, on things that nobody else has."""
        name, account = f"proof-{next(_numbers)}", self.house.account_id
        user, role, inline = {"user_name": name}, {"role_name": name}, {"policy_name": "p", "policy_document": EVERYTHING}
        made = {"policy_arn": f"arn:aws:iam::{account}:policy/{name}"}
        calls: list[tuple[str, dict[str, Any]]] = [
            ("CreateUser", user),
            ("PutUserPolicy", {**user, **inline}),
            ("CreateAccessKey", user),
            ("CreatePolicy", {"policy_name": name, "policy_document": EVERYTHING}),
            ("CreatePolicyVersion", {**made, "policy_document": EVERYTHING}),
            ("AttachUserPolicy", {**user, **made}),
            ("CreateRole", {**role, "assume_role_policy_document": trust(account)}),
            ("PutRolePolicy", {**role, **inline}),
            ("AttachRolePolicy", {**role, **made}),
            ("UpdateAssumeRolePolicy", {**role, "policy_document": trust(account)}),
        ]
        return all(self.is_permitted(operation, **fields) for operation, fields in calls)

    def is_permitted(self, name: str, **fields: Any) -> bool:
        """Whether a call is done, or denied; anything else is an error of the test."""
        try:
            self.call(name, **fields)
        except AccessDenied:
            return False
        return True


def credentials(house: House, named: str) -> sigv4.Credentials:
    """Credentials of a principal, made by the root user, who changes nothing else of it for longer than that takes."""
    session = _session(named)
    if session != "session":
        named = house.call("GetRole", role_name=named.split("/")[1]).role.arn
    entity = arn.entity(named)
    assert entity is not None
    if entity.kind == "user":
        keys = house.call("ListAccessKeys", user_name=entity.name).access_key_metadata
        if len(keys) == 2:
            house.call("DeleteAccessKey", user_name=entity.name, access_key_id=keys[0].access_key_id)
        key = house.call("CreateAccessKey", user_name=entity.name).access_key
        if len(keys) == 1:
            house.call("DeleteAccessKey", user_name=entity.name, access_key_id=keys[0].access_key_id)
        return sigv4.Credentials(key.access_key_id, key.secret_access_key)
    before = house.call("GetRole", role_name=entity.name).role.assume_role_policy_document
    helper = house.user("helper")
    house.call("UpdateAssumeRolePolicy", role_name=entity.name, policy_document=trust(f"arn:aws:iam::{entity.account}:user/helper"))
    made = house.assume(named, session, _as=helper)
    house.call("UpdateAssumeRolePolicy", role_name=entity.name, policy_document=before)
    (key,) = house.call("ListAccessKeys", user_name="helper").access_key_metadata
    house.call("DeleteAccessKey", user_name="helper", access_key_id=key.access_key_id)
    house.call("DeleteUser", user_name="helper")
    return made


def _session(named: str) -> str:
    """The name of the session that an ARN asks for, of any other one of them all."""
    return named.rpartition("/")[2] if ":assumed-role/" in named else "session"


def _name(text: str) -> str:
    return text.rpartition("/")[2]


def _policy(hop: Any) -> str:
    found = re.search(r"arn:aws:iam::\S+:policy/\S+", hop.change)
    assert found is not None, hop.change
    return found[0]


def _create_version(who: Attacker, hop: Any) -> None:
    who.call("CreatePolicyVersion", policy_arn=_policy(hop), policy_document=EVERYTHING, set_as_default=True)


def _set_version(who: Attacker, hop: Any) -> None:
    version = re.search(r"has (v\d+) of", hop.change)
    assert version is not None
    who.call("SetDefaultPolicyVersion", policy_arn=hop.on_arn, version_id=version[1])


def _key(who: Attacker, hop: Any) -> None:
    if "DeleteAccessKey" in hop.method:
        first = who.house.call("ListAccessKeys", user_name=_name(hop.becomes_arn)).access_key_metadata[0]
        who.call("DeleteAccessKey", user_name=_name(hop.becomes_arn), access_key_id=first.access_key_id)
    key = who.call("CreateAccessKey", user_name=_name(hop.becomes_arn)).access_key
    who.keys = sigv4.Credentials(key.access_key_id, key.secret_access_key)


def _password(who: Attacker, hop: Any, name: str, password: str) -> None:
    who.call(name, user_name=_name(hop.becomes_arn), password=password)
    who.keys = credentials(who.house, hop.becomes_arn)  # there is no console to sign in to


def _assume(who: Attacker, hop: Any) -> None:
    who.keys = who.house.assume(hop.on_arn, _session(hop.becomes_arn), _as=who.keys)


def _new_role(who: Attacker, hop: Any) -> None:
    who.call("CreateRole", role_name=_name(hop.on_arn), assume_role_policy_document=trust(who.call("GetCallerIdentity").arn))


def _join(who: Attacker, hop: Any) -> None:
    group = next(grant.resource for grant in hop.grants if grant.action == "iam:AddUserToGroup")
    who.call("AddUserToGroup", group_name=_name(group), user_name=_name(hop.becomes_arn))


def _delete(who: Attacker, hop: Any, kind: str) -> None:
    name = hop.change.removeprefix("does not have the inline policy ")
    who.call(f"Delete{kind.capitalize()}Policy", **{f"{kind}_name": _name(hop.on_arn), "policy_name": name})


def _rebind(who: Attacker, hop: Any, kind: str) -> None:
    bound = {f"{kind}_name": _name(hop.on_arn), "permissions_boundary": _policy(hop)}
    who.call(f"Put{kind.capitalize()}PermissionsBoundary", **bound)


def _on(name: str, field: str, **more: str) -> Any:
    """A call with the name of what the hop is done on and, where it gives or takes one, the policy."""

    def done(who: Attacker, hop: Any) -> None:
        grant = next(grant for grant in hop.grants if grant.action == f"iam:{name}")
        fields = {field: _name(grant.resource), **more}
        who.call(name, **fields, **({"policy_arn": _policy(hop)} if name.startswith(("Attach", "Detach")) else {}))

    return done


_INLINE = {"policy_name": "everything", "policy_document": EVERYTHING}
_DONE: dict[str, Any] = {
    "iam:CreatePolicyVersion": _create_version,
    "iam:SetDefaultPolicyVersion": _set_version,
    "iam:CreateAccessKey": _key,
    "iam:DeleteAccessKey": lambda who, hop: None,  # done by CreateAccessKey, which it makes room for
    "iam:CreateLoginProfile": lambda who, hop: _password(who, hop, "CreateLoginProfile", PASSWORD),
    "iam:UpdateLoginProfile": lambda who, hop: _password(who, hop, "UpdateLoginProfile", SECOND),
    "iam:PutUserPolicy": _on("PutUserPolicy", "user_name", **_INLINE),
    "iam:PutRolePolicy": _on("PutRolePolicy", "role_name", **_INLINE),
    "iam:PutGroupPolicy": _on("PutGroupPolicy", "group_name", **_INLINE),
    "iam:AttachUserPolicy": _on("AttachUserPolicy", "user_name"),
    "iam:AttachRolePolicy": _on("AttachRolePolicy", "role_name"),
    "iam:AttachGroupPolicy": _on("AttachGroupPolicy", "group_name"),
    "iam:DetachUserPolicy": _on("DetachUserPolicy", "user_name"),
    "iam:DetachRolePolicy": _on("DetachRolePolicy", "role_name"),
    "iam:DeleteUserPolicy": lambda who, hop: _delete(who, hop, "user"),
    "iam:DeleteRolePolicy": lambda who, hop: _delete(who, hop, "role"),
    "iam:DeleteUserPermissionsBoundary": _on("DeleteUserPermissionsBoundary", "user_name"),
    "iam:DeleteRolePermissionsBoundary": _on("DeleteRolePermissionsBoundary", "role_name"),
    "iam:PutUserPermissionsBoundary": lambda who, hop: _rebind(who, hop, "user"),
    "iam:PutRolePermissionsBoundary": lambda who, hop: _rebind(who, hop, "role"),
    "iam:AddUserToGroup": _join,
    "iam:RemoveUserFromGroup": lambda who, hop: who.call(
        "RemoveUserFromGroup", group_name=_name(hop.on_arn), user_name=_name(hop.becomes_arn)
    ),
    "iam:UpdateAssumeRolePolicy": lambda who, hop: who.call(
        "UpdateAssumeRolePolicy", role_name=_name(hop.on_arn), policy_document=trust(who.call("GetCallerIdentity").arn)
    ),
    "iam:CreateUser": _on("CreateUser", "user_name"),
    "iam:CreateRole": _new_role,
    "sts:AssumeRole": _assume,
}


def documents(*statements: dict[str, Any]) -> str:
    return json.dumps({"Version": "2012-10-17", "Statement": list(statements)})
