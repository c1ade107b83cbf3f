"""Signatures that were used, as the database knows them: looked for when a write begins, kept by the write itself.

Both happen while the write is alone in its account. So of two calls with one signature, on whatever workers, the second sees the first, and
one that was not committed has used nothing.
"""

import hashlib
import re
import sqlite3
from datetime import datetime
from typing import Any, NamedTuple

from sqlalchemy import delete, insert
from sqlalchemy.orm import Session

from sekisho.store import changes, db
from sekisho.store.prepared import Prepared
from sekisho.store.tables import UsedSignature

KEPT = 32
"""Minutes that a signature is kept: its date may be a quarter of an hour ahead, and it verifies for a quarter of an hour from there."""

_DIGITS = 32
_PLAIN = re.compile(r"[0-9a-z]+")
_LOOK = "SELECT used_at FROM used_signatures WHERE minute = ? AND account_id = ? AND signature = ?"
_LATEST = """SELECT number, nonce, coalesce((
    SELECT used_at FROM used_signatures WHERE minute = {minute} AND account_id = '{account_id}' AND signature = '{signature}'
), 0) FROM revisions ORDER BY number DESC LIMIT 1"""
_MICROSECOND = 1_000_000
_INSERT = Prepared(insert(UsedSignature), "minute", "account_id", "signature", "used_at")


class Use(NamedTuple):
    """One use of a signature; `grace` are the seconds from the first use on for which it may come again."""

    minute: int
    account_id: str
    signature: str
    used_at: int
    grace: float

    def is_replay(self, first: int) -> bool:
        """Whether it comes too late after the first use, at that time. Clocks of nodes differ either way."""
        return not self.grace or abs(self.used_at - first) >= self.grace * _MICROSECOND


def use(account_id: str, signature: str, signed_at: datetime, now: datetime, *, grace: float) -> Use:
    """The use, now, of a signature that verified."""
    return Use(minute(signed_at), account_id, signature[:_DIGITS], round(now.timestamp() * _MICROSECOND), grace)


def minute(moment: datetime) -> int:
    """The minute of a moment, counted from 1970."""
    return int(moment.timestamp() // 60)


def latest(database: db.Database, given: Use | None) -> str:
    """The query that a write begins with: the newest revision and, on PostgreSQL in the same round trip, the first use of its signature. On
    SQLite there are no trips to save, and a text that differs each time would have to be read each time.
    """
    if given is None or database.sqlite:
        return changes.LATEST
    if not (_PLAIN.fullmatch(given.account_id) and _PLAIN.fullmatch(given.signature)):
        raise ValueError("an account id or a signature that verified has letters and digits alone")
    # Such queries have no parameters (`db.last_row`), and need none: what stands here is digits and letters.
    return _LATEST.format(minute=int(given.minute), account_id=given.account_id, signature=given.signature)


def first_use(session: Session, given: Use) -> int | None:
    """When the signature of a write that began with `latest` was used before; None when it was not."""
    driver: Any = session.connection().connection.driver_connection
    if isinstance(driver, sqlite3.Connection):
        found = driver.execute(_LOOK, (given.minute, given.account_id, given.signature)).fetchone()
        return found[0] if found is not None else None
    row = session.info.get(db.FIRST)
    return int(row[2]) or None if row is not None else None


def keep(session: Session, given: Use) -> None:
    """Have the use written with the commit."""
    row = {"minute": given.minute, "account_id": given.account_id, "signature": given.signature, "used_at": given.used_at}
    db.at_commit(session, lambda script: _INSERT.run(script, [row]))


def take(session: Session, account_id: str, name: str, issued_at: datetime, now: datetime) -> bool:
    """Use an assertion, whatever its name; False when the account has used it before. Such uses stand among those of signatures, and are
    kept as long as those, which is longer than any assertion is fresh.
    """
    given = use(account_id, hashlib.sha256(f"assertion {name}".encode()).hexdigest(), issued_at, now, grace=0.0)
    if session.get(UsedSignature, (given.minute, given.account_id, given.signature)) is not None:
        return False
    keep(session, given)
    return True


def purge(database: db.Database, now: datetime) -> None:
    """Forget what verifies no longer."""
    with database.write(()) as session:
        session.execute(delete(UsedSignature).where(UsedSignature.minute < minute(now) - KEPT))
