"""Tag policies are enforced where tags are given: on creation and on tagging, in IAM and in Organizations."""

import json
from typing import Any

import pytest

from sekisho.errors import SekishoError
from tests.services.conftest import Refused
from tests.services.iam.documents import LIST_BUCKETS, TRUST_EC2, allow
from tests.services.organizations.conftest import Failing
from tests.services.organizations.tree import Organization

TYPE = "TAG_POLICY"
GOOD, WRONG, SHOUTED = ({"key": key, "value": value} for key, value in (("Team", "red"), ("Team", "green"), ("TEAM", "red")))
VALUE = "The tag policy does not allow the specified value for the following tag key: 'Team'."
CAPITALS = "The tag policy does not allow the specified capitalization for the following tag key: 'TEAM'."


def teams(*enforced_for: str) -> str:
    """A policy of teams and of how they are spelled."""
    said = {"tag_key": {"@@assign": "Team"}, "tag_value": {"@@assign": ["red", "blue"]}, "enforced_for": {"@@assign": list(enforced_for)}}
    return json.dumps({"tags": {"team": said}})


@pytest.fixture
def tagging(org: Organization) -> Organization:
    """An organization in which tag policies are in force."""
    org("EnablePolicyType", root_id=org.root_id, policy_type=TYPE)
    return org


IAM: dict[str, tuple[str, str, dict[str, Any]]] = {
    "create_user": ("iam:user", "CreateUser", {"user_name": "zoe"}),
    "tag_user": ("iam:user", "TagUser", {"user_name": "ann"}),
    "create_role": ("iam:role", "CreateRole", {"role_name": "new", "assume_role_policy_document": TRUST_EC2}),
    "tag_role": ("iam:role", "TagRole", {"role_name": "OrganizationAccountAccessRole"}),
    "create_policy": ("iam:policy", "CreatePolicy", {"policy_name": "new", "policy_document": LIST_BUCKETS}),
    "create_profile": ("iam:instance-profile", "CreateInstanceProfile", {"instance_profile_name": "new"}),
    "create_device": ("iam:mfa", "CreateVirtualMFADevice", {"virtual_mfa_device_name": "new"}),
    "create_provider": (
        "iam:oidc-provider",
        "CreateOpenIDConnectProvider",
        {"url": "https://id.example.com", "thumbprint_list": ["a" * 40]},
    ),
    "all_of_iam": ("iam:*", "CreateUser", {"user_name": "zoe"}),
}


@pytest.mark.parametrize("name", IAM)
def test_of_iam_each_kind_is_held_to_it(tagging: Organization, refused: Refused, name: str) -> None:
    type_, operation, fields = IAM[name]
    member = tagging.account()
    keys = tagging.inside(member)
    tagging.house.call("CreateUser", _as=keys, user_name="ann")
    tagging.attach(tagging.policy(teams(type_), TYPE), member)
    assert refused(operation, keys, tags=[GOOD | {"key": "other"}, WRONG], **fields) == ("InvalidInput", VALUE)
    assert refused(operation, keys, tags=[SHOUTED], **fields) == ("InvalidInput", CAPITALS)
    tagging.house.call(operation, _as=keys, tags=[GOOD, {"key": "other", "value": "green"}], **fields)


def test_what_is_not_enforced_or_is_of_another_account_is_free(tagging: Organization, refused: Refused) -> None:
    member, other = tagging.account(), tagging.account()
    tagging.attach(tagging.policy(teams("iam:role", "s3:*"), TYPE), member)
    tagging.house.call("CreateUser", _as=tagging.inside(member), user_name="ann", tags=[WRONG])
    made: dict[str, Any] = {"role_name": "new", "assume_role_policy_document": TRUST_EC2, "tags": [WRONG]}
    tagging.house.call("CreateRole", _as=tagging.inside(other), **made)
    assert refused("CreateRole", tagging.inside(member), **made) == ("InvalidInput", VALUE)
    without = {name: value for name, value in made.items() if name != "tags"}
    tagging.house.call("CreateRole", _as=tagging.inside(member), **without)
    tagging.house.call("UntagRole", _as=tagging.inside(member), role_name="new", tag_keys=["TEAM"])


def test_it_follows_policies_moves_and_what_is_in_force_at_once(tagging: Organization, refused: Refused) -> None:
    unit = tagging.unit("dev")
    member = tagging.account()
    keys = tagging.inside(member)
    tagging.house.call("CreateUser", _as=keys, user_name="ann")
    id_ = tagging.policy(teams("iam:user"), TYPE)
    tagging.attach(id_, unit)

    def free() -> bool:
        found: tuple[str, str] | None = None
        try:
            tagging.house.call("TagUser", _as=keys, user_name="ann", tags=[WRONG])
        except SekishoError as error:
            found = error.code, error.message
        assert found in (None, ("InvalidInput", VALUE))
        return found is None

    assert free()
    tagging("MoveAccount", account_id=member, source_parent_id=tagging.root_id, destination_parent_id=unit)
    assert not free()
    tagging("UpdatePolicy", policy_id=id_, content=teams("iam:role"))
    assert free()
    tagging("UpdatePolicy", policy_id=id_, content=teams("iam:user"))
    assert not free()
    tagging.detach(id_, unit)
    assert free()
    tagging.attach(id_, member)
    assert not free()
    tagging("DisablePolicyType", root_id=tagging.root_id, policy_type=TYPE)
    assert free()


ORGANIZATIONS: dict[str, tuple[str, str, dict[str, Any]]] = {
    "account": ("organizations:account", "CreateAccount", {"account_name": "new"}),
    "unit": ("organizations:ou", "CreateOrganizationalUnit", {"name": "new"}),
    "policy": ("organizations:policy", "CreatePolicy", {"name": "new", "description": "", "type": TYPE, "content": teams("iam:user")}),
    "invitation": ("organizations:account", "InviteAccountToOrganization", {"target": {"id": "123456789012", "type": "ACCOUNT"}}),
    "own_policy": ("organizations:resourcepolicy", "PutResourcePolicy", {}),
    "tagged_root": ("organizations:root", "TagResource", {}),
}


@pytest.mark.parametrize("name", ORGANIZATIONS)
def test_of_organizations_each_kind_is_held_to_it(tagging: Organization, failing: Failing, name: str) -> None:
    type_, operation, given = ORGANIZATIONS[name]
    delegating = {"Effect": "Allow", "Principal": {"AWS": tagging.management}, "Action": "organizations:ListRoots", "Resource": "*"}
    more = {
        "account": {"email": f"new-{tagging.management}@example.com"},
        "unit": {"parent_id": tagging.root_id},
        "own_policy": {"content": json.dumps({"Version": "2012-10-17", "Statement": [delegating]})},
        "tagged_root": {"resource_id": tagging.root_id},
    }
    fields = given | more.get(name, {})
    tagging.attach(tagging.policy(teams(type_), TYPE), tagging.management)
    assert failing(operation, tags=[WRONG], **fields) == ("ConstraintViolation", "TAG_POLICY_VIOLATION")
    tagging(operation, tags=[GOOD], **fields)


def test_of_cloudtrail_each_kind_is_held_to_it_and_a_wrong_tag_comes_off(tagging: Organization, refused: Refused) -> None:
    call, at = tagging.house.call, tagging.inside(tagging.account())
    trail = call("CreateTrail", _as=at, name="before", s3_bucket_name="logs", tags_list=[WRONG]).trail_arn
    tagging.attach(tagging.policy(teams("cloudtrail:trail", "cloudtrail:eventdatastore"), TYPE), tagging.root_id)
    wrong = ("InvalidTagParameter", VALUE)
    for name, fields in (
        ("CreateTrail", {"name": "after", "s3_bucket_name": "logs"}),
        ("CreateEventDataStore", {"name": "store"}),
        ("AddTags", {"resource_id": trail}),
    ):
        assert refused(name, at, tags_list=[WRONG], **fields) == wrong
        call(name, _as=at, tags_list=[GOOD], **fields)
    call("RemoveTags", _as=at, resource_id=trail, tags_list=[WRONG])


def test_a_key_that_is_spelled_otherwise_further_down_is_the_same(tagging: Organization, refused: Refused) -> None:
    member = tagging.account()
    closed = json.loads(teams("iam:user"))
    closed["tags"]["team"]["enforced_for"]["@@operators_allowed_for_child_policies"] = ["@@none"]
    tagging.attach(tagging.policy(json.dumps(closed), TYPE), tagging.root_id)
    tagging.attach(tagging.policy(json.dumps({"tags": {"TEAM": {"enforced_for": {"@@assign": []}}}}), TYPE), member)
    assert refused("CreateUser", tagging.inside(member), user_name="zoe", tags=[WRONG]) == ("InvalidInput", VALUE)


def test_who_is_not_permitted_does_not_learn_of_policies(tagging: Organization, refused: Refused) -> None:
    tagging.attach(tagging.policy(teams("iam:user"), TYPE), tagging.root_id)
    bob = tagging.house.user("bob", allow("iam:GetUser"))
    assert refused("TagUser", bob, user_name="bob", tags=[WRONG])[0] == "AccessDenied"


def test_without_tag_policies_no_record_is_looked_at_beyond_the_root(tagging: Organization, monkeypatch: pytest.MonkeyPatch) -> None:
    from sekisho.world import inheritance

    def never(*_: object) -> None:
        raise AssertionError("policies were put together")

    monkeypatch.setattr(inheritance, "effective", never)
    tagging.house.call("CreateUser", user_name="zoe", tags=[WRONG])
