"""Analyzers of an organization: who makes them, whose resources they look at, whom they trust, and when they stop."""

from typing import Any

import pytest

from tests.harness import House
from tests.services.analyzer.conftest import PRINCIPAL, Called, Failing, found, until, with_condition
from tests.services.iam.documents import trust
from tests.services.organizations.tree import RCP, Organization, deny


def make(call: Called, **fields: object) -> str:
    arn: str = call("CreateAnalyzer", analyzer_name="whole", type="ORGANIZATION", **fields).arn
    return arn


def test_who_makes_one(house: House, call: Called, failing: Failing) -> None:
    fields = {"analyzer_name": "whole", "type": "ORGANIZATION"}
    assert failing("CreateAnalyzer", **fields) == "Validation"
    org = Organization(house)
    assert failing("CreateAnalyzer", **fields) == "Validation"
    org("EnableAWSServiceAccess", service_principal=PRINCIPAL)
    make(call)
    member = org.account()
    inside = org.inside(member)
    assert failing("CreateAnalyzer", inside, **fields) == "Validation"
    org("RegisterDelegatedAdministrator", account_id=member, service_principal=PRINCIPAL)
    theirs = make(call, _as=inside)
    assert theirs == f"arn:aws:access-analyzer:us-east-1:{member}:analyzer/whole"
    assert failing("GetFindingsStatistics", analyzer_arn=theirs) == "ResourceNotFound"


def test_members_are_no_strangers_until_they_leave(org: Organization, house: House, call: Called) -> None:
    arn = make(call)
    member, keys = org.invited()
    other = org.account()
    house.call("CreateRole", _as=keys, role_name="inside", assume_role_policy_document=trust(other))
    house.call("CreateRole", _as=keys, role_name="open", assume_role_policy_document=trust("*"))
    own = f"arn:aws:iam::{house.account_id}:role/shared"
    house.call("CreateRole", role_name="shared", assume_role_policy_document=trust(member))
    (one,) = until(lambda: found(call, arn), "nothing is found")
    assert (one.resource, one.resource_owner_account) == (f"arn:aws:iam::{member}:role/open", member)
    until(
        lambda: own in [each.resource_arn for each in call("ListAnalyzedResources", analyzer_arn=arn).analyzed_resources], "not looked at"
    )
    org("RemoveAccountFromOrganization", account_id=member)
    until(lambda: [each.resource for each in found(call, arn, "ACTIVE")] == [own], "who left is trusted on, or looked at")
    assert [each.resource for each in found(call, arn, "RESOLVED")] == [one.resource]


def test_a_condition_on_the_organization_lets_in_nobody_from_outside(org: Organization, house: House, call: Called) -> None:
    arn = make(call)
    condition = {"StringEquals": {"aws:PrincipalOrgID": org.id}}
    house.call("CreateRole", role_name="ours", assume_role_policy_document=with_condition(trust("*"), condition))
    house.call("CreateRole", role_name="open", assume_role_policy_document=trust("*"))
    until(lambda: found(call, arn), "nothing is found")
    until(lambda: len(call("ListAnalyzedResources", analyzer_arn=arn).analyzed_resources) >= 2, "not all is looked at")
    assert [each.resource.rpartition("/")[2] for each in found(call, arn)] == ["open"]


def test_a_finding_says_that_a_resource_control_policy_applies(house: House, call: Called) -> None:
    org = Organization(house, RCP)
    org("EnableAWSServiceAccess", service_principal=PRINCIPAL)
    member = org.account()
    inside = org.inside(member)
    org.attach(org.policy(deny("sts:AssumeRole", Principal="*", Condition={"Bool": {"aws:SecureTransport": "false"}}), RCP), org.root_id)
    arn = call("CreateAnalyzer", _as=inside, analyzer_name="own", type="ACCOUNT").arn
    house.call("CreateRole", _as=inside, role_name="open", assume_role_policy_document=trust("*"))
    role = f"arn:aws:iam::{member}:role/open"

    def restrictions() -> list[str]:
        listed = call("ListFindings", _as=inside, analyzer_arn=arn, filter={"resource": {"eq": [role]}}).findings
        return [one.resource_control_policy_restriction for one in listed]

    assert until(restrictions, "nothing is found") == ["APPLICABLE"]


@pytest.mark.parametrize("how", ["access", "delegation"])
def test_it_stops_and_goes_on(org: Organization, house: House, call: Called, failing: Failing, how: str) -> None:
    member = org.account()
    org("RegisterDelegatedAdministrator", account_id=member, service_principal=PRINCIPAL)
    inside = org.inside(member)
    arn = make(call, _as=inside)
    delegated: dict[str, Any] = {"account_id": member, "service_principal": PRINCIPAL}

    def found_there(*statuses: str) -> list[str]:
        listed = call("ListFindings", _as=inside, analyzer_arn=arn).findings
        return [one.resource.rpartition("/")[2] for one in listed if one.status in statuses]

    house.call("CreateRole", role_name="before", assume_role_policy_document=trust("*"))
    until(lambda: found_there("ACTIVE") == ["before"], "nothing is found")
    org("DeregisterDelegatedAdministrator", **delegated)
    if how == "access":
        org("DisableAWSServiceAccess", service_principal=PRINCIPAL)
    shown = call("GetAnalyzer", _as=inside, analyzer_name="whole").analyzer
    reasons = {"access": "AWS_SERVICE_ACCESS_DISABLED", "delegation": "DELEGATED_ADMINISTRATOR_DEREGISTERED"}
    assert (shown.status, shown.status_reason.code) == ("DISABLED", reasons[how])
    house.call("CreateRole", role_name="meanwhile", assume_role_policy_document=trust("*"))
    org("EnableAWSServiceAccess", service_principal=PRINCIPAL)
    org("RegisterDelegatedAdministrator", **delegated)
    until(lambda: sorted(found_there("ACTIVE")) == ["before", "meanwhile"], "what came meanwhile is not found")
    assert call("GetAnalyzer", _as=inside, analyzer_name="whole").analyzer.status == "ACTIVE"
