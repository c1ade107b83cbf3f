"""Handshakes: invitations and all features, to either side, until they are over."""

import re
from datetime import datetime, timedelta, tzinfo
from typing import Any
from unittest import mock

from sekisho.calls import pipeline
from sekisho.credentials import accounts
from sekisho.store.tables import AccountEmail, QuotaOverride
from tests.harness import House
from tests.services.organizations.conftest import Failing
from tests.services.organizations.tree import Organization


def stranger(org: Organization) -> tuple[str, Any]:
    """An account outside: its id and keys."""
    keys = org.house.account()
    return org.house.call("GetCallerIdentity", _as=keys).account, keys


def invite(org: Organization, account_id: str, **fields: Any) -> Any:
    """An invitation by id."""
    return org("InviteAccountToOrganization", target={"id": account_id, "type": "ACCOUNT"}, **fields).handshake


def test_an_invitation_is_seen_and_accepted_by_the_account(org: Organization, failing: Failing) -> None:
    account_id, keys = stranger(org)
    asked = invite(org, account_id, notes="welcome", tags=[{"key": "k", "value": "v"}])
    assert re.fullmatch("h-[a-z0-9]{32}", asked.id)
    assert asked.arn == f"arn:aws:organizations::{org.management}:handshake/{org.id}/invite/{asked.id}"
    assert (asked.state, asked.action) == ("OPEN", "INVITE")
    assert [(party.id, party.type) for party in asked.parties] == [(org.id, "ORGANIZATION"), (account_id, "ACCOUNT")]
    assert asked.expiration_timestamp.seconds - asked.requested_timestamp.seconds == 15 * 24 * 3600
    facts = {resource.type: resource.value for resource in asked.resources}
    assert facts == {"ORGANIZATION": org.id, "ACCOUNT": account_id, "NOTES": "welcome"}
    assert org("DescribeHandshake", keys, handshake_id=asked.id).handshake == asked
    assert list(org("ListHandshakesForAccount", keys).handshakes) == [asked]
    assert list(org("ListHandshakesForOrganization").handshakes) == [asked]
    accepted = org("AcceptHandshake", keys, handshake_id=asked.id).handshake
    assert accepted.state == "ACCEPTED"
    found = org("DescribeAccount", account_id=account_id).account
    assert (found.joined_method, list(found.paths)) == ("INVITED", [f"{org.id}/{org.root_id}/{account_id}/"])
    assert [(tag.key, tag.value) for tag in org("ListTagsForResource", resource_id=account_id).tags] == [("k", "v")]
    assert failing("AcceptHandshake", keys, handshake_id=asked.id)[0] == "HandshakeAlreadyInState"
    assert failing("DeclineHandshake", keys, handshake_id=asked.id)[0] == "InvalidHandshakeTransition"
    assert failing("CancelHandshake", handshake_id=asked.id)[0] == "InvalidHandshakeTransition"


def test_only_the_side_that_is_meant_answers(org: Organization, failing: Failing) -> None:
    account_id, keys = stranger(org)
    _, other = stranger(org)
    asked = invite(org, account_id).id
    for name in ("AcceptHandshake", "DeclineHandshake", "CancelHandshake", "DescribeHandshake"):
        assert failing(name, other, handshake_id=asked)[0] == "HandshakeNotFound"
        assert failing(name, other, handshake_id="h-12345678")[0] == "HandshakeNotFound"
    assert failing("AcceptHandshake", handshake_id=asked)[0] == "AccessDenied"
    assert failing("DeclineHandshake", handshake_id=asked)[0] == "AccessDenied"
    assert failing("CancelHandshake", keys, handshake_id=asked)[0] == "AccessDenied"
    assert list(org("ListHandshakesForAccount", other).handshakes) == []
    assert org("DeclineHandshake", keys, handshake_id=asked).handshake.state == "DECLINED"
    again = invite(org, account_id).id
    assert org("CancelHandshake", handshake_id=again).handshake.state == "CANCELED"
    assert failing("AcceptHandshake", keys, handshake_id=again)[0] == "InvalidHandshakeTransition"


def test_an_account_is_invited_by_its_address(org: Organization, failing: Failing) -> None:
    account_id, keys = stranger(org)
    with org.house.node.database.write((account_id,)) as session:
        address = f"owner-{account_id}@example.com"
        session.add(AccountEmail(account_id=account_id, email=address, email_key=address))
    asked = org("InviteAccountToOrganization", target={"id": address.upper(), "type": "EMAIL"}).handshake
    assert org("AcceptHandshake", keys, handshake_id=asked.id).handshake.state == "ACCEPTED"
    nobody = org("InviteAccountToOrganization", target={"id": "nobody@example.com", "type": "EMAIL"}).handshake
    assert nobody.state == "OPEN"
    wrong = {("o-1234567890", "ORGANIZATION"): "INVALID_PARTY_TYPE_TARGET", ("12", "ACCOUNT"): "INVALID_PATTERN_TARGET_ID"}
    wrong[("１２３４５６７８９０１２", "ACCOUNT")] = "INVALID_PATTERN_TARGET_ID"
    wrong[("nobody", "EMAIL")] = "INVALID_EMAIL_ADDRESS_TARGET"
    for (id_, type_), reason in wrong.items():
        assert failing("InviteAccountToOrganization", target={"id": id_, "type": type_}) == ("InvalidInput", reason)


def test_an_account_is_invited_once_and_joins_one(org: Organization, failing: Failing, house: House) -> None:
    account_id, keys = stranger(org)
    target = {"id": account_id, "type": "ACCOUNT"}
    asked = invite(org, account_id)
    assert failing("InviteAccountToOrganization", target=target)[0] == "DuplicateHandshake"
    other = Organization(House(house.node, accounts.create(house.node.database, house.node.ring)))
    second = invite(other, account_id)
    org("AcceptHandshake", keys, handshake_id=asked.id)
    taken = ("HandshakeConstraintViolation", "ALREADY_IN_AN_ORGANIZATION")
    assert failing("AcceptHandshake", keys, handshake_id=second.id) == taken
    assert failing("InviteAccountToOrganization", target=target) == taken
    assert [account.id for account in other("ListAccounts").accounts] == [other.management]


def test_an_organization_that_is_full_takes_nobody(org: Organization, failing: Failing) -> None:
    account_id, keys = stranger(org)
    asked = invite(org, account_id)
    with org.house.node.database.write((org.management,)) as session:
        session.get_one(QuotaOverride, (org.management, "OrganizationAccountsQuota")).value = 1
    full = ("HandshakeConstraintViolation", "ACCOUNT_NUMBER_LIMIT_EXCEEDED")
    assert failing("AcceptHandshake", keys, handshake_id=asked.id) == full
    assert failing("InviteAccountToOrganization", target={"id": "123456789012", "type": "ACCOUNT"}) == full


def test_an_invitation_expires_and_is_forgotten(org: Organization, failing: Failing) -> None:
    account_id, keys = stranger(org)
    asked = invite(org, account_id).id

    def later(days: int) -> Any:
        class Later(datetime):
            @classmethod
            def now(cls, tz: tzinfo | None = None) -> datetime:  # type: ignore[override]
                return datetime.now(tz) + timedelta(days=days)

        return mock.patch.object(pipeline, "datetime", Later)

    with later(16):
        assert org("DescribeHandshake", handshake_id=asked).handshake.state == "EXPIRED"
        assert failing("AcceptHandshake", keys, handshake_id=asked)[0] == "InvalidHandshakeTransition"
        assert invite(org, account_id).state == "OPEN"
    with later(46):
        assert failing("DescribeHandshake", handshake_id=asked)[0] == "HandshakeNotFound"
        assert asked not in [shown.id for shown in org("ListHandshakesForOrganization").handshakes]


def test_an_invitation_of_an_organization_that_is_gone_leads_nowhere(org: Organization, failing: Failing) -> None:
    account_id, keys = stranger(org)
    asked = invite(org, account_id).id
    org("DeleteOrganization")
    assert failing("AcceptHandshake", keys, handshake_id=asked)[0] == "HandshakeNotFound"


def test_all_features_need_the_consent_of_those_who_were_invited(house: House, failing: Failing) -> None:
    org = Organization(house, feature_set="CONSOLIDATED_BILLING")
    org.account()
    member, keys = org.invited()
    asked = org("EnableAllFeatures").handshake
    assert (asked.action, asked.state) == ("ENABLE_ALL_FEATURES", "REQUESTED")
    pending = ("HandshakeConstraintViolation", "ORGANIZATION_IS_ALREADY_PENDING_ALL_FEATURES_MIGRATION")
    assert failing("EnableAllFeatures") == pending
    invited = failing("InviteAccountToOrganization", target={"id": "123456789012", "type": "ACCOUNT"})
    assert invited == ("HandshakeConstraintViolation", "INVITE_DISABLED_DURING_ENABLE_ALL_FEATURES")
    assert failing("AcceptHandshake", handshake_id=asked.id)[0] == "InvalidHandshakeTransition"
    (child,) = org("ListHandshakesForOrganization", filter={"parent_handshake_id": asked.id}).handshakes
    assert (child.action, child.state) == ("APPROVE_ALL_FEATURES", "OPEN")
    assert [party.id for party in child.parties] == [org.id, member]
    org("AcceptHandshake", keys, handshake_id=child.id)
    assert org("DescribeHandshake", handshake_id=asked.id).handshake.state == "OPEN"
    assert org("DescribeOrganization").organization.feature_set == "CONSOLIDATED_BILLING"
    org("AcceptHandshake", handshake_id=asked.id)
    assert org("DescribeOrganization").organization.feature_set == "ALL"
    assert failing("EnableAllFeatures") == ("HandshakeConstraintViolation", "ORGANIZATION_ALREADY_HAS_ALL_FEATURES")
    filtered = org("ListHandshakesForOrganization", filter={"action_type": "ENABLE_ALL_FEATURES"}).handshakes
    assert [shown.id for shown in filtered] == [asked.id]


def test_all_features_do_not_wait_for_an_account_that_has_left(house: House, failing: Failing) -> None:
    org = Organization(house, feature_set="CONSOLIDATED_BILLING")
    stays, keys = org.invited()
    leaves, _ = org.invited()
    asked = org("EnableAllFeatures").handshake
    org("RemoveAccountFromOrganization", account_id=leaves)
    assert org("DescribeHandshake", handshake_id=asked.id).handshake.state == "REQUESTED"
    asking = org("ListHandshakesForOrganization", filter={"parent_handshake_id": asked.id}).handshakes
    (child,) = [shown for shown in asking if stays in [party.id for party in shown.parties]]
    org("AcceptHandshake", keys, handshake_id=child.id)
    assert org("DescribeHandshake", handshake_id=asked.id).handshake.state == "OPEN"
    org("AcceptHandshake", handshake_id=asked.id)
    assert org("DescribeOrganization").organization.feature_set == "ALL"


def test_all_features_that_are_taken_back_ask_nobody(house: House, failing: Failing) -> None:
    org = Organization(house, feature_set="CONSOLIDATED_BILLING")
    _, keys = org.invited()
    asked = org("EnableAllFeatures").handshake
    (child,) = [shown for shown in org("ListHandshakesForAccount", keys).handshakes if shown.action == "APPROVE_ALL_FEATURES"]
    org("CancelHandshake", handshake_id=asked.id)
    assert failing("AcceptHandshake", keys, handshake_id=child.id)[0] == "InvalidHandshakeTransition"
    assert org("EnableAllFeatures").handshake.state == "REQUESTED"


def test_an_invitation_is_to_the_features_that_it_shows(house: House, failing: Failing) -> None:
    """An account that was asked to share bills alone is not restricted by policies for having agreed to that."""
    org = Organization(house, feature_set="CONSOLIDATED_BILLING")
    account_id, keys = stranger(org)
    early = invite(org, account_id).id
    asked = org("EnableAllFeatures").handshake.id
    under_way = ("HandshakeConstraintViolation", "INVITE_DISABLED_DURING_ENABLE_ALL_FEATURES")
    assert failing("AcceptHandshake", keys, handshake_id=early) == under_way
    org("CancelHandshake", handshake_id=asked)
    org("AcceptHandshake", handshake_id=org("EnableAllFeatures").handshake.id)
    already = ("HandshakeConstraintViolation", "ORGANIZATION_ALREADY_HAS_ALL_FEATURES")
    assert failing("AcceptHandshake", keys, handshake_id=early) == already
    org("CancelHandshake", handshake_id=early)
    assert org("AcceptHandshake", keys, handshake_id=invite(org, account_id).id).handshake.state == "ACCEPTED"
