"""Removal of what has had its time: closed accounts with all that is in them, requests that failed, handshakes that are over."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import func, select, update

from sekisho.errors import SekishoError
from sekisho.node import retiring
from sekisho.node.retiring import Retiring
from sekisho.store.tables import Access, Account, AccountRequest, Base, Entity, Handshake
from tests import harness
from tests.harness import House
from tests.services.iam.documents import LIST_BUCKETS, TRUST_EC2
from tests.services.organizations.tree import SCP, Organization, deny

NOW = datetime(2030, 1, 1, tzinfo=UTC)
DAY = timedelta(days=1)


@pytest.fixture
def house(database_url: str, tmp_path: Path) -> Iterator[House]:
    with harness.house(database_url, tmp_path) as made:
        yield made


@pytest.fixture
def org(house: House) -> Organization:
    return Organization(house, SCP)


def furnish(org: Organization, member: str) -> None:
    """Put something of many kinds into an account."""
    call, keys = org.house.call, org.inside(member)
    arn = call("CreatePolicy", _as=keys, policy_name="limit", policy_document=LIST_BUCKETS, tags=[{"key": "a", "value": "b"}]).policy.arn
    call("CreateUser", _as=keys, user_name="ann", permissions_boundary=arn, tags=[{"key": "a", "value": "b"}])
    call("CreateAccessKey", _as=keys, user_name="ann")
    call("CreateLoginProfile", _as=keys, user_name="ann", password="correct horse battery staple 1A")
    call("CreateGroup", _as=keys, group_name="g")
    call("AddUserToGroup", _as=keys, user_name="ann", group_name="g")
    call("AttachGroupPolicy", _as=keys, group_name="g", policy_arn=arn)
    call("PutUserPolicy", _as=keys, user_name="ann", policy_name="p", policy_document=LIST_BUCKETS)
    call("CreateRole", _as=keys, role_name="r", assume_role_policy_document=TRUST_EC2, permissions_boundary=arn)
    call("CreateInstanceProfile", _as=keys, instance_profile_name="i")
    call("AddRoleToInstanceProfile", _as=keys, instance_profile_name="i", role_name="r")
    call("CreateVirtualMFADevice", _as=keys, virtual_mfa_device_name="d")
    call("CreateAccountAlias", _as=keys, account_alias=f"alias-{member}")
    call("GenerateCredentialReport", _as=keys)
    call("EnableOutboundWebIdentityFederation", _as=keys)
    call("GenerateServiceLastAccessedDetails", _as=keys, arn=arn)
    call("PutResource", _as=keys, resource_arn=f"arn:aws:orders::{member}:order/7", tags=[{"key": "a", "value": "b"}])
    call("PutServiceDefinition", _as=keys, service_name="orders", definition='{"Name": "orders"}')
    org("TagResource", resource_id=member, tags=[{"key": "a", "value": "b"}])
    org.attach(org.policy(deny("a:b")), member)


def closed(org: Organization, member: str, at: datetime | None) -> None:
    org("CloseAccount", account_id=member)
    with org.house.node.database.write((member,)) as session:
        session.execute(update(Account).where(Account.id == member).values(closed_at=at))


def rest(org: Organization, member: str) -> dict[str, int]:
    """The tables that still have rows of an account, as far as they say whose they are; uses still come in by the spool."""
    found = {}
    with org.house.node.database.read() as session:
        for table in Base.metadata.tables.values():
            for name in ("account_id", "target_id", "resource_id"):
                if name in table.columns:
                    count = session.scalar(select(func.count()).select_from(table).where(table.columns[name] == member)) or 0
                    if count and not table.name.startswith(("accesses", "audit_", "trail_", "used_")):
                        found[table.name] = count
    return found


def finished(org: Organization, now: datetime) -> int:
    """Let the step run until it has no more to do; how often it had."""
    step, count = Retiring(org.house.node.database), 0
    while step.once(now):
        count += 1
        assert count < 200
    return count


@pytest.mark.parametrize("most", [200, 3], ids=["at_once", "a_few_at_a_time"])
def test_of_an_account_nothing_is_left_after_ninety_days(org: Organization, most: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(retiring, "MOST", most)
    member, other = org.account(), org.account()
    for account_id in (member, other):
        furnish(org, account_id)
    before = rest(org, other)
    assert len(before) == 19
    access = {"account_id": member, "service": "s", "action": "a", "at": NOW, "region": ""}
    with org.house.node.database.write((member,)) as session:
        session.add(Access(principal_id=f"AIDA{member}", **access))
    closed(org, member, NOW - 90 * DAY)
    assert finished(org, NOW - timedelta(seconds=1)) == 0
    assert rest(org, member) == before
    assert finished(org, NOW) > (5 if most == 3 else 1)
    left = rest(org, member)
    assert left.pop("entity_counts", 0) >= 0
    assert left == {"account_emails": 1, "organization_account_requests": 1}
    assert rest(org, other) == before
    with org.house.node.database.read() as session:
        assert session.get_one(Account, member).status == "REMOVED"
        assert session.get(Access, (f"AIDA{member}", "s", "a")) is None
        assert session.scalar(select(func.count()).select_from(Entity).where(Entity.account_id == member)) == 0
    assert member not in [one.id for one in org("ListAccounts").accounts]
    with pytest.raises(SekishoError) as gone:
        org("DescribeAccount", account_id=member)
    assert gone.value.code == "AccountNotFound"
    with pytest.raises(SekishoError) as refused:
        org.inside(member)
    assert refused.value.code == "AccessDenied"


def test_its_address_is_not_given_to_another(org: Organization) -> None:
    asked: dict[str, Any] = {"email": "once@example.com", "account_name": "a"}
    made = org("CreateAccount", **asked).create_account_status.id
    member = org("DescribeCreateAccountStatus", create_account_request_id=made).create_account_status.account_id
    closed(org, member, NOW - 90 * DAY)
    finished(org, NOW)
    again = org("CreateAccount", **asked).create_account_status.id
    assert (
        org("DescribeCreateAccountStatus", create_account_request_id=again).create_account_status.failure_reason == "EMAIL_ALREADY_EXISTS"
    )


def test_an_account_that_an_older_server_closed_has_its_days_from_now_on(org: Organization) -> None:
    member = org.account()
    closed(org, member, None)
    assert finished(org, NOW) == 1
    with org.house.node.database.read() as session:
        assert (session.get_one(Account, member).closed_at, session.get_one(Account, member).status) == (NOW, "CLOSED")
    assert finished(org, NOW + 90 * DAY) > 1
    assert member not in [one.id for one in org("ListAccounts").accounts]


def opened(org: Organization, member: str) -> None:
    """Open an account again, as an operator does it, who says nothing of when."""
    with org.house.node.database.write((member,)) as session:
        session.execute(update(Account).where(Account.id == member).values(status="ACTIVE"))


def test_an_account_that_is_opened_between_look_and_removal_keeps_all(org: Organization, monkeypatch: pytest.MonkeyPatch) -> None:
    member, database = org.account(), org.house.node.database
    furnish(org, member)
    closed(org, member, NOW - 90 * DAY)
    before, write = rest(org, member), database.write

    def meanwhile(accounts: Any, **more: Any) -> Any:
        monkeypatch.undo()
        opened(org, member)
        return write(accounts, **more)

    monkeypatch.setattr(database, "write", meanwhile)
    assert finished(org, NOW) > 0
    assert rest(org, member) == before
    with database.read() as session:
        assert session.get_one(Account, member).status == "ACTIVE"


def test_the_days_of_an_account_that_was_opened_begin_anew(org: Organization) -> None:
    member = org.account()
    furnish(org, member)
    closed(org, member, NOW - 90 * DAY)
    opened(org, member)
    before = rest(org, member)
    assert finished(org, NOW) == 1
    with org.house.node.database.write((member,)) as session:  # as a server of the release before closes it
        session.execute(update(Account).where(Account.id == member).values(status="CLOSED"))
    finished(org, NOW)
    finished(org, NOW + 90 * DAY - timedelta(seconds=1))
    assert rest(org, member) == before
    finished(org, NOW + 90 * DAY)
    assert rest(org, member) != before


def test_a_node_whose_clock_is_ahead_of_the_databases_removes_nothing(org: Organization) -> None:
    member = org.account()
    furnish(org, member)
    before = rest(org, member)
    org("CloseAccount", account_id=member)
    step = Retiring(org.house.node.database)
    while step.by_both_clocks(datetime.now(UTC) + 1000 * DAY):
        pass
    assert (rest(org, member) == before) is not org.house.node.database.sqlite  # which has no clock of its own


def test_closing_says_when(org: Organization) -> None:
    member = org.account()
    org("CloseAccount", account_id=member)
    assert finished(org, datetime.now(UTC)) == 0
    assert finished(org, datetime.now(UTC) + 91 * DAY) > 0


def test_requests_that_failed_are_known_for_ninety_days(org: Organization) -> None:
    for name in ("first", "second"):
        org("CreateAccount", email="same@example.com", account_name=name)
    with org.house.node.database.write(()) as session:
        session.execute(update(AccountRequest).values(requested_at=NOW - 90 * DAY))
    finished(org, NOW - timedelta(seconds=1))
    assert {one.state for one in org("ListCreateAccountStatus").create_account_statuses} == {"SUCCEEDED", "FAILED"}
    finished(org, NOW)
    assert {one.state for one in org("ListCreateAccountStatus").create_account_statuses} == {"SUCCEEDED"}


def test_no_more_requests_go_at_once_than_may(org: Organization, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("first", "second", "third", "fourth"):
        org("CreateAccount", email="same@example.com", account_name=name)
    with org.house.node.database.write(()) as session:
        session.execute(update(AccountRequest).values(requested_at=NOW - 90 * DAY))
    monkeypatch.setattr(retiring, "MOST", 2)
    step = retiring.Retiring(org.house.node.database)

    def failed() -> int:
        with org.house.node.database.read() as session:
            return session.scalar(select(func.count()).select_from(AccountRequest).where(AccountRequest.state == "FAILED")) or 0

    assert failed() == 3
    assert step._forgotten(NOW)
    assert failed() == 1
    assert not step._forgotten(NOW)
    assert failed() == 0


def test_handshakes_are_known_for_thirty_days_and_as_long_as_another_waits(house: House) -> None:
    org = Organization(house, feature_set="CONSOLIDATED_BILLING")
    org.invited()
    refusing, keys = org.invited()
    asked = org("EnableAllFeatures").handshake.id
    asking = org("ListHandshakesForOrganization", filter={"parent_handshake_id": asked}).handshakes
    (child,) = [one.id for one in asking if refusing in [party.id for party in one.parties]]
    org("DeclineHandshake", keys, handshake_id=child)
    ids = {one.id for one in org("ListHandshakesForOrganization").handshakes}
    assert len(ids) == 5
    with house.node.database.write(()) as session:
        session.execute(update(Handshake).where(Handshake.ended_at.is_not(None)).values(ended_at=NOW - 30 * DAY))
        session.execute(update(Handshake).where(Handshake.ended_at.is_(None)).values(expires_at=NOW + DAY))

    def left() -> int:
        with house.node.database.read() as session:
            return session.scalar(select(func.count()).select_from(Handshake)) or 0

    finished(org, NOW - timedelta(seconds=1))
    assert left() == 5
    finished(org, NOW)
    assert left() == 3  # what was asked, and both accounts that were asked; the invitations are gone
    assert org("DescribeHandshake", handshake_id=asked).handshake.state == "REQUESTED"
    finished(org, NOW + 32 * DAY)
    assert left() == 0
