"""Inline policies of users, groups and roles, over the whole pipeline."""

from typing import Any

import pytest

from tests.harness import House
from tests.services.conftest import Refused
from tests.services.iam.documents import LIST_BUCKETS, NO_RESOURCE, TRUST_EC2, allow, of_size

QUOTAS = {"User": 2048, "Group": 5120, "Role": 10240}


@pytest.fixture(params=["User", "Group", "Role"])
def kind(request: pytest.FixtureRequest, house: House) -> str:
    """Each kind of owner in turn, of which there is one called `Own`."""
    kind: str = request.param
    fields: dict[str, Any] = {"assume_role_policy_document": TRUST_EC2} if kind == "Role" else {}
    house.call(f"Create{kind}", **own(kind), **fields)
    return kind


def own(kind: str, name: str = "Own") -> dict[str, Any]:
    return {f"{kind.lower()}_name": name}


def put(house: House, kind: str, name: str, document: str = LIST_BUCKETS) -> None:
    house.call(f"Put{kind}Policy", policy_name=name, policy_document=document, **own(kind))


def names(house: House, kind: str) -> list[str]:
    return list(house.call(f"List{kind}Policies", **own(kind)).policy_names)


def test_a_policy_comes_and_goes(house: House, refused: Refused, kind: str) -> None:
    assert names(house, kind) == []
    put(house, kind, "b", document=f" {LIST_BUCKETS}\n")
    put(house, kind, "A")
    answer = house.call(f"Get{kind}Policy", policy_name="b", **own(kind, "own"))
    assert (getattr(answer, f"{kind.lower()}_name"), answer.policy_name, answer.policy_document) == ("Own", "b", f" {LIST_BUCKETS}\n")
    assert names(house, kind) == ["A", "b"]
    house.call(f"Delete{kind}Policy", policy_name="b", **own(kind))
    assert names(house, kind) == ["A"]
    missing = ("NoSuchEntity", f"The {kind.lower()} policy with name b cannot be found.")
    assert refused(f"Get{kind}Policy", policy_name="b", **own(kind)) == missing
    assert refused(f"Delete{kind}Policy", policy_name="b", **own(kind)) == missing


def test_a_name_is_one_whatever_its_case(house: House, kind: str) -> None:
    put(house, kind, "Name")
    put(house, kind, "nAME", document=allow("s3:GetObject"))
    assert names(house, kind) == ["Name"]
    answer = house.call(f"Get{kind}Policy", policy_name="NAME", **own(kind))
    assert (answer.policy_name, answer.policy_document) == ("Name", allow("s3:GetObject"))


def test_the_owner_must_exist(refused: Refused, kind: str) -> None:
    missing = ("NoSuchEntity", f"The {kind.lower()} with name none cannot be found.")
    none = own(kind, "none")
    assert refused(f"Put{kind}Policy", policy_name="p", policy_document=LIST_BUCKETS, **none) == missing
    assert refused(f"Get{kind}Policy", policy_name="p", **none) == missing
    assert refused(f"Delete{kind}Policy", policy_name="p", **none) == missing
    assert refused(f"List{kind}Policies", **none) == missing


def test_all_of_one_owner_are_counted_together(house: House, refused: Refused, kind: str) -> None:
    quota = QUOTAS[kind]
    said = ("LimitExceeded", f"Maximum policy size of {quota} bytes exceeded for {kind.lower()} Own")
    assert refused(f"Put{kind}Policy", policy_name="p", policy_document=of_size(quota + 1), **own(kind)) == said
    put(house, kind, "p", document=of_size(quota - 200))
    assert refused(f"Put{kind}Policy", policy_name="q", policy_document=of_size(201), **own(kind)) == said
    put(house, kind, "q", document=of_size(200))
    put(house, kind, "p", document=of_size(quota - 200))
    assert refused(f"Put{kind}Policy", policy_name="P", policy_document=of_size(quota - 199), **own(kind)) == said


@pytest.mark.parametrize(
    ("document", "sentence"),
    [
        ("[]", "Syntax errors in policy."),
        (NO_RESOURCE, "Policy statement must contain resources."),
        (TRUST_EC2, "Policy document should not specify a principal."),
    ],
    ids=["no_object", "no_resource", "principal"],
)
def test_a_malformed_document(house: House, refused: Refused, kind: str, document: str, sentence: str) -> None:
    fields = {"policy_name": "p", "policy_document": document, **own(kind)}
    assert refused(f"Put{kind}Policy", **fields) == ("MalformedPolicyDocument", sentence)
    assert names(house, kind) == []


def test_the_old_version_will_do(house: House, kind: str) -> None:
    put(house, kind, "p", document=LIST_BUCKETS.replace("2012-10-17", "2008-10-17"))
    assert names(house, kind) == ["p"]


def test_a_list_has_pages(house: House, refused: Refused, kind: str) -> None:
    for name in ("c", "a", "B"):
        put(house, kind, name)
    first = house.call(f"List{kind}Policies", max_items=2, **own(kind))
    assert (list(first.policy_names), first.is_truncated) == (["a", "B"], True)
    second = house.call(f"List{kind}Policies", marker=first.marker, **own(kind))
    assert (list(second.policy_names), second.is_truncated, second.HasField("marker")) == (["c"], False, False)
    assert refused(f"List{kind}Policies", marker="x" + first.marker[1:], **own(kind)) == ("ValidationError", "Invalid Marker.")


def test_what_is_written_decides_at_once(house: House, refused: Refused) -> None:
    alice = house.user("alice")
    assert refused("ListUsers", _as=alice)[0] == "AccessDenied"
    house.call("PutUserPolicy", user_name="alice", policy_name="p", policy_document=allow("iam:ListUsers"))
    assert len(house.call("ListUsers", _as=alice).users) == 1
    house.call("PutUserPolicy", user_name="alice", policy_name="p", policy_document=LIST_BUCKETS)
    assert refused("ListUsers", _as=alice)[0] == "AccessDenied"
    house.call("PutUserPolicy", user_name="alice", policy_name="p", policy_document=allow("iam:ListUsers"))
    house.call("DeleteUserPolicy", user_name="alice", policy_name="p")
    assert refused("ListUsers", _as=alice)[0] == "AccessDenied"
