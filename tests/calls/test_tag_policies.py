"""The tags that a call brings, held to the tag policies of its account: which field has them, and of which type what is tagged is."""

from dataclasses import replace
from typing import Any

import pytest

from sekisho.calls import tag_policies
from sekisho.calls.call import Call
from sekisho.errors import AccessDenied, TagPolicyViolation
from sekisho.operations import TAG_VIOLATIONS, Check
from sekisho.world import AccountRecord, TagPolicyRecord, UnitRecord
from tests.calls.fakes import ACCOUNT, FakeNode
from tests.harness import BY_NAME

RULES = (
    '{"tags":{"Team":{"tag_key":{"@@assign":"Team"},"tag_value":{"@@assign":["a"]},'
    '"enforced_for":{"@@assign":["iam:user","cloudtrail:trail","cloudtrail:eventdatastore"]}}}}'
)
SENTENCE = "The tag policy does not allow the specified value for the following tag key: 'Team'."
WRONG, RIGHT = [{"key": "Team", "value": "b"}], [{"key": "Team", "value": "a"}]


def node(*, bound: bool = True) -> FakeNode:
    """A node whose account is in an organization with a tag policy, or in none."""
    made = FakeNode()
    if bound:
        made.world.put(
            UnitRecord("r-1", "o-1", management_id=ACCOUNT, types=frozenset(("TAG_POLICY",))),
            AccountRecord(ACCOUNT, "ACTIVE", unit_id="r-1", tag_policy_ids=("p-1",)),
            TagPolicyRecord("p-1", RULES),
        )
    return made


def refused(call: Call, **fields: Any) -> str:
    """The sentence about the tags of a request, empty when they are permitted."""
    try:
        tag_policies.refuse(call, call.operation.request(**fields))
    except TagPolicyViolation as error:
        return error.message
    return ""


@pytest.fixture(autouse=True)
def _plain(monkeypatch: pytest.MonkeyPatch) -> None:
    """Have no service say it in words of its own, and each test read the descriptors itself."""
    tag_policies._field.cache_clear()
    for package in list(TAG_VIOLATIONS):
        monkeypatch.delitem(TAG_VIOLATIONS, package)


@pytest.mark.parametrize(
    ("name", "fields", "said"),
    [
        ("CreateUser", {"user_name": "ann", "tags": WRONG}, SENTENCE),
        ("CreateUser", {"user_name": "ann", "tags": RIGHT}, ""),
        ("CreateUser", {"user_name": "ann", "tags": [*RIGHT, {"key": "other", "value": "b"}]}, ""),
        ("CreateUser", {"user_name": "ann"}, ""),
        ("CreateRole", {"role_name": "r", "tags": WRONG}, ""),
        ("GetUser", {"user_name": "ann"}, ""),
        ("UntagUser", {"user_name": "ann", "tag_keys": ["Team"]}, ""),
    ],
)
def test_tags_are_held_to_the_rules_for_what_is_tagged(name: str, fields: dict[str, Any], said: str) -> None:
    assert refused(node().call(name), **fields) == said
    assert refused(node(bound=False).call(name), **fields) == ""
    assert refused(node().call(name, None), **fields) == ""


def creating(**access: Any) -> Call:
    """A call that makes a user, of an operation whose annotation says this beside."""
    call = node().call("CreateUser")
    said = type(call.operation.access)(**access)
    said.MergeFrom(call.operation.access)
    call.operation = replace(call.operation, access=said)
    return call


TRAIL = f"arn:aws:cloudtrail:us-east-1:{ACCOUNT}:trail/t"


@pytest.mark.parametrize(("untags", "said"), [(False, SENTENCE), (True, "")])
def test_tags_that_are_taken_away_are_held_to_nothing(untags: bool, said: str) -> None:
    call = creating(untags=untags)
    assert refused(call, user_name="ann", tags=WRONG) == said


@pytest.mark.parametrize(("tagged", "said"), [("user", SENTENCE), ("role", ""), ("", SENTENCE)])
def test_what_is_tagged_is_what_the_operation_says_or_what_its_first_check_is_about(tagged: str, said: str) -> None:
    call = creating(tagged=tagged)
    assert refused(call, user_name="ann", tags=WRONG) == said


def test_a_check_of_no_arn_does_not_say_what_is_tagged() -> None:
    call = node().call("CreateUser")
    checks = call.operation.checks
    call.operation = replace(call.operation, checks=(Check(), *checks))
    assert refused(call, user_name="ann", tags=WRONG) == SENTENCE
    call.operation = replace(call.operation, checks=(Check(),))
    assert refused(call, user_name="ann", tags=WRONG) == ""


def test_a_service_says_it_in_its_own_words(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(TAG_VIOLATIONS, "iam", AccessDenied)
    with pytest.raises(AccessDenied) as caught:
        refused(node().call("CreateUser"), user_name="ann", tags=WRONG)
    assert caught.value.message == SENTENCE
    monkeypatch.setitem(TAG_VIOLATIONS, "sts", AccessDenied)
    monkeypatch.delitem(TAG_VIOLATIONS, "iam")
    assert refused(node().call("CreateUser"), user_name="ann", tags=WRONG) == SENTENCE


def test_the_rules_are_those_of_the_callers_account() -> None:
    assert tag_policies.rules(node().call()) == {
        "team": {"tag_key": "Team", "tag_value": ["a"], "enforced_for": ["iam:user", "cloudtrail:trail", "cloudtrail:eventdatastore"]}
    }
    made = node()
    call = made.call()
    del made.world.records[ACCOUNT]
    assert tag_policies.rules(call) == {}


@pytest.mark.parametrize(
    ("bound", "type_", "given", "said"),
    [
        (True, "iam:user", [("Team", "b")], SENTENCE),
        (True, "iam:user", [("Team", "a")], ""),
        (True, "iam:role", [("Team", "b")], ""),
        (False, "iam:user", [("Team", "b")], ""),
    ],
)
def test_the_sentence_about_the_first_wrong_tag(bound: bool, type_: str, given: Any, said: str) -> None:
    assert tag_policies.fault(node(bound=bound).call(), type_, given) == said


@pytest.mark.parametrize(
    ("text", "type_"),
    [
        (f"arn:aws:iam::{ACCOUNT}:user/x/ann", "iam:user"),
        (f"arn:aws:iam::{ACCOUNT}:root", "iam:root"),
        (TRAIL, "cloudtrail:trail"),
        ("arn:aws:orders:::order:7/a", "orders:order"),
        ("*", ""),
        ("", ""),
    ],
)
def test_the_type_that_an_arn_says(text: str, type_: str) -> None:
    assert tag_policies.type_of(text) == type_


@pytest.mark.parametrize(
    ("name", "field"),
    [
        ("CreateUser", "tags"),
        ("cloudtrail:AddTags", "tags_list"),
        ("tagging:TagResources", ""),
        ("GetUser", ""),
        ("UntagUser", ""),
    ],
)
def test_where_a_request_has_its_tags(name: str, field: str) -> None:
    assert tag_policies._field(BY_NAME[name].request.DESCRIPTOR) == field
