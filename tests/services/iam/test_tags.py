"""Tags of users, roles and policies, over the whole pipeline."""

from typing import Any

import pytest

from sekisho.naming import snake
from tests.harness import House
from tests.services.conftest import Refused
from tests.services.iam.documents import LIST_BUCKETS, TRUST_EC2, allow

DUPLICATE = ("InvalidInput", "Duplicate tag keys found. Please note that Tag keys are case insensitive.")
RESERVED = ("InvalidInput", "aws: prefixed tag key names are not allowed for external use.")


@pytest.fixture(params=["User", "Role", "Policy", "InstanceProfile", "MFADevice"])
def kind(request: pytest.FixtureRequest) -> str:
    """Each kind that has tags in turn."""
    kind: str = request.param
    return kind


def create(house: House, kind: str, name: str, **fields: Any) -> dict[str, Any]:
    """Makes one; what names it in a request."""
    if kind == "Policy":
        return {"policy_arn": house.call("CreatePolicy", policy_name=name, policy_document=LIST_BUCKETS, **fields).policy.arn}
    if kind == "MFADevice":
        device = house.call("CreateVirtualMFADevice", virtual_mfa_device_name=name, **fields).virtual_mfa_device
        return {"serial_number": device.serial_number}
    own = {f"{snake(kind)}_name": name}
    fields |= own | ({"assume_role_policy_document": TRUST_EC2} if kind == "Role" else {})
    house.call(f"Create{kind}", **fields)
    return own


@pytest.fixture
def own(house: House, kind: str) -> dict[str, Any]:
    """One without tags."""
    return create(house, kind, "own")


def tags(**values: str) -> list[dict[str, str]]:
    return [{"key": key, "value": value} for key, value in values.items()]


def listed(house: House, kind: str, own: dict[str, Any]) -> list[tuple[str, str]]:
    return [(tag.key, tag.value) for tag in house.call(f"List{kind}Tags", **own).tags]


def test_tags_come_change_and_go(house: House, kind: str, own: dict[str, Any]) -> None:
    assert listed(house, kind, own) == []
    house.call(f"Tag{kind}", tags=tags(b="1", a="2"), **own)
    house.call(f"Tag{kind}", tags=tags(b="", c="4"), **own)
    assert listed(house, kind, own) == [("a", "2"), ("b", ""), ("c", "4")]
    if kind != "MFADevice":
        shown = getattr(house.call(f"Get{kind}", **own), snake(kind))
        assert [(tag.key, tag.value) for tag in shown.tags] == [("a", "2"), ("b", ""), ("c", "4")]
    house.call(f"Untag{kind}", tag_keys=["a", "c", "none"], **own)
    assert listed(house, kind, own) == [("b", "")]


@pytest.mark.parametrize("kind", ["User", "Role"], indirect=True)
def test_keys_of_users_and_roles_are_one_whatever_the_case(house: House, refused: Refused, kind: str, own: dict[str, Any]) -> None:
    assert refused(f"Tag{kind}", tags=tags(Team="1", team="2"), **own) == DUPLICATE
    house.call(f"Tag{kind}", tags=tags(Team="red"), **own)
    house.call(f"Tag{kind}", tags=tags(tEAM="blue"), **own)
    assert listed(house, kind, own) == [("tEAM", "blue")]
    house.call(f"Untag{kind}", tag_keys=["TEAM"], **own)
    assert listed(house, kind, own) == []


@pytest.mark.parametrize("kind", ["Policy", "InstanceProfile", "MFADevice"], indirect=True)
def test_keys_of_other_kinds_differ_by_case(house: House, refused: Refused, kind: str, own: dict[str, Any]) -> None:
    house.call(f"Tag{kind}", tags=tags(a="lower", A="upper"), **own)
    assert listed(house, kind, own) == [("A", "upper"), ("a", "lower")]
    house.call(f"Untag{kind}", tag_keys=["a"], **own)
    assert listed(house, kind, own) == [("A", "upper")]
    twice = [{"key": "k", "value": "1"}, {"key": "k", "value": "2"}]
    assert refused(f"Tag{kind}", tags=twice, **own) == ("InvalidInput", "Duplicate tag keys found.")


@pytest.mark.parametrize("key", ["aws:x", "AWS:x", "aws:"])
def test_aws_keeps_a_prefix(house: House, refused: Refused, kind: str, own: dict[str, Any], key: str) -> None:
    assert refused(f"Tag{kind}", tags=[{"key": key, "value": "v"}], **own) == RESERVED
    assert listed(house, kind, own) == []


def test_at_most_fifty(house: House, refused: Refused, kind: str, own: dict[str, Any]) -> None:
    house.call(f"Tag{kind}", tags=[{"key": f"k{number}", "value": "v"} for number in range(50)], **own)
    house.call(f"Tag{kind}", tags=tags(k0="w"), **own)
    assert refused(f"Tag{kind}", tags=tags(k0="x", more="v"), **own) == (
        "LimitExceeded",
        "The number of tags has reached the maximum limit.",
    )
    assert dict(listed(house, kind, own))["k0"] == "w"
    code, message = refused(f"Tag{kind}", tags=[{"key": f"k{number}", "value": "v"} for number in range(51)], **own)
    assert (code, "'tags' failed to satisfy constraint: Member must have length less than or equal to 50" in message) == (
        "ValidationError",
        True,
    )


@pytest.mark.parametrize(
    ("tag", "member", "rule"),
    [
        ({"key": "k" * 129, "value": "v"}, "key", "have length less than or equal to 128"),
        ({"key": "k", "value": "v" * 257}, "value", "have length less than or equal to 256"),
        ({"key": "k!", "value": "v"}, "key", "satisfy regular expression pattern: "),
        ({"key": "", "value": "v"}, "key", "have length greater than or equal to 1"),
        ({"key": "k"}, "value", "not be null"),
    ],
    ids=["long_key", "long_value", "character", "empty_key", "no_value"],
)
def test_the_form_of_a_tag(refused: Refused, tag: dict[str, str], member: str, rule: str) -> None:
    code, message = refused("TagUser", user_name="u", tags=[tag])
    assert (code, f"'tags.1.member.{member}' failed to satisfy constraint: Member must {rule}" in message) == ("ValidationError", True)


def test_tags_at_birth_follow_the_same_rules(house: House, refused: Refused, kind: str) -> None:
    extra = {"Role": {"assume_role_policy_document": TRUST_EC2}, "Policy": {"policy_document": LIST_BUCKETS}}.get(kind, {})
    made = "VirtualMFADevice" if kind == "MFADevice" else kind
    fields = {f"{snake(made)}_name": "new", **extra}
    assert refused(f"Create{made}", tags=[{"key": "aws:x", "value": "v"}], **fields) == RESERVED
    twice = [{"key": "k", "value": "1"}, {"key": "k", "value": "2"}]
    assert refused(f"Create{made}", tags=twice, **fields)[1].startswith("Duplicate tag keys found.")
    create(house, kind, "new", tags=tags(k="v"))


def test_whoever_has_tags_must_exist(house: House, refused: Refused, kind: str) -> None:
    arn = f"arn:aws:iam::{house.account_id}:{'policy' if kind == 'Policy' else 'mfa'}/none"
    none, sentence = {
        "Policy": ({"policy_arn": arn}, f"Policy {arn} was not found."),
        "MFADevice": ({"serial_number": arn}, f"MFA Device with serial number {arn} does not exist."),
        "InstanceProfile": ({"instance_profile_name": "none"}, "Instance Profile none cannot be found."),
    }.get(kind, ({f"{kind.lower()}_name": "none"}, f"The {kind.lower()} with name none cannot be found."))
    assert refused(f"Tag{kind}", tags=tags(k="v"), **none) == ("NoSuchEntity", sentence)
    assert refused(f"Untag{kind}", tag_keys=["k"], **none) == ("NoSuchEntity", sentence)
    assert refused(f"List{kind}Tags", **none) == ("NoSuchEntity", sentence)


def test_pages_go_on_where_they_stopped_whatever_the_keys_are(house: House, refused: Refused, kind: str, own: dict[str, Any]) -> None:
    keys = [letter + "関" * 127 for letter in "abcd"]
    house.call(f"Tag{kind}", tags=[{"key": key, "value": "v"} for key in keys], **own)
    first = house.call(f"List{kind}Tags", max_items=2, **own)
    assert ([tag.key for tag in first.tags], first.is_truncated) == (keys[:2], True)
    assert len(first.marker) <= 320
    second = house.call(f"List{kind}Tags", max_items=2, marker=first.marker, **own)
    assert ([tag.key for tag in second.tags], second.is_truncated) == (keys[2:], False)
    house.call(f"Untag{kind}", tag_keys=[keys[0]], **own)
    assert [tag.key for tag in house.call(f"List{kind}Tags", marker=first.marker, **own).tags] == keys[2:]
    house.call(f"Untag{kind}", tag_keys=[keys[1]], **own)
    assert keys[3] in [tag.key for tag in house.call(f"List{kind}Tags", marker=first.marker, **own).tags]
    other = create(house, kind, "other")
    assert refused(f"List{kind}Tags", marker=first.marker, **other) == ("ValidationError", "Invalid Marker.")


def test_tags_decide_at_once(house: House, refused: Refused) -> None:
    alice = house.user("alice", allow("iam:ListUsers", when={"StringEquals": {"aws:PrincipalTag/Team": "red"}}))
    assert refused("ListUsers", _as=alice)[0] == "AccessDenied"
    house.call("TagUser", user_name="alice", tags=tags(team="red"))
    assert len(house.call("ListUsers", _as=alice).users) == 1
    house.call("TagUser", user_name="alice", tags=tags(Team="blue"))
    assert refused("ListUsers", _as=alice)[0] == "AccessDenied"


def test_which_tags_may_be_given_is_a_condition(house: House, refused: Refused) -> None:
    house.call("CreateUser", user_name="u")
    conditions = {"StringEquals": {"aws:RequestTag/team": "red"}, "ForAllValues:StringEquals": {"aws:TagKeys": ["team"]}}
    caller = house.user("caller", allow("iam:TagUser", when=conditions))
    house.call("TagUser", _as=caller, user_name="u", tags=tags(team="red"))
    assert refused("TagUser", _as=caller, user_name="u", tags=tags(team="blue"))[0] == "AccessDenied"
    assert refused("TagUser", _as=caller, user_name="u", tags=tags(team="red", cost="1"))[0] == "AccessDenied"


def test_which_tags_may_be_taken_away_is_a_condition(house: House, refused: Refused) -> None:
    house.call("CreateUser", user_name="u", tags=tags(team="red", cost="1"))
    conditions = {"ForAllValues:StringEquals": {"aws:TagKeys": ["team"]}, "Null": {"aws:TagKeys": "false"}}
    caller = house.user("caller", allow("iam:UntagUser", when=conditions))
    assert refused("UntagUser", _as=caller, user_name="u", tag_keys=["team", "cost"])[0] == "AccessDenied"
    assert refused("UntagUser", _as=caller, user_name="u", tag_keys=["cost"])[0] == "AccessDenied"
    house.call("UntagUser", _as=caller, user_name="u", tag_keys=["team"])
    assert [(tag.key, tag.value) for tag in house.call("ListUserTags", user_name="u").tags] == [("cost", "1")]
