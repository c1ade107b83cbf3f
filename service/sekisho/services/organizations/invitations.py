"""What an organization asks of accounts: to join it, and to agree that its policies restrict them."""

import json
from typing import Any

from sqlalchemy import exists, select

from sekisho import arn
from sekisho.api.organizations.v1 import handshakes_pb2 as pb
from sekisho.calls.call import Call
from sekisho.operations import operation
from sekisho.services.organizations import ids, membership, quotas, tags, tree
from sekisho.services.organizations.errors import DuplicateHandshake, HandshakeConstraintViolation, InvalidInput
from sekisho.services.organizations.handshake_messages import message
from sekisho.store.tables import AccountEmail, Handshake, Member, Organization


@operation
def invite_account_to_organization(call: Call, request: pb.InviteAccountToOrganizationRequest) -> pb.InviteAccountToOrganizationResponse:
    """By id or by address. Nobody learns whether there is such an account, or where it belongs."""
    organization = membership.find_managed(call)
    account_id = _account(call, request.target)
    if account_id and tree.get_member(call, organization, account_id) is not None:
        raise HandshakeConstraintViolation("ALREADY_IN_AN_ORGANIZATION", "The account is already a member of your organization.")
    if is_asked(call, organization, Handshake.action == "ENABLE_ALL_FEATURES"):
        raise HandshakeConstraintViolation(
            "INVITE_DISABLED_DURING_ENABLE_ALL_FEATURES", "You can't invite accounts while all features are being enabled."
        )
    if is_asked(call, organization, Handshake.action == "INVITE", Handshake.party == request.target.id):
        raise DuplicateHandshake("A handshake with the same action and target already exists.")
    if quotas.is_full(call, organization):
        raise HandshakeConstraintViolation("ACCOUNT_NUMBER_LIMIT_EXCEEDED", "You have exceeded the allowed number of AWS accounts.")
    given = tags.refuse_wrong(request.tags)
    row = Handshake(
        **_asked_by(organization),
        id=ids.handshake(),
        action="INVITE",
        state="OPEN",
        account_id=account_id,
        party_type=request.target.type,
        party=request.target.id,
        notes=request.notes if request.HasField("notes") else None,
        tags=json.dumps([{"key": key, "value": value} for key, value in given.items()]),
        parent_id=None,
        requested_at=call.now,
        expires_at=call.now + quotas.INVITATION,
    )
    call.add(row)
    return pb.InviteAccountToOrganizationResponse(handshake=message(call, row))


@operation
def enable_all_features(call: Call, request: pb.EnableAllFeaturesRequest) -> pb.EnableAllFeaturesResponse:
    """Accounts that the organization made itself agree by that; those that were invited are asked."""
    organization = membership.find_managed(call)
    if organization.feature_set == "ALL":
        raise HandshakeConstraintViolation("ORGANIZATION_ALREADY_HAS_ALL_FEATURES", "The organization already has all features enabled.")
    if is_asked(call, organization, Handshake.action == "ENABLE_ALL_FEATURES"):
        raise HandshakeConstraintViolation(
            "ORGANIZATION_IS_ALREADY_PENDING_ALL_FEATURES_MIGRATION", "The process to enable all features is already under way."
        )
    row = _features(call, organization, "ENABLE_ALL_FEATURES", call.account_id, None)
    query = select(Member.account_id).where(Member.organization_id == organization.id, Member.joined_method == "INVITED")
    for account_id in call.session.scalars(query.where(Member.account_id != organization.management_account_id)).all():
        _features(call, organization, "APPROVE_ALL_FEATURES", account_id, row.id)
    return pb.EnableAllFeaturesResponse(handshake=message(call, row))


def is_asked(call: Call, organization: Organization, *conditions: Any) -> bool:
    """True when the organization has such a handshake that waits for its answer."""
    query = select(Handshake.id).where(Handshake.organization_id == organization.id, quotas.is_open(call), *conditions)
    return bool(call.session.scalar(select(exists(query))))


def _features(call: Call, organization: Organization, action: str, account_id: str, parent_id: str | None) -> Handshake:
    row = Handshake(
        **_asked_by(organization),
        id=ids.handshake(),
        action=action,
        state="REQUESTED" if parent_id is None else "OPEN",
        account_id=account_id,
        party_type="ACCOUNT",
        party=account_id,
        notes=None,
        tags="[]",
        parent_id=parent_id,
        requested_at=call.now,
        expires_at=call.now + quotas.ALL_FEATURES,
    )
    call.add(row)
    return row


def _asked_by(organization: Organization) -> dict[str, Any]:
    return {
        "organization_id": organization.id,
        "management_account_id": organization.management_account_id,
        "feature_set": organization.feature_set,
    }


def _account(call: Call, party: pb.HandshakeParty) -> str:
    """The account that is asked; empty when nobody has the address."""
    if party.type == "ACCOUNT":
        if not arn.is_account_id(party.id):
            raise InvalidInput("INVALID_PATTERN_TARGET_ID", "You specified a policy target ID that doesn't match the required pattern.")
        return party.id
    if party.type != "EMAIL":
        raise InvalidInput("INVALID_PARTY_TYPE_TARGET", "You specified the wrong type of entity as a party.")
    if "@" not in party.id:
        raise InvalidInput("INVALID_EMAIL_ADDRESS_TARGET", "You specified an invalid email address for the invited account owner.")
    return call.session.scalar(select(AccountEmail.account_id).where(AccountEmail.email_key == party.id.lower())) or ""
