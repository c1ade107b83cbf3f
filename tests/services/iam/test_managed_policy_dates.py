"""AWS-managed policies are as old as in AWS, and have the numbers of its versions."""

from datetime import UTC, datetime

import pytest

from sekisho.services.iam import managed_policies
from sekisho.services.iam.managed_policies import ManagedPolicy
from tests.harness import House
from tests.services.iam.documents import allow

BUILT_IN = {one.name: one for one in managed_policies.built_in()}


@pytest.fixture(scope="module")
def loaded(shared: House) -> int:
    """The program's policies are in the database."""
    return managed_policies.load(shared.node.database)


def versions(house: House) -> tuple[str, list[str]]:
    """The version in force of the policy that a test dates, and those that there are."""
    arn = "arn:aws:iam::aws:policy/Dated"
    listed = house.call("ListPolicyVersions", policy_arn=arn).versions
    return house.call("GetPolicy", policy_arn=arn).policy.default_version_id, [one.version_id for one in reversed(listed)]


DATES = [
    ("AdministratorAccess", "2015-02-06T18:39:46", "2015-02-06T18:39:46", "v1"),
    ("AmazonS3FullAccess", "2015-02-06T18:40:58", "2021-09-27T20:16:37", "v2"),
    ("IAMUserChangePassword", "2016-11-15T00:25:16", "2026-02-12T17:58:57", "v5"),
    ("job-function/SystemAdministrator", "2016-11-10T17:23:56", "2026-02-12T18:02:37", "v12"),
    ("service-role/AWSLambdaBasicExecutionRole", "2015-04-09T15:03:43", "2015-04-09T15:03:43", "v1"),
    ("aws-service-role/AmazonLexBotPolicy", "2015-02-06T18:39:46", "2015-02-06T18:39:46", "v1"),
]


@pytest.mark.usefixtures("loaded")
@pytest.mark.parametrize(("named", "created", "updated", "version"), DATES, ids=[named for named, *_ in DATES])
def test_they_are_as_old_as_in_aws(house: House, named: str, created: str, updated: str, version: str) -> None:
    """Not as old as the database. Source: AWS's answers, as they come with moto; of one, which moto lacks, the date is ours."""
    arn = f"arn:aws:iam::aws:policy/{named}"
    got = house.call("GetPolicy", policy_arn=arn).policy
    shown = (got.create_date.ToDatetime().isoformat(), got.update_date.ToDatetime().isoformat(), got.default_version_id)
    assert shown == (created, updated, version)
    (only,) = house.call("ListPolicyVersions", policy_arn=arn).versions
    assert (only.version_id, only.create_date, only.is_default_version) == (version, got.update_date, True)


def test_all_but_one_have_dates_of_aws() -> None:
    same = [one.name for one in managed_policies.built_in() if one.created_at == BUILT_IN["AdministratorAccess"].created_at]
    assert same == ["AdministratorAccess", "AmazonLexBotPolicy"]
    assert all(one.created_at is not None and one.updated_at is not None for one in managed_policies.built_in())


def test_what_an_older_release_made_gets_its_dates_and_number(shared: House) -> None:
    """Such a release made them on the day of the database, as v1. What is attached stays attached, and decides the same."""
    old = ManagedPolicy("Dated", "/", "d", allow("s3:Get*"))
    managed_policies.put(shared.node.database, [old], imported=False)
    moments = (datetime(2016, 1, 2, 3, 4, 5, tzinfo=UTC), datetime(2020, 2, 3, 4, 5, 6, tzinfo=UTC))
    new = ManagedPolicy("Dated", "/", "d", allow("s3:Get*"), *moments, 7)
    assert managed_policies.put(shared.node.database, [new], imported=False) == 1
    assert managed_policies.put(shared.node.database, [new], imported=False) == 0
    assert versions(shared) == ("v7", ["v1", "v7"])
    got = shared.call("GetPolicy", policy_arn="arn:aws:iam::aws:policy/Dated").policy
    assert (got.create_date.ToDatetime(UTC), got.update_date.ToDatetime(UTC)) == moments
    assert managed_policies.put(shared.node.database, [old], imported=False) == 0
    newer = ManagedPolicy("Dated", "/", "d", allow("s3:Put*"), *moments, 7)
    assert managed_policies.put(shared.node.database, [newer], imported=False) == 1
    assert versions(shared) == ("v8", ["v1", "v7", "v8"])
    assert shared.call("GetPolicy", policy_arn="arn:aws:iam::aws:policy/Dated").policy.update_date.ToDatetime(UTC) > moments[1]


def test_a_later_number_without_a_date_is_of_the_day_on_which_it_comes(shared: House) -> None:
    managed_policies.put(shared.node.database, [ManagedPolicy("Undated", "/", "d", allow("s3:Get*"))], imported=False)
    before = datetime.now(UTC).replace(microsecond=0)
    assert managed_policies.put(shared.node.database, [ManagedPolicy("Undated", "/", "d", allow("s3:*"), version=3)], imported=False) == 1
    got = shared.call("GetPolicy", policy_arn="arn:aws:iam::aws:policy/Undated").policy
    assert (got.default_version_id, got.update_date.ToDatetime(UTC) >= before) == ("v3", True)
