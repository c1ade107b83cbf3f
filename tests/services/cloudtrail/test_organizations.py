"""Trails of organizations: who makes them, who sees them, who must leave them alone."""

from typing import Any

import pytest

from sekisho import sigv4
from sekisho.credentials import accounts
from sekisho.errors import SekishoError
from tests import harness
from tests.harness import House
from tests.services.cloudtrail.conftest import Failing
from tests.services.conftest import Refused
from tests.services.organizations.tree import Organization

ORGANIZATION: dict[str, Any] = {"s3_bucket_name": "audit-logs", "is_organization_trail": True}


@pytest.fixture
def trail(house: House, org: Organization) -> str:
    """The ARN of a trail of the organization."""
    made: str = house.call("CreateTrail", name="all-of-us", **ORGANIZATION).trail_arn
    assert made == f"arn:aws:cloudtrail:us-east-1:{org.management}:trail/all-of-us"
    return made


@pytest.fixture
def member(org: Organization) -> sigv4.Credentials:
    """An administrator of a member account."""
    return org.inside(org.account())


def test_a_member_sees_the_organizations_trail_and_cannot_change_it(
    house: House, trail: str, member: sigv4.Credentials, refused: Refused
) -> None:
    assert [found.trail_arn for found in house.call("ListTrails", _as=member).trails] == [trail]
    assert [found.trail_arn for found in house.call("DescribeTrails", _as=member).trail_list] == [trail]
    assert list(house.call("DescribeTrails", _as=member, include_shadow_trails=False).trail_list) == []
    assert house.call("GetTrail", _as=member, name=trail).trail.is_organization_trail
    assert not house.call("GetTrailStatus", _as=member, name=trail).is_logging
    assert refused("GetTrail", _as=member, name="all-of-us")[0] == "TrailNotFound"
    for name in ("UpdateTrail", "DeleteTrail", "StartLogging", "StopLogging"):
        sentence = "The account that made the request is not the management account or a delegated administrator."
        assert refused(name, _as=member, name=trail) == ("NotOrganizationMasterAccount", sentence)
    assert refused("PutEventSelectors", _as=member, trail_name=trail, event_selectors=[{}])[0] == "NotOrganizationMasterAccount"
    assert refused("PutInsightSelectors", _as=member, trail_name=trail)[0] == "NotOrganizationMasterAccount"
    assert refused("AddTags", _as=member, resource_id=trail, tags_list=[{"key": "k"}])[0] == "ResourceNotFound"
    assert refused("ListTags", _as=member, resource_id_list=[trail])[0] == "ResourceNotFound"


def test_an_outsider_and_who_left_see_nothing(house: House, org: Organization, trail: str, failing: Failing) -> None:
    stranger = house.account()
    assert list(house.call("ListTrails", _as=stranger).trails) == []
    assert failing("GetTrail", _as=stranger, name=trail) == "TrailNotFound"
    account, keys = org.invited()
    assert house.call("GetTrail", _as=keys, name=trail).trail.name == "all-of-us"
    org("RemoveAccountFromOrganization", account_id=account)
    assert failing("GetTrail", _as=keys, name=trail) == "TrailNotFound"


def test_a_member_keeps_a_trail_of_its_own_with_the_same_name(house: House, trail: str, member: sigv4.Credentials) -> None:
    own = house.call("CreateTrail", _as=member, name="all-of-us", s3_bucket_name="audit-logs").trail_arn
    assert own != trail
    assert house.call("GetTrail", _as=member, name="all-of-us").trail.trail_arn == own
    assert {found.trail_arn for found in house.call("ListTrails", _as=member).trails} == {own, trail}
    house.call("DeleteTrail", _as=member, name="all-of-us")
    assert house.call("GetTrail", name=trail).trail.name == "all-of-us"


def test_only_who_administers_the_organizations_trails_makes_one(house: House, org: Organization, failing: Failing) -> None:
    account = org.account()
    member = org.inside(account)
    assert failing("CreateTrail", _as=member, name="all-of-us", **ORGANIZATION) == "NotOrganizationMasterAccount"
    house.call("RegisterOrganizationDelegatedAdmin", member_account_id=account)
    made = house.call("CreateTrail", _as=member, name="all-of-us", **ORGANIZATION)
    assert made.trail_arn == f"arn:aws:cloudtrail:us-east-1:{org.management}:trail/all-of-us"
    house.call("StartLogging", _as=member, name=made.trail_arn)
    assert house.call("GetTrailStatus", name="all-of-us").is_logging
    assert failing("UpdateTrail", _as=member, name=made.trail_arn, is_organization_trail=False) == "NotOrganizationMasterAccount"
    house.call("DeregisterOrganizationDelegatedAdmin", delegated_admin_account_id=account)
    assert failing("DeleteTrail", _as=member, name=made.trail_arn) == "NotOrganizationMasterAccount"
    house.call("DeleteTrail", name="all-of-us")


def test_the_management_account_makes_a_trail_of_its_own_the_organizations(house: House, org: Organization, failing: Failing) -> None:
    member = org.inside(org.account())
    arn = house.call("CreateTrail", name="mine", s3_bucket_name="audit-logs").trail_arn
    assert failing("GetTrail", _as=member, name=arn) == "TrailNotFound"
    assert house.call("UpdateTrail", name="mine", is_organization_trail=True).is_organization_trail
    assert house.call("GetTrail", _as=member, name=arn).trail.is_organization_trail
    assert not house.call("UpdateTrail", name="mine", is_organization_trail=False).is_organization_trail
    assert failing("GetTrail", _as=member, name=arn) == "TrailNotFound"
    own = house.call("CreateTrail", _as=member, name="mine", s3_bucket_name="audit-logs").trail_arn
    assert failing("UpdateTrail", _as=member, name=own, is_organization_trail=True) == "NotOrganizationMasterAccount"


def test_an_organization_must_trust_cloudtrail_and_have_all_features(house: House, failing: Failing) -> None:
    org = Organization(house, feature_set="CONSOLIDATED_BILLING")
    assert failing("CreateTrail", name="all-of-us", **ORGANIZATION) == "OrganizationNotInAllFeaturesMode"
    org("EnableAllFeatures")
    (handshake,) = org("ListHandshakesForOrganization").handshakes
    org("AcceptHandshake", handshake_id=handshake.id)
    assert failing("CreateTrail", name="all-of-us", **ORGANIZATION) == "CloudTrailAccessNotEnabled"
    org("EnableAWSServiceAccess", service_principal="cloudtrail.amazonaws.com")
    house.call("CreateTrail", name="all-of-us", **ORGANIZATION)


def test_when_the_organization_is_gone_its_trail_is_its_accounts_alone(house: House, org: Organization, trail: str) -> None:
    org("DeleteOrganization")
    house.call("StopLogging", name=trail)
    house.call("DeleteTrail", name="all-of-us")
    with pytest.raises(SekishoError) as caught:
        house.call("GetTrail", name=trail)
    assert caught.value.code == "TrailNotFound"


def test_an_account_that_joined_another_organization_keeps_its_trail_and_changes_it(house: House, org: Organization, trail: str) -> None:
    org("DeleteOrganization")
    other = harness.House(house.node, accounts.create(house.node.database, house.node.ring))
    joined = Organization(other)
    asked = joined("InviteAccountToOrganization", target={"id": house.account_id, "type": "ACCOUNT"}).handshake
    org("AcceptHandshake", handshake_id=asked.id)
    house.call("StopLogging", name=trail)
    changed = house.call("UpdateTrail", name=trail, is_organization_trail=False)
    assert not changed.is_organization_trail
    assert not house.call("GetTrail", name=trail).trail.is_organization_trail
    assert list(other.call("DescribeTrails").trail_list) == []


def test_the_administration_is_given_to_members_by_the_management_account_alone(house: House, org: Organization, failing: Failing) -> None:
    account = org.account()
    member = org.inside(account)
    register, deregister = "RegisterOrganizationDelegatedAdmin", "DeregisterOrganizationDelegatedAdmin"
    assert failing(register, _as=member, member_account_id=account) == "NotOrganizationManagementAccount"
    assert failing(register, _as=house.account(), member_account_id=account) == "OrganizationsNotInUse"
    assert failing(register, member_account_id=org.management) == "CannotDelegateManagementAccount"
    assert failing(register, member_account_id="999988887777") == "AccountNotFound"
    assert failing(deregister, delegated_admin_account_id=account) == "AccountNotRegistered"
    house.call(register, member_account_id=account)
    assert failing(register, member_account_id=account) == "AccountRegistered"
    services = org("ListDelegatedServicesForAccount", account_id=account).delegated_services
    assert [service.service_principal for service in services] == ["cloudtrail.amazonaws.com"]
    for _ in range(2):
        house.call(register, member_account_id=org.account())
    assert failing(register, member_account_id=org.account()) == "DelegatedAdminAccountLimitExceeded"
