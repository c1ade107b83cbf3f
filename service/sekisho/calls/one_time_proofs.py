"""Codes of MFA devices, and assertions of identity providers, as proofs: each is taken once, which takes the database.

A call that issues credentials has no transaction. So the proof is taken in a short one of its own, before anything is issued: if the call
then fails, the proof is gone; two calls with one cannot both succeed, on whatever workers they are. A code is taken before anything is
decided, so that guesses are counted; an assertion, which nobody can guess, after it.
Nothing that decisions depend on changes here, hence no revision.
"""

from datetime import datetime, timedelta

from sqlalchemy import select

from sekisho import arn
from sekisho.calls.call import Call
from sekisho.credentials import one_time
from sekisho.store import used
from sekisho.store.tables import MfaDevice

FREE_FAILURES = 5
"""Wrong codes in a row that cost nothing; a code has a million values, three of which are right at a time."""

PAUSE = timedelta(seconds=60)
"""After those, how long each further wrong code makes a device refuse all (RFC 4226, section 7.3)."""


def take(call: Call, serial_number: str, code: str) -> bool:
    """Whether the caller's own device shows this code now, and nobody has used it; from then on somebody has."""
    with call.node.primary.write((call.account_id,), deadline=call.deadline) as session:
        query = select(MfaDevice).where(MfaDevice.account_id == call.account_id, MfaDevice.user_id == call.caller.subject.id)
        device = next(
            (row for row in session.scalars(query) if arn.iam(row.account_id, row.kind, row.name, row.path) == serial_number), None
        )
        if device is None or (device.failures >= FREE_FAILURES and device.failed_at is not None and call.now < device.failed_at + PAUSE):
            return False
        seed = one_time.unseal(device.id, device.seed, call.node.ring)
        step = one_time.accepted(seed, code, call.now, drift=device.drift, after=device.last_step)
        if step is None:
            device.failures, device.failed_at = device.failures + 1, call.now
            return False
        device.last_step, device.failures, device.failed_at = step, 0, None
        return True


def take_assertion(call: Call, account_id: str, name: str, issued_at: datetime) -> bool:
    """Whether nobody has used the assertion of this name in the account; from then on somebody has. It must be refused for its age before
    its use is forgotten.
    """
    with call.node.primary.write((account_id,), deadline=call.deadline) as session:
        return used.take(session, account_id, name, issued_at, call.now)
