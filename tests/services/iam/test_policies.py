"""Managed policies, over the whole pipeline."""

import re
from typing import Any

import pytest

from sekisho.services.iam.quotas import QUOTAS
from tests.harness import House
from tests.services.conftest import Refused
from tests.services.iam.documents import LIST_BUCKETS, NO_RESOURCE, TRUST_EC2, allow, of_size

ADMINISTRATOR = "arn:aws:iam::aws:policy/Administrator"
BILLING = "arn:aws:iam::aws:policy/job/Billing"


def test_creation_tells_less_than_a_look(house: House) -> None:
    made = house.call(
        "CreatePolicy",
        policy_name="Buckets",
        path="/s3/",
        policy_document=LIST_BUCKETS,
        description="lists buckets",
        tags=[{"key": "Team", "value": "red"}],
    ).policy
    assert made.arn == f"arn:aws:iam::{house.account_id}:policy/s3/Buckets"
    assert re.fullmatch(r"ANPA[A-Z2-7]{17}", made.policy_id)
    assert (made.default_version_id, made.attachment_count, made.permissions_boundary_usage_count) == ("v1", 0, 0)
    assert (made.is_attachable, made.create_date == made.update_date, made.create_date.nanos) == (True, True, 0)
    assert (made.HasField("attachment_count"), made.HasField("description")) == (True, False)
    seen = house.call("GetPolicy", policy_arn=made.arn).policy
    assert (seen.description, [tag.key for tag in seen.tags]) == ("lists buckets", ["Team"])
    (listed,) = house.call("ListPolicies", scope="Local").policies
    assert (listed.policy_id, listed.HasField("description"), len(listed.tags)) == (made.policy_id, False, 0)


def test_who_describes_nothing_is_shown_no_description(house: House) -> None:
    made = house.call("CreatePolicy", policy_name="Plain", policy_document=LIST_BUCKETS).policy
    assert house.call("GetPolicy", policy_arn=made.arn).policy.HasField("description") is False


def test_names_are_unique_whatever_case_and_path(house: House, refused: Refused) -> None:
    house.call("CreatePolicy", policy_name="Buckets", path="/a/", policy_document=LIST_BUCKETS)
    said = ("EntityAlreadyExists", "A policy called bUCKETS already exists. Duplicate names are not allowed.")
    assert refused("CreatePolicy", policy_name="bUCKETS", path="/b/", policy_document=LIST_BUCKETS) == said


@pytest.mark.parametrize("wrong", ["policy/Buckets", "policy/s3/buckets", "policy/S3/Buckets", "policy/s3/x/Buckets", "policy//s3/Buckets"])
def test_an_arn_is_exact(house: House, refused: Refused, wrong: str) -> None:
    house.call("CreatePolicy", policy_name="Buckets", path="/s3/", policy_document=LIST_BUCKETS)
    named = f"arn:aws:iam::{house.account_id}:{wrong}"
    assert refused("GetPolicy", policy_arn=named) == ("NoSuchEntity", f"Policy {named} was not found.")


@pytest.mark.parametrize(
    "named",
    [
        "arn:aws:iam::111122223333:user/alice",
        "arn:aws:iam::111122223333:policy/",
        "arn:aws:iam:us-east-1:111122223333:policy/p",
        "arn:aws:s3::111122223333:policy/p",
        "arn:aws-cn:iam::111122223333:policy/p",
    ],
)
def test_what_is_no_arn_of_a_policy(refused: Refused, named: str) -> None:
    assert refused("GetPolicy", policy_arn=named) == ("ValidationError", f"ARN {named} is not valid.")


@pytest.mark.parametrize("name", ["GetPolicy", "DeletePolicy", "ListPolicyVersions", "ListEntitiesForPolicy", "ListPolicyTags"])
@pytest.mark.parametrize("named", ["longpolicynamebutnoarn", "arn:aws:iam:111122223333:policy/p", "arn:aws:iam::111122223333:"])
def test_a_malformed_policy_arn_could_not_be_parsed(refused: Refused, name: str, named: str) -> None:
    """With two blanks. Source: what AWS says to GetPolicy, as its own resource handlers quote it; issue 9."""
    assert refused(name, policy_arn=named) == ("ValidationError", "Invalid ARN:  Could not be parsed!")


@pytest.mark.parametrize("name", ["GetPolicy", "DeletePolicy", "ListPolicyVersions", "ListEntitiesForPolicy", "ListPolicyTags"])
def test_a_policy_that_does_not_exist(house: House, refused: Refused, name: str) -> None:
    named = f"arn:aws:iam::{house.account_id}:policy/none"
    assert refused(name, policy_arn=named) == ("NoSuchEntity", f"Policy {named} was not found.")


def test_a_policy_of_another_account_is_out_of_reach(house: House, refused: Refused) -> None:
    made = house.call("CreatePolicy", _as=house.account(), policy_name="p", policy_document=LIST_BUCKETS).policy
    house.call("CreateUser", user_name="u")
    assert refused("GetPolicy", policy_arn=made.arn)[0] == "AccessDenied"
    assert refused("DeletePolicy", policy_arn=made.arn)[0] == "AccessDenied"
    missing = ("NoSuchEntity", f"Policy {made.arn} does not exist or is not attachable.")
    assert refused("AttachUserPolicy", user_name="u", policy_arn=made.arn) == missing
    missing = ("NoSuchEntity", f"Scope ARN: {made.arn} does not exist or is not attachable.")
    assert refused("PutUserPermissionsBoundary", user_name="u", permissions_boundary=made.arn) == missing


def test_deletion_waits_for_all_uses_and_versions(house: House, refused: Refused) -> None:
    made = house.call("CreatePolicy", policy_name="p", policy_document=LIST_BUCKETS, tags=[{"key": "k", "value": "v"}]).policy
    house.call("CreateUser", user_name="u")
    house.call("CreateRole", role_name="r", assume_role_policy_document=TRUST_EC2)
    house.call("CreateGroup", group_name="g")
    house.call("CreatePolicyVersion", policy_arn=made.arn, policy_document=LIST_BUCKETS)
    in_use = ("DeleteConflict", "Cannot delete a policy attached to entities.")
    for kind, name in (("user", "u"), ("role", "r"), ("group", "g")):
        owner: dict[str, Any] = {f"{kind}_name": name}
        house.call(f"Attach{kind.capitalize()}Policy", policy_arn=made.arn, **owner)
        assert refused("DeletePolicy", policy_arn=made.arn) == in_use
        house.call(f"Detach{kind.capitalize()}Policy", policy_arn=made.arn, **owner)
    for kind, name in (("user", "u"), ("role", "r")):
        owner = {f"{kind}_name": name}
        house.call(f"Put{kind.capitalize()}PermissionsBoundary", permissions_boundary=made.arn, **owner)
        assert refused("DeletePolicy", policy_arn=made.arn) == in_use
        house.call(f"Delete{kind.capitalize()}PermissionsBoundary", **owner)
    more = (
        "This policy has more than one version. Before you delete a policy, you must delete the policy's versions. "
        "The default version is deleted with the policy."
    )
    assert refused("DeletePolicy", policy_arn=made.arn) == ("DeleteConflict", more)
    house.call("DeletePolicyVersion", policy_arn=made.arn, version_id="v2")
    house.call("DeletePolicy", policy_arn=made.arn)
    assert refused("GetPolicy", policy_arn=made.arn) == ("NoSuchEntity", f"Policy {made.arn} was not found.")
    assert house.call("CreatePolicy", policy_name="p", policy_document=LIST_BUCKETS).policy.policy_id != made.policy_id


def test_policies_of_aws_are_for_all_to_read_and_use(house: House) -> None:
    seen = house.call("GetPolicy", policy_arn=BILLING).policy
    assert (seen.policy_name, seen.path, seen.arn, seen.description) == ("Billing", "/job/", BILLING, "of AWS")
    version = house.call("GetPolicyVersion", policy_arn=BILLING, version_id="v1").policy_version
    assert version.document == '{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"*","Resource":"*"}]}'
    assert [v.version_id for v in house.call("ListPolicyVersions", policy_arn=BILLING).versions] == ["v1"]
    house.call("CreateUser", user_name="u", permissions_boundary=ADMINISTRATOR)
    house.call("AttachUserPolicy", user_name="u", policy_arn=ADMINISTRATOR)
    seen = house.call("GetPolicy", policy_arn=ADMINISTRATOR).policy
    assert (seen.attachment_count, seen.permissions_boundary_usage_count) == (1, 1)
    other = house.call("GetPolicy", _as=house.account(), policy_arn=ADMINISTRATOR).policy
    assert (other.attachment_count, other.permissions_boundary_usage_count) == (0, 0)


@pytest.mark.parametrize(
    ("name", "fields"),
    [
        ("DeletePolicy", {}),
        ("CreatePolicyVersion", {"policy_document": LIST_BUCKETS}),
        ("SetDefaultPolicyVersion", {"version_id": "v1"}),
        ("DeletePolicyVersion", {"version_id": "v1"}),
        ("TagPolicy", {"tags": [{"key": "k", "value": "v"}]}),
        ("UntagPolicy", {"tag_keys": ["k"]}),
    ],
)
def test_policies_of_aws_are_for_nobody_to_change(house: House, refused: Refused, name: str, fields: dict[str, Any]) -> None:
    assert refused(name, policy_arn=BILLING, **fields) == (
        "AccessDenied",
        f"User: arn:aws:iam::{house.account_id}:root is not authorized to perform: iam:{name} on resource: policy {BILLING}",
    )


def test_counts_are_the_accounts_own(house: House) -> None:
    made = house.call("CreatePolicy", policy_name="p", policy_document=LIST_BUCKETS).policy
    for user in ("a", "b"):
        house.call("CreateUser", user_name=user, permissions_boundary=made.arn)
    house.call("AttachUserPolicy", user_name="a", policy_arn=made.arn)
    house.call("CreateRole", role_name="r", assume_role_policy_document=TRUST_EC2, permissions_boundary=made.arn)
    house.call("CreateGroup", group_name="g")
    house.call("AttachGroupPolicy", group_name="g", policy_arn=made.arn)
    for seen in (house.call("GetPolicy", policy_arn=made.arn).policy, *house.call("ListPolicies", scope="Local").policies):
        assert (seen.attachment_count, seen.permissions_boundary_usage_count) == (2, 3)


def test_what_a_list_of_policies_shows(house: House) -> None:
    arns = {
        name: house.call("CreatePolicy", policy_name=name, path=path, policy_document=LIST_BUCKETS).policy.arn
        for name, path in (("free", "/"), ("held", "/x/"), ("bound", "/x/y/"))
    }
    house.call("CreateUser", user_name="u", permissions_boundary=arns["bound"])
    house.call("AttachUserPolicy", user_name="u", policy_arn=arns["held"])

    def names(**fields: Any) -> list[str]:
        return [policy.policy_name for policy in house.call("ListPolicies", **fields).policies]

    assert names() == ["Administrator", "Billing", "bound", "free", "held"]
    assert names(scope="All") == ["Administrator", "Billing", "bound", "free", "held"]
    assert names(scope="AWS") == ["Administrator", "Billing"]
    assert names(scope="Local") == ["bound", "free", "held"]
    assert names(only_attached=True) == ["held"]
    assert names(policy_usage_filter="PermissionsPolicy") == ["held"]
    assert names(policy_usage_filter="PermissionsBoundary") == ["bound"]
    assert names(path_prefix="/x/") == ["bound", "held"]
    house.call("AttachUserPolicy", user_name="u", policy_arn=BILLING)
    assert names(only_attached=True) == ["Billing", "held"]
    assert names(only_attached=True, scope="AWS") == ["Billing"]


def test_a_list_of_policies_has_pages(house: House, refused: Refused) -> None:
    for name in ("b", "administrator", "c"):
        house.call("CreatePolicy", policy_name=name, policy_document=LIST_BUCKETS)
    seen, marker = [], None
    while True:
        page = house.call("ListPolicies", max_items=1, marker=marker)
        seen += [policy.arn.rpartition(":")[2] for policy in page.policies]
        if not page.is_truncated:
            break
        marker = page.marker
    assert sorted(seen[:2]) == ["policy/Administrator", "policy/administrator"]
    assert seen[2:] == ["policy/b", "policy/job/Billing", "policy/c"]
    assert refused("ListPolicies", scope="Local", marker=marker) == ("ValidationError", "Invalid Marker.")


def test_who_has_a_policy(house: House) -> None:
    made = house.call("CreatePolicy", policy_name="p", policy_document=LIST_BUCKETS).policy
    ids = {
        "a": house.call("CreateUser", user_name="a", path="/x/").user.user_id,
        "r": house.call("CreateRole", role_name="r", assume_role_policy_document=TRUST_EC2).role.role_id,
        "g": house.call("CreateGroup", group_name="g", path="/x/").group.group_id,
    }
    house.call("CreateUser", user_name="b", permissions_boundary=made.arn)
    house.call("CreateUser", user_name="c")
    house.call("AttachUserPolicy", user_name="a", policy_arn=made.arn)
    house.call("AttachRolePolicy", role_name="r", policy_arn=made.arn)
    house.call("PutRolePermissionsBoundary", role_name="r", permissions_boundary=made.arn)
    house.call("AttachGroupPolicy", group_name="g", policy_arn=made.arn)

    def names(**fields: Any) -> tuple[list[str], list[str], list[str]]:
        answer = house.call("ListEntitiesForPolicy", policy_arn=made.arn, **fields)
        return (
            [group.group_name for group in answer.policy_groups],
            [role.role_name for role in answer.policy_roles],
            [user.user_name for user in answer.policy_users],
        )

    assert names() == (["g"], ["r"], ["a", "b"])
    assert names(entity_filter="User") == ([], [], ["a", "b"])
    assert names(entity_filter="Role") == ([], ["r"], [])
    assert names(entity_filter="Group") == (["g"], [], [])
    assert names(entity_filter="LocalManagedPolicy") == ([], [], [])
    assert names(policy_usage_filter="PermissionsPolicy") == (["g"], ["r"], ["a"])
    assert names(policy_usage_filter="PermissionsBoundary") == ([], ["r"], ["b"])
    assert names(path_prefix="/x/") == (["g"], [], ["a"])
    answer = house.call("ListEntitiesForPolicy", policy_arn=made.arn, max_items=3)
    assert ({answer.policy_groups[0].group_id, answer.policy_roles[0].role_id, answer.policy_users[0].user_id}) == set(ids.values())
    rest = house.call("ListEntitiesForPolicy", policy_arn=made.arn, marker=answer.marker)
    assert ([user.user_name for user in rest.policy_users], rest.is_truncated) == (["b"], False)


def test_the_quota_of_policies(house: House, refused: Refused, monkeypatch: pytest.MonkeyPatch) -> None:
    assert QUOTAS["PoliciesQuota"] == 1500
    monkeypatch.setitem(QUOTAS, "PoliciesQuota", 1)
    house.call("CreatePolicy", policy_name="a", policy_document=LIST_BUCKETS)
    said = ("LimitExceeded", "Cannot exceed quota for PoliciesPerAccount: 1")
    assert refused("CreatePolicy", policy_name="b", policy_document=LIST_BUCKETS) == said


def test_the_quota_of_a_document(house: House, refused: Refused) -> None:
    said = ("LimitExceeded", "Cannot exceed quota for PolicySize: 6144")
    assert refused("CreatePolicy", policy_name="p", policy_document=of_size(6145)) == said
    made = house.call("CreatePolicy", policy_name="p", policy_document=of_size(6144)).policy
    assert refused("CreatePolicyVersion", policy_arn=made.arn, policy_document=of_size(6145)) == said
    house.call("CreatePolicyVersion", policy_arn=made.arn, policy_document=of_size(6144))


@pytest.mark.parametrize(
    ("document", "sentence"),
    [
        ("{", "Syntax errors in policy."),
        (NO_RESOURCE, "Policy statement must contain resources."),
        (LIST_BUCKETS.replace("2012-10-17", "2008-10-17"), "Policy document must be version 2012-10-17 or greater."),
        (TRUST_EC2, "Policy document should not specify a principal."),
    ],
    ids=["no_json", "no_resource", "old_version", "principal"],
)
def test_a_malformed_document(house: House, refused: Refused, document: str, sentence: str) -> None:
    assert refused("CreatePolicy", policy_name="p", policy_document=document) == ("MalformedPolicyDocument", sentence)
    made = house.call("CreatePolicy", policy_name="p", policy_document=LIST_BUCKETS).policy
    assert refused("CreatePolicyVersion", policy_arn=made.arn, policy_document=document) == ("MalformedPolicyDocument", sentence)


def test_characters_that_no_document_may_have(refused: Refused) -> None:
    code, message = refused("CreatePolicy", policy_name="p", policy_document=LIST_BUCKETS.replace("Bucket", "Buck\u0100t"))
    assert (code, "'policyDocument' failed to satisfy constraint" in message) == ("ValidationError", True)


def test_a_policy_is_judged_by_path_and_tags(house: House, refused: Refused) -> None:
    red = house.call("CreatePolicy", policy_name="red", policy_document=LIST_BUCKETS, tags=[{"key": "team", "value": "red"}]).policy
    blue = house.call("CreatePolicy", policy_name="blue", policy_document=LIST_BUCKETS, tags=[{"key": "team", "value": "blue"}]).policy
    caller = house.user(
        "caller",
        allow("iam:GetPolicy", when={"StringEquals": {"aws:ResourceTag/team": "red"}}),
        allow("iam:CreatePolicy", on=f"arn:aws:iam::{house.account_id}:policy/dev/*"),
    )
    assert house.call("GetPolicy", _as=caller, policy_arn=red.arn).policy.policy_name == "red"
    assert refused("GetPolicy", _as=caller, policy_arn=blue.arn)[0] == "AccessDenied"
    assert refused("GetPolicy", _as=caller, policy_arn=f"{red.arn}x")[0] == "AccessDenied"
    house.call("CreatePolicy", _as=caller, policy_name="p", path="/dev/", policy_document=LIST_BUCKETS)
    assert refused("CreatePolicy", _as=caller, policy_name="q", policy_document=LIST_BUCKETS)[0] == "AccessDenied"
