"""Answers to handshakes: what is done when one is accepted, and what must not be over before."""

import json
from collections.abc import Callable

from sqlalchemy import select

from sekisho.api.organizations.v1.tags_pb2 import Tag
from sekisho.calls import affiliation
from sekisho.calls.call import Call
from sekisho.services.organizations import accounts, invitations, quotas
from sekisho.services.organizations.errors import (
    HandshakeAlreadyInState,
    HandshakeConstraintViolation,
    HandshakeNotFound,
    InvalidHandshakeTransition,
)
from sekisho.services.organizations.handshake_messages import state
from sekisho.store.tables import Handshake, Organization


def refuse_over(call: Call, row: Handshake, wanted: str) -> None:
    """Raise unless a handshake can become what is wanted."""
    now = state(call, row)
    if now == wanted:
        raise HandshakeAlreadyInState(f"The specified handshake is already in the requested state: {wanted}.")
    if now not in ("OPEN", "REQUESTED") or (now == "REQUESTED" and wanted == "ACCEPTED"):
        raise InvalidHandshakeTransition(f"A handshake that is {now} can't become {wanted}.")


def end(call: Call, row: Handshake, became: str) -> None:
    """Say what became of a handshake."""
    row.state, row.ended_at = became, call.now


def _join(call: Call, row: Handshake) -> None:
    """The caller's account joins the organization that invited it, if it is still there and has room, and the features that it had."""
    organization = _organization(call, row)
    if affiliation.get(call) is not None:
        raise HandshakeConstraintViolation("ALREADY_IN_AN_ORGANIZATION", "The account is already a member of an organization.")
    if row.feature_set != organization.feature_set:  # which restrict accounts that did not agree to that
        raise HandshakeConstraintViolation(
            "ORGANIZATION_ALREADY_HAS_ALL_FEATURES", "The organization has enabled all features since it sent the invitation."
        )
    if invitations.is_asked(call, organization, Handshake.action == "ENABLE_ALL_FEATURES"):  # without this account
        raise HandshakeConstraintViolation(
            "INVITE_DISABLED_DURING_ENABLE_ALL_FEATURES", "You can't join while all features are being enabled."
        )
    if quotas.is_full(call, organization, besides=1):
        raise HandshakeConstraintViolation("ACCOUNT_NUMBER_LIMIT_EXCEEDED", "The organization has as many accounts as it may have.")
    accounts.join(call, organization, call.account_id, "INVITED", [Tag(**tag) for tag in json.loads(row.tags)])


def _enable(call: Call, row: Handshake) -> None:
    """The organization has all features from then on."""
    _organization(call, row).feature_set = "ALL"


def _approve(call: Call, row: Handshake) -> None:
    """The account agrees; the organization goes on when all have."""


ACCEPTED: dict[str, Callable[[Call, Handshake], None]] = {
    "INVITE": _join,
    "ENABLE_ALL_FEATURES": _enable,
    "APPROVE_ALL_FEATURES": _approve,
}
"""What is done with an acceptance, by what was asked."""


def _organization(call: Call, row: Handshake) -> Organization:
    found = call.session.scalars(select(Organization).where(Organization.id == row.organization_id)).one_or_none()
    if found is None:
        raise HandshakeNotFound("The organization of the handshake does not exist any more.")
    return found
