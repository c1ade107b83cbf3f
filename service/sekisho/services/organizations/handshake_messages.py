"""A handshake as either side sees it: its state now, and the facts about the other side."""

from collections.abc import Iterator

from sqlalchemy import exists, select

from sekisho import arn
from sekisho.api.organizations.v1 import handshakes_pb2 as pb
from sekisho.calls.call import Call
from sekisho.services.organizations import accounts
from sekisho.store.tables import Account, AccountEmail, Handshake, Member

_OPEN = ("OPEN", "REQUESTED")


def state(call: Call, row: Handshake) -> str:
    """What a handshake is now: one that nobody answered in time has expired; all features wait for the accounts that are asked."""
    if row.state in _OPEN and row.expires_at <= call.now:
        return "EXPIRED"
    if row.state == "REQUESTED" and not _waits(call, row):
        return "OPEN"
    return row.state


def message(call: Call, row: Handshake) -> pb.Handshake:
    """A handshake as the API shows it."""
    return pb.Handshake(
        id=row.id,
        arn=arn.organizations(row.management_account_id, "handshake", row.organization_id, row.action.lower(), row.id),
        parties=[
            pb.HandshakeParty(id=row.organization_id, type="ORGANIZATION"),
            pb.HandshakeParty(id=row.party, type=row.party_type),
        ],
        state=state(call, row),
        requested_timestamp=accounts.seconds(row.requested_at),
        expiration_timestamp=accounts.seconds(row.expires_at),
        action=row.action,
        resources=list(_resources(call, row)),
    )


def _waits(call: Call, row: Handshake) -> bool:
    """True while an account of the organization that is asked to agree has not; one that has left is restricted by nothing."""
    here = exists(select(Member.account_id).where(Member.account_id == Handshake.account_id, Member.organization_id == row.organization_id))
    asked = select(Handshake.id).where(Handshake.parent_id == row.id, Handshake.state != "ACCEPTED", here)
    return bool(call.session.scalar(select(exists(asked))))


def _resources(call: Call, row: Handshake) -> Iterator[pb.HandshakeResource]:
    email = call.session.get(AccountEmail, row.management_account_id)
    management = call.session.get(Account, row.management_account_id)
    facts = {
        "MASTER_EMAIL": email.email if email is not None else None,
        "MASTER_NAME": management.name if management is not None else None,
        "ORGANIZATION_FEATURE_SET": row.feature_set,
    }
    yield pb.HandshakeResource(
        value=row.organization_id,
        type="ORGANIZATION",
        resources=[pb.HandshakeResource(value=value, type=type_) for type_, value in facts.items() if value is not None],
    )
    yield pb.HandshakeResource(value=row.party, type=row.party_type)
    if row.parent_id is not None:
        yield pb.HandshakeResource(value=row.parent_id, type="PARENT_HANDSHAKE")
    if row.notes is not None:
        yield pb.HandshakeResource(value=row.notes, type="NOTES")
