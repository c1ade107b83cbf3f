"""Analyzers of internal access: which users and roles within can do what with the resources that they are told."""

import json
from typing import Any

import pytest

from sekisho import sigv4
from tests.harness import House
from tests.services.analyzer.conftest import PRINCIPAL, Called, Failing, until
from tests.services.iam.documents import trust
from tests.services.organizations.tree import RCP, SCP, Organization, deny

TYPE = "AWS::Orders::Order"
ALL = {"internal_access": {"analysis_rule": {"inclusions": [{"resource_types": [TYPE]}]}}}
Told = tuple[str, tuple[str, ...], dict[str, str]]


def document(*statements: dict[str, Any]) -> str:
    return json.dumps({"Version": "2012-10-17", "Statement": list(statements)})


def statement(*actions: str, **more: Any) -> dict[str, Any]:
    return {"Effect": "Allow", "Action": list(actions), "Resource": "*", **more}


def make(call: Called, type_: str = "ACCOUNT_INTERNAL_ACCESS", _as: sigv4.Credentials | None = None, **more: Any) -> str:
    arn: str = call("CreateAnalyzer", _as=_as, analyzer_name="inside", type=type_, configuration=more or ALL).arn
    return arn


def details(call: Called, arn: str, status: str = "ACTIVE", _as: sigv4.Credentials | None = None) -> list[Any]:
    """The details of an analyzer's findings, in the order of their principals."""
    listed = call("ListFindingsV2", _as=_as, analyzer_arn=arn, filter={"status": {"eq": [status]}}).findings
    found = [call("GetFindingV2", _as=_as, analyzer_arn=arn, id=one.id).finding_details[0].internal_access_details for one in listed]
    return sorted(found, key=lambda one: (one.principal["AWS"], sorted(one.condition.items())))


def told(call: Called, arn: str, status: str = "ACTIVE", _as: sigv4.Credentials | None = None) -> list[Told]:
    """Who can do what, under which condition."""
    found = details(call, arn, status, _as)
    return [(one.principal["AWS"].rpartition("/")[2], tuple(one.action), dict(one.condition)) for one in found]


@pytest.fixture
def order(house: House) -> str:
    """A registered resource of the house's account."""
    house.account()
    arn = f"arn:aws:orders:us-east-1:{house.account_id}:order/7"
    house.call("resource:PutResource", resource_arn=arn)
    return arn


def test_users_and_roles_with_access_are_found_and_resolved(house: House, call: Called, order: str) -> None:
    house.user("reader", document(statement("orders:Read", Resource=order)))
    house.user("other", document(statement("orders:Read", Resource=order.replace("7", "8"))))
    house.call("CreateRole", role_name="shipper", assume_role_policy_document=trust(house.account_id))
    house.call("PutRolePolicy", role_name="shipper", policy_name="own", policy_document=document(statement("orders:Ship", "orders:Read")))
    arn = make(call)
    expected: list[Told] = [("shipper", ("orders:Read", "orders:Ship"), {}), ("reader", ("orders:Read",), {})]
    until(lambda: told(call, arn) == expected, "not exactly those with access are found")
    shipper, reader = details(call, arn)
    own = house.account_id
    assert (shipper.principal_type, reader.principal_type) == ("IAM_ROLE", "IAM_USER")
    assert (reader.access_type, reader.principal_owner_account, reader.sources[0].type) == ("INTRA_ACCOUNT", own, "POLICY")
    assert (reader.resource_control_policy_restriction, reader.service_control_policy_restriction) == ("NOT_APPLICABLE", "NOT_APPLICABLE")
    house.call("PutUserPolicy", user_name="other", policy_name="own", policy_document=document(statement("orders:Read")))
    house.call("DeleteUserPolicy", user_name="reader", policy_name=house.call("ListUserPolicies", user_name="reader").policy_names[0])
    expected = [expected[0], ("other", ("orders:Read",), {})]
    until(lambda: told(call, arn) == expected, "what changed is not seen")
    assert told(call, arn, "RESOLVED") == [("reader", ("orders:Read",), {})]
    house.call("resource:DeleteResource", resource_arn=order)
    until(lambda: told(call, arn) == [], "what is gone is still open")


def test_all_layers_within_the_account_count(house: House, call: Called, order: str) -> None:
    boundary = house.call("CreatePolicy", policy_name="edge", policy_document=document(statement("orders:Read"))).policy.arn
    for name in ("bounded", "named", "denied"):
        house.user(name, document(statement("orders:*")))
    house.user("direct")
    house.call("PutUserPermissionsBoundary", user_name="bounded", permissions_boundary=boundary)
    users = f"arn:aws:iam::{house.account_id}:user"
    policy = document(
        statement("orders:Ship", Principal={"AWS": f"{users}/direct"}),
        {**statement("orders:*", Principal={"AWS": f"{users}/denied"}), "Effect": "Deny"},
    )
    house.call("resource:PutResourcePolicy", resource_arn=order, resource_policy=policy)
    house.call("catalog:PutServiceDefinition", service_name="orders", definition=json.dumps(DEFINITION))
    arn = make(call)
    expected: list[Told] = [
        ("bounded", ("orders:Read",), {}),
        ("direct", ("orders:Ship",), {}),
        ("named", ("orders:Read", "orders:Ship"), {}),
    ]
    until(lambda: told(call, arn) == expected, "not exactly those with access are found")


DEFINITION = {
    "Name": "orders",
    "Actions": [
        {"Name": "Read", "Resources": [{"Name": "order"}], "Annotations": {"Properties": {"IsList": False}}},
        {"Name": "Ship", "Resources": [{"Name": "order"}], "Annotations": {"Properties": {"IsWrite": True}}},
        {"Name": "Count", "Annotations": {"Properties": {"IsList": True}}},
    ],
    "Resources": [{"Name": "order", "ARNFormats": ["arn:${Partition}:orders:${Region}:${Account}:order/${Id}"]}],
}


def test_conditions_are_proved_and_shown(house: House, call: Called, order: str) -> None:
    office = {"IpAddress": {"aws:SourceIp": "10.0.0.0/8"}}
    house.user("office", document(statement("orders:Read", Condition=office)))
    shut = {**statement("orders:*", Condition={"IpAddress": {"aws:SourceIp": "10.0.0.0/7"}}), "Effect": "Deny"}
    house.user("shut-out", document(statement("orders:Read", Condition=office), shut))
    team = {"StringEquals": {"aws:ResourceTag/team": "${aws:PrincipalTag/team}"}}
    for name, value in (("same", "blue"), ("another", "red")):
        house.user(name, document(statement("orders:Read", Condition=team)))
        house.call("TagUser", user_name=name, tags=[{"key": "team", "value": value}])
    house.call("resource:TagResources", resource_arns=[order], tags=[{"key": "team", "value": "blue"}])
    arn = make(call)
    expected = [
        ("office", ("orders:Read",), {"aws:SourceIp": "10.0.0.0/8"}),
        ("same", ("orders:Read",), {"aws:ResourceTag/team": "${aws:PrincipalTag/team}"}),
    ]
    until(lambda: told(call, arn) == expected, "not exactly those with access are found")


def test_what_cannot_be_told_is_a_finding_of_the_pair(house: House, call: Called, order: str) -> None:
    house.user("reader", document(statement("orders:Read")))
    house.user("riddle", document(statement("orders:Read", Resource="arn:aws:orders:*:*:order/${orders:Number}")))
    arn = make(call)
    until(lambda: told(call, arn) == [("reader", ("orders:Read",), {}), ("riddle", (), {})], "what is not known is left out")
    (one,) = call("ListFindingsV2", analyzer_arn=arn, filter={"error": {"exists": True}}).findings
    assert (one.error, one.finding_type, one.resource) == ("INTERNAL_ERROR", "InternalAccess", order)


def test_findings_are_filtered_counted_and_archived(house: House, call: Called, failing: Failing, order: str) -> None:
    arn = call(
        "CreateAnalyzer",
        analyzer_name="inside",
        type="ACCOUNT_INTERNAL_ACCESS",
        configuration=ALL,
        archive_rules=[{"rule_name": "roles", "filter": {"principalType": {"eq": ["IAM_ROLE"]}, "accessType": {"eq": ["INTRA_ACCOUNT"]}}}],
    ).arn
    house.user("reader", document(statement("orders:Read")))
    house.call("CreateRole", role_name="shipper", assume_role_policy_document=trust(house.account_id))
    house.call("PutRolePolicy", role_name="shipper", policy_name="own", policy_document=document(statement("orders:Ship")))
    until(lambda: told(call, arn, "ARCHIVED") == [("shipper", ("orders:Ship",), {})], "the rule is not followed")
    assert [name for name, _, _ in told(call, arn)] == ["reader"]
    statistics = call("GetFindingsStatistics", analyzer_arn=arn).findings_statistics[0].internal_access_findings_statistics
    assert (statistics.total_active_findings, statistics.total_archived_findings, statistics.total_resolved_findings) == (1, 1, 0)
    assert statistics.resource_type_statistics[TYPE].total_archived_findings == 1
    for name, value in (("principalOwnerAccount", house.account_id), ("serviceControlPolicyRestriction", "NOT_APPLICABLE")):
        assert len(call("ListFindingsV2", analyzer_arn=arn, filter={name: {"eq": [value]}}).findings) == 2
        assert len(call("ListFindingsV2", analyzer_arn=arn, filter={name: {"neq": [value]}}).findings) == 0
    assert failing("ListFindings", analyzer_arn=arn) == "Validation"
    configuration = {"iam_role": {"trust_policy": trust("*")}}
    preview = {"analyzer_arn": arn, "configurations": {f"arn:aws:iam::{house.account_id}:role/x": configuration}}
    assert failing("CreateAccessPreview", **preview) == "Validation"


def test_it_looks_at_what_it_is_told(house: House, call: Called, failing: Failing, order: str) -> None:
    other = order.replace("/7", "/8")
    house.call("resource:PutResource", resource_arn=other)
    house.user("reader", document(statement("orders:Read")))
    arn = call("CreateAnalyzer", analyzer_name="inside", type="ACCOUNT_INTERNAL_ACCESS").arn

    def looked_at() -> list[str]:
        return [one.resource_arn for one in call("ListAnalyzedResources", analyzer_arn=arn).analyzed_resources]

    def tell(*inclusions: dict[str, Any]) -> Any:
        rule = {"internal_access": {"analysis_rule": {"inclusions": list(inclusions)}}}
        return call("UpdateAnalyzer", analyzer_name="inside", configuration=rule).configuration

    shown = tell({"resource_arns": [other], "resource_types": [TYPE]})
    assert list(shown.internal_access.analysis_rule.inclusions[0].resource_arns) == [other]
    until(lambda: looked_at() == [other], "what it is told is not looked at")
    tell({"resource_arns": [order]}, {"resource_arns": [other], "resource_types": ["AWS::S3::Bucket"]})
    until(lambda: looked_at() == [order], "another resource is looked at")
    until(lambda: len(told(call, arn, "RESOLVED")) == 1, "what is not looked at any more is still open")
    tell()
    until(lambda: looked_at() == [], "without an inclusion something is looked at")
    refused: list[dict[str, Any]] = [
        {},
        {"account_ids": [house.account_id]},
        {"resource_arns": [order + "*"]},
        {"resource_types": ["Order"]},
    ]
    for inclusion in refused:
        rule = {"internal_access": {"analysis_rule": {"inclusions": [inclusion]}}}
        assert failing("UpdateAnalyzer", analyzer_name="inside", configuration=rule) == "Validation"
    assert failing("CreateAnalyzer", analyzer_name="second", type="ACCOUNT_INTERNAL_ACCESS") == "ServiceQuotaExceeded"


def test_an_organization_is_looked_at_with_all_its_policies(house: House, call: Called) -> None:
    org = Organization(house, SCP, RCP)
    org("EnableAWSServiceAccess", service_principal=PRINCIPAL)
    member = org.account()
    inside = org.inside(member)
    order = f"arn:aws:orders:us-east-1:{member}:order/7"
    house.call("resource:PutResource", _as=inside, resource_arn=order)
    for name, who, rest in (("near", inside, {}), ("far", None, {}), ("nobody", None, {})):
        house.call("CreateUser", _as=who, user_name=name, **rest)
        if name != "nobody":
            own = document(statement("orders:Read", "orders:Ship"))
            house.call("PutUserPolicy", _as=who, user_name=name, policy_name="own", policy_document=own)
    shared = document(statement("orders:Read", Principal={"AWS": house.account_id}))
    house.call("resource:PutResourcePolicy", _as=inside, resource_arn=order, resource_policy=shared)
    arn = make(call, "ORGANIZATION_INTERNAL_ACCESS", internal_access={"analysis_rule": {"inclusions": [{"account_ids": [member]}]}})

    def users() -> list[Told]:
        return [one for one in told(call, arn) if one[0] in ("near", "far", "nobody")]

    expected: list[Told] = [("far", ("orders:Read",), {}), ("near", ("orders:Read", "orders:Ship"), {})]
    until(lambda: sorted(users()) == expected, "not exactly those with access are found")
    types = {one.principal["AWS"].rpartition("/")[2]: one.access_type for one in details(call, arn)}
    assert (types["near"], types["far"]) == ("INTRA_ACCOUNT", "INTRA_ORG")
    org.attach(org.policy(deny("orders:Ship")), member)
    org.attach(org.policy(deny("orders:Read", Principal="*"), RCP), member)
    until(lambda: users() == [], "what the organization denies is found")
    applied = {one.service_control_policy_restriction for one in details(call, arn, "RESOLVED") if one.principal["AWS"].endswith("near")}
    assert applied == {"APPLIED"}


def test_another_account_sees_nothing_of_it(house: House, call: Called, failing: Failing, order: str) -> None:
    house.user("reader", document(statement("orders:Read")))
    arn = make(call)
    until(lambda: told(call, arn), "nothing is found")
    (one,) = call("ListFindingsV2", analyzer_arn=arn).findings
    stranger = house.account()
    assert failing("ListFindingsV2", stranger, analyzer_arn=arn) == "ResourceNotFound"
    assert failing("GetFindingV2", stranger, analyzer_arn=arn, id=one.id) == "ResourceNotFound"
    theirs = make(call, _as=stranger)
    assert failing("GetFindingV2", stranger, analyzer_arn=theirs, id=one.id) == "ResourceNotFound"
    until(lambda: call("GetAnalyzer", _as=stranger, analyzer_name="inside").analyzer.status == "ACTIVE", "it does not look")
    assert list(call("ListFindingsV2", _as=stranger, analyzer_arn=theirs).findings) == []
