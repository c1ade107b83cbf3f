"""Managed policies attached to users, groups and roles, over the whole pipeline."""

from typing import Any

import pytest

from tests.harness import House
from tests.services.conftest import Refused
from tests.services.iam.documents import LIST_BUCKETS, TRUST_EC2, allow

QUOTAS = {"User": 10, "Group": 10, "Role": 20}
ADMINISTRATOR = "arn:aws:iam::aws:policy/Administrator"


@pytest.fixture(params=["User", "Group", "Role"])
def kind(request: pytest.FixtureRequest, house: House) -> str:
    """Each kind of owner in turn, of which there is one called `Own`."""
    kind: str = request.param
    fields: dict[str, Any] = {"assume_role_policy_document": TRUST_EC2} if kind == "Role" else {}
    house.call(f"Create{kind}", **own(kind), **fields)
    return kind


def own(kind: str, name: str = "Own") -> dict[str, Any]:
    return {f"{kind.lower()}_name": name}


def policy(house: House, name: str, path: str = "/") -> str:
    arn: str = house.call("CreatePolicy", policy_name=name, path=path, policy_document=LIST_BUCKETS).policy.arn
    return arn


def attached(house: House, kind: str, **fields: Any) -> list[tuple[str, str]]:
    answer = house.call(f"ListAttached{kind}Policies", **own(kind), **fields)
    return [(one.policy_name, one.policy_arn) for one in answer.attached_policies]


def test_attaching_and_detaching(house: House, refused: Refused, kind: str) -> None:
    arn = policy(house, "p", "/x/")
    assert attached(house, kind) == []
    house.call(f"Attach{kind}Policy", policy_arn=arn, **own(kind, "own"))
    house.call(f"Attach{kind}Policy", policy_arn=arn, **own(kind))
    house.call(f"Attach{kind}Policy", policy_arn=ADMINISTRATOR, **own(kind))
    assert attached(house, kind) == [("Administrator", ADMINISTRATOR), ("p", f"arn:aws:iam::{house.account_id}:policy/x/p")]
    assert attached(house, kind, path_prefix="/x/") == [("p", arn)]
    house.call(f"Detach{kind}Policy", policy_arn=arn, **own(kind))
    assert attached(house, kind) == [("Administrator", ADMINISTRATOR)]
    assert refused(f"Detach{kind}Policy", policy_arn=arn, **own(kind)) == ("NoSuchEntity", f"Policy {arn} was not found.")


def test_both_must_exist(house: House, refused: Refused, kind: str) -> None:
    arn, none = policy(house, "p"), f"arn:aws:iam::{house.account_id}:policy/none"
    missing = ("NoSuchEntity", f"The {kind.lower()} with name none cannot be found.")
    assert refused(f"Attach{kind}Policy", policy_arn=arn, **own(kind, "none")) == missing
    assert refused(f"Detach{kind}Policy", policy_arn=arn, **own(kind, "none")) == missing
    assert refused(f"ListAttached{kind}Policies", **own(kind, "none")) == missing
    not_attachable = ("NoSuchEntity", f"Policy {none} does not exist or is not attachable.")
    assert refused(f"Attach{kind}Policy", policy_arn=none, **own(kind)) == not_attachable
    assert refused(f"Detach{kind}Policy", policy_arn=none, **own(kind)) == ("NoSuchEntity", f"Policy {none} was not found.")


def test_what_is_no_arn(refused: Refused, kind: str) -> None:
    said = ("ValidationError", "Invalid ARN:  Could not be parsed!")
    assert refused(f"Attach{kind}Policy", policy_arn="longpolicynamebutnoarn", **own(kind)) == said
    assert refused(f"Detach{kind}Policy", policy_arn="longpolicynamebutnoarn", **own(kind)) == said


def test_the_quota(house: House, refused: Refused, kind: str) -> None:
    quota = QUOTAS[kind]
    arns = [policy(house, f"p{number:02}") for number in range(quota + 1)]
    for arn in arns[:quota]:
        house.call(f"Attach{kind}Policy", policy_arn=arn, **own(kind))
    house.call(f"Attach{kind}Policy", policy_arn=arns[0], **own(kind))
    said = ("LimitExceeded", f"Cannot exceed quota for PoliciesPer{kind}: {quota}")
    assert refused(f"Attach{kind}Policy", policy_arn=arns[quota], **own(kind)) == said
    house.call(f"Detach{kind}Policy", policy_arn=arns[0], **own(kind))
    house.call(f"Attach{kind}Policy", policy_arn=arns[quota], **own(kind))


def test_a_list_has_pages_even_where_two_have_a_name(house: House, refused: Refused, kind: str) -> None:
    arns = {policy(house, "administrator"), policy(house, "b"), ADMINISTRATOR}
    for arn in arns:
        house.call(f"Attach{kind}Policy", policy_arn=arn, **own(kind))
    first = house.call(f"ListAttached{kind}Policies", max_items=1, **own(kind))
    second = house.call(f"ListAttached{kind}Policies", max_items=1, marker=first.marker, **own(kind))
    third = house.call(f"ListAttached{kind}Policies", max_items=1, marker=second.marker, **own(kind))
    assert {page.attached_policies[0].policy_arn for page in (first, second, third)} == arns
    assert (first.is_truncated, second.is_truncated, third.is_truncated) == (True, True, False)
    wrong = ("ValidationError", "Invalid Marker.")
    assert refused(f"ListAttached{kind}Policies", path_prefix="/x/", marker=first.marker, **own(kind)) == wrong


def test_what_is_attached_decides_at_once(house: House, refused: Refused) -> None:
    alice = house.user("alice")
    arn = house.call("CreatePolicy", policy_name="list", policy_document=allow("iam:ListUsers")).policy.arn
    assert refused("ListUsers", _as=alice)[0] == "AccessDenied"
    house.call("AttachUserPolicy", user_name="alice", policy_arn=arn)
    assert len(house.call("ListUsers", _as=alice).users) == 1
    house.call("DetachUserPolicy", user_name="alice", policy_arn=arn)
    assert refused("ListUsers", _as=alice)[0] == "AccessDenied"


def test_which_policy_may_be_attached_is_a_condition(house: House, refused: Refused) -> None:
    good, bad = policy(house, "good"), policy(house, "bad")
    house.call("CreateUser", user_name="u")
    caller = house.user("caller", allow("iam:AttachUserPolicy", when={"ArnEquals": {"iam:PolicyARN": good}}))
    house.call("AttachUserPolicy", _as=caller, user_name="u", policy_arn=good)
    assert refused("AttachUserPolicy", _as=caller, user_name="u", policy_arn=bad)[0] == "AccessDenied"
