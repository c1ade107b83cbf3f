"""Random accounts: whoever has a path goes it, call by call, and is an administrator in the end; whoever has none tries in vain."""

import itertools
import json
import os
import random
from collections.abc import Iterator, Sequence
from typing import Any

import pytest

from sekisho.credentials import accounts
from sekisho.errors import SekishoError
from tests.harness import House
from tests.services.iam.documents import trust
from tests.services.insight.attackers import EVERYTHING, PASSWORD, Attacker, credentials, documents

ON_USERS = ("CreateAccessKey", "DeleteAccessKey", "CreateLoginProfile", "UpdateLoginProfile", "AttachUserPolicy", "PutUserPolicy")
OF_BOUNDARIES = ("DeleteUserPermissionsBoundary", "PutUserPermissionsBoundary", "DeleteRolePermissionsBoundary")
OF_DENIALS = ("DeleteUserPolicy", "DetachUserPolicy", "DeleteRolePolicy", "DetachRolePolicy", "RemoveUserFromGroup")
ON_ROLES = ("UpdateAssumeRolePolicy", "AttachRolePolicy", "PutRolePolicy")
ON_GROUPS = ("AddUserToGroup", "AttachGroupPolicy", "PutGroupPolicy")
ON_POLICIES = ("CreatePolicyVersion", "SetDefaultPolicyVersion", "DeletePolicyVersion")
NEW = ("CreateUser", "CreateRole")
ACTIONS = tuple(f"iam:{name}" for name in (*ON_USERS, *ON_ROLES, *ON_GROUPS, *ON_POLICIES, *OF_BOUNDARIES, *OF_DENIALS, *NEW))
USERS, ROLES, GROUPS, POLICIES = ("u0", "u1", "u2", "u3"), ("r0", "r1", "r2"), ("g0", "g1"), ("p0", "p1", "p2")


SESSIONS = ("bob", "eve")
NAMED = ("${aws:username}", *SESSIONS)


class Account:
    """A random account: whatever its principals are permitted is permitted by few statements on few things."""

    def __init__(self, house: House, seed: int) -> None:
        self.house, self.chance = house, random.Random(seed)
        self.root = f"arn:aws:iam::{house.account_id}"

    def build(self) -> None:
        call, chance = self.house.call, self.chance
        for name in POLICIES:
            call("CreatePolicy", policy_name=name, policy_document=self.document(name == "p0"))
            if chance.random() < 0.4:
                for _ in range(chance.choice((1, 4))):
                    document = EVERYTHING if chance.random() < 0.3 else self.document(False)
                    call("CreatePolicyVersion", policy_arn=self.policy(name), policy_document=document)
        call("CreatePolicy", policy_name="bound", policy_document=documents(self.statement("Allow"), self.statement("Allow")))
        for name in GROUPS:
            call("CreateGroup", group_name=name)
            self.give("group", name)
        for name in USERS:
            call("CreateUser", user_name=name, **self.bound())
            self.give("user", name)
            for _ in range(chance.choice((0, 0, 1, 2))):
                call("CreateAccessKey", user_name=name)
            if chance.random() < 0.3:
                call("CreateLoginProfile", user_name=name, password=PASSWORD)
            for group in GROUPS:
                if chance.random() < 0.3:
                    call("AddUserToGroup", group_name=group, user_name=name)
        for name in ROLES:
            call("CreateRole", role_name=name, assume_role_policy_document=self.trust(), **self.bound())
            self.give("role", name)

    def trust(self) -> str:
        """Of the account, of a user, or of one session of a role; sometimes for sessions of a certain name alone."""
        chance = self.chance
        session = f"arn:aws:sts::{self.house.account_id}:assumed-role/{chance.choice(ROLES)}/{chance.choice(SESSIONS)}"
        made = trust(chance.choice((self.house.account_id, f"{self.root}:user/{chance.choice(USERS)}", session)))
        if chance.random() < 0.2:
            statement = {**json.loads(made)["Statement"][0], "Condition": {"StringEquals": {"sts:RoleSessionName": chance.choice(NAMED)}}}
            made = documents(statement)
        return made

    def bound(self) -> dict[str, Any]:
        return {"permissions_boundary": self.policy("bound")} if self.chance.random() < 0.2 else {}

    def give(self, kind: str, name: str) -> None:
        """Policies for a user, group or role; one in six is an administrator, perhaps but for a Deny."""
        call, chance = self.house.call, self.chance
        owner: dict[str, Any] = {f"{kind}_name": name}
        if chance.random() < 0.8:
            call(f"Put{kind.capitalize()}Policy", **owner, policy_name="inline", policy_document=self.document(chance.random() < 0.15))
        for policy in POLICIES:
            if chance.random() < (0.1 if policy == "p0" else 0.25):
                call(f"Attach{kind.capitalize()}Policy", **owner, policy_arn=self.policy(policy))

    def document(self, is_everything: bool) -> str:
        if is_everything:
            return EVERYTHING
        effects = self.chance.choices(("Allow", "Deny"), (9, 1), k=self.chance.randint(1, 2))
        return documents(*map(self.statement, effects))

    def statement(self, effect: str) -> dict[str, Any]:
        chance = self.chance
        things = [
            f"{self.root}:user/{chance.choice(USERS)}",
            f"{self.root}:role/{chance.choice(ROLES)}",
            f"{self.root}:user/${{aws:username}}",
        ]
        things += [f"{self.root}:group/{chance.choice(GROUPS)}", self.policy(chance.choice(POLICIES)), f"{self.root}:user/new-*", "*"]
        actions = chance.sample(ACTIONS, chance.randint(1, 3)) + (["sts:AssumeRole"] if chance.random() < 0.3 else [])
        return {"Effect": effect, "Action": actions, "Resource": chance.sample(things, chance.randint(1, 2))}

    def policy(self, name: str) -> str:
        return f"{self.root}:policy/{name}"


def account(house: House, seed: int) -> tuple[Account, Any]:
    made = Account(house, seed)
    made.build()
    return made, house.call("FindEscalationPaths")


REPLAYS = int(os.environ.get("REPLAYS", "12"))


@pytest.mark.parametrize("shared", ["sqlite"], indirect=True)  # what is permitted does not depend on the database
@pytest.mark.parametrize("seed", range(REPLAYS))
def test_who_has_a_path_goes_it(shared: House, seed: int) -> None:
    for turn in itertools.count():
        house = House(shared.node, accounts.create(shared.node.database, shared.node.ring))
        made, found = account(house, 100 * seed + turn)
        if found.paths:
            break
    path = max(found.paths, key=lambda path: (len(path.hops), made.chance.random()))
    first = path.hops[0].by_arn
    attacker = Attacker(house, first, credentials(house, first))
    assert not attacker.is_administrator()
    for hop in path.hops:
        attacker.go(hop)
    assert attacker.is_administrator(), path


@pytest.mark.parametrize("shared", ["sqlite"], indirect=True)
@pytest.mark.parametrize("seed", range(REPLAYS // 2))
def test_who_has_none_tries_in_vain(shared: House, seed: int) -> None:
    for turn in itertools.count():
        house = House(shared.node, accounts.create(shared.node.database, shared.node.ring))
        made, found = account(house, 100_000 + 100 * seed + turn)
        can = {path.source_arn for path in found.paths} | set(found.administrators)
        everybody = [f"{made.root}:user/{name}" for name in USERS] + [f"{made.root}:role/{name}" for name in ROLES]
        who = [named for named in everybody if named not in can]
        if who and found.administrators:
            break
    attacker = Attacker(house, who[0], credentials(house, who[0]))
    got = {name for name, fields in attempts(made, who[0], found.administrators) if is_done(attacker, name, fields)}
    # A key of an administrator, or its role, would make one; what else it could do has to give it nothing.
    assert not got & {"CreateAccessKey", "UpdateLoginProfile", "UpdateAssumeRolePolicy", "AssumeRole"}, (who[0], got)
    assert not attacker.is_administrator(), (who[0], got)


def is_done(attacker: Attacker, name: str, fields: dict[str, Any]) -> bool:
    """Whether a call succeeds, for whatever reason it does not."""
    try:
        attacker.call(name, **fields)
    except SekishoError:
        return False
    return True


def attempts(made: Account, who: str, administrators: Sequence[str]) -> Iterator[tuple[str, dict[str, Any]]]:
    """Everything by which somebody would make an administrator of itself, or become one."""
    kind = "User" if ":user/" in who else "Role"
    name, inline = {f"{kind.lower()}_name": who.rpartition("/")[2]}, {"policy_name": "x", "policy_document": EVERYTHING}
    yield f"Put{kind}Policy", {**name, **inline}
    for policy in POLICIES:
        yield f"Attach{kind}Policy", {**name, "policy_arn": made.policy(policy)}
        yield "CreatePolicyVersion", {"policy_arn": made.policy(policy), "policy_document": EVERYTHING, "set_as_default": True}
    for group in GROUPS:
        yield "PutGroupPolicy", {"group_name": group, **inline}
        if kind == "User":
            yield "AddUserToGroup", {"group_name": group, **name}
    for admin in administrators:
        last = admin.rpartition("/")[2]
        if ":user/" in admin:
            yield "CreateAccessKey", {"user_name": last}
            yield "UpdateLoginProfile", {"user_name": last, "password": PASSWORD + "x"}
        else:
            yield "UpdateAssumeRolePolicy", {"role_name": last, "policy_document": trust(who)}
            yield "AssumeRole", {"role_arn": admin, "role_session_name": "try"}
