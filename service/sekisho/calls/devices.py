"""MFA devices of all kinds, by serial number and by owner: what the services about them have in common."""

from sqlalchemy import and_, or_, select
from sqlalchemy.orm import Session

from sekisho import arn
from sekisho.credentials import one_time
from sekisho.credentials.key_ring import KeyRing
from sekisho.store.tables import Authenticator, MfaDevice, Root, User
from sekisho.store.tables.mfa_devices import HARDWARE, PASSKEY

Device = MfaDevice | Authenticator
Owner = User | Root

MOST = 8
"""Devices of one user or root user. Source: https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_iam-quotas.html"""


def serial(row: Device) -> str:
    """The serial number: the ARN of a virtual device or a passkey, what stands on a hardware device."""
    return row.serial if isinstance(row, Authenticator) else arn.iam(row.account_id, row.kind, row.name, row.path)


def owner_id(row: Device) -> str | None:
    """The id of the user or root user who has the device; a root user's is its account's."""
    if isinstance(row, Authenticator):
        return row.owner_id
    return row.account_id if row.of_root else row.user_id


def shows_codes(row: Device) -> bool:
    """False of a passkey."""
    return isinstance(row, MfaDevice) or row.kind == HARDWARE


def give(row: Device, owner: Owner) -> None:
    """Make it this owner's."""
    if isinstance(row, Authenticator):
        row.owner_id = owner.id
    else:
        row.user_id, row.of_root = (None, True) if isinstance(owner, Root) else (owner.id, False)


def take_away(session: Session, row: Device) -> None:
    """Make it nobody's. A passkey is of use to nobody else, and goes."""
    if isinstance(row, Authenticator):
        row.owner_id = row.enabled_at = None
        if row.kind == PASSKEY:
            session.delete(row)
    else:
        row.user_id, row.of_root, row.enabled_at = None, False, None


def seed(row: Device, ring: KeyRing) -> bytes:
    """The seed of a device that shows codes."""
    sealed = row.seed
    if sealed is None:
        raise ValueError("a passkey has no seed")
    return one_time.unseal(row.id, sealed, ring, table=row.__tablename__)


def get_device(session: Session, account_id: str, serial_number: str) -> Device | None:
    """The device of a serial number; path and spelling must be its own."""
    named = arn.entity(serial_number) if serial_number.startswith("arn:") else None
    if named is not None and named.kind == "mfa":
        if named.account != account_id:
            return None
        query = select(MfaDevice).where(MfaDevice.account_id == account_id, MfaDevice.name_key == named.key)
        row = session.scalars(query).one_or_none()
        return row if row is not None and (row.name, row.path) == (named.name, named.path) else None
    of_serial = select(Authenticator).where(Authenticator.account_id == account_id, Authenticator.serial == serial_number)
    return session.scalars(of_serial).one_or_none()


def load_of(session: Session, account_id: str, owner: str) -> list[Device]:
    """The devices of a user or root user, by serial number."""
    virtual = select(MfaDevice).where(
        or_(MfaDevice.user_id == owner, and_(MfaDevice.account_id == owner, MfaDevice.of_root)), MfaDevice.account_id == account_id
    )
    others = select(Authenticator).where(Authenticator.owner_id == owner, Authenticator.account_id == account_id)
    return sorted([*session.scalars(virtual), *session.scalars(others)], key=serial)
