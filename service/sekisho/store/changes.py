"""The change log: which write came when, and what it touched.

`Touched` gathers, while a session is flushed, the ids that make cached world records stale; `record` has them written with the next
revision as the last rows of the transaction, under a lock that is held until the commit. So revisions rise in the order of the commits.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import groupby
from typing import Any

from sqlalchemy import event, func, inspect, select
from sqlalchemy import insert as into
from sqlalchemy.orm import ORMExecuteState, Session

from sekisho.store import db, prepared
from sekisho.store.prepared import Prepared
from sekisho.store.tables import AuditRecord, Change, Revision
from sekisho.store.tables.trail import UNSAID
from sekisho.world.revisions import ORIGIN as ORIGIN
from sekisho.world.revisions import InvalidRevision as InvalidRevision
from sekisho.world.revisions import Point as Point
from sekisho.world.revisions import parse as parse

LATEST = "SELECT number, nonce FROM revisions ORDER BY number DESC LIMIT 1"
"""The query for the newest revision: what a call begins with."""

_OWNER = "@"
"""Before the account of a write, in a row among those of the ids that it touched: whose they are cannot be told once they are deleted. It
is the id of nothing, so a release that does not know it forgets nothing for it.
"""

_TOUCHED = "touched"
_AUDITED = tuple(column.name for column in inspect(AuditRecord).columns if column.name not in ("revision", "spooled", "count", "last_at"))
_NEWEST = select(func.max(Revision.number)).scalar_subquery()
_REVISION = Prepared(into(Revision).inline().values(number=func.coalesce(_NEWEST, 0) + 1), "nonce", "committed_at")
_CHANGES = Prepared(into(Change).inline().values(number=_NEWEST), "id")
_AUDIT = Prepared(into(AuditRecord).inline().values(revision=_NEWEST), *_AUDITED)
_UNCHANGED = "NOT EXISTS (SELECT FROM changes WHERE number > %(number)s AND id = ANY(%(ids)s))"
_SPOOLED = Prepared(
    into(AuditRecord).inline().values(spooled=func.coalesce(select(func.max(AuditRecord.spooled)).scalar_subquery(), 0) + 1),
    *_AUDITED,
    "count",
    "last_at",
)


class Touched:
    """The ids that a session's flushes have touched."""

    def __init__(self, session: Session) -> None:
        self.ids: set[str] = set()
        session.info[_TOUCHED] = self

    def gather(self, session: Session) -> None:
        """Note what the flush that is about to begin touches."""
        for row in (*session.new, *session.dirty, *session.deleted):
            if row not in session.dirty or session.is_modified(row):
                self.ids.update(getattr(row, column) for column in type(row).touches)


def add(session: Session, row: db.Base) -> None:
    """Have a new row written: the one way to make one.

    It is seen by whatever the session is asked for from here on. Where nobody asks, and nothing else has changed, it goes past the unit of
    work, which costs several times what the database does.
    """
    touched: Touched = session.info[_TOUCHED]
    touched.ids.update(getattr(row, column) for column in type(row).touches or ())
    if db.WAITING not in session.info:
        session.info[db.WAITING] = []
        db.at_commit(session, lambda script: _write_waiting(session, script))
    session.info[db.WAITING].append(row)


def _write_waiting(session: Session, script: db.Script) -> None:
    for row in session.info.pop(db.WAITING, ()):
        prepared.insert(script, row)


def is_changed(session: Session) -> bool:
    """Whether the session's call has changed anything, flushed or not."""
    touched = session.info.get(_TOUCHED)
    return touched is not None and bool(touched.ids or session.info.get(db.WAITING) or session.new or session.dirty or session.deleted)


@event.listens_for(db.Transaction, "before_flush")
def _gather(session: Session, _context: object, _instances: object) -> None:
    touched = session.info.get(_TOUCHED)
    if touched is not None:
        touched.gather(session)


@event.listens_for(db.Transaction, "do_orm_execute")
def _refuse_bulk(state: ORMExecuteState) -> None:
    """A bulk statement would change rows past `Touched`, and the caches would not hear of it."""
    if (state.is_update or state.is_delete or state.is_insert) and _TOUCHED in state.session.info:
        raise TypeError("rows are changed through the session, one by one, so that the change log knows of them")


class Recorded:
    """The revision of a write: it has its `point` when the write is committed."""

    def __init__(self, touched: Touched, now: datetime, nonce: str, audited: Sequence[Mapping[str, Any]]) -> None:
        self._touched, self._now, self._nonce, self._audited = touched, now, nonce, audited
        self._script: db.Script | None = None
        self._unchanged: dict[str, Any] | None = None

    @property
    def account(self) -> str:
        """The account that the write is of."""
        return str(self._audited[0]["account_id"])

    @property
    def point(self) -> Point:
        """Its place in the history."""
        if self._script is None or self._script.row is None:
            raise RuntimeError("the write is not committed")
        return point_of(self._script.row)

    def demand_unchanged(self, since: Point, ids: Iterable[str]) -> None:
        """Have nothing written when a revision after this one has touched one of these ids: WriteConflict."""
        self._unchanged = {"number": since.number, "ids": sorted(ids)}

    def write(self, script: db.Script) -> None:
        """The last rows of the transaction, under a lock that is held until the commit (`db.at_commit`)."""
        script.lock("revision")
        if self._unchanged is not None:  # under the lock, so that nothing comes between this and the revision
            script.demand(_UNCHANGED, self._unchanged)
        _REVISION.run(script, [{"nonce": self._nonce, "committed_at": self._now}])
        _CHANGES.run(script, [{"id": id_} for id_ in (*sorted(self._touched.ids), _OWNER + self.account)])
        _AUDIT.run(script, [{**UNSAID, **one} for one in self._audited])
        script.execute(LATEST)
        self._script = script


def record(
    session: Session, touched: Touched, now: datetime, nonce: Callable[[], str], audited: Mapping[str, Any], *beside: Mapping[str, Any]
) -> Recorded:
    """Have the transaction's revision written with its commit, what it touched, and its audit record (columns but for the revision), with
    those `beside` it, of other accounts that hear of the write.
    """
    recorded = Recorded(touched, now, nonce(), (audited, *beside))
    db.at_commit(session, recorded.write)
    return recorded


def spooled(session: Session, records: Sequence[Mapping[str, Any]]) -> None:
    """Have records that came by the spool written with the commit, numbered in the order of the commits; they are of no revision."""

    def write(script: db.Script) -> None:
        script.lock("spooled")
        _SPOOLED.run(script, [{**UNSAID, **record} for record in records])

    db.at_commit(session, write)


def latest(session: Session) -> Point:
    """The newest revision that the session sees."""
    return point_of(db.last_row(session.connection().connection.driver_connection, LATEST))


def begun_at(session: Session) -> Point:
    """The newest revision when the session's transaction began, if it began with `LATEST`; else the newest that it sees."""
    return point_of(session.info[db.FIRST]) if session.info.get(db.FIRST) is not None else latest(session)


def point_of(row: db.Row | None) -> Point:
    """The revision of a row of `LATEST`."""
    return Point(int(row[0]), row[1]) if row is not None else ORIGIN


def at(session: Session, number: int) -> Point | None:
    """The revision of this number, if there was one."""
    if number == 0:
        return ORIGIN
    row = session.execute(select(Revision.number, Revision.nonce).where(Revision.number == number)).one_or_none()
    return Point(*row) if row is not None else None


def points_after(session: Session, number: int, newest: int, most: int) -> Sequence[Point]:
    """The revisions above a number, up to the newest: in their order, the last ones if there are more than `most`."""
    query = select(Revision.number, Revision.nonce).where(Revision.number > number, Revision.number <= newest)
    found = session.execute(query.order_by(Revision.number.desc()).limit(most)).all()
    return [Point(*row) for row in reversed(found)]


def touched_after(session: Session, number: int) -> Sequence[str]:
    """The ids that revisions above this one touched."""
    return session.scalars(select(Change.id).where(Change.number > number, Change.id.not_like(f"{_OWNER}%")).distinct()).all()


@dataclass(frozen=True, slots=True)
class Entry:
    """What a revision touched, and of which account that is; None where a release wrote it that did not say."""

    number: int
    account: str | None
    ids: tuple[str, ...]


def entries_after(session: Session, number: int, newest: int, most: int) -> list[Entry] | None:
    """The revisions above a number, up to the newest, in order; None when they touched more than `most` ids."""
    query = select(Change.number, Change.id).where(Change.number > number, Change.number <= newest)
    rows = session.execute(query.order_by(Change.number, Change.id).limit(most + 1)).all()
    if len(rows) > most:
        return None
    found = []
    for at, group in groupby(rows, lambda row: row.number):
        touched = [row.id for row in group]
        owners = [id_.removeprefix(_OWNER) for id_ in touched if id_.startswith(_OWNER)]
        found.append(Entry(at, owners[0] if owners else None, tuple(id_ for id_ in touched if not id_.startswith(_OWNER))))
    return found
