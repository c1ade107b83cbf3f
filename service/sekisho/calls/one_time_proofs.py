"""Codes of MFA devices, and assertions of identity providers, as proofs: each is taken once, which takes the database.

A call that issues credentials has no transaction. So the proof is taken in a short one of its own, before anything is issued: if the call
then fails, the proof is gone; two calls with one cannot both succeed, on whatever workers they are. A code is taken before anything is
decided, so that guesses are counted; an assertion, which nobody can guess, after it.
Nothing that decisions depend on changes here, hence no revision.
"""

from datetime import datetime

from sekisho.calls import backing_off, devices
from sekisho.calls.call import Call
from sekisho.credentials import one_time
from sekisho.store import used
from sekisho.store.tables import ProofFailure


def take(call: Call, serial_number: str, code: str) -> bool:
    """Whether the caller's own device shows this code now, and nobody has used it; from then on somebody has.

    Wrong codes are counted by device, and by caller, so that several devices give no more tries.
    """
    caller = call.caller.subject.id
    with call.node.primary.write((call.account_id,), deadline=call.deadline) as session:
        device = devices.get_device(session, call.account_id, serial_number)
        if device is None or devices.owner_id(device) != caller or not devices.shows_codes(device):
            backing_off.meter(backing_off.CODE, backing_off.WRONG)
            return False
        failures = session.get(ProofFailure, (caller, backing_off.CODE))
        if backing_off.is_waiting(device, call.now) or backing_off.is_waiting(failures, call.now):
            backing_off.meter(backing_off.CODE, backing_off.WAITING)
            return False
        seed = devices.seed(device, call.node.ring)
        step = one_time.accepted(seed, code, call.now, drift=device.drift, after=device.last_step)
        if step is None:
            backing_off.failed(device, call.now)
            backing_off.owner_failed(session, caller, backing_off.CODE, call.now)
            backing_off.meter(backing_off.CODE, backing_off.WRONG)
            return False
        device.last_step, device.failures, device.failed_at = step, 0, None
        backing_off.owner_proved(session, caller, backing_off.CODE)
        return True


def take_assertion(call: Call, account_id: str, name: str, issued_at: datetime) -> bool:
    """Whether nobody has used the assertion of this name in the account; from then on somebody has. It must be refused for its age before
    its use is forgotten.
    """
    with call.node.primary.write((account_id,), deadline=call.deadline) as session:
        return used.take(session, account_id, name, issued_at, call.now)
