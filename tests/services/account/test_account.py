"""Account Management: an account's own name, contacts and regions, and those of members for who may name them."""

from collections.abc import Callable
from typing import Any

import pytest

from sekisho import sigv4
from sekisho.errors import SekishoError
from sekisho.store.tables import QuotaOverride
from tests.harness import House
from tests.services.iam.documents import allow
from tests.services.organizations.tree import Organization

SERVICE = "account.amazonaws.com"
CONTACT = {
    "full_name": "Amara Okafor",
    "address_line1": "1 Harbour Road",
    "city": "Cork",
    "postal_code": "T12",
    "country_code": "IE",
    "phone_number": "+353 21 000",
}
SECURITY = {
    "name": "Bea",
    "title": "Head",
    "email_address": "bea@example.com",
    "phone_number": "+353 (21) 1",
    "alternate_contact_type": "SECURITY",
}


@pytest.fixture
def account(house: House) -> Callable[..., Any]:
    """Calls an operation of the service."""

    def call(name: str, /, _as: sigv4.Credentials | None = None, **fields: Any) -> Any:
        return house.call(f"account:{name}", _as=_as, **fields)

    return call


@pytest.fixture
def code(house: House) -> Callable[..., str]:
    """The code of the error that an operation ends with."""

    def call(name: str, /, _as: sigv4.Credentials | None = None, **fields: Any) -> str:
        with pytest.raises(SekishoError) as caught:
            house.call(f"account:{name}", _as=_as, **fields)
        return caught.value.code

    return call


def test_an_account_has_a_name(house: House, account: Any, code: Any) -> None:
    account("PutAccountName", account_name="Harbour")
    found = account("GetAccountInformation")
    assert (found.account_id, found.account_name, found.account_state) == (house.account_id, "Harbour", "ACTIVE")
    assert found.account_created_date.seconds > 0
    assert code("PutAccountName", account_name="a<b") == "ValidationError"
    assert code("GetPrimaryEmail", account_id=house.account_id) == "AccessDenied"


def test_contacts_are_kept_one_of_each_kind(account: Any, code: Any) -> None:
    assert code("GetContactInformation") == "ResourceNotFound"
    account("PutContactInformation", contact_information=CONTACT)
    account("PutContactInformation", contact_information=CONTACT | {"city": "Kinsale"})
    found = account("GetContactInformation")
    assert (found.contact_information.city, found.verification_status) == ("Kinsale", "NOT_SUPPORTED")
    assert not found.contact_information.HasField("company_name")
    account("PutAlternateContact", **SECURITY)
    shown = account("GetAlternateContact", alternate_contact_type="SECURITY").alternate_contact
    assert {name: getattr(shown, name) for name in SECURITY} == SECURITY
    assert code("GetAlternateContact", alternate_contact_type="BILLING") == "ResourceNotFound"
    account("DeleteAlternateContact", alternate_contact_type="SECURITY")
    assert code("DeleteAlternateContact", alternate_contact_type="SECURITY") == "ResourceNotFound"
    assert account("GetContactInformation").contact_information.full_name == "Amara Okafor"
    for wrong in ({"email_address": "bea"}, {"phone_number": "none"}, {"alternate_contact_type": "OTHER"}):
        assert code("PutAlternateContact", **(SECURITY | wrong)) == "ValidationError"


def test_regions_are_enabled_and_disabled(account: Any, code: Any) -> None:
    def states(*wanted: str) -> dict[str, str]:
        return {one.region_name: one.region_opt_status for one in account("ListRegions", region_opt_status_contains=wanted).regions}

    assert states("ENABLED") == {}
    assert states()["eu-west-1"] == "ENABLED_BY_DEFAULT"
    for _ in range(2):
        account("EnableRegion", region_name="af-south-1")
    assert states("ENABLED") == {"af-south-1": "ENABLED"}
    assert account("GetRegionOptStatus", region_name="af-south-1").region_opt_status == "ENABLED"
    account("DisableRegion", region_name="af-south-1")
    assert account("GetRegionOptStatus", region_name="af-south-1").region_opt_status == "DISABLED"
    assert code("DisableRegion", region_name="eu-west-1") == "Conflict"
    for name in ("EnableRegion", "DisableRegion", "GetRegionOptStatus"):
        assert code(name, region_name="xx-west-1") == "ValidationError"


def test_regions_are_paged(account: Any, code: Any) -> None:
    whole = [one.region_name for one in account("ListRegions").regions]
    seen: list[str] = []
    token = None
    while len(seen) < len(whole):
        page = account("ListRegions", max_results=7, next_token=token)
        seen += [one.region_name for one in page.regions]
        token = page.next_token
    assert (seen, token) == (whole, "")
    assert whole == sorted(whole)
    assert code("ListRegions", next_token="AAAA") == "ValidationError"


def test_a_member_is_named_by_who_manages_it_or_administers_the_service(house: House, account: Any, code: Any) -> None:
    with house.node.database.write((house.account_id,)) as session:
        session.add(QuotaOverride(account_id=house.account_id, quota="OrganizationAccountsQuota", value=100))
    org = Organization(house)
    member, delegate = org.account("before"), org.account()
    keys = org.inside(delegate)
    named = {"account_id": member}
    assert code("GetAccountInformation", **named) == "AccessDenied"
    org("EnableAWSServiceAccess", service_principal=SERVICE)
    account("PutAccountName", account_name="after", **named)
    assert account("GetAccountInformation", **named).account_name == "after"
    assert account("GetPrimaryEmail", **named).primary_email.endswith("@example.com")
    assert code("GetAccountInformation", account_id=house.account_id) == "AccessDenied"
    assert code("GetAccountInformation", keys, **named) == "AccessDenied"
    org("RegisterDelegatedAdministrator", account_id=delegate, service_principal=SERVICE)
    account("PutAlternateContact", keys, **SECURITY, **named)
    own = account("GetAlternateContact", org.inside(member), alternate_contact_type="SECURITY")
    assert own.alternate_contact.name == "Bea"
    assert code("GetAccountInformation", keys, account_id=house.account_id) == "AccessDenied"
    stranger = house.account()
    theirs = house.call("GetCallerIdentity", _as=stranger).account
    assert code("GetAccountInformation", account_id=theirs) == "AccessDenied"
    assert code("GetAccountInformation", stranger, **named) == "AccessDenied"
    assert code("GetAccountInformation", account_id="123456789012") == "AccessDenied"


def test_callers_need_permission(house: House, account: Any, code: Any) -> None:
    own = f"arn:aws:account::{house.account_id}:account"
    ann = house.user("ann", allow("account:EnableRegion", on=own, when={"StringEquals": {"account:TargetRegion": "me-south-1"}}))
    account("EnableRegion", ann, region_name="me-south-1")
    assert code("EnableRegion", ann, region_name="af-south-1") == "AccessDenied"
    assert code("GetAccountInformation", ann) == "AccessDenied"
