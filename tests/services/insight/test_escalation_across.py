"""FindEscalationPaths of an organization: from one account into another, hop by hop, for those alone who may see it."""

from typing import Any

import pytest

from sekisho import sigv4
from sekisho.errors import SekishoError
from tests.harness import House
from tests.services.iam.documents import allow, trust
from tests.services.organizations.tree import SCP, Organization, deny

PRINCIPAL = "access-analyzer.amazonaws.com"
MADE = "role/OrganizationAccountAccessRole"


@pytest.fixture
def org(house: House) -> Organization:
    made = Organization(house, SCP)
    made("EnableAWSServiceAccess", service_principal=PRINCIPAL)
    return made


def told(response: Any) -> list[tuple[str, list[tuple[str, str]]]]:
    """By source: what each hop uses, and whom it becomes."""
    return [(_short(path.source_arn), [(hop.method, _short(hop.becomes_arn)) for hop in path.hops]) for path in response.paths]


def _short(arn: str) -> str:
    segments = arn.split(":")
    return f"{segments[4]} {segments[5]}"


def refused(house: House, keys: sigv4.Credentials | None = None, **fields: Any) -> str:
    with pytest.raises(SekishoError) as caught:
        house.call("FindEscalationPaths", _as=keys, organization=True, **fields)
    return caught.value.code


def role(house: House, keys: sigv4.Credentials | None, name: str, trusted: str, document: str = "") -> None:
    house.call("CreateRole", _as=keys, role_name=name, assume_role_policy_document=trust(trusted))
    if document:
        house.call("PutRolePolicy", _as=keys, role_name=name, policy_name="own", policy_document=document)


def test_the_management_account_gets_into_members(org: Organization, house: House) -> None:
    member = org.account()
    house.user("ann", allow("iam:CreateAccessKey", on=f"arn:aws:iam::{house.account_id}:user/admin"))
    house.user("ben", allow("s3:*"))
    found = house.call("FindEscalationPaths", organization=True)
    own, assumed = house.account_id, ("sts:AssumeRole", f"{member} {MADE}")
    assert told(found) == [
        (f"{own} user/admin", [assumed]),
        (f"{own} user/ann", [("iam:CreateAccessKey", f"{own} user/admin"), assumed]),
    ]
    (grant,) = found.paths[0].hops[0].grants
    assert grant.resource == f"arn:aws:iam::{member}:{MADE}"
    assert [(one.layer, one.policy_name) for one in grant.statements] == [("trust", "AssumeRolePolicyDocument"), ("identity", "inline-0")]
    assert found.account_id == own
    assert sorted(map(_short, found.administrators)) == sorted([f"{own} user/admin", f"{member} {MADE}"])


def test_paths_go_through_several_accounts(org: Organization, house: House) -> None:
    first, second = org.account(), org.account()
    one, two = org.inside(first), org.inside(second)
    house.call("CreateUser", _as=one, user_name="eve")
    house.call("PutUserPolicy", _as=one, user_name="eve", policy_name="own", policy_document=allow("sts:AssumeRole"))
    role(house, two, "deploy", first, allow("iam:AttachRolePolicy", "iam:PutRolePolicy"))
    house.call("CreateUser", _as=two, user_name="idle")
    found = {source: hops for source, hops in told(house.call("FindEscalationPaths", organization=True)) if source.startswith(first)}
    deploy = f"{second} role/deploy"
    assert found[f"{first} user/eve"] == [("sts:AssumeRole", deploy), ("iam:PutRolePolicy", deploy)]
    assert f"{second} user/idle" not in found
    org.attach(org.policy(deny("sts:AssumeRole")), first)
    assert not [source for source, _ in told(house.call("FindEscalationPaths", organization=True)) if source == f"{first} user/eve"]


def test_a_condition_on_the_trust_closes_it(org: Organization, house: House) -> None:
    member = org.account()
    inside = org.inside(member)
    house.call("CreateUser", _as=inside, user_name="eve")
    house.call("PutUserPolicy", _as=inside, user_name="eve", policy_name="own", policy_document=allow("sts:AssumeRole"))
    condition = {"StringEquals": {"sts:ExternalId": "secret"}}
    document = trust(member).replace('"Action"', '"Condition": ' + str(condition).replace("'", '"') + ', "Action"')
    house.call("CreateRole", role_name="guarded", assume_role_policy_document=document)
    house.call("PutRolePolicy", role_name="guarded", policy_name="own", policy_document=allow("*"))
    eve = f"{member} user/eve"
    assert eve not in dict(told(house.call("FindEscalationPaths", organization=True)))
    supposed = [{"key": "sts:ExternalId", "values": ["secret"]}]
    found = told(house.call("FindEscalationPaths", organization=True, supposed_keys=supposed))
    guarded = ("sts:AssumeRole", f"{house.account_id} role/guarded")
    back = ("sts:AssumeRole", f"{member} {MADE}")  # through the other account to an administrator of its own
    assert [hops for source, hops in found if source == eve] == [[guarded], [guarded, back]]


def test_nobody_else_sees_it(org: Organization, house: House) -> None:
    member = org.account()
    inside = org.inside(member)
    assert refused(house, inside) == "AccessDenied"
    assert refused(house, house.account()) == "AccessDenied"
    org("RegisterDelegatedAdministrator", account_id=member, service_principal=PRINCIPAL)
    assert house.call("FindEscalationPaths", _as=inside, organization=True).paths
    assert refused(house, house.user("nobody")) == "AccessDenied"
    org("DeregisterDelegatedAdministrator", account_id=member, service_principal=PRINCIPAL)
    assert refused(house, inside) == "AccessDenied"
    assert refused(house, goal_arn=f"arn:aws:iam::{member}:{MADE}") == "InvalidInput"
