"""GetFederationToken: for somebody whom the caller vouches for. Rules: SEMANTICS 7, 26, 27."""

import time
from typing import Any

import pytest

from sekisho import sigv4
from tests.harness import House
from tests.services.conftest import Refused
from tests.services.iam.documents import allow
from tests.services.sts.roles import may

SHIP = allow("orders:Ship")


@pytest.fixture
def desk(house: House) -> sigv4.Credentials:
    return house.user("desk", allow("orders:*", "iam:ListUsers"), allow("sts:GetFederationToken", "sts:TagSession"))


def federated(house: House, caller: sigv4.Credentials | None = None, name: str = "bob", **fields: Any) -> sigv4.Credentials:
    made = house.call("GetFederationToken", _as=caller, name=name, **fields).credentials
    return sigv4.Credentials(made.access_key_id, made.secret_access_key, made.session_token)


def test_who_it_is(house: House, desk: sigv4.Credentials) -> None:
    made = house.call("GetFederationToken", _as=desk, name="bob", policy=SHIP)
    assert made.federated_user.arn == f"arn:aws:sts::{house.account_id}:federated-user/bob"
    assert made.federated_user.federated_user_id == f"{house.account_id}:bob"
    assert 0 < made.packed_policy_size < 100
    credentials = sigv4.Credentials(made.credentials.access_key_id, made.credentials.secret_access_key, made.credentials.session_token)
    identity = house.call("GetCallerIdentity", _as=credentials)
    assert (identity.arn, identity.user_id) == (made.federated_user.arn, made.federated_user.federated_user_id)


def test_it_may_what_both_the_caller_and_the_policy_allow(house: House, desk: sigv4.Credentials) -> None:
    made = federated(house, desk, policy=allow("orders:Ship", "stock:Count"))
    assert may(house, made, "orders:Ship")
    assert not may(house, made, "orders:Cancel")
    assert not may(house, made, "stock:Count")


def test_without_a_policy_it_may_nothing(house: House, desk: sigv4.Credentials) -> None:
    made = house.call("GetFederationToken", _as=desk, name="bob")
    assert (made.HasField("packed_policy_size"), made.packed_policy_size) == (True, 0)  # as AWS answered, recorded on 2024-06-05
    assert not may(house, federated(house, desk), "orders:Ship")


def test_managed_policies_limit_it_likewise(house: House, desk: sigv4.Credentials, refused: Refused) -> None:
    arn = house.call("CreatePolicy", policy_name="ship", policy_document=SHIP).policy.arn
    made = federated(house, desk, policy_arns=[{"arn": arn}])
    assert may(house, made, "orders:Ship")
    assert not may(house, made, "orders:Cancel")
    none = f"arn:aws:iam::{house.account_id}:policy/none"
    assert refused("GetFederationToken", _as=desk, name="bob", policy_arns=[{"arn": none}])[0] == "ValidationError"


def test_it_calls_no_iam_and_of_sts_only_get_caller_identity(house: House, desk: sigv4.Credentials, refused: Refused) -> None:
    made = federated(house, desk, policy=allow("*"))
    for name, fields in (
        ("ListUsers", {}),
        ("GetSessionToken", {}),
        ("GetFederationToken", {"name": "eve"}),
        ("AssumeRole", {"role_arn": f"arn:aws:iam::{house.account_id}:role/r", "role_session_name": "s1"}),
    ):
        assert refused(name, _as=made, **fields) == ("AccessDenied", f"Cannot call {name} with session credentials")


def test_tags_are_the_sessions(house: House, desk: sigv4.Credentials) -> None:
    when = {"StringEquals": {"aws:PrincipalTag/team": "red"}}
    made = federated(house, desk, policy=allow("orders:Ship", when=when), tags=[{"key": "Team", "value": "red"}])
    assert may(house, made, "orders:Ship")
    blue = federated(house, desk, policy=allow("orders:Ship", when=when), tags=[{"key": "Team", "value": "blue"}])
    assert not may(house, blue, "orders:Ship")


def test_what_it_takes(house: House, refused: Refused) -> None:
    own = f"arn:aws:sts::{house.account_id}:federated-user/bob"
    caller = house.user("caller", allow("sts:GetFederationToken", on=own))
    federated(house, caller)
    for name, action, fields in (("eve", "sts:GetFederationToken", {}), ("bob", "sts:TagSession", {"tags": [{"key": "k", "value": "v"}]})):
        code, message = refused("GetFederationToken", _as=caller, name=name, **fields)
        assert (code, f"is not authorized to perform: {action} on resource: " in message) == ("AccessDenied", True)


@pytest.mark.parametrize(
    ("fields", "code"),
    [
        ({"name": "b"}, "ValidationError"),
        ({"name": "b" * 33}, "ValidationError"),
        ({"name": "bob", "duration_seconds": 899}, "ValidationError"),
        ({"name": "bob", "policy": "{"}, "MalformedPolicyDocument"),
        ({"name": "bob", "policy": "x" * 2049}, "ValidationError"),
        ({"name": "bob", "tags": [{"key": "k", "value": "1"}, {"key": "K", "value": "2"}]}, "InvalidParameterValue"),
        ({"name": "bob", "tags": [{"key": "aws:k", "value": "1"}]}, "InvalidParameterValue"),
        ({"name": "bob", "minimum_session_token_size": 10}, "Unimplemented"),
    ],
    ids=["short_name", "long_name", "short_time", "bad_policy", "long_policy", "twin_tags", "reserved_tag", "size"],
)
def test_what_is_refused(refused: Refused, desk: sigv4.Credentials, fields: dict[str, Any], code: str) -> None:
    assert refused("GetFederationToken", _as=desk, **fields)[0] == code


def test_root_vouches_for_an_hour(house: House) -> None:
    before = int(time.time())
    made = house.call("GetFederationToken", name="bob", policy=SHIP, duration_seconds=43_200)
    assert before + 3600 <= made.credentials.expiration.seconds <= int(time.time()) + 3600
    credentials = sigv4.Credentials(made.credentials.access_key_id, made.credentials.secret_access_key, made.credentials.session_token)
    assert may(house, credentials, "orders:Ship")
    assert not may(house, credentials, "orders:Cancel")
