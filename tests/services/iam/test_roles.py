"""Roles, over the whole pipeline."""

import re
from datetime import UTC, datetime
from typing import Any

import pytest

from sekisho.journal.last_use import Use
from sekisho.services.iam.quotas import QUOTAS
from sekisho.store.tables import Role
from tests.harness import House
from tests.services.conftest import Refused
from tests.services.iam.documents import LIST_BUCKETS, TRUST_EC2, allow, trust_of_size


def test_creation_tells_less_than_a_look(house: House) -> None:
    boundary = house.call("CreatePolicy", policy_name="limit", policy_document=LIST_BUCKETS).policy.arn
    made = house.call(
        "CreateRole",
        role_name="Ops",
        path="/eng/",
        assume_role_policy_document=TRUST_EC2,
        description="what it does",
        max_session_duration=7200,
        permissions_boundary=boundary,
        tags=[{"key": "Team", "value": "red"}],
    ).role
    assert made.arn == f"arn:aws:iam::{house.account_id}:role/eng/Ops"
    assert re.fullmatch(r"AROA[A-Z2-7]{17}", made.role_id)
    assert made.assume_role_policy_document == TRUST_EC2
    assert [field.name for field, _ in made.ListFields()] == [
        "path",
        "role_name",
        "role_id",
        "arn",
        "create_date",
        "assume_role_policy_document",
        "permissions_boundary",
        "tags",
    ]
    seen = house.call("GetRole", role_name="OPS").role
    assert (seen.description, seen.max_session_duration) == ("what it does", 7200)
    assert (seen.role_id, seen.tags, seen.permissions_boundary) == (made.role_id, made.tags, made.permissions_boundary)
    assert seen.HasField("role_last_used")
    assert seen.role_last_used.ListFields() == []


def test_a_list_leaves_out_tags_boundary_and_last_use(house: House) -> None:
    boundary = house.call("CreatePolicy", policy_name="limit", policy_document=LIST_BUCKETS).policy.arn
    tags = [{"key": "k", "value": "v"}]
    fields = {"assume_role_policy_document": TRUST_EC2, "description": "d", "permissions_boundary": boundary, "tags": tags}
    house.call("CreateRole", role_name="r", **fields)
    (listed,) = house.call("ListRoles").roles
    assert [field.name for field, _ in listed.ListFields()] == [
        "path",
        "role_name",
        "role_id",
        "arn",
        "create_date",
        "assume_role_policy_document",
        "description",
        "max_session_duration",
    ]
    assert listed.max_session_duration == 3600


def test_names_are_unique_whatever_the_case(house: House, refused: Refused) -> None:
    house.call("CreateRole", role_name="Ops", assume_role_policy_document=TRUST_EC2)
    taken = ("EntityAlreadyExists", "Role with name oPS already exists.")
    assert refused("CreateRole", role_name="oPS", assume_role_policy_document=TRUST_EC2) == taken


@pytest.mark.parametrize(
    ("name", "fields"),
    [
        ("GetRole", {}),
        ("UpdateRole", {"description": "d"}),
        ("UpdateRoleDescription", {"description": "d"}),
        ("UpdateAssumeRolePolicy", {"policy_document": TRUST_EC2}),
        ("DeleteRole", {}),
        ("ListRoleTags", {}),
        ("ListRolePolicies", {}),
        ("ListAttachedRolePolicies", {}),
        ("DeleteRolePermissionsBoundary", {}),
    ],
)
def test_a_role_that_does_not_exist(refused: Refused, name: str, fields: dict[str, Any]) -> None:
    assert refused(name, role_name="none", **fields) == ("NoSuchEntity", "The role with name none cannot be found.")


def test_an_update_leaves_what_it_does_not_name(house: House) -> None:
    house.call("CreateRole", role_name="r", assume_role_policy_document=TRUST_EC2, description="one", max_session_duration=4000)
    house.call("UpdateRole", role_name="r")
    assert (house.call("GetRole", role_name="r").role.description, house.call("GetRole", role_name="r").role.max_session_duration) == (
        "one",
        4000,
    )
    house.call("UpdateRole", role_name="r", max_session_duration=43200)
    assert house.call("GetRole", role_name="r").role.description == "one"
    house.call("UpdateRole", role_name="r", description="two")
    seen = house.call("GetRole", role_name="r").role
    assert (seen.description, seen.max_session_duration) == ("two", 43200)


def test_an_empty_description_is_kept(house: House) -> None:
    """Another thing than none. Source: an answer of AWS, recorded (issue 9)."""

    def seen() -> tuple[bool, str]:
        shown = house.call("GetRole", role_name="r").role
        return shown.HasField("description"), shown.description

    made = house.call("CreateRole", role_name="none", assume_role_policy_document=TRUST_EC2).role
    assert not made.HasField("permissions_boundary")
    assert not house.call("GetRole", role_name="none").role.HasField("description")
    house.call("CreateRole", role_name="r", assume_role_policy_document=TRUST_EC2, description="")
    assert seen() == (True, "")
    house.call("UpdateRole", role_name="r", description="one")
    house.call("UpdateRole", role_name="r", description="")
    assert seen() == (True, "")
    answer = house.call("UpdateRoleDescription", role_name="r", description="").role
    assert (answer.HasField("description"), answer.description, seen()) == (True, "", (True, ""))
    (listed,) = [role for role in house.call("ListRoles").roles if role.role_name == "r"]
    assert listed.HasField("description")


def test_a_trust_policy_that_is_no_json_has_its_own_sentence(house: House, refused: Refused) -> None:
    """Other policies have "Syntax errors in policy.". Source: an answer of AWS to UpdateAssumeRolePolicy, recorded on 2026-02-11."""
    said = ("MalformedPolicyDocument", "This policy contains invalid Json")
    house.call("CreateRole", role_name="r", assume_role_policy_document=TRUST_EC2)
    for text in ("not json", '{"Version": "2012-10-17", "Statement": [', "{"):
        assert refused("CreateRole", role_name="x", assume_role_policy_document=text) == said
        assert refused("UpdateAssumeRolePolicy", role_name="r", policy_document=text) == said
    assert refused("CreateRole", role_name="x", assume_role_policy_document="[]")[1] != said[1]


def test_the_description_alone(house: House) -> None:
    house.call("CreateRole", role_name="r", assume_role_policy_document=TRUST_EC2)
    answer = house.call("UpdateRoleDescription", role_name="r", description="three").role
    assert (answer.role_name, answer.description, answer.HasField("max_session_duration")) == ("r", "three", False)
    assert house.call("GetRole", role_name="r").role.description == "three"


@pytest.mark.parametrize("seconds", [3599, 43201])
def test_a_session_lasts_one_to_twelve_hours(refused: Refused, seconds: int) -> None:
    fields = {"role_name": "r", "assume_role_policy_document": TRUST_EC2, "max_session_duration": seconds}
    code, message = refused("CreateRole", **fields)
    assert (code, "'maxSessionDuration' failed to satisfy constraint" in message) == ("ValidationError", True)


def test_a_limit_that_nothing_keeps_is_refused(house: House, refused: Refused) -> None:
    said = ("InvalidInput", "MaxSigninSessionDuration is not supported: roles do not sign in to a console here.")
    fields = {"role_name": "r", "max_signin_session_duration": 3600}
    assert refused("CreateRole", assume_role_policy_document=TRUST_EC2, **fields) == said
    house.call("CreateRole", role_name="r", assume_role_policy_document=TRUST_EC2)
    assert refused("UpdateRole", **fields) == said
    house.call("UpdateRole", role_name="r", reset_max_signin_session_duration=True)


def test_nobody_makes_a_service_linked_role(refused: Refused) -> None:
    said = ("InvalidInput", "The path /aws-service-role/ is reserved for service-linked roles.")
    fields = {"role_name": "r", "assume_role_policy_document": TRUST_EC2}
    assert refused("CreateRole", path="/aws-service-role/x.amazonaws.com/", **fields) == said
    assert refused("CreateRole", path="/aws-service-role/", **fields) == said
    assert refused("CreateRole", path="/x:role/aws-service-role/", **fields) == said


def test_deletion_waits_for_policies(house: House, refused: Refused) -> None:
    policy = house.call("CreatePolicy", policy_name="p", policy_document=LIST_BUCKETS).policy.arn
    tags = [{"key": "k", "value": "v"}]
    house.call("CreateRole", role_name="r", assume_role_policy_document=TRUST_EC2, tags=tags, permissions_boundary=policy)
    house.call("AttachRolePolicy", role_name="r", policy_arn=policy)
    house.call("PutRolePolicy", role_name="r", policy_name="i", policy_document=LIST_BUCKETS)
    assert refused("DeleteRole", role_name="r") == ("DeleteConflict", "Cannot delete entity, must detach all policies first.")
    house.call("DetachRolePolicy", role_name="r", policy_arn=policy)
    assert refused("DeleteRole", role_name="r") == ("DeleteConflict", "Cannot delete entity, must delete policies first.")
    house.call("DeleteRolePolicy", role_name="r", policy_name="i")
    house.call("DeleteRole", role_name="r")
    assert refused("GetRole", role_name="r") == ("NoSuchEntity", "The role with name r cannot be found.")


def test_a_list_has_pages_and_prefixes(house: House, refused: Refused) -> None:
    for name, path in (("b", "/x/"), ("A", "/"), ("c", "/x/y/")):
        house.call("CreateRole", role_name=name, path=path, assume_role_policy_document=TRUST_EC2)
    first = house.call("ListRoles", max_items=2)
    assert ([role.role_name for role in first.roles], first.is_truncated) == (["A", "b"], True)
    second = house.call("ListRoles", max_items=2, marker=first.marker)
    assert ([role.role_name for role in second.roles], second.is_truncated) == (["c"], False)
    assert [role.role_name for role in house.call("ListRoles", path_prefix="/x/").roles] == ["b", "c"]
    assert refused("ListUsers", marker=first.marker) == ("ValidationError", "Invalid Marker.")


def test_the_quota_of_roles(house: House, refused: Refused, monkeypatch: pytest.MonkeyPatch) -> None:
    assert QUOTAS["RolesQuota"] == 1000
    monkeypatch.setitem(QUOTAS, "RolesQuota", 1)
    house.call("CreateRole", role_name="a", assume_role_policy_document=TRUST_EC2)
    said = ("LimitExceeded", "Cannot exceed quota for RolesPerAccount: 1")
    assert refused("CreateRole", role_name="b", assume_role_policy_document=TRUST_EC2) == said


def test_the_quota_of_a_trust_policy(house: House, refused: Refused) -> None:
    said = ("LimitExceeded", "Cannot exceed quota for ACLSizePerRole: 2048")
    assert refused("CreateRole", role_name="r", assume_role_policy_document=trust_of_size(2049)) == said
    house.call("CreateRole", role_name="r", assume_role_policy_document=trust_of_size(2048))
    assert refused("UpdateAssumeRolePolicy", role_name="r", policy_document=trust_of_size(2049)) == said
    house.call("UpdateAssumeRolePolicy", role_name="r", policy_document=trust_of_size(2048))


@pytest.mark.parametrize(
    ("document", "sentence"),
    [
        ("{", "Syntax errors in policy."),
        (LIST_BUCKETS, "Has prohibited field Resource"),
        (TRUST_EC2.replace("sts:AssumeRole", "s3:GetObject"), "AssumeRole policy may only specify STS AssumeRole actions."),
    ],
    ids=["no_json", "resource", "other_action"],
)
def test_a_malformed_trust_policy(house: House, refused: Refused, document: str, sentence: str) -> None:
    code, message = refused("CreateRole", role_name="r", assume_role_policy_document=document)
    assert code == "MalformedPolicyDocument"
    house.call("CreateRole", role_name="r", assume_role_policy_document=TRUST_EC2)
    assert refused("UpdateAssumeRolePolicy", role_name="r", policy_document=document) == (code, message)
    assert message in (sentence, "This policy contains invalid Json")
    assert house.call("GetRole", role_name="r").role.assume_role_policy_document == TRUST_EC2


def test_the_last_use_is_the_later_of_two(house: House) -> None:
    made = house.call("CreateRole", role_name="r", assume_role_policy_document=TRUST_EC2).role
    stored = datetime(2026, 3, 1, 12, 0, 0, 400_000, tzinfo=UTC)
    with house.node.database.write((house.account_id,)) as session:
        row = session.get_one(Role, made.role_id)
        row.last_used_at, row.last_used_region = stored, "eu-west-1"
    used = house.call("GetRole", role_name="r").role.role_last_used
    assert (used.last_used_date.ToDatetime(UTC), used.region) == (datetime(2026, 3, 1, 12, tzinfo=UTC), "eu-west-1")
    house.node.last_use.note(made.role_id, Use(datetime(2026, 2, 1, tzinfo=UTC), "s3", "us-east-1"))
    assert house.call("GetRole", role_name="r").role.role_last_used.region == "eu-west-1"
    house.node.last_use.note(made.role_id, Use(datetime(2026, 4, 1, tzinfo=UTC), "s3", "us-east-1"))
    used = house.call("GetRole", role_name="r").role.role_last_used
    assert (used.last_used_date.ToDatetime(UTC), used.region) == (datetime(2026, 4, 1, tzinfo=UTC), "us-east-1")


def test_what_exists_lends_no_tags_to_what_is_to_be_made(house: House, refused: Refused) -> None:
    house.call("CreateRole", role_name="r", assume_role_policy_document=TRUST_EC2, tags=[{"key": "team", "value": "red"}])
    caller = house.user("caller", allow("iam:CreateRole", "iam:GetRole", when={"StringEquals": {"iam:ResourceTag/team": "red"}}))
    assert refused("CreateRole", _as=caller, role_name="r", assume_role_policy_document=TRUST_EC2)[0] == "AccessDenied"
    assert house.call("GetRole", _as=caller, role_name="r").role.role_name == "r"
