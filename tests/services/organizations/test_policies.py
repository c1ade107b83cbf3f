"""Policies of every type: what they may say, what they are called, what they are attached to."""

import re
from typing import Any

import pytest

from tests.services.iam.documents import allow
from tests.services.organizations.conftest import Failing
from tests.services.organizations.tree import RCP, SCP, Organization, deny

FULL = "p-FullAWSAccess"
TAG = '{"tags":{"costcenter":{"tag_key":{"@@assign":"CostCenter"},"tag_value":{"@@assign":["100","200"]}}}}'
BACKUP = '{"plans":{"daily":{"regions":{"@@assign":["eu-west-1"]},"rules":{"r":{"lifecycle":{"delete_after_days":{"@@assign":"30"}}}}}}}'
OPT_OUT = '{"services":{"default":{"opt_out_policy":{"@@assign":"optOut"}}}}'
EC2 = '{"ec2_attributes":{"serial_console_access":{"status":{"@@assign":"disabled"}}}}'
OF_TYPE = {
    SCP: deny("orders:*"),
    RCP: deny("orders:*", Principal="*"),
    "TAG_POLICY": TAG,
    "BACKUP_POLICY": BACKUP,
    "AISERVICES_OPT_OUT_POLICY": OPT_OUT,
    "DECLARATIVE_POLICY_EC2": EC2,
}


@pytest.mark.parametrize("type_", OF_TYPE)
def test_a_policy_of_each_type_comes_and_goes(org: Organization, failing: Failing, type_: str) -> None:
    made = org("CreatePolicy", content=OF_TYPE[type_], description="d", name="n", type=type_).policy
    summary = made.policy_summary
    assert re.fullmatch("p-[a-z0-9]{10}", summary.id)
    assert summary.arn == f"arn:aws:organizations::{org.management}:policy/{org.id}/{type_.lower()}/{summary.id}"
    assert (summary.name, summary.description, summary.type, summary.aws_managed) == ("n", "d", type_, False)
    assert made.content == OF_TYPE[type_]
    assert org("DescribePolicy", policy_id=summary.id).policy == made
    assert summary in org("ListPolicies", filter=type_).policies
    assert failing("CreatePolicy", content=OF_TYPE[type_], description="", name="n", type=type_)[0] == "DuplicatePolicy"
    changed = org("UpdatePolicy", policy_id=summary.id, name="m", description="").policy
    assert (changed.policy_summary.name, changed.policy_summary.description, changed.content) == ("m", "", OF_TYPE[type_])
    org("DeletePolicy", policy_id=summary.id)
    assert failing("DescribePolicy", policy_id=summary.id)[0] == "PolicyNotFound"


WRONG: dict[str, tuple[str, str]] = {
    "no_json": (SCP, "{"),
    "an_scp_with_a_principal": (SCP, deny("a:b", Principal="*")),
    "an_scp_without_a_version": (SCP, '{"Statement":[{"Effect":"Deny","Action":"*","Resource":"*"}]}'),
    "an_rcp_that_allows": (RCP, '{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":"*","Action":"a:b","Resource":"*"}]}'),
    "an_rcp_without_a_principal": (RCP, deny("a:b")),
    "a_tag_policy_of_another_type": ("TAG_POLICY", OPT_OUT),
    "an_unknown_operator": ("TAG_POLICY", '{"tags":{"a":{"tag_key":{"@@set":"A"}}}}'),
    "a_control_that_is_no_text": ("TAG_POLICY", '{"tags":{"a":{"tag_key":{"@@operators_allowed_for_child_policies":[[]]}}}}'),
    "a_number_beyond_all": ("BACKUP_POLICY", '{"plans":{"a":{"b":{"@@assign":1e999}}}}'),
    "operators_beside_elements": ("BACKUP_POLICY", '{"plans":{"a":{"@@assign":"x","b":{"@@assign":"y"}}}}'),
    "a_value_appended_that_is_no_list": ("BACKUP_POLICY", '{"plans":{"a":{"@@append":"x"}}}'),
    "an_unknown_control": ("BACKUP_POLICY", '{"plans":{"a":{"@@operators_allowed_for_child_policies":["@@some"]}}}'),
    "an_unknown_element_of_a_tag": ("TAG_POLICY", '{"tags":{"a":{"colour":{"@@assign":"A"}}}}'),
    "a_key_twice": ("TAG_POLICY", '{"tags":{"a":{},"a":{}}}'),
}


@pytest.mark.parametrize("name", WRONG)
def test_what_a_type_cannot_say_is_malformed(org: Organization, failing: Failing, name: str) -> None:
    type_, content = WRONG[name]
    assert failing("CreatePolicy", content=content, description="", name="n", type=type_)[0] == "MalformedPolicyDocument"
    kept = org.policy(OF_TYPE[type_], type_)
    assert failing("UpdatePolicy", policy_id=kept, content=content)[0] == "MalformedPolicyDocument"
    assert org("DescribePolicy", policy_id=kept).policy.content == OF_TYPE[type_]


def test_a_policy_has_a_size_and_an_organization_its_types(org: Organization, failing: Failing) -> None:
    fields: dict[str, Any] = {"description": "", "name": "n"}
    long = failing("CreatePolicy", content=" " * 5000 + deny("orders:*" + "x" * 200), type=SCP, **fields)
    assert long == ("ConstraintViolation", "POLICY_CONTENT_LIMIT_EXCEEDED")
    assert failing("CreatePolicy", content="{}", type="CHATBOT_POLICY", **fields)[0] == "PolicyTypeNotAvailableForOrganization"
    assert failing("EnablePolicyType", root_id=org.root_id, policy_type="S3_POLICY")[0] == "PolicyTypeNotAvailableForOrganization"


def test_awss_own_policies_are_everybodys_and_nobody_changes_them(org: Organization, failing: Failing) -> None:
    found = org("DescribePolicy", policy_id=FULL).policy
    assert found.policy_summary.arn == "arn:aws:organizations::aws:policy/service_control_policy/p-FullAWSAccess"
    assert (found.policy_summary.name, found.policy_summary.aws_managed) == ("FullAWSAccess", True)
    assert failing("UpdatePolicy", policy_id=FULL, name="n") == ("InvalidInput", "IMMUTABLE_POLICY")
    assert failing("DeletePolicy", policy_id=FULL) == ("InvalidInput", "IMMUTABLE_POLICY")
    assert [one.id for one in org("ListPolicies", filter=RCP).policies] == ["p-RCPFullAWSAccess"]
    assert failing("CreatePolicy", content=deny("a:b"), description="", name="FullAWSAccess", type=SCP)[0] == "DuplicatePolicy"


def test_policies_are_listed_by_page_awss_first(org: Organization) -> None:
    ours = sorted(org.policy(deny("a:b")) for _ in range(3))
    pages = {1: [[FULL], [ours[0]], [ours[1]], [ours[2]]], 2: [[FULL, ours[0]], ours[1:]], 20: [[FULL, *ours]]}
    for size, expected in pages.items():
        seen: list[list[str]] = []
        token = None
        while len(seen) < len(expected):
            page = org("ListPolicies", filter=SCP, max_results=size, next_token=token)
            seen.append([one.id for one in page.policies])
            token = page.next_token
        assert seen == expected
        assert not token


def test_types_are_enabled_and_disabled(org: Organization, failing: Failing) -> None:
    dev = org.unit("dev")
    enabled = org("EnablePolicyType", root_id=org.root_id, policy_type=SCP).root
    assert [(one.type, one.status) for one in enabled.policy_types] == [(SCP, "ENABLED")]
    assert failing("EnablePolicyType", root_id=org.root_id, policy_type=SCP)[0] == "PolicyTypeAlreadyEnabled"
    assert failing("EnablePolicyType", root_id="r-abcd", policy_type=SCP)[0] == "RootNotFound"
    for target in (org.root_id, dev, org.management):
        assert [one.id for one in org("ListPoliciesForTarget", target_id=target, filter=SCP).policies] == [FULL]
    org.attach(org.policy(deny("a:b")), dev)
    assert list(org("DisablePolicyType", root_id=org.root_id, policy_type=SCP).root.policy_types) == []
    assert failing("DisablePolicyType", root_id=org.root_id, policy_type=SCP)[0] == "PolicyTypeNotEnabled"
    org("EnablePolicyType", root_id=org.root_id, policy_type=SCP)
    assert [one.id for one in org("ListPoliciesForTarget", target_id=dev, filter=SCP).policies] == [FULL]


def test_policies_are_attached_and_detached(org: Organization, failing: Failing) -> None:
    dev, member = org.unit("dev"), org.account("a name")
    policy_id = org.policy(deny("a:b"))
    asked = {"policy_id": policy_id, "target_id": dev}
    assert failing("AttachPolicy", **asked)[0] == "PolicyTypeNotEnabled"
    org("EnablePolicyType", root_id=org.root_id, policy_type=SCP)
    for target in (dev, member, org.root_id):
        org.attach(policy_id, target)
    assert failing("AttachPolicy", **asked)[0] == "DuplicatePolicyAttachment"
    assert failing("AttachPolicy", **(asked | {"target_id": "ou-abcd-12345678"}))[0] == "TargetNotFound"
    assert failing("AttachPolicy", **(asked | {"policy_id": "p-12345678"}))[0] == "PolicyNotFound"
    shown = org("ListTargetsForPolicy", policy_id=policy_id).targets
    assert {(one.target_id, one.name, one.type) for one in shown} == {
        (dev, "dev", "ORGANIZATIONAL_UNIT"),
        (member, "a name", "ACCOUNT"),
        (org.root_id, "Root", "ROOT"),
    }
    assert {one.arn for one in shown} >= {f"arn:aws:organizations::{org.management}:ou/{org.id}/{dev}"}
    assert failing("DeletePolicy", policy_id=policy_id)[0] == "PolicyInUse"
    for target in (dev, member, org.root_id):
        org.detach(policy_id, target)
    assert failing("DetachPolicy", **asked)[0] == "PolicyNotAttached"
    org("DeletePolicy", policy_id=policy_id)


def test_a_target_keeps_its_last_scp(org: Organization, failing: Failing) -> None:
    org("EnablePolicyType", root_id=org.root_id, policy_type=SCP)
    last = ("ConstraintViolation", "MIN_POLICY_TYPE_ATTACHMENT_LIMIT_EXCEEDED")
    assert failing("DetachPolicy", policy_id=FULL, target_id=org.root_id) == last
    only = org.policy(allow("orders:*"))
    org.attach(only, org.root_id)
    org.detach(FULL, org.root_id)
    assert failing("DetachPolicy", policy_id=only, target_id=org.root_id) == last


def test_the_rcp_that_is_everywhere_stays(org: Organization, failing: Failing) -> None:
    org("EnablePolicyType", root_id=org.root_id, policy_type=RCP)
    kept = failing("DetachPolicy", policy_id="p-RCPFullAWSAccess", target_id=org.root_id)
    assert kept == ("InvalidInput", "NON_DETACHABLE_POLICY")
    for _ in range(4):
        org.attach(org.policy(deny("a:b", Principal="*"), RCP), org.root_id)
    fifth = failing("AttachPolicy", policy_id=org.policy(deny("a:b", Principal="*"), RCP), target_id=org.root_id)
    assert fifth == ("ConstraintViolation", "MAX_POLICY_TYPE_ATTACHMENT_LIMIT_EXCEEDED")


def test_an_organization_for_bills_alone_has_no_policies(house: Any, failing: Failing) -> None:
    org = Organization(house, feature_set="CONSOLIDATED_BILLING")
    assert list(org("DescribeOrganization").organization.available_policy_types) == []
    assert failing("CreatePolicy", content=deny("a:b"), description="", name="n", type=SCP)[0] == "PolicyTypeNotAvailableForOrganization"
    assert failing("EnablePolicyType", root_id=org.root_id, policy_type=SCP)[0] == "PolicyTypeNotAvailableForOrganization"
    access = failing("EnableAWSServiceAccess", service_principal="config.amazonaws.com")
    assert access == ("ConstraintViolation", "ORGANIZATION_NOT_IN_ALL_FEATURES_MODE")
