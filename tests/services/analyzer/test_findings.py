"""External access to roles: found, shown, archived, resolved, by the scan that runs beside the calls."""

from datetime import UTC, datetime
from typing import Any

import pytest

from sekisho.services.analyzer import archive_rules
from sekisho.store.tables import Account
from tests.harness import House
from tests.services.analyzer.conftest import Called, Failing, found, make, until, with_condition
from tests.services.iam.documents import TRUST_EC2, trust

STRANGER = "999988887777"


def test_a_public_role_is_found_and_resolved(house: House, call: Called) -> None:
    arn = make(call)
    role = house.call("CreateRole", role_name="open", assume_role_policy_document=trust("*")).role
    (one,) = until(lambda: found(call, arn), "nothing is found")
    assert (one.resource, one.resource_type, one.is_public, one.status) == (role.arn, "AWS::IAM::Role", True, "ACTIVE")
    assert (dict(one.principal), list(one.action), dict(one.condition)) == ({"AWS": "*"}, ["sts:AssumeRole"], {})
    assert one.resource_owner_account == house.account_id
    assert call("GetFinding", analyzer_arn=arn, id=one.id).finding.id == one.id
    held = call("GetAnalyzedResource", analyzer_arn=arn, resource_arn=role.arn).resource
    assert (held.is_public, list(held.actions), held.status, list(held.shared_via)) == (True, ["sts:AssumeRole"], "ACTIVE", ["POLICY"])
    house.call("UpdateAssumeRolePolicy", role_name="open", policy_document=trust(house.account_id))
    until(lambda: [one.status for one in found(call, arn)] == ["RESOLVED"], "it is not resolved")
    assert call("GetFinding", analyzer_arn=arn, id=one.id).finding.status == "RESOLVED"


def test_what_is_there_already_is_found(house: House, call: Called) -> None:
    house.account()
    for number in range(3):
        house.call("CreateRole", role_name=f"role-{number}", assume_role_policy_document=trust("*"))
    arn = make(call)
    until(lambda: len(found(call, arn, "ACTIVE")) == 3, "not all are found")
    house.call("DeleteRole", role_name="role-1")
    until(lambda: sorted(one.status for one in found(call, arn)) == ["ACTIVE", "ACTIVE", "RESOLVED"], "the one that is gone stays")
    listed = call("ListAnalyzedResources", analyzer_arn=arn).analyzed_resources
    assert [one.resource_arn.rpartition("/")[2] for one in listed] == ["role-0", "role-2"]


def test_a_rule_archives_what_is_new_and_what_is_there(house: House, call: Called) -> None:
    arn = make(call)
    house.call("CreateRole", role_name="before", assume_role_policy_document=trust("*"))
    until(lambda: found(call, arn, "ACTIVE"), "nothing is found")
    call("CreateArchiveRule", analyzer_name="main", rule_name="public", filter={"isPublic": {"eq": ["true"]}})
    house.call("CreateRole", role_name="after", assume_role_policy_document=trust("*"))
    (one,) = until(lambda: found(call, arn, "ARCHIVED"), "the new one is not archived")
    assert one.resource.endswith("role/after")
    assert [each.resource.rpartition("/")[2] for each in found(call, arn, "ACTIVE")] == ["before"]
    call("ApplyArchiveRule", analyzer_arn=arn, rule_name="public")
    assert len(found(call, arn, "ARCHIVED")) == 2
    call("UpdateFindings", analyzer_arn=arn, ids=[one.id], status="ACTIVE")
    assert [each.id for each in found(call, arn, "ACTIVE")] == [one.id]
    house.call("DeleteRole", role_name="after")
    until(lambda: [each.id for each in found(call, arn, "RESOLVED")] == [one.id], "it is not resolved")
    call("UpdateFindings", analyzer_arn=arn, ids=[one.id], status="ACTIVE")
    assert [each.id for each in found(call, arn, "RESOLVED")] == [one.id]


def test_what_comes_again_is_the_same_finding(house: House, call: Called) -> None:
    arn = make(call)
    house.call("CreateRole", role_name="open", assume_role_policy_document=trust("*"))
    (one,) = until(lambda: found(call, arn, "ACTIVE"), "nothing is found")
    house.call("UpdateAssumeRolePolicy", role_name="open", policy_document=trust(house.account_id))
    until(lambda: found(call, arn, "RESOLVED"), "it is not resolved")
    house.call("UpdateAssumeRolePolicy", role_name="open", policy_document=trust("*"))
    (again,) = until(lambda: found(call, arn, "ACTIVE"), "it does not come again")
    assert (again.id, again.created_at) == (one.id, one.created_at)
    assert len(found(call, arn)) == 1


def test_an_account_beyond_and_one_that_is_gone(house: House, call: Called) -> None:
    arn = make(call)
    stranger = house.account()
    their = house.call("GetCallerIdentity", _as=stranger).account
    ann = house.call("CreateUser", _as=stranger, user_name="ann", path="/crew/").user
    house.call("CreateRole", role_name="shared", assume_role_policy_document=trust(ann.arn, their))
    both = until(lambda: found(call, arn, "ACTIVE"), "nothing is found")
    assert sorted((one.principal["AWS"], one.is_public) for one in both) == [(their, False), (ann.arn, False)]
    house.call("DeleteUser", _as=stranger, user_name="ann")
    call("StartResourceScan", analyzer_arn=arn, resource_arn=f"arn:aws:iam::{house.account_id}:role/shared")
    until(lambda: len(found(call, arn, "ACTIVE")) == 1, "a user who is gone can still do something")
    assert [one.principal["AWS"] for one in found(call, arn, "ACTIVE")] == [their]


def test_services_and_ones_own_are_no_strangers(house: House, call: Called) -> None:
    arn = make(call)
    house.call("CreateRole", role_name="service", assume_role_policy_document=TRUST_EC2)
    house.call("CreateRole", role_name="own", assume_role_policy_document=trust(house.account_id))
    resources = until(lambda: list(call("ListAnalyzedResources", analyzer_arn=arn).analyzed_resources)[1:], "they are not looked at")
    assert len(resources) == 1
    assert found(call, arn) == []


FILTERS: dict[str, tuple[dict[str, Any], list[str]]] = {
    "public": ({"isPublic": {"eq": ["true"]}}, ["any"]),
    "not_public": ({"isPublic": {"neq": ["true"]}}, ["one", "two"]),
    "by_principal": ({"principal.AWS": {"contains": ["9999"]}}, ["one"]),
    "by_resource": ({"resource": {"contains": ["role/t"]}}, ["two"]),
    "both": ({"isPublic": {"eq": ["false"]}, "resource": {"contains": ["role/o"]}}, ["one"]),
    "by_condition": ({"condition.AWS:PRINCIPALORGID": {"exists": True}}, ["two"]),
    "without_condition": ({"condition.aws:PrincipalOrgID": {"exists": False}}, ["any", "one"]),
    "status": ({"status": {"eq": ["RESOLVED", "ARCHIVED"]}}, []),
    "type": ({"resourceType": {"eq": ["AWS::IAM::Role"]}, "findingType": {"eq": ["ExternalAccess"]}}, ["any", "one", "two"]),
}


def test_filters_orders_and_pages(house: House, call: Called, failing: Failing) -> None:
    arn = make(call)
    beyond = {"StringEquals": {"aws:PrincipalOrgID": "o-abcdefghij"}}
    documents = {"any": trust("*"), "one": trust(STRANGER), "two": with_condition(trust("*"), beyond)}
    accounts = house.node.database
    with accounts.write(()) as session:
        if session.get(Account, STRANGER) is None:
            session.add(Account(id=STRANGER, name="stranger", created_at=datetime(2026, 1, 1, tzinfo=UTC)))
    for name, document in documents.items():
        house.call("CreateRole", role_name=name, assume_role_policy_document=document)
    until(lambda: len(found(call, arn)) == 3, "not all are found")

    def names(**fields: Any) -> list[str]:
        return [one.resource.rpartition("/")[2] for one in call("ListFindings", analyzer_arn=arn, **fields).findings]

    for name, (filter_, wanted) in FILTERS.items():
        assert sorted(names(filter=filter_)) == wanted, name
        assert (
            sorted(one.resource.rpartition("/")[2] for one in call("ListFindingsV2", analyzer_arn=arn, filter=filter_).findings) == wanted
        )
    for by in ("resource", "createdAt", "updatedAt", "analyzedAt", "id", "status"):
        up, down = ({"attribute_name": by, "order_by": order} for order in ("ASC", "DESC"))
        whole = names(sort=up)
        assert sorted(whole) == ["any", "one", "two"]
        assert names(sort=down) == whole[::-1]
        for sort, wanted in ((up, whole), (down, whole[::-1])):
            seen: list[str] = []
            token = None
            while token != "":
                page = call("ListFindings", analyzer_arn=arn, sort=sort, max_results=1, next_token=token)
                seen += [one.resource.rpartition("/")[2] for one in page.findings]
                token = page.next_token
            assert seen == wanted, by
    assert names(sort={"attribute_name": "resource", "order_by": "DESC"}) == ["two", "one", "any"]
    assert failing("ListFindings", analyzer_arn=arn, sort={"attribute_name": "colour"}) == "Validation"
    token = call("ListFindings", analyzer_arn=arn, max_results=1).next_token
    assert failing("ListFindings", analyzer_arn=arn, filter=FILTERS["public"][0], next_token=token) == "Validation"
    assert failing("ListFindingsV2", analyzer_arn=arn, next_token=token) == "Validation"


def test_statistics_and_the_second_version(house: House, call: Called) -> None:
    arn = make(call)
    house.call("CreateRole", role_name="any", assume_role_policy_document=trust("*"))
    their = house.call("GetCallerIdentity", _as=house.account()).account
    house.call("CreateRole", role_name="one", assume_role_policy_document=trust(their))
    until(lambda: len(found(call, arn)) == 2, "not all are found")
    (statistics,) = call("GetFindingsStatistics", analyzer_arn=arn).findings_statistics
    told = statistics.external_access_findings_statistics
    assert (told.total_active_findings, told.total_archived_findings, told.total_resolved_findings) == (2, 0, 0)
    roles = told.resource_type_statistics["AWS::IAM::Role"]
    assert (roles.total_active_public, roles.total_active_cross_account, roles.total_active_errors) == (1, 1, 0)
    (one,) = call("ListFindingsV2", analyzer_arn=arn, filter={"isPublic": {"eq": ["true"]}}).findings
    assert (one.finding_type, one.resource_type, one.status) == ("ExternalAccess", "AWS::IAM::Role", "ACTIVE")
    shown = call("GetFindingV2", analyzer_arn=arn, id=one.id)
    (details,) = shown.finding_details
    assert (details.external_access_details.is_public, dict(details.external_access_details.principal)) == (True, {"AWS": "*"})


def test_updates_that_are_refused(call: Called, failing: Failing) -> None:
    arn = make(call)
    assert failing("UpdateFindings", analyzer_arn=arn, status="ARCHIVED") == "Validation"
    assert failing("UpdateFindings", analyzer_arn=arn, status="RESOLVED", ids=["x"]) == "Validation"
    assert failing("UpdateFindings", analyzer_arn=arn, status="ARCHIVED", ids=["x"] * 101) == "Validation"
    for id_ in ("x", "\0", "00000000-0000-0000-0000-000000000000"):
        assert failing("UpdateFindings", analyzer_arn=arn, status="ARCHIVED", ids=[id_]) == "ResourceNotFound"


def test_a_rule_is_applied_to_more_than_is_looked_at_together(house: House, call: Called, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(archive_rules, "_AT_ONCE", 2)
    arn = make(call)
    for number in range(5):
        house.call("CreateRole", role_name=f"role-{number}", assume_role_policy_document=trust("*"))
    until(lambda: len(found(call, arn, "ACTIVE")) == 5, "not all are found")
    call("CreateArchiveRule", analyzer_name="main", rule_name="public", filter={"isPublic": {"eq": ["true"]}})
    call("ApplyArchiveRule", analyzer_arn=arn, rule_name="public")
    assert len(found(call, arn, "ARCHIVED")) == 5
