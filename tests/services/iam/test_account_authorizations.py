"""All that decides what the identities of an account may do, over the whole pipeline."""

import json
from typing import Any

import pytest

from tests.harness import House
from tests.services.conftest import Refused
from tests.services.iam.documents import LIST_BUCKETS, TRUST_EC2

ADMINISTRATOR = "arn:aws:iam::aws:policy/Administrator"
BILLING = "arn:aws:iam::aws:policy/job/Billing"
LISTS = ("user_detail_list", "group_detail_list", "role_detail_list", "policies")


@pytest.fixture
def full(house: House) -> House:
    """An account with something of each kind."""
    tags = [{"key": "k", "value": "v"}]
    own = house.call("CreatePolicy", policy_name="own", policy_document=LIST_BUCKETS, description="d", tags=tags).policy.arn
    house.call("CreatePolicyVersion", policy_arn=own, policy_document=LIST_BUCKETS, set_as_default=True)
    house.call("CreateUser", user_name="ann", permissions_boundary=own, tags=tags)
    house.call("CreateUser", user_name="Bob")
    house.call("CreateGroup", group_name="staff")
    house.call("AddUserToGroup", user_name="ann", group_name="staff")
    house.call("CreateRole", role_name="app", assume_role_policy_document=TRUST_EC2, tags=tags)
    house.call("PutUserPolicy", user_name="ann", policy_name="in", policy_document=LIST_BUCKETS)
    house.call("AttachUserPolicy", user_name="ann", policy_arn=ADMINISTRATOR)
    house.call("PutGroupPolicy", group_name="staff", policy_name="in", policy_document=LIST_BUCKETS)
    house.call("AttachRolePolicy", role_name="app", policy_arn=own)
    house.call("CreateInstanceProfile", instance_profile_name="web")
    house.call("AddRoleToInstanceProfile", instance_profile_name="web", role_name="app")
    return house


def names(response: Any) -> list[list[str]]:
    fields = ("user_name", "group_name", "role_name", "policy_name")
    return [[getattr(item, field) for item in getattr(response, name)] for name, field in zip(LISTS, fields, strict=True)]


def test_everything_is_there(full: House) -> None:
    found = full.call("GetAccountAuthorizationDetails")
    assert names(found) == [["ann", "Bob"], ["staff"], ["app"], ["own", "Administrator"]]
    assert found.is_truncated is False
    ann, bob = found.user_detail_list
    assert [(policy.policy_name, policy.policy_document) for policy in ann.user_policy_list] == [("in", LIST_BUCKETS)]
    assert list(ann.group_list) == ["staff"]
    assert [policy.policy_arn for policy in ann.attached_managed_policies] == [ADMINISTRATOR]
    own = f"arn:aws:iam::{full.account_id}:policy/own"
    assert ann.permissions_boundary.permissions_boundary_arn == own
    assert [(tag.key, tag.value) for tag in ann.tags] == [("k", "v")]
    assert {field.name for field, _ in bob.ListFields()} == {"path", "user_name", "user_id", "arn", "create_date"}
    (group,) = found.group_detail_list
    assert [policy.policy_name for policy in group.group_policy_list] == ["in"]
    (role,) = found.role_detail_list
    assert json.loads(role.assume_role_policy_document) == json.loads(TRUST_EC2)
    assert [profile.instance_profile_name for profile in role.instance_profile_list] == ["web"]
    assert [policy.policy_arn for policy in role.attached_managed_policies] == [own]
    policy, of_aws = found.policies
    assert (policy.attachment_count, policy.permissions_boundary_usage_count, policy.default_version_id) == (1, 1, "v2")
    assert policy.description == "d"
    assert [(version.version_id, version.is_default_version) for version in policy.policy_version_list] == [("v2", True), ("v1", False)]
    assert all(version.document == LIST_BUCKETS for version in policy.policy_version_list)
    assert (of_aws.arn, of_aws.attachment_count) == (ADMINISTRATOR, 1)


@pytest.mark.parametrize(
    ("kinds", "expected"),
    [
        (["User"], [["ann", "Bob"], [], [], []]),
        (["Group", "Role"], [[], ["staff"], ["app"], []]),
        (["LocalManagedPolicy"], [[], [], [], ["own"]]),
        (["AWSManagedPolicy"], [[], [], [], ["Administrator"]]),
    ],
)
def test_a_filter_narrows_it(full: House, kinds: list[str], expected: list[list[str]]) -> None:
    assert names(full.call("GetAccountAuthorizationDetails", filter=kinds)) == expected


def test_a_policy_of_aws_is_used_as_a_boundary_too(full: House) -> None:
    full.call("PutUserPermissionsBoundary", user_name="Bob", permissions_boundary=BILLING)
    assert names(full.call("GetAccountAuthorizationDetails", filter=["AWSManagedPolicy"]))[3] == ["Administrator", "Billing"]


@pytest.mark.parametrize("size", [1, 2, 3, 5])
def test_pages_add_up(full: House, size: int) -> None:
    found: list[list[str]] = [[], [], [], []]
    marker, pages = "", 0
    while pages == 0 or marker:
        place: dict[str, Any] = {"marker": marker} if marker else {}
        page = full.call("GetAccountAuthorizationDetails", max_items=size, **place)
        for all_names, more in zip(found, names(page), strict=True):
            all_names += more
        assert sum(map(len, names(page))) <= size
        marker, pages = page.marker, pages + 1
    assert found == [["ann", "Bob"], ["staff"], ["app"], ["own", "Administrator"]]
    assert pages == -(-6 // size)


def test_what_is_not_possible(full: House, refused: Refused) -> None:
    assert refused("GetAccountAuthorizationDetails", filter=["Robot"])[0] == "ValidationError"
    page = full.call("GetAccountAuthorizationDetails", max_items=1)
    assert refused("GetAccountAuthorizationDetails", filter=["User"], marker=page.marker) == ("ValidationError", "Invalid Marker.")
    assert names(full.call("GetAccountAuthorizationDetails", _as=full.account())) == [[], [], [], []]
