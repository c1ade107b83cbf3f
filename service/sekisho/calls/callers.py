"""The caller of an operation: proved once, and composed from a world that is not older than the call's own transaction."""

from sekisho import sigv4
from sekisho.calls.call import Call
from sekisho.calls.proofs import Proof
from sekisho.sigv4 import InvalidClientTokenId
from sekisho.store.changes import Point
from sekisho.world import Acting, InactiveAccount, KeyRecord, Subject, UnknownPrincipal


def subject(call: Call, proof: Proof | None) -> Subject | None:
    """The subject that the call's proof proves; None for an operation that anyone may call unsigned, whose function says who calls."""
    if not call.operation.signed:
        return None
    if proof is None:
        raise sigv4.MissingAuthenticationToken
    return proof.prove(call)


def acting(call: Call, who: Subject) -> tuple[Acting, Point]:
    """The caller, composed. Its key, its session and its principal are looked at again: since the proof the world may have moved on."""
    if who.session is None and who.access_key_id:
        key = call.node.world.get_record(who.access_key_id)
        if not isinstance(key, KeyRecord) or key.status != "Active":
            raise InvalidClientTokenId
    try:
        return call.node.world.acting(who, call.now)
    except InactiveAccount:
        raise sigv4.OptInRequired from None
    except UnknownPrincipal:
        raise InvalidClientTokenId from None
