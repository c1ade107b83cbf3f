"""Waiting after wrong proofs: some cost nothing, then each further one makes the next wait, longer each time, and never for good.

What is counted is in the database, so that all workers wait alike. Who comes to a proof at all has signed with a key of its own owner, or a
session of it: a stranger cannot make anybody wait. While a proof waits it is not looked at, whatever it is, and is answered as a wrong one.
"""

from datetime import datetime, timedelta

from sqlalchemy.orm import Session

from sekisho import meters
from sekisho.store.tables import Authenticator, MfaDevice, ProofFailure

FREE = 5
"""Wrong proofs in a row that cost nothing; a code has a million values, three of which are right at a time."""

PAUSE = timedelta(seconds=60)
"""The wait of the next after those (RFC 4226, section 7.3); twice as long after each further one."""

LONGEST = timedelta(minutes=15)

CODE, ASSERTION, PASSWORD = "code", "assertion", "password"

WRONG, WAITING, REPLAYED, CLONED = REASONS = ("wrong", "waiting", "replayed", "cloned")
"""`cloned`: the counter of a passkey went back, as that of one does whose key somebody else has, too."""

_REFUSED = meters.Counter("sekisho_refused_proofs", "Codes, passkeys' assertions and old passwords that were refused.", ["proof", "reason"])

Failing = MfaDevice | Authenticator | ProofFailure
"""The rows that count wrong proofs: a device, or a user's or root user's row for one kind of proof."""


def is_waiting(row: Failing | None, now: datetime) -> bool:
    """True while no proof is looked at. A clock that was set back makes nobody wait for longer than it could be."""
    if row is None or row.failures < FREE or row.failed_at is None:
        return False
    return abs(now - row.failed_at) < pause(row.failures)


def pause(failures: int) -> timedelta:
    """The wait of the next proof after so many that were wrong."""
    return timedelta(0) if failures < FREE else min(LONGEST, PAUSE * (1 << min(failures - FREE, 10)))


def failed(row: Failing, now: datetime) -> None:
    """Count a wrong proof."""
    row.failures, row.failed_at = row.failures + 1, now


def owner_failed(session: Session, owner_id: str, proof: str, now: datetime) -> None:
    """Count a wrong proof of a user or root user, whatever device it was of."""
    row = session.get(ProofFailure, (owner_id, proof))
    if row is None:
        session.add(ProofFailure(owner_id=owner_id, proof=proof, failures=1, failed_at=now))
    else:
        failed(row, now)


def owner_proved(session: Session, owner_id: str, proof: str) -> None:
    """Forget the wrong proofs of a user or root user."""
    row = session.get(ProofFailure, (owner_id, proof))
    if row is not None:
        session.delete(row)


def meter(proof: str, reason: str) -> None:
    """Count a proof that was refused, for one of REASONS."""
    _REFUSED.labels(proof, reason).inc()
