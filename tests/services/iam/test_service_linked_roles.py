"""Service-linked roles, over the whole pipeline."""

import json
from typing import Any

import pytest

from tests.harness import House
from tests.services.conftest import Refused
from tests.services.iam.documents import LIST_BUCKETS, TRUST_EC2, allow

NAME = "AWSServiceRoleForAutoScaling"
PROTECTED = ("UnmodifiableEntity", f"Cannot perform the operation on the protected role '{NAME}' - this role is only modifiable by AWS")


def linked(house: House, service: str = "autoscaling.amazonaws.com", **fields: Any) -> Any:
    return house.call("CreateServiceLinkedRole", aws_service_name=service, **fields).role


@pytest.mark.parametrize(
    ("service", "suffix", "name"),
    [
        ("autoscaling.amazonaws.com", "", "AWSServiceRoleForAutoScaling"),
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
