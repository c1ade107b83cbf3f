"""Assertions of passkeys as proofs: each challenge is taken once, which takes the database.

The signature is verified before the transaction, since nothing that takes time is done while the account is locked; what may have changed
meanwhile, and whether the challenge was used, is looked at within it.
"""

import hashlib
from datetime import datetime

import structlog
from sqlalchemy.orm import Session

from sekisho.calls import backing_off, devices
from sekisho.calls.call import Call
from sekisho.credentials import passkeys
from sekisho.credentials.passkeys import Holder, Known, Refused
from sekisho.store.tables import Authenticator, UsedSignature

log = structlog.get_logger()


def holder_of(call: Call) -> Holder:
    """Who calls, as the holder of passkeys."""
    return Holder(call.account_id, call.caller.subject.id, "", call.caller.subject.id)


def used(challenge: bytes, begun: datetime, call: Call) -> UsedSignature:
    """The row that says that a challenge was used; it is kept for longer than the challenge is good for."""
    minute = int(begun.timestamp() // 60)
    digest = hashlib.sha256(challenge).hexdigest()[:32]
    return UsedSignature(minute=minute, account_id=call.account_id, signature=digest, used_at=round(call.now.timestamp() * 1_000_000))


def is_used(session: Session, use: UsedSignature) -> bool:
    """True when the challenge was used before."""
    return session.get(UsedSignature, (use.minute, use.account_id, use.signature)) is not None


def take(call: Call, serial_number: str, assertion: str) -> bool:
    """Whether the caller's own passkey has signed a challenge that was given to this caller, and nobody has used; then somebody has.

    Wrong signatures are counted by passkey alone: a code that is guessed too often keeps nobody from a passkey.
    """
    refused = _refusal(call, serial_number, assertion)
    if refused:
        backing_off.meter(backing_off.ASSERTION, refused)
    return not refused


def _refusal(call: Call, serial_number: str, assertion: str) -> str:
    """Why the assertion is not taken, one of the REASONS; empty when it is."""
    party, holder = call.node.passkeys, holder_of(call)
    with call.node.primary.read(deadline=call.deadline) as session:
        device = _passkey(session, call, serial_number)
        if device is None or party is None:
            return backing_off.WRONG
        if backing_off.is_waiting(device, call.now):
            return backing_off.WAITING
        known = Known(str(device.credential_id), bytes(device.public_key or b""), device.sign_count)
    try:
        credential, challenge = passkeys.parsed_assertion(assertion)
    except Refused:
        return backing_off.WRONG
    begun = passkeys.begun(call.node.ring, challenge, passkeys.ASSERTION, holder, call.now)
    if begun is None:  # somebody was slow: no wrong signature, and nothing was guessed
        return backing_off.WRONG
    try:
        sign_count = passkeys.asserted(party, credential, challenge, known, holder)
    except Refused:
        sign_count = None
    return _taken(call, serial_number, sign_count, used(challenge, begun, call))


def _taken(call: Call, serial_number: str, sign_count: int | None, use: UsedSignature) -> str:
    with call.node.primary.write((call.account_id,), deadline=call.deadline) as session:
        device = _passkey(session, call, serial_number)
        if device is None:
            return backing_off.WRONG
        if backing_off.is_waiting(device, call.now):
            return backing_off.WAITING
        if sign_count is None:
            backing_off.failed(device, call.now)
            return backing_off.WRONG
        if is_used(session, use):
            return backing_off.REPLAYED
        session.add(use)
        if not passkeys.is_ahead(sign_count, device.sign_count):
            backing_off.failed(device, call.now)
            log.warning("passkey.cloned", serial=device.serial, count=sign_count, before=device.sign_count)
            return backing_off.CLONED
        device.sign_count, device.failures, device.failed_at = sign_count, 0, None
        return ""


def _passkey(session: Session, call: Call, serial_number: str) -> Authenticator | None:
    """The caller's own passkey of a serial number."""
    device = devices.get_device(session, call.account_id, serial_number)
    if not isinstance(device, Authenticator) or devices.shows_codes(device) or device.owner_id != call.caller.subject.id:
        return None
    return device
