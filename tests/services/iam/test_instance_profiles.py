"""Instance profiles, over the whole pipeline."""

import json
import re
from typing import Any

import pytest

from tests.harness import House
from tests.services.conftest import Refused
from tests.services.iam.documents import TRUST_EC2, allow

NO_PROFILE = ("NoSuchEntity", "Instance Profile none cannot be found.")


@pytest.fixture
def role(house: House) -> str:
    house.call("CreateRole", role_name="app", assume_role_policy_document=TRUST_EC2, description="d", tags=[{"key": "k", "value": "v"}])
    return "app"


def test_a_new_profile_has_no_role(house: House) -> None:
    made = house.call("CreateInstanceProfile", instance_profile_name="Web", path="/x/", tags=[{"key": "k", "value": "v"}]).instance_profile
    assert (made.instance_profile_name, made.path) == ("Web", "/x/")
    assert made.arn == f"arn:aws:iam::{house.account_id}:instance-profile/x/Web"
    assert re.fullmatch(r"AIPA[A-Z2-7]{17}", made.instance_profile_id)
    assert list(made.roles) == []
    assert [(tag.key, tag.value) for tag in made.tags] == [("k", "v")]
    assert house.call("GetInstanceProfile", instance_profile_name="wEB").instance_profile == made


def test_a_role_goes_in_and_out(house: House, refused: Refused, role: str) -> None:
    house.call("CreateInstanceProfile", instance_profile_name="web")
    house.call("AddRoleToInstanceProfile", instance_profile_name="web", role_name=role)
    (inside,) = house.call("GetInstanceProfile", instance_profile_name="web").instance_profile.roles
    assert (inside.role_name, json.loads(inside.assume_role_policy_document)) == ("app", json.loads(TRUST_EC2))
    assert {field.name for field, _ in inside.ListFields()} == {
        "path",
        "role_name",
        "role_id",
        "arn",
        "create_date",
        "assume_role_policy_document",
    }
    assert refused("AddRoleToInstanceProfile", instance_profile_name="web", role_name=role) == (
        "LimitExceeded",
        "Cannot exceed quota for InstanceSessionsPerInstanceProfile: 1",
    )
    assert refused("DeleteInstanceProfile", instance_profile_name="web") == (
        "DeleteConflict",
        "Cannot delete entity, must remove roles from instance profile first.",
    )
    assert refused("DeleteRole", role_name=role) == (
        "DeleteConflict",
        "Cannot delete entity, must remove roles from instance profile first.",
    )
    house.call("RemoveRoleFromInstanceProfile", instance_profile_name="web", role_name=role)
    assert refused("RemoveRoleFromInstanceProfile", instance_profile_name="web", role_name=role) == (
        "NoSuchEntity",
        "Role with name app cannot be found in instance profile web.",
    )
    house.call("DeleteRole", role_name=role)
    house.call("DeleteInstanceProfile", instance_profile_name="web")
    assert refused("GetInstanceProfile", instance_profile_name="web")[0] == "NoSuchEntity"


def test_lists(house: House, role: str) -> None:
    for name, path in (("b", "/x/"), ("A", "/y/"), ("c", "/x/")):
        house.call("CreateInstanceProfile", instance_profile_name=name, path=path, tags=[{"key": "k", "value": "v"}])
    house.call("AddRoleToInstanceProfile", instance_profile_name="c", role_name=role)
    house.call("AddRoleToInstanceProfile", instance_profile_name="A", role_name=role)

    def names(operation: str, **fields: Any) -> list[str]:
        return [profile.instance_profile_name for profile in house.call(operation, **fields).instance_profiles]

    assert names("ListInstanceProfiles") == ["A", "b", "c"]
    assert names("ListInstanceProfiles", path_prefix="/x/") == ["b", "c"]
    assert names("ListInstanceProfilesForRole", role_name=role) == ["A", "c"]
    page = house.call("ListInstanceProfiles", max_items=2)
    assert (len(page.instance_profiles), page.is_truncated) == (2, True)
    assert names("ListInstanceProfiles", marker=page.marker) == ["c"]
    assert all(not profile.tags for profile in page.instance_profiles)
    assert [inside.role_name for inside in page.instance_profiles[0].roles] == ["app"]


def test_names(house: House, refused: Refused) -> None:
    house.call("CreateInstanceProfile", instance_profile_name="Web")
    assert refused("CreateInstanceProfile", instance_profile_name="web") == ("EntityAlreadyExists", "Instance Profile web already exists.")
    assert refused("CreateInstanceProfile", instance_profile_name="w" * 129)[0] == "ValidationError"
    assert refused("GetInstanceProfile", instance_profile_name="none") == NO_PROFILE
    assert refused("DeleteInstanceProfile", instance_profile_name="none") == NO_PROFILE
    assert refused("AddRoleToInstanceProfile", instance_profile_name="none", role_name="r") == NO_PROFILE
    assert refused("AddRoleToInstanceProfile", instance_profile_name="Web", role_name="r") == (
        "NoSuchEntity",
        "The role with name r cannot be found.",
    )
    assert refused("ListInstanceProfilesForRole", role_name="r") == ("NoSuchEntity", "The role with name r cannot be found.")
    assert refused("GetInstanceProfile", _as=house.account(), instance_profile_name="Web")[0] == "NoSuchEntity"


def test_who_puts_a_role_in_hands_it_on(house: House, refused: Refused, role: str) -> None:
    house.call("CreateInstanceProfile", instance_profile_name="web")
    caller = house.user("caller", allow("iam:AddRoleToInstanceProfile"))
    assert refused("AddRoleToInstanceProfile", _as=caller, instance_profile_name="web", role_name=role) == (
        "AccessDenied",
        (
            f"User: arn:aws:iam::{house.account_id}:user/caller is not authorized to perform: iam:PassRole on resource: "
            f"arn:aws:iam::{house.account_id}:role/app because no identity-based policy allows the iam:PassRole action"
        ),
    )
    passing = allow("iam:PassRole", on=f"arn:aws:iam::{house.account_id}:role/app")
    house.call("PutUserPolicy", user_name="caller", policy_name="pass", policy_document=passing)
    house.call("AddRoleToInstanceProfile", _as=caller, instance_profile_name="web", role_name=role)


def test_the_profile_decides_who_may(house: House, refused: Refused) -> None:
    own = f"arn:aws:iam::{house.account_id}:instance-profile/mine/*"
    caller = house.user("caller", allow("iam:CreateInstanceProfile", "iam:DeleteInstanceProfile", on=own))
    house.call("CreateInstanceProfile", _as=caller, instance_profile_name="a", path="/mine/")
    assert refused("CreateInstanceProfile", _as=caller, instance_profile_name="b", path="/other/")[0] == "AccessDenied"
    tagged = refused("CreateInstanceProfile", _as=caller, instance_profile_name="b", path="/mine/", tags=[{"key": "k", "value": "v"}])
    assert (tagged[0], "iam:TagInstanceProfile" in tagged[1]) == ("AccessDenied", True)
    house.call("DeleteInstanceProfile", _as=caller, instance_profile_name="a")
