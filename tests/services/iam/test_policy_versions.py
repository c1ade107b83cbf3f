"""The versions of a managed policy, over the whole pipeline."""

from datetime import UTC, datetime

import pytest

from sekisho.store.tables import Policy
from tests.harness import House
from tests.services.conftest import Refused
from tests.services.iam.documents import LIST_BUCKETS, allow


@pytest.fixture
def policy_arn(house: House) -> str:
    """A policy with its first version."""
    arn: str = house.call("CreatePolicy", policy_name="p", policy_document=LIST_BUCKETS).policy.arn
    return arn


def versions(house: House, policy_arn: str) -> list[tuple[str, bool]]:
    return [
        (version.version_id, version.is_default_version) for version in house.call("ListPolicyVersions", policy_arn=policy_arn).versions
    ]


def test_a_version_has_its_text_only_where_it_is_asked_for(house: House, policy_arn: str) -> None:
    text = allow("s3:GetObject")
    made = house.call("CreatePolicyVersion", policy_arn=policy_arn, policy_document=text).policy_version
    assert (made.version_id, made.is_default_version, made.HasField("document"), made.create_date.nanos) == ("v2", False, False, 0)
    assert house.call("GetPolicyVersion", policy_arn=policy_arn, version_id="v2").policy_version.document == text
    assert house.call("GetPolicyVersion", policy_arn=policy_arn, version_id="v1").policy_version.document == LIST_BUCKETS
    assert not any(version.HasField("document") for version in house.call("ListPolicyVersions", policy_arn=policy_arn).versions)
    assert versions(house, policy_arn) == [("v2", False), ("v1", True)]


def test_a_policy_was_updated_when_its_newest_version_was_made(house: House, policy_arn: str) -> None:
    id_ = house.call("GetPolicy", policy_arn=policy_arn).policy.policy_id
    with house.node.database.write((house.account_id,)) as session:
        row = session.get_one(Policy, id_)
        row.created_at = row.updated_at = datetime(2026, 1, 1, tzinfo=UTC)
    made = house.call("CreatePolicyVersion", policy_arn=policy_arn, policy_document=LIST_BUCKETS).policy_version
    seen = house.call("GetPolicy", policy_arn=policy_arn).policy
    assert (seen.create_date.ToDatetime(UTC), seen.update_date) == (datetime(2026, 1, 1, tzinfo=UTC), made.create_date)


def test_one_version_is_in_force(house: House, policy_arn: str) -> None:
    house.call("CreatePolicyVersion", policy_arn=policy_arn, policy_document=LIST_BUCKETS, set_as_default=True)
    assert versions(house, policy_arn) == [("v2", True), ("v1", False)]
    assert house.call("GetPolicy", policy_arn=policy_arn).policy.default_version_id == "v2"
    house.call("SetDefaultPolicyVersion", policy_arn=policy_arn, version_id="v1")
    assert versions(house, policy_arn) == [("v2", False), ("v1", True)]


def test_the_version_in_force_decides_at_once(house: House, refused: Refused, policy_arn: str) -> None:
    alice = house.user("alice")
    house.call("AttachUserPolicy", user_name="alice", policy_arn=policy_arn)
    assert refused("ListUsers", _as=alice)[0] == "AccessDenied"
    house.call("CreatePolicyVersion", policy_arn=policy_arn, policy_document=allow("iam:ListUsers"))
    assert refused("ListUsers", _as=alice)[0] == "AccessDenied"
    house.call("SetDefaultPolicyVersion", policy_arn=policy_arn, version_id="v2")
    assert len(house.call("ListUsers", _as=alice).users) == 1


def test_five_versions_and_no_number_twice(house: House, refused: Refused, policy_arn: str) -> None:
    for _ in range(4):
        house.call("CreatePolicyVersion", policy_arn=policy_arn, policy_document=LIST_BUCKETS)
    assert refused("CreatePolicyVersion", policy_arn=policy_arn, policy_document=LIST_BUCKETS) == (
        "LimitExceeded",
        "A managed policy can have up to 5 versions. Before you create a new version, you must delete an existing version.",
    )
    house.call("DeletePolicyVersion", policy_arn=policy_arn, version_id="v5")
    made = house.call("CreatePolicyVersion", policy_arn=policy_arn, policy_document=LIST_BUCKETS).policy_version
    assert made.version_id == "v6"
    assert [version for version, _ in versions(house, policy_arn)] == ["v6", "v4", "v3", "v2", "v1"]


def test_the_version_in_force_cannot_go(house: House, refused: Refused, policy_arn: str) -> None:
    said = ("DeleteConflict", "Cannot delete the default version of a policy.")
    assert refused("DeletePolicyVersion", policy_arn=policy_arn, version_id="v1") == said


@pytest.mark.parametrize("name", ["GetPolicyVersion", "SetDefaultPolicyVersion", "DeletePolicyVersion"])
@pytest.mark.parametrize("version", ["v9", "v1.x", "v99999999999999999999999"])
def test_a_version_that_does_not_exist(refused: Refused, policy_arn: str, name: str, version: str) -> None:
    said = ("NoSuchEntity", f"Policy {policy_arn} version {version} does not exist or is not attachable.")
    assert refused(name, policy_arn=policy_arn, version_id=version) == said
    none = policy_arn + "x"
    said = ("NoSuchEntity", f"Policy {none} version {version} does not exist or is not attachable.")
    assert refused(name, policy_arn=none, version_id=version) == said


def test_an_absurd_version_is_not_said_back(refused: Refused, policy_arn: str) -> None:
    code, message = refused("GetPolicyVersion", policy_arn=policy_arn, version_id="v1" + "0" * 100_000)
    assert (code, len(message) < 250) == ("NoSuchEntity", True)


def test_a_version_of_no_policy(refused: Refused, policy_arn: str) -> None:
    said = ("NoSuchEntity", f"Policy {policy_arn}x does not exist or is not attachable.")
    assert refused("CreatePolicyVersion", policy_arn=policy_arn + "x", policy_document=LIST_BUCKETS) == said


def test_versions_have_pages(house: House, refused: Refused, policy_arn: str) -> None:
    for _ in range(2):
        house.call("CreatePolicyVersion", policy_arn=policy_arn, policy_document=LIST_BUCKETS)
    first = house.call("ListPolicyVersions", policy_arn=policy_arn, max_items=2)
    assert ([version.version_id for version in first.versions], first.is_truncated) == (["v3", "v2"], True)
    second = house.call("ListPolicyVersions", policy_arn=policy_arn, max_items=2, marker=first.marker)
    assert ([version.version_id for version in second.versions], second.is_truncated) == (["v1"], False)
    other = house.call("CreatePolicy", policy_name="q", policy_document=LIST_BUCKETS).policy.arn
    assert refused("ListPolicyVersions", policy_arn=other, marker=first.marker) == ("ValidationError", "Invalid Marker.")
