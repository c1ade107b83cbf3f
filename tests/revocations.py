"""The ways in which what somebody may do ends, each as a revocation to be made and a question whose answer it changes.

The question is one that no worker answers from the database: a decision about who shows a bearer token, or an assumption of a role.
"""

import itertools
import json
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any

from sekisho import sigv4
from sekisho.api.authorize.v1 import decisions_pb2 as pb
from sekisho.credentials.oidc import keys
from sekisho.credentials.oidc.key_sets import KeySets
from sekisho.errors import SekishoError
from sekisho.sigv4 import bearer
from tests import clock
from tests.harness import House
from tests.providers import RSA, Provider
from tests.services.iam.documents import allow, trust
from tests.services.sts.web_identities import assume, federated

REFUSALS = frozenset(("InvalidClientTokenId", "AccessDenied", "UnknownPrincipal"))
"""Codes of errors that say that somebody may not, or is nobody."""

ONE = "arn:aws:orders:::one"
OPEN = json.dumps({"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Principal": "*", "Action": "orders:*", "Resource": ONE}]})
"""The policy of a resource that anybody may use who is somebody."""

_numbers = itertools.count()
_KEY_SETS = KeySets(load=lambda _source, _allowed: keys.read(json.dumps({"keys": [RSA.as_dict(private=False)]}).encode()))
"""The keys of every provider, which are not fetched from anywhere."""


@dataclass(frozen=True, slots=True)
class Revocation:
    """One that can be made: `revoke` is a write on the node that was given, and `permitted` asks a node, which is not older than a
    revision where one is given.
    """

    revoke: Callable[[], Any]
    permitted: Callable[[House, str], bool]


Kind = Callable[[House], Revocation]


def _shown(made: sigv4.Credentials, **question: Any) -> Callable[[House, str], bool]:
    token = bearer.make(made, "sekisho", clock.now()).removeprefix("Bearer ")
    asked = {"action": "orders:Ship", "resource": ONE, **question}

    def permitted(house: House, at_least: str) -> bool:
        try:
            answer = house.call("Authorize", bearer_token=token, at_least=at_least, **asked)
        except SekishoError as error:
            if error.code in REFUSALS:
                return False
            raise
        return bool(answer.outcome == pb.OUTCOME_ALLOWED)

    return permitted


def _user(house: House, *documents: str) -> tuple[str, sigv4.Credentials]:
    name = f"user-{next(_numbers)}"
    return name, house.user(name, *documents)


def _role(house: House, *documents: str) -> tuple[str, sigv4.Credentials, sigv4.Credentials]:
    """A role, a user who may assume it, and a session of it."""
    name = f"role-{next(_numbers)}"
    house.call("CreateRole", role_name=name, assume_role_policy_document=trust(f"arn:aws:iam::{house.account_id}:root"))
    for document in documents:
        house.call("PutRolePolicy", role_name=name, policy_name="p", policy_document=document)
    _, user = _user(house, allow("sts:AssumeRole"))
    return name, user, house.assume(f"arn:aws:iam::{house.account_id}:role/{name}", _as=user)


def key_deactivated(house: House) -> Revocation:
    name, key = _user(house, allow("orders:*"))
    change: dict[str, Any] = {"user_name": name, "access_key_id": key.access_key_id, "status": "Inactive"}
    return Revocation(lambda: house.call("UpdateAccessKey", **change), _shown(key))


def key_deleted(house: House) -> Revocation:
    name, key = _user(house, allow("orders:*"))
    return Revocation(lambda: house.call("DeleteAccessKey", user_name=name, access_key_id=key.access_key_id), _shown(key))


def user_deleted(house: House) -> Revocation:
    """Its session has outlived its key, and the resource is everybody's."""
    name, key = _user(house)
    made = house.call("GetSessionToken", _as=key).credentials
    house.call("DeleteAccessKey", user_name=name, access_key_id=key.access_key_id)
    session = sigv4.Credentials(made.access_key_id, made.secret_access_key, made.session_token)
    return Revocation(lambda: house.call("DeleteUser", user_name=name), _shown(session, resource_policy=OPEN))


def role_deleted(house: House) -> Revocation:
    name, _, session = _role(house)
    return Revocation(lambda: house.call("DeleteRole", role_name=name), _shown(session, resource_policy=OPEN))


def older_sessions_revoked(house: House) -> Revocation:
    name, _, session = _role(house, allow("orders:*"))
    deny = {"Effect": "Deny", "Action": "*", "Resource": "*"}
    later = (datetime.now(UTC) + timedelta(hours=1)).strftime("%Y-%m-%dT%H:%M:%SZ")
    document = {"Version": "2012-10-17", "Statement": [deny | {"Condition": {"DateLessThan": {"aws:TokenIssueTime": later}}}]}
    change: dict[str, Any] = {"role_name": name, "policy_name": "AWSRevokeOlderSessions", "policy_document": json.dumps(document)}
    return Revocation(lambda: house.call("PutRolePolicy", **change), _shown(session))


def permission_of_a_user_taken(house: House) -> Revocation:
    name, key = _user(house, allow("orders:*"))
    return Revocation(lambda: house.call("DeleteUserPolicy", user_name=name, policy_name="inline-0"), _shown(key))


def permission_of_a_role_changed(house: House) -> Revocation:
    name, _, session = _role(house, allow("orders:*"))
    change: dict[str, Any] = {"role_name": name, "policy_name": "p", "policy_document": allow("orders:List")}
    return Revocation(lambda: house.call("PutRolePolicy", **change), _shown(session))


def trust_changed(house: House) -> Revocation:
    """Nobody new assumes the role; a session that there is goes on, as with AWS."""
    name, user, _ = _role(house)
    arn = f"arn:aws:iam::{house.account_id}:role/{name}"

    def permitted(asked: House, at_least: str) -> bool:
        try:
            asked.assume(arn, _as=user)
        except SekishoError as error:
            if error.code in REFUSALS:
                return False
            raise
        return True

    change: dict[str, Any] = {"role_name": name, "policy_document": trust(f"arn:aws:iam::{house.account_id}:user/nobody-{next(_numbers)}")}
    house.call("CreateUser", user_name=change["policy_document"].rpartition("user/")[2].partition('"')[0])
    return Revocation(lambda: house.call("UpdateAssumeRolePolicy", **change), permitted)


def provider_removed(house: House) -> Revocation:
    """Nobody new comes with a token of the provider; a session that there is goes on, as with AWS."""
    issuer, name = f"login-{next(_numbers)}.example.com", f"role-{next(_numbers)}"
    given: dict[str, Any] = {"url": f"https://{issuer}", "client_id_list": ["sts.amazonaws.com"], "thumbprint_list": ["0" * 40]}
    named = house.call("CreateOpenIDConnectProvider", **given).open_id_connect_provider_arn
    arn = house.call("CreateRole", role_name=name, assume_role_policy_document=federated(named)).role.arn
    token = Provider(issuer).token()

    def permitted(asked: House, at_least: str) -> bool:
        if asked.node.key_sets is not _KEY_SETS:
            asked.node = replace(asked.node, key_sets=_KEY_SETS)
        try:
            assume(asked, arn, token)
        except SekishoError as error:
            if error.code == "InvalidIdentityToken" or error.code in REFUSALS:
                return False
            raise
        return True

    return Revocation(lambda: house.call("DeleteOpenIDConnectProvider", open_id_connect_provider_arn=named), permitted)


KINDS: dict[str, Kind] = {
    one.__name__: one
    for one in (
        key_deactivated,
        key_deleted,
        user_deleted,
        role_deleted,
        older_sessions_revoked,
        permission_of_a_user_taken,
        permission_of_a_role_changed,
        trust_changed,
        provider_removed,
    )
}
WITHOUT_REVISION = frozenset(("trust_changed", "provider_removed"))
"""Those whose question takes no `at_least`: AWS's operations that assume roles have no such member."""
