"""Service-linked roles, over the whole pipeline."""

import json
from pathlib import Path
from typing import Any

import pytest

from sekisho.services.iam import linked_services, managed_policies
from sekisho.services.iam.errors import NoSuchEntity
from tests import harness
from tests.harness import House
from tests.services.conftest import Refused
from tests.services.iam.documents import LIST_BUCKETS, TRUST_EC2, allow

NAME = "AWSServiceRoleForAutoScaling"
PROTECTED = ("UnmodifiableEntity", f"Cannot perform the operation on the protected role '{NAME}' - this role is only modifiable by AWS")


@pytest.fixture(scope="module", autouse=True)
def loaded(shared: House) -> None:
    """The policies of AWS are in the database, as in every server's."""
    managed_policies.load(shared.node.database)


def linked(house: House, service: str = "autoscaling.amazonaws.com", **fields: Any) -> Any:
    return house.call("CreateServiceLinkedRole", aws_service_name=service, **fields).role


@pytest.mark.parametrize(
    ("service", "suffix", "name"),
    [
        ("autoscaling.amazonaws.com", "", "AWSServiceRoleForAutoScaling"),
        ("acm.amazonaws.com", "", "AWSServiceRoleForCertificateManager"),
        ("accountdiscovery.ssm.amazonaws.com", "", "AWSServiceRoleForAmazonSSM_AccountDiscovery"),
        ("cks.kms.amazonaws.com", "", "AWSServiceRoleForKeyManagementServiceCustomKeyStores"),
        ("mrk.kms.amazonaws.com", "", "AWSServiceRoleForKeyManagementServiceMultiRegionKeys"),
        ("docdb-elastic.amazonaws.com", "", "AWSServiceRoleForDocDB-Elastic"),
        ("ec2.application-autoscaling.amazonaws.com", "", "AWSServiceRoleForApplicationAutoScaling_EC2SpotFleetRequest"),
        ("lexv2.amazonaws.com", "mine", "AWSServiceRoleForLexV2Bots_mine"),
        ("connect.amazonaws.com", "mine", "AWSServiceRoleForAmazonConnect_mine"),
        ("vpcorigin.cloudfront.amazonaws.com", "", "AWSServiceRoleForCloudFrontVPCOrigin"),
        ("autoscaling.amazonaws.com", "mine", "AWSServiceRoleForAutoScaling_mine"),
        ("rds.amazonaws.com", "", "AWSServiceRoleForRDS"),
        ("order-desk.example.com", "", "AWSServiceRoleForOrderDesk"),
    ],
)
def test_the_service_gives_name_path_and_trust(house: House, service: str, suffix: str, name: str) -> None:
    fields = {"custom_suffix": suffix} if suffix else {}
    made = linked(house, service, **fields)
    assert (made.role_name, made.path) == (name, f"/aws-service-role/{service}/")
    assert made.arn == f"arn:aws:iam::{house.account_id}:role/aws-service-role/{service}/{name}"
    assert json.loads(made.assume_role_policy_document) == {
        "Version": "2012-10-17",
        "Statement": [{"Effect": "Allow", "Principal": {"Service": service}, "Action": "sts:AssumeRole"}],
    }


POLICIES = {
    "autoscaling.amazonaws.com": "AutoScalingServiceRolePolicy",
    "ec2-instance-connect.amazonaws.com": "Ec2InstanceConnectEndpoint",
    "emrwal.amazonaws.com": "EMRDescribeClusterPolicyForEMRWAL",
    "imagebuilder.amazonaws.com": "AWSServiceRoleForImageBuilder",
    "pullthroughcache.ecr.amazonaws.com": "AWSECRPullThroughCache_ServiceRolePolicy",
}


@pytest.mark.parametrize("service", POLICIES)
def test_it_bears_the_policy_of_its_service(house: House, refused: Refused, service: str) -> None:
    """Source: answers of AWS, recorded in 2026, for 71 services."""
    role = linked(house, service)
    arn = f"arn:aws:iam::aws:policy/aws-service-role/{POLICIES[service]}"
    (attached,) = house.call("ListAttachedRolePolicies", role_name=role.role_name).attached_policies
    assert (attached.policy_name, attached.policy_arn) == (POLICIES[service], arn)
    assert house.call("GetPolicy", policy_arn=arn).policy.attachment_count == 1
    assert [one.role_name for one in house.call("ListEntitiesForPolicy", policy_arn=arn).policy_roles] == [role.role_name]
    house.call("DeleteServiceLinkedRole", role_name=role.role_name)
    assert house.call("GetPolicy", policy_arn=arn).policy.attachment_count == 0
    assert refused("GetRole", role_name=role.role_name)[0] == "NoSuchEntity"


def test_the_services_of_aws_have_names_and_policies_of_their_own() -> None:
    found = linked_services.table().values()
    assert len(found) == 76
    assert len({one.role_name for one in found}) == len({one.policy_arn for one in found}) == 76
    assert all(one.role_name.startswith("AWSServiceRoleFor") and len(one.role_name) <= 64 for one in found)
    assert sorted(one.service for one in found if one.suffixed) == [
        "autoscaling.amazonaws.com",
        "connect.amazonaws.com",
        "lexv2.amazonaws.com",
    ]
    assert {one.policy_arn for one in found} <= {one.arn for one in managed_policies.built_in()}


def test_its_policy_allows_nothing_until_it_is_imported(house: House) -> None:
    """We have AWS's names, not its documents; what cannot be known is not allowed. See docs/aws-differences.md."""
    arn = "arn:aws:iam::aws:policy/aws-service-role/AutoScalingServiceRolePolicy"
    version = house.call("GetPolicy", policy_arn=arn).policy.default_version_id
    document = json.loads(house.call("GetPolicyVersion", policy_arn=arn, version_id=version).policy_version.document)
    assert [(one["Effect"], one["Action"]) for one in document["Statement"]] == [("Allow", "sts:GetCallerIdentity")]


@pytest.mark.parametrize("service", ["rds.amazonaws.com", "ecs.amazonaws.com", "es.amazonaws.com"])
def test_a_suffix_is_for_few_services(house: House, refused: Refused, service: str) -> None:
    """Source: AWS's own answers, recorded in 2026; for es.amazonaws.com as people quote it."""
    said = ("InvalidInput", f"Custom suffix is not allowed for {service}")
    assert refused("CreateServiceLinkedRole", aws_service_name=service, custom_suffix="mine") == said
    assert list(house.call("ListRoles").roles) == []


@pytest.mark.parametrize("kind", ["User", "Group", "Role"])
def test_nobody_else_bears_its_policy(house: House, refused: Refused, kind: str) -> None:
    """Source: AWS's sentence, as Terraform's users quote it."""
    fields: dict[str, Any] = {f"{kind.lower()}_name": "plain"}
    made = fields | ({"assume_role_policy_document": TRUST_EC2} if kind == "Role" else {})
    house.call(f"Create{kind}", **made)
    arn = "arn:aws:iam::aws:policy/aws-service-role/AmazonECSServiceRolePolicy"
    said = ("PolicyNotAttachable", "Cannot attach a Service Role Policy to a Customer Role.")
    assert refused(f"Attach{kind}Policy", policy_arn=arn, **fields) == said
    assert list(house.call(f"ListAttached{kind}Policies", **fields).attached_policies) == []


def test_without_the_policies_of_aws_no_role_is_made(tmp_path: Path) -> None:
    """A database in which no server has started: rather none than one without its policy."""
    with harness.house(f"sqlite:///{tmp_path / 'sekisho.db'}", tmp_path) as fresh:
        with pytest.raises(NoSuchEntity, match="aws-service-role/AmazonRDSServiceRolePolicy was not found"):
            linked(fresh, "rds.amazonaws.com")
        assert list(fresh.call("ListRoles").roles) == []
        assert linked(fresh, "order-desk.example.com").role_name == "AWSServiceRoleForOrderDesk"


def test_one_a_service_and_suffix(house: House, refused: Refused) -> None:
    linked(house, description="scales")
    assert house.call("GetRole", role_name=NAME).role.description == "scales"
    assert refused("CreateServiceLinkedRole", aws_service_name="autoscaling.amazonaws.com") == (
        "InvalidInput",
        f"Service role name {NAME} has been taken in this account, please try a different suffix.",
    )
    linked(house, custom_suffix="two")
    assert refused("CreateServiceLinkedRole", aws_service_name="autoscaling.amazonaws.com", custom_suffix="x" * 64)[0] == "InvalidInput"


@pytest.mark.parametrize(
    ("name", "fields"),
    [
        ("DeleteRole", {}),
        ("AttachRolePolicy", {"policy_arn": "arn:aws:iam::aws:policy/Administrator"}),
        ("DetachRolePolicy", {"policy_arn": "arn:aws:iam::aws:policy/Administrator"}),
        ("PutRolePolicy", {"policy_name": "p", "policy_document": LIST_BUCKETS}),
        ("DeleteRolePolicy", {"policy_name": "p"}),
        ("UpdateAssumeRolePolicy", {"policy_document": TRUST_EC2}),
        ("PutRolePermissionsBoundary", {"permissions_boundary": "arn:aws:iam::aws:policy/Administrator"}),
        ("DeleteRolePermissionsBoundary", {}),
        ("AddRoleToInstanceProfile", {"instance_profile_name": "web"}),
    ],
)
def test_only_its_service_changes_it(house: House, refused: Refused, name: str, fields: dict[str, str]) -> None:
    linked(house)
    house.call("CreateInstanceProfile", instance_profile_name="web")
    assert refused(name, role_name=NAME, **fields) == PROTECTED


def test_its_description_and_tags_are_anybodys(house: House, refused: Refused) -> None:
    linked(house)
    house.call("UpdateRole", role_name=NAME, description="d")
    house.call("UpdateRoleDescription", role_name=NAME, description="e")
    house.call("TagRole", role_name=NAME, tags=[{"key": "k", "value": "v"}])
    assert refused("UpdateRole", role_name=NAME, description="f", max_session_duration=7200) == (
        "UnmodifiableEntity",
        f"{NAME} is an AWS service linked role, max session duration cannot be changed.",
    )
    assert house.call("GetRole", role_name=NAME).role.description == "e"


def test_deletion_is_a_task_that_has_succeeded(house: House, refused: Refused) -> None:
    linked(house)
    house.call("TagRole", role_name=NAME, tags=[{"key": "k", "value": "v"}])
    task = house.call("DeleteServiceLinkedRole", role_name=NAME).deletion_task_id
    assert task.startswith(f"task/aws-service-role/autoscaling.amazonaws.com/{NAME}/")
    status = house.call("GetServiceLinkedRoleDeletionStatus", deletion_task_id=task)
    assert (status.status, status.HasField("reason")) == ("SUCCEEDED", False)
    assert refused("GetRole", role_name=NAME)[0] == "NoSuchEntity"
    assert refused("GetServiceLinkedRoleDeletionStatus", _as=house.account(), deletion_task_id=task)[0] == "NoSuchEntity"
    linked(house)


def test_what_is_none(house: House, refused: Refused) -> None:
    house.call("CreateRole", role_name="plain", assume_role_policy_document=TRUST_EC2)
    assert refused("DeleteServiceLinkedRole", role_name="plain") == (
        "NoSuchEntity",
        "The role with name plain is not a service-linked role.",
    )
    assert refused("DeleteServiceLinkedRole", role_name="none") == ("NoSuchEntity", "The role with name none cannot be found.")
    assert refused("GetServiceLinkedRoleDeletionStatus", deletion_task_id="task/x") == (
        "NoSuchEntity",
        "Deletion task task/x cannot be found.",
    )


def test_which_service_is_a_condition(house: House, refused: Refused) -> None:
    when = {"StringLike": {"iam:AWSServiceName": "autoscaling.amazonaws.com"}}
    own = f"arn:aws:iam::{house.account_id}:role/aws-service-role/autoscaling.amazonaws.com/AWSServiceRoleFor*"
    caller = house.user("caller", allow("iam:CreateServiceLinkedRole", on=own, when=when))
    house.call("CreateServiceLinkedRole", _as=caller, aws_service_name="autoscaling.amazonaws.com")
    assert refused("CreateServiceLinkedRole", _as=caller, aws_service_name="rds.amazonaws.com")[0] == "AccessDenied"
