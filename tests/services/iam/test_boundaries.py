"""Permissions boundaries of users and roles, over the whole pipeline."""

from typing import Any

import pytest

from tests.harness import House
from tests.services.conftest import Refused
from tests.services.iam.documents import LIST_BUCKETS, TRUST_EC2, allow


@pytest.fixture(params=["User", "Role"])
def kind(request: pytest.FixtureRequest, house: House) -> str:
    """Each kind of owner in turn, of which there is one called `own`."""
    kind: str = request.param
    fields: dict[str, Any] = {"assume_role_policy_document": TRUST_EC2} if kind == "Role" else {}
    house.call(f"Create{kind}", **own(kind), **fields)
    return kind


def own(kind: str, name: str = "own") -> dict[str, Any]:
    return {f"{kind.lower()}_name": name}


def shown(house: House, kind: str) -> Any:
    return getattr(house.call(f"Get{kind}", **own(kind)), kind.lower())


def test_a_boundary_comes_is_replaced_and_goes(house: House, kind: str) -> None:
    arns = [house.call("CreatePolicy", policy_name=name, policy_document=LIST_BUCKETS).policy.arn for name in ("a", "b")]
    assert not shown(house, kind).HasField("permissions_boundary")
    for arn in arns:
        house.call(f"Put{kind}PermissionsBoundary", permissions_boundary=arn, **own(kind))
        boundary = shown(house, kind).permissions_boundary
        assert (boundary.permissions_boundary_type, boundary.permissions_boundary_arn) == ("Policy", arn)
    house.call(f"Delete{kind}PermissionsBoundary", **own(kind))
    assert not shown(house, kind).HasField("permissions_boundary")
    house.call(f"Delete{kind}PermissionsBoundary", **own(kind))


def test_owner_and_policy_must_exist(house: House, refused: Refused, kind: str) -> None:
    arn = house.call("CreatePolicy", policy_name="p", policy_document=LIST_BUCKETS).policy.arn
    missing = ("NoSuchEntity", f"The {kind.lower()} with name none cannot be found.")
    assert refused(f"Put{kind}PermissionsBoundary", permissions_boundary=arn, **own(kind, "none")) == missing
    assert refused(f"Delete{kind}PermissionsBoundary", **own(kind, "none")) == missing
    none = f"arn:aws:iam::{house.account_id}:policy/none"
    missing = ("NoSuchEntity", f"Scope ARN: {none} does not exist or is not attachable.")
    assert refused(f"Put{kind}PermissionsBoundary", permissions_boundary=none, **own(kind)) == missing
    extra: dict[str, Any] = {"assume_role_policy_document": TRUST_EC2} if kind == "Role" else {}
    assert refused(f"Create{kind}", permissions_boundary=none, **own(kind, "new"), **extra) == missing
    wrong = f"arn:aws:iam::{house.account_id}:not_a_policy/invalid"
    invalid = ("InvalidInput", f"ARN {wrong} is not valid.")
    assert refused(f"Put{kind}PermissionsBoundary", permissions_boundary=wrong, **own(kind)) == invalid
    assert refused(f"Create{kind}", permissions_boundary=wrong, **own(kind, "new"), **extra) == invalid


def test_a_boundary_limits_at_once(house: House, refused: Refused) -> None:
    alice = house.user("alice", allow("iam:*"))
    limit = house.call("CreatePolicy", policy_name="limit", policy_document=allow("iam:ListRoles")).policy.arn
    assert len(house.call("ListUsers", _as=alice).users) == 1
    house.call("PutUserPermissionsBoundary", user_name="alice", permissions_boundary=limit)
    assert refused("ListUsers", _as=alice)[0] == "AccessDenied"
    assert len(house.call("ListRoles", _as=alice).roles) == 0
    house.call("DeleteUserPermissionsBoundary", user_name="alice")
    assert len(house.call("ListUsers", _as=alice).users) == 1
