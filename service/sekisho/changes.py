"""The change log: which write came when, and what it touched.

`Touched` gathers, while a session is flushed, the ids that make cached world records stale; `record` writes them with the next revision
as the last rows of the transaction, under a lock that is held until the commit. So revisions rise in the order of the commits.
"""

import base64
import struct
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import event, select
from sqlalchemy.orm import ORMExecuteState, Session

from sekisho import db
from sekisho.errors import InvalidArgument
from sekisho.tables import Change, Revision

_TOKEN = struct.Struct(">Q8s")


class InvalidRevision(InvalidArgument):
    """A revision that is none: revisions are handed back as they were received."""


@dataclass(frozen=True, slots=True, order=True)
class Point:
    """A place in the history of the database; `nonce` (16 hex digits) names the history."""

    number: int
    nonce: str

    @property
    def token(self) -> str:
        """The revision as callers see it: opaque."""
        return base64.urlsafe_b64encode(_TOKEN.pack(self.number, bytes.fromhex(self.nonce))).decode().rstrip("=")


ORIGIN = Point(0, "0" * 16)
"""Before the first write."""


def parse(token: str) -> Point:
    """The point that a token names, or InvalidRevision."""
    try:
        number, nonce = _TOKEN.unpack(base64.urlsafe_b64decode(token + "=" * (-len(token) % 4)))
    except (ValueError, struct.error):
        raise InvalidRevision(f"`{token[:64]}` is not a revision") from None
    return Point(number, nonce.hex())


class Touched:
    """The ids that a session's flushes have touched."""

    def __init__(self, session: Session) -> None:
        self.ids: set[str] = set()
        event.listen(session, "before_flush", self._gather)
        event.listen(session, "do_orm_execute", _refuse_bulk)

    def _gather(self, session: Session, _context: object, _instances: object) -> None:
        for row in (*session.new, *session.dirty, *session.deleted):
            if row not in session.dirty or session.is_modified(row):
                self.ids.update(getattr(row, column) for column in type(row).touches)


def _refuse_bulk(state: ORMExecuteState) -> None:
    """A bulk statement would change rows past `Touched`, and the caches would not hear of it."""
    if state.is_update or state.is_delete or state.is_insert:
        raise TypeError("rows are changed through the session, one by one, so that the change log knows of them")


def record(session: Session, touched: Touched, now: datetime, nonce: Callable[[], str]) -> Point:
    """Write the revision of this transaction. Only change and audit rows may follow; the lock is held until the commit."""
    session.flush()
    db.lock(session, "revision")
    number = latest(session).number + 1
    point = Point(number, nonce())
    session.add(Revision(number=number, nonce=point.nonce, committed_at=now))
    session.flush()
    session.add_all(Change(number=number, id=id_) for id_ in sorted(touched.ids))
    return point


def latest(session: Session) -> Point:
    """The newest revision that the session sees."""
    row = session.execute(select(Revision.number, Revision.nonce).order_by(Revision.number.desc()).limit(1)).one_or_none()
    return Point(*row) if row is not None else ORIGIN


def at(session: Session, number: int) -> Point | None:
    """The revision of this number, if there was one."""
    if number == 0:
        return ORIGIN
    row = session.execute(select(Revision.number, Revision.nonce).where(Revision.number == number)).one_or_none()
    return Point(*row) if row is not None else None


def touched_after(session: Session, number: int) -> Sequence[str]:
    """The ids that revisions above this one touched."""
    return session.scalars(select(Change.id).where(Change.number > number).distinct()).all()
