"""Inherited policies: operators from the root down, by AWS's own examples and what they leave open."""

import json
from typing import Any

import pytest

from sekisho.world import inheritance
from tests.services.organizations.conftest import Failing
from tests.services.organizations.tree import Organization

CONTROL = "@@operators_allowed_for_child_policies"


def merged(*levels: Any) -> Any:
    """The effective policy of one policy at each level, or of several in a list."""
    found, _ = inheritance.effective(
        [[(f"p-{at}-{i}", one) for i, one in enumerate(level if isinstance(level, list) else [level])] for at, level in enumerate(levels)]
    )
    return found


def values(operator: str, *items: str, **more: Any) -> dict[str, Any]:
    """A tag policy that says one thing about values."""
    return {"tags": {"cost": {"tag_value": {operator: list(items), **more}}}}


def shown(*items: str) -> dict[str, Any]:
    """The effective policy with these values."""
    return {"tags": {"cost": {"tag_value": list(items)}}}


CASES: dict[str, tuple[list[Any], Any]] = {
    "a_value_is_inherited": ([values("@@assign", "a")], shown("a")),
    "the_lower_assignment_wins": ([values("@@assign", "a"), values("@@assign", "b")], shown("b")),
    "items_are_appended": ([values("@@assign", "a"), values("@@append", "b", "c")], shown("a", "b", "c")),
    "an_item_stands_once": ([values("@@assign", "a"), values("@@append", "a", "b")], shown("a", "b")),
    "items_are_appended_to_nothing": ([values("@@append", "a")], shown("a")),
    "items_are_removed": ([values("@@assign", "a", "b"), values("@@remove", "a")], shown("b")),
    "policies_of_one_level_add_up": ([[values("@@append", "a"), values("@@append", "b")]], shown("a", "b")),
    "an_operator_that_is_not_allowed_is_passed_over": (
        [values("@@assign", "a", **{CONTROL: ["@@append"]}), values("@@assign", "b"), values("@@append", "c")],
        shown("a", "c"),
    ),
    "none_keeps_the_value": ([values("@@assign", "a", **{CONTROL: ["@@none"]}), values("@@append", "b")], shown("a")),
    "a_control_does_not_bind_its_own_level": (
        [[values("@@assign", "a", **{CONTROL: ["@@none"]}), values("@@append", "b")]],
        shown("a", "b"),
    ),
    "a_control_cannot_be_widened_below": (
        [values("@@assign", "a", **{CONTROL: ["@@none"]}), values("@@append", "b", **{CONTROL: ["@@all"]}), values("@@append", "c")],
        shown("a"),
    ),
    "no_elements_are_added_where_none_may_be": (
        [{"tags": {CONTROL: ["@@none"], "a": {"tag_key": {"@@assign": "A"}}}}, {"tags": {"b": {"tag_key": {"@@assign": "B"}}}}],
        {"tags": {"a": {"tag_key": "A"}}},
    ),
    "elements_that_are_there_go_by_their_own_control": (
        [{"tags": {CONTROL: ["@@none"], "a": {"tag_key": {"@@assign": "A"}}}}, {"tags": {"a": {"tag_key": {"@@assign": "a"}}}}],
        {"tags": {"a": {"tag_key": "a"}}},
    ),
    "a_plain_value_is_assigned": (
        [{"plans": {"p": {"n": 3}}}, {"plans": {"p": {"n": 4, "m": True}}}],
        {"plans": {"p": {"n": 4, "m": True}}},
    ),
    "elements_come_together": (
        [{"plans": {"a": {"x": {"@@assign": "1"}}}}, {"plans": {"b": {"x": {"@@assign": "2"}}}}],
        {"plans": {"a": {"x": "1"}, "b": {"x": "2"}}},
    ),
    "nothing_at_all": ([], {}),
}


@pytest.mark.parametrize("name", CASES)
def test_policies_come_together(name: str) -> None:
    levels, expected = CASES[name]
    assert merged(*levels) == expected


def test_what_makes_no_sense_together_is_told_with_its_policies() -> None:
    _, invalid = inheritance.effective(
        [[("p-1", {"plans": {"a": {"x": {"@@assign": "1"}}}})], [("p-2", {"plans": {"a": {"x": {"@@append": ["2"]}}}})]]
    )
    assert [(found.path, found.policies) for found in invalid] == [("/plans/a/x", ("p-1", "p-2"))]


def tag(value: str, operator: str = "@@assign") -> str:
    """A tag policy."""
    return json.dumps(values(operator, value))


def test_the_effective_policy_of_an_account_is_that_of_its_way_to_the_root(org: Organization, failing: Failing) -> None:
    dev = org.unit("dev")
    member, other = org.account(parent=dev), org.account()
    asked: dict[str, Any] = {"policy_type": "TAG_POLICY", "target_id": member}
    assert failing("DescribeEffectivePolicy", **asked)[0] == "EffectivePolicyNotFound"
    org("EnablePolicyType", root_id=org.root_id, policy_type="TAG_POLICY")
    assert failing("DescribeEffectivePolicy", **asked)[0] == "EffectivePolicyNotFound"
    for content, target in ((tag("a"), org.root_id), (tag("b", "@@append"), dev), (tag("c", "@@append"), member)):
        org.attach(org.policy(content, "TAG_POLICY"), target)
    found = org("DescribeEffectivePolicy", **asked).effective_policy
    assert json.loads(found.policy_content) == shown("a", "b", "c")
    assert (found.target_id, found.policy_type, found.HasField("last_updated_timestamp")) == (member, "TAG_POLICY", True)
    assert json.loads(org("DescribeEffectivePolicy", **(asked | {"target_id": other})).effective_policy.policy_content) == shown("a")
    own = org("DescribeEffectivePolicy", org.inside(member), policy_type="TAG_POLICY").effective_policy
    assert json.loads(own.policy_content) == shown("a", "b", "c")
    assert failing("DescribeEffectivePolicy", org.inside(member), **(asked | {"target_id": other}))[0] == "AccessDenied"
    assert failing("DescribeEffectivePolicy", **(asked | {"target_id": "123456789012"}))[0] == "TargetNotFound"


def test_a_tag_policy_that_spells_a_key_otherwise_is_about_the_same_key(org: Organization) -> None:
    """As it is enforced: what the root forbids further down, it forbids in whatever case."""
    member = org.account()
    org("EnablePolicyType", root_id=org.root_id, policy_type="TAG_POLICY")
    root = {"tags": {"team": {"tag_value": {"@@assign": ["a"], "@@operators_allowed_for_child_policies": ["@@none"]}}}}
    child = {"tags": {"TEAM": {"tag_value": {"@@assign": ["b"]}}}}
    for content, target in ((root, org.root_id), (child, member)):
        org.attach(org.policy(json.dumps(content), "TAG_POLICY"), target)
    found = org("DescribeEffectivePolicy", policy_type="TAG_POLICY", target_id=member).effective_policy
    assert json.loads(found.policy_content) == {"tags": {"team": {"tag_value": ["a"]}}}


def test_accounts_with_an_effective_policy_that_makes_no_sense_are_listed(org: Organization) -> None:
    dev = org.unit("dev")
    member = org.account(parent=dev)
    type_: dict[str, Any] = {"policy_type": "BACKUP_POLICY"}
    org("EnablePolicyType", root_id=org.root_id, **type_)
    org.attach(org.policy('{"plans":{"a":{"x":{"@@assign":"1"}}}}', "BACKUP_POLICY"), org.root_id)
    assert list(org("ListAccountsWithInvalidEffectivePolicy", **type_).accounts) == []
    appended = org.policy('{"plans":{"a":{"x":{"@@append":["2"]}}}}', "BACKUP_POLICY")
    org.attach(appended, dev)
    assert [account.id for account in org("ListAccountsWithInvalidEffectivePolicy", **type_).accounts] == [member]
    found = org("ListEffectivePolicyValidationErrors", account_id=member, **type_)
    assert found.path == f"{org.id}/{org.root_id}/{dev}/{member}/"
    (error,) = found.effective_policy_validation_errors
    assert (error.path_to_error, error.contributing_policies[-1]) == ("/plans/a/x", appended)
    assert list(org("ListEffectivePolicyValidationErrors", account_id=org.management, **type_).effective_policy_validation_errors) == []
