"""Analyzers of an organization: who makes them, whose resources they look at, whom they trust, and when they stop."""

from typing import Any

import pytest

from tests.harness import BY_NAME, House
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


@pytest.fixture
def restricted(house: House) -> Organization:
    """An organization with resource control policies that trusts Access Analyzer."""
    made = Organization(house, RCP)
    made("EnableAWSServiceAccess", service_principal=PRINCIPAL)
    return made


def test_what_a_resource_control_policy_denies_is_not_found(restricted: Organization, house: House, call: Called) -> None:
    org, member = restricted, restricted.account()
    inside = org.inside(member)
    arn = call("CreateAnalyzer", _as=inside, analyzer_name="own", type="ACCOUNT").arn
    house.call("CreateRole", _as=inside, role_name="open", assume_role_policy_document=trust("*"))
    role = f"arn:aws:iam::{member}:role/open"

    def told() -> list[tuple[str, str]]:
        listed = call("ListFindings", _as=inside, analyzer_arn=arn, filter={"resource": {"eq": [role]}}).findings
        return [(one.status, one.resource_control_policy_restriction) for one in listed]

    until(lambda: told() == [("ACTIVE", "NOT_APPLICABLE")], "nothing is found")
    condition = {"StringNotEqualsIfExists": {"aws:PrincipalOrgID": org.id}}
    perimeter = org.policy(deny("sts:AssumeRole", Principal="*", Condition=condition), RCP)
    org.attach(perimeter, org.root_id)
    # The management account is of the organization and no stranger to it, but to an analyzer of the account.
    until(lambda: told() == [("ACTIVE", "APPLIED")], "the policy is not seen")
    everybody = org.policy(deny("sts:AssumeRole", Principal="*"), RCP)
    org.attach(everybody, org.root_id)
    until(lambda: [status for status, _ in told()] == ["RESOLVED"], "what is denied is found")
    org.detach(everybody, org.root_id)
    until(lambda: told() == [("ACTIVE", "APPLIED")], "it does not come again")
    org.detach(perimeter, org.root_id)
    until(lambda: told() == [("ACTIVE", "NOT_APPLICABLE")], "what was detached is still said")


def test_a_perimeter_leaves_an_organization_without_findings(restricted: Organization, house: House, call: Called) -> None:
    org, member = restricted, restricted.account()
    inside = org.inside(member)
    arn = make(call)
    house.call("CreateRole", _as=inside, role_name="open", assume_role_policy_document=trust("*"))
    house.call("CreateRole", role_name="exempt", assume_role_policy_document=trust("*"))
    until(lambda: len(found(call, arn, "ACTIVE")) == 2, "not all is found")
    condition = {"StringNotEqualsIfExists": {"aws:PrincipalOrgID": "${aws:ResourceOrgID}"}}
    org.attach(org.policy(deny("sts:AssumeRole", Principal="*", Condition=condition), RCP), org.root_id)
    until(lambda: len(found(call, arn, "RESOLVED")) == 1, "what is denied is found")
    (left,) = found(call, arn, "ACTIVE")
    assert (left.resource, left.resource_control_policy_restriction) == (f"arn:aws:iam::{house.account_id}:role/exempt", "NOT_APPLICABLE")


def test_a_resource_control_policy_of_another_service_is_not_applicable(restricted: Organization, house: House, call: Called) -> None:
    org, member = restricted, restricted.account()
    org.attach(org.policy(deny("s3:*", Principal="*"), RCP), org.root_id)
    arn = make(call)
    house.call("CreateRole", _as=org.inside(member), role_name="open", assume_role_policy_document=trust("*"))
    (one,) = until(lambda: found(call, arn), "nothing is found")
    assert (one.status, one.resource_control_policy_restriction) == ("ACTIVE", "NOT_APPLICABLE")


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
    for refused in ("ListFindings", "ListFindingsV2", "ListAnalyzedResources", "GetFindingsStatistics", "ListAccessPreviews"):
        assert failing(refused, _as=inside, analyzer_arn=arn) == "AccessDenied", "what others do is told whoever administers"
    house.call("CreateRole", role_name="meanwhile", assume_role_policy_document=trust("*"))
    org("EnableAWSServiceAccess", service_principal=PRINCIPAL)
    org("RegisterDelegatedAdministrator", **delegated)
    until(lambda: sorted(found_there("ACTIVE")) == ["before", "meanwhile"], "what came meanwhile is not found")
    assert call("GetAnalyzer", _as=inside, analyzer_name="whole").analyzer.status == "ACTIVE"


UUID = "01234567-89ab-cdef-0123-456789abcdef"
CRITERION = {"filter": {"isPublic": {"eq": ["true"]}}}
RULED: dict[str, dict[str, Any]] = {
    "CreateAccessPreview": {
        "configurations": {"arn:aws:sqs:us-east-1:111122223333:queue": {"sqs_queue": {"queue_policy": trust("*")}}},
    },
    "GetAccessPreview": {"access_preview_id": UUID},
    "ListAccessPreviews": {},
    "ListAccessPreviewFindings": {"access_preview_id": UUID},
    "GetAnalyzedResource": {"resource_arn": "arn:aws:s3:::letters"},
    "ListAnalyzedResources": {},
    "StartResourceScan": {"resource_arn": "arn:aws:s3:::letters"},
    "UpdateAnalyzer": {},
    "CreateArchiveRule": {"rule_name": "new", **CRITERION},
    "GetArchiveRule": {"rule_name": "old"},
    "ListArchiveRules": {},
    "UpdateArchiveRule": {"rule_name": "old", **CRITERION},
    "DeleteArchiveRule": {"rule_name": "old"},
    "ApplyArchiveRule": {"rule_name": "old"},
    "GetFinding": {"id": UUID},
    "ListFindings": {},
    "UpdateFindings": {"status": "ARCHIVED", "ids": [UUID]},
    "GetFindingV2": {"id": UUID},
    "ListFindingsV2": {},
    "GetFindingsStatistics": {},
    "GenerateFindingRecommendation": {"id": UUID},
    "GetFindingRecommendation": {"id": UUID},
}
"""What takes administering the organization at the time of the call, with what each is asked beside the analyzer."""
KEPT: dict[str, dict[str, Any]] = {
    "GetAnalyzer": {},
    "TagResource": {"tags": {"a": "b"}},
    "ListTagsForResource": {},
    "UntagResource": {"tag_keys": ["a"]},
}
OF_NOBODY = {"DeleteServiceLinkedAnalyzer"}
"""Which only services call."""


def named(operation: str, arn: str) -> dict[str, str]:
    """The analyzer, in the field in which an operation takes it; empty for one that takes none."""
    fields = BY_NAME[f"analyzer:{operation}"].request.DESCRIPTOR.fields_by_name
    if "analyzer_arn" in fields:
        return {"analyzer_arn": arn}
    if "resource_arn" in fields:
        return {"resource_arn": arn}
    return {"analyzer_name": "whole"} if "analyzer_name" in fields and operation != "CreateAnalyzer" else {}


def test_each_operation_on_an_analyzer_asks_who_administers(org: Organization, call: Called, failing: Failing) -> None:
    operations = {name.partition(":")[2] for name in BY_NAME if name.startswith("analyzer:")}
    told = {*RULED, *KEPT, *OF_NOBODY, "DeleteAnalyzer"}
    internal = {name for name in operations - told if named(name, "")}
    assert internal == set(), "each is told above"
    member = org.account()
    delegated: dict[str, Any] = {"account_id": member, "service_principal": PRINCIPAL}
    org("RegisterDelegatedAdministrator", **delegated)
    inside = org.inside(member)
    arn = make(call, _as=inside, archive_rules=[{"rule_name": "old", **CRITERION}])
    org("DeregisterDelegatedAdministrator", **delegated)
    for name, fields in RULED.items():
        assert (name, failing(name, inside, **named(name, arn), **fields)) == (name, "AccessDenied")
    for name, fields in KEPT.items():
        call(name, _as=inside, **named(name, arn), **fields)
    org("RegisterDelegatedAdministrator", **delegated)
    rules = call("ListArchiveRules", _as=inside, analyzer_name="whole").archive_rules
    assert [(one.rule_name, one.created_at == one.updated_at) for one in rules] == [("old", True)]
    org("DeregisterDelegatedAdministrator", **delegated)
    call("DeleteAnalyzer", _as=inside, analyzer_name="whole")
    assert failing("GetAnalyzer", inside, analyzer_name="whole") == "ResourceNotFound"
