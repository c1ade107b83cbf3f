"""Asking: takes queries that wait, one after the other, asks the database, and keeps what it found for a week.

Any process that writes may take one: who changes its status from QUEUED has it. A process that ends in the middle leaves it RUNNING,
until its time is over. What is read is read in a transaction that only reads, through connections of its own, with a limit of time and
of rows; answers to calls wait for none of it.
"""

import json
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from sqlalchemy import delete, event, func, literal, select, update
from sqlalchemy.orm import Session
from sqlalchemy.sql import FromClause

from sekisho.errors import RequestTimeout, SekishoError
from sekisho.journal.trail.events import moment
from sekisho.journal.trail.lake import scopes, statements
from sekisho.journal.trail.lake.columns import InvalidQueryStatement
from sekisho.store import db
from sekisho.store.tables import EventDataStore, EventQuery, EventQueryPage, TrailTag

LONGEST = 30.0
"""Seconds that a query may take."""

MOST_BYTES = 4 * 1024 * 1024
"""Of a result, as JSON."""

PAGE = 100
"""Rows in one row of the table of results."""

KEPT = timedelta(days=7)
"""The time that queries and their results are kept, and event data stores that wait for their end."""

MOST_KEPT = 200
"""Queries of an account that are kept when they are over, the newest: their results take as much as 800 MiB, and not without end."""

MOST_SCANNED = 100_000
"""Events of a store that a query's statistics count."""

_ABANDONED = timedelta(seconds=3 * LONGEST)
_PURGE = 60.0
"""Seconds between two looks for what is kept no longer."""
_FORGOTTEN = 100
"""Queries that are forgotten before it is looked for more."""
_STEPS = 100
"""Instructions of SQLite's machine between two looks at the clock: a single one may be a pattern on a long text, and take 30 ms."""
_AT_ONCE = 10
"""Rows that PostgreSQL sends at once: they are as wide as a query makes them."""

TOO_MANY_ROWS = f"The query found more than {statements.MOST_ROWS} rows; use LIMIT, or ask for less."
TOO_LARGE = f"The query found more than {MOST_BYTES} bytes; use LIMIT, or ask for less."


@dataclass(slots=True)
class _Found:
    """The outcome of a query."""

    status: str
    error: str | None = None
    rows: list[list[dict[str, str]]] | None = None
    scanned: int = 0
    size: int = 0


class Asking:
    """Asks what waits. `once` takes one query; `longest` is how many seconds one may take."""

    def __init__(self, database: db.Database, *, longest: float = LONGEST) -> None:
        self._database, self._longest = database, longest
        self._reads = db.Database(database.url, pool_size=1, make=database.make)
        if database.sqlite:
            event.listen(self._reads.engine, "connect", _sort_in_files)
        self._purge_at = time.monotonic() + _PURGE
        self._turns: dict[str, float] = {}  # by account whose queries wait, when it had its last turn here

    def close(self) -> None:
        """Give back the connections."""
        self._reads.close()

    def once(self) -> bool:
        """Ask one query, if one waits; whether there may be more."""
        now = datetime.now(UTC)
        if time.monotonic() >= self._purge_at:
            self._purge_at = time.monotonic() + _PURGE
            self.purge(now)
        with self._database.read() as session:
            query = self._next(session)
        if query is None or not self._take(query, now):
            return query is not None
        self._turns[query.account_id] = time.monotonic()
        self._keep(query, self._asked(query, now))
        return True

    def _next(self, session: Session) -> EventQuery | None:
        """The oldest that waits, of the account that has the fewest under way, and of these the one whose turn is the longest ago: nobody's
        many queries keep another's from its turn.
        """
        running = (
            select(EventQuery.account_id, func.count().label("n")).where(EventQuery.status == "RUNNING").group_by(EventQuery.account_id)
        )
        busy = running.subquery()
        oldest = func.min(EventQuery.created_at)
        waiting = (
            select(EventQuery.account_id, func.coalesce(func.max(busy.c.n), 0).label("n"), oldest.label("oldest"))
            .outerjoin(busy, busy.c.account_id == EventQuery.account_id)
            .where(EventQuery.status == "QUEUED")
            .group_by(EventQuery.account_id)
        )
        accounts = session.execute(waiting).all()
        self._turns = {row.account_id: self._turns[row.account_id] for row in accounts if row.account_id in self._turns}
        if not accounts:
            return None
        first = min(accounts, key=lambda row: (row.n, self._turns.get(row.account_id, 0.0), row.oldest))
        wanted = EventQuery.account_id == first.account_id, EventQuery.status == "QUEUED"
        return session.scalars(select(EventQuery).where(*wanted).order_by(EventQuery.created_at).limit(1)).one_or_none()

    def purge(self, now: datetime) -> None:
        """Forget what is kept no longer, and end what nobody asks any more."""
        while self._forget_some(now):
            pass
        with self._database.read() as session:
            lost = select(EventQuery.id, EventQuery.account_id).where(
                EventQuery.status == "RUNNING", EventQuery.started_at < now - _ABANDONED
            )
            gone = select(EventDataStore.id, EventDataStore.account_id).where(EventDataStore.deleted_at < now - KEPT)
            found = [session.execute(each).all() for each in (lost, gone)]
        for id_, account in found[0]:
            with self._database.write((account,)) as session:
                _set(session, id_, "RUNNING", status="TIMED_OUT", finished_at=now, error_message="The query was abandoned.")
        for id_, account in found[1]:
            with self._database.write((account,)) as session:
                session.execute(delete(TrailTag).where(TrailTag.resource_id == id_))
                session.execute(delete(EventDataStore).where(EventDataStore.id == id_, EventDataStore.deleted_at.is_not(None)))

    def _forget_some(self, now: datetime) -> bool:
        """Forget some queries that are too old, or more than an account may keep; whether there may be more."""
        over = EventQuery.status.not_in(("QUEUED", "RUNNING"))
        with self._database.read() as session:
            old = select(EventQuery.id, EventQuery.account_id).where(EventQuery.created_at < now - KEPT).limit(_FORGOTTEN)
            found = list(session.execute(old))
            many = select(EventQuery.account_id).where(over).group_by(EventQuery.account_id).having(func.count() > MOST_KEPT)
            for account in session.scalars(many.limit(_FORGOTTEN)):
                mine = select(EventQuery.id, EventQuery.account_id).where(over, EventQuery.account_id == account)
                newest = mine.order_by(EventQuery.created_at.desc(), EventQuery.id)
                found += session.execute(newest.offset(MOST_KEPT).limit(_FORGOTTEN))
        for id_, account in found:
            with self._database.write((account,)) as session:
                session.execute(delete(EventQueryPage).where(EventQueryPage.query_id == id_))
                session.execute(delete(EventQuery).where(EventQuery.id == id_))
        return bool(found)

    def _take(self, query: EventQuery, now: datetime) -> bool:
        with self._database.write((query.account_id,)) as session:
            return _set(session, query.id, "QUEUED", status="RUNNING", started_at=now)

    def _keep(self, query: EventQuery, found: _Found) -> None:
        with self._database.write((query.account_id,)) as session:
            values: dict[str, Any] = {"status": found.status, "error_message": found.error, "finished_at": datetime.now(UTC)}
            rows = found.rows or []
            counts = {"matched": len(rows), "scanned": found.scanned, "bytes_scanned": found.size}
            if _set(session, query.id, "RUNNING", **values, **counts):  # else it was cancelled meanwhile
                for number, at in enumerate(range(0, len(rows), PAGE)):
                    session.add(EventQueryPage(query_id=query.id, number=number, rows=json.dumps(rows[at : at + PAGE])))

    def _asked(self, query: EventQuery, now: datetime) -> _Found:
        deadline = time.monotonic() + self._longest
        try:
            with self._reads.read(deadline=deadline) as session, _bounded(session, deadline):
                store = session.get(EventDataStore, query.store_id)
                if store is None or store.deleted_at is not None:
                    return _Found("FAILED", "The event data store does not exist.")
                return self._read(session, store, query, now, deadline)
        except RequestTimeout:
            return _Found("TIMED_OUT", f"The query took longer than {self._longest:g} seconds.")
        except SekishoError as error:
            if time.monotonic() >= deadline:
                return _Found("TIMED_OUT", f"The query took longer than {self._longest:g} seconds.")
            known = isinstance(error, InvalidQueryStatement)
            return _Found("FAILED", error.message if known else "The database could not answer the query.")

    def _read(self, session: Session, store: EventDataStore, query: EventQuery, now: datetime, deadline: float) -> _Found:
        statement = statements.read(query.statement, json.loads(query.parameters))
        scope = scopes.scope(store, now, sqlite=self._reads.sqlite)
        rows: list[list[dict[str, str]]] = []
        size = 0
        asked = statements.compiled(statement, scope, sqlite=self._reads.sqlite)
        for row in session.execute(asked, execution_options={"yield_per": _AT_ONCE}):
            db.remaining(deadline)  # PostgreSQL's limit is on each fetch
            rows.append([{name: _text(value)} for name, value in zip(statement.names, row, strict=True)])
            size += len(json.dumps(rows[-1]))
            if len(rows) > statements.MOST_ROWS:
                return _Found("FAILED", TOO_MANY_ROWS)
            if size > MOST_BYTES:
                return _Found("FAILED", TOO_LARGE)
        return _Found("FINISHED", rows=rows, scanned=max(len(rows), self._scanned(session, scope)), size=size)

    def _scanned(self, session: Session, scope: FromClause) -> int:
        """The events that a store has, counted as far as `MOST_SCANNED`; none where there is no time left: the rows are there already."""
        some = select(literal(1)).select_from(scope).limit(MOST_SCANNED).subquery()
        try:
            with db.translated():
                return session.scalar(select(func.count()).select_from(some)) or 0
        except SekishoError:
            return 0


def _set(session: Session, id_: str, before: str, **values: Any) -> bool:
    """Change a query whose status is this one; whether it was."""
    changed: Any = session.execute(
        update(EventQuery).where(EventQuery.id == id_, EventQuery.status == before).values(**values),
        execution_options={"synchronize_session": False},
    )
    return bool(changed.rowcount)


def _sort_in_files(connection: Any, _record: Any) -> None:
    """Have SQLite sort and group what is too much for its cache in temporary files: other connections do so in memory, without a limit."""
    connection.execute("PRAGMA temp_store = FILE").close()


@contextmanager
def _bounded(session: Session, deadline: float) -> Iterator[None]:
    """Have SQLite look at the clock, as PostgreSQL does by itself."""
    driver: Any = session.connection().connection.driver_connection
    if not hasattr(driver, "set_progress_handler"):
        yield
        return
    driver.set_progress_handler(lambda: time.monotonic() >= deadline, _STEPS)
    try:
        yield
    finally:
        driver.set_progress_handler(None, 0)


def _text(value: Any) -> str:
    """A value as results show it."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, datetime):
        return moment(value).replace("T", " ").removesuffix("Z") + ".000"
    return f"{value:g}" if isinstance(value, float) else str(value)
