"""Unused access: roles, keys, passwords and permissions, and what to do about the last."""

import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from sekisho.store.tables import Access, AccessKey, Entity, LoginProfile, Role, User
from tests.harness import House
from tests.services.analyzer.conftest import Called, Failing, until
from tests.services.iam.documents import TRUST_EC2, allow

DAYS = 30
OLD = datetime.now(UTC) - timedelta(days=100)


@pytest.fixture
def aged(house: House) -> Callable[[], None]:
    """Makes everything of the account as old as a hundred days."""

    def age() -> None:
        with house.node.database.write((house.account_id,)) as session:
            ids = []
            for entity in session.query(Entity).filter(Entity.account_id == house.account_id):
                entity.created_at = OLD
                ids.append(entity.id)
            for key in session.query(AccessKey).filter(AccessKey.account_id == house.account_id):
                key.created_at = OLD
            for profile in session.query(LoginProfile).filter(LoginProfile.user_id.in_(ids)):
                profile.created_at = OLD

    return age


def used(house: House, kind: type[Any], name: str, action: str, days: int) -> None:
    """Have a user or role have used an action so many days ago."""
    at = datetime.now(UTC) - timedelta(days=days)
    service, _, rest = action.partition(":")
    with house.node.database.write((house.account_id,)) as session:
        row = session.query(kind).filter(kind.account_id == house.account_id, kind.name == name).one()
        session.add(Access(principal_id=row.id, service=service, action=rest, account_id=house.account_id, at=at, region=""))


def make(call: Called, **rule: Any) -> str:
    configuration = {"unused_access": {"unused_access_age": DAYS, **rule}}
    arn: str = call("CreateAnalyzer", analyzer_name="unused", type="ACCOUNT_UNUSED_ACCESS", configuration=configuration).arn
    return arn


def scanned(call: Called, arn: str) -> dict[tuple[str, str], Any]:
    """The active findings, by what is unused of whom, once everything was looked at."""
    until(lambda: call("GetAnalyzer", analyzer_name="unused").analyzer.HasField("last_resource_analyzed_at"), "nothing is looked at")
    listed = call("ListFindingsV2", analyzer_arn=arn).findings
    return {(one.finding_type, one.resource.rpartition("/")[2]): one for one in listed if one.status == "ACTIVE"}


def test_what_is_unused_is_found(house: House, call: Called, aged: Callable[[], None], failing: Failing) -> None:
    house.user("ann", allow("orders:Ship", "orders:Cancel", "stock:*", "mail:Send"))
    house.call("CreateLoginProfile", user_name="ann", password="harbour-Light-97!x")
    house.call("CreateRole", role_name="idle", assume_role_policy_document=TRUST_EC2)
    house.call("CreateRole", role_name="busy", assume_role_policy_document=TRUST_EC2)
    aged()
    house.call("CreateRole", role_name="young", assume_role_policy_document=TRUST_EC2)
    used(house, User, "ann", "orders:Ship", 3)
    used(house, User, "ann", "mail:Send", 60)
    used(house, Role, "busy", "orders:Ship", 1)
    arn = make(call)
    until(lambda: len(scanned(call, arn)) == 4, "not all is found")
    found = scanned(call, arn)
    assert sorted(found) == [
        ("UnusedIAMRole", "idle"),
        ("UnusedIAMUserAccessKey", "ann"),
        ("UnusedIAMUserPassword", "ann"),
        ("UnusedPermission", "ann"),
    ]
    one = found["UnusedPermission", "ann"]
    details = {
        each.unused_permission_details.service_namespace: each.unused_permission_details
        for each in call("GetFindingV2", analyzer_arn=arn, id=one.id).finding_details
    }
    assert sorted(details) == ["mail", "orders", "stock"]
    assert [each.action for each in details["orders"].actions] == ["Cancel"]
    assert (details["mail"].HasField("last_accessed"), details["stock"].HasField("last_accessed")) == (True, False)
    key = call("GetFindingV2", analyzer_arn=arn, id=found["UnusedIAMUserAccessKey", "ann"].id).finding_details[0]
    assert key.unused_iam_user_access_key_details.access_key_id.startswith("AKIA")
    (statistics,) = call("GetFindingsStatistics", analyzer_arn=arn).findings_statistics
    told = statistics.unused_access_findings_statistics
    assert {each.unused_access_type: each.total for each in told.unused_access_type_statistics} == {
        "UnusedIAMRole": 1,
        "UnusedIAMUserAccessKey": 1,
        "UnusedIAMUserPassword": 1,
        "UnusedPermission": 1,
    }
    assert [(each.account, each.number_of_active_findings) for each in told.top_accounts] == [(house.account_id, 4)]
    assert failing("ListFindings", analyzer_arn=arn) == "Validation"


def test_a_recommendation_keeps_what_is_used(house: House, call: Called, aged: Callable[[], None], failing: Failing) -> None:
    house.user("ann", allow("orders:Ship", "orders:Cancel"), allow("mail:Send"))
    aged()
    used(house, User, "ann", "orders:Ship", 3)
    arn = make(call)
    one = until(lambda: scanned(call, arn).get(("UnusedPermission", "ann")), "nothing is found")
    assert failing("GetFindingRecommendation", analyzer_arn=arn, id=one.id) == "ResourceNotFound"
    call("GenerateFindingRecommendation", analyzer_arn=arn, id=one.id)
    made = call("GetFindingRecommendation", analyzer_arn=arn, id=one.id)
    assert (made.status, made.recommendation_type, made.resource_arn) == ("SUCCEEDED", "UnusedPermissionRecommendation", one.resource)
    steps = [each.unused_permissions_recommended_step for each in made.recommended_steps]
    assert [(each.recommended_action, each.existing_policy_id) for each in steps] == [
        ("CREATE_POLICY", "inline-0"),
        ("DETACH_POLICY", "inline-0"),
        ("DETACH_POLICY", "inline-1"),
    ]
    assert json.loads(steps[0].recommended_policy)["Statement"] == [{"Effect": "Allow", "Resource": "*", "Action": ["orders:Ship"]}]
    page = call("GetFindingRecommendation", analyzer_arn=arn, id=one.id, max_results=2)
    assert len(page.recommended_steps) == 2
    assert (
        len(call("GetFindingRecommendation", analyzer_arn=arn, id=one.id, max_results=2, next_token=page.next_token).recommended_steps) == 1
    )
    other = scanned(call, arn)["UnusedIAMUserAccessKey", "ann"]
    assert failing("GenerateFindingRecommendation", analyzer_arn=arn, id=other.id) == "Validation"
    call("GenerateFindingRecommendation", analyzer_arn=arn, id=one.id)


def test_what_an_analyzer_leaves_out(house: House, call: Called, aged: Callable[[], None]) -> None:
    house.call("CreateRole", role_name="idle", assume_role_policy_document=TRUST_EC2, tags=[{"key": "team", "value": "blue"}])
    house.call("CreateRole", role_name="other", assume_role_policy_document=TRUST_EC2, tags=[{"key": "team", "value": "red"}])
    aged()
    rule = {"analysis_rule": {"exclusions": [{"resource_tags": [{"tags": {"team": "blue"}}]}]}}
    arn = make(call, **rule)
    until(lambda: sorted(scanned(call, arn)) == [("UnusedIAMRole", "other")], "not the right ones are found")
    both = {"analysis_rule": {"exclusions": [{"resource_tags": [{"tags": {"team": "blue"}}, {"tags": {"team": "red"}}]}]}}
    call("UpdateAnalyzer", analyzer_name="unused", configuration={"unused_access": {"unused_access_age": DAYS, **both}})
    until(lambda: sorted(scanned(call, arn)) == [], "what is left out stays")
    call("UpdateAnalyzer", analyzer_name="unused", configuration={"unused_access": {"unused_access_age": DAYS}})
    until(lambda: len(scanned(call, arn)) == 2, "what is not left out any more is not found")


def test_what_changes_is_looked_at_at_once(house: House, call: Called, aged: Callable[[], None]) -> None:
    house.call("CreateRole", role_name="idle", assume_role_policy_document=TRUST_EC2)
    aged()
    arn = make(call)
    until(lambda: sorted(scanned(call, arn)) == [("UnusedIAMRole", "idle")], "nothing is found")
    house.call("DeleteRole", role_name="idle")
    until(lambda: scanned(call, arn) == {}, "what is gone stays")
