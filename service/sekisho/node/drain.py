"""Carries the spool into the database: audit records of what committed no row, the last use of keys and roles, and who asked for what.

An entry leaves the spool only after the database has committed it; one that arrives twice is written once, by its id.
"""

import json
import sqlite3
import threading
import time
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from typing import Any, Protocol

import psycopg
import structlog
from sqlalchemy import Table, func, select, update
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.exc import DBAPIError
from sqlalchemy.orm import Session

from sekisho.calls import audit
from sekisho.errors import SekishoError
from sekisho.journal.accesses import KIND as ACCESSES
from sekisho.journal.accesses import Accesses
from sekisho.journal.last_use import KIND as LAST_USE
from sekisho.journal.last_use import LastUse
from sekisho.journal.spool import DELIVERY, DROPPED, FOLDED, Entry, Spool
from sekisho.store import db, used
from sekisho.store.tables import Access, AccessKey, AuditRecord, Role

INTERVAL = 1.0
PURGE = 60.0
"""Seconds between two looks for signatures that have ended."""
MOST_ACTIONS = 1000
"""Different actions that are kept of one principal: a service that makes names up fills no disk."""

_UNFIT = ("22", "23502", "23514", "54")
"""SQLSTATEs that say that a value fits no column: data exceptions, a null, a check, a limit such as that of an index."""

_INSERT: dict[str, Any] = {"sqlite": sqlite.insert, "postgresql": postgresql.insert}
log = structlog.get_logger(__name__)


class Source(Protocol):
    """A spool that is emptied, by its own process or by another."""

    def waiting(self) -> Sequence[Entry]:
        """The oldest entries."""

    def delivered(self, last: int) -> None:
        """Forget the entries up to this number."""

    def refuse(self, entry: Entry) -> None:
        """Keep an entry aside that the database will never take."""


class Drain:
    """The thread that hands the spool what was noted, and drains it into the database; without one, entries stay for another process."""

    def __init__(self, spool: Spool, noted: tuple[LastUse | Accesses, ...], database: db.Database | None) -> None:
        self._spool, self._noted, self._database = spool, noted, database
        self._purge_at = time.monotonic() + PURGE
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="drain", daemon=True)

    def start(self) -> None:
        """Begin to drain."""
        self._thread.start()

    def stop(self) -> None:
        """Drain what there is, then stop."""
        self._stop.set()
        self._thread.join(timeout=10)

    def _run(self) -> None:
        failing = False
        while True:
            last_round = self._rested(hurried=not failing)
            try:
                for noted in self._noted:
                    noted.flush()
                self._spool.flush()
                while self.once():
                    pass
                self._purge()
                failing = False
            except SekishoError as error:
                if not failing:
                    log.warning("drain.waiting", error=error.message)
                failing = True
            except Exception as error:  # whatever it is, the thread goes on: what it carries must arrive in the end
                if not failing:
                    log.error("drain.failing", error=type(error).__name__)
                failing = True
            if last_round:
                return

    def _rested(self, *, hurried: bool) -> bool:
        """Wait for a second, or less where there is a batch to deliver; whether this is the last round."""
        if self._database is None or not hurried:
            return self._stop.wait(INTERVAL)
        ends = time.monotonic() + INTERVAL
        while not (stopped := self._stop.wait(INTERVAL / 10)) and self._spool.depth < DELIVERY and time.monotonic() < ends:
            pass
        return stopped

    def _purge(self) -> None:
        """Now and then have the database forget signatures that verify no longer."""
        if self._database is not None and time.monotonic() >= self._purge_at:
            self._purge_at = time.monotonic() + PURGE
            used.purge(self._database, datetime.now(UTC))

    def once(self) -> bool:
        """Deliver one batch; whether there may be more."""
        if self._database is None:
            self._spool.recount()  # another process takes out what is in it
            return False
        return carry(self._spool, self._database)


def carry(source: Source, database: db.Database) -> bool:
    """Deliver one batch of a spool; whether there may be more. One that the database will never take keeps no other from it."""
    if not (entries := source.waiting()):
        return False
    try:
        _delivered(database, entries)
    except Exception as error:
        if not _is_of_entries(error):
            raise
        for entry in entries:
            _deliver_or_refuse(source, database, entry)
    source.delivered(entries[-1].number)
    return True


def _delivered(database: db.Database, entries: Sequence[Entry]) -> None:
    with database.write(()) as session:
        deliver(session, entries)


def _deliver_or_refuse(source: Source, database: db.Database, entry: Entry) -> None:
    try:
        _delivered(database, [entry])
    except Exception as error:
        if not _is_of_entries(error):
            raise
        source.refuse(entry)
        DROPPED.labels(entry.kind, "refused").inc()
        log.error("drain.refused", kind=entry.kind, account=entry.account, error=type(error.__cause__ or error).__name__)


def _is_of_entries(error: Exception) -> bool:
    """True when what was delivered is at fault, not whoever should take it: it is no JSON, lacks something, or fits no column."""
    if not isinstance(error, SekishoError):
        return isinstance(error, ValueError | LookupError | TypeError | AttributeError)
    cause = error.__cause__
    said = cause.orig if isinstance(cause, DBAPIError) else cause
    if isinstance(said, sqlite3.IntegrityError):  # a row that is there already is asked for before
        return said.sqlite_errorcode in (sqlite3.SQLITE_CONSTRAINT_NOTNULL, sqlite3.SQLITE_CONSTRAINT_CHECK)
    state = getattr(said, "sqlstate", None)
    return state.startswith(_UNFIT) if state is not None else isinstance(said, psycopg.DataError)  # which has none for U+0000


def deliver(session: Session, entries: Iterable[Entry]) -> None:
    """Write entries of a spool; outside the change log, which is for what decisions depend on."""
    records = [json.loads(entry.body) for entry in entries if entry.kind in (audit.KIND, FOLDED)]
    known = set(session.scalars(select(AuditRecord.id).where(AuditRecord.id.in_([record["id"] for record in records]))))
    fresh = {record["id"]: record for record in records if record["id"] not in known}
    audit.deliver(session, fresh.values())
    _last_use(session, [use for entry in entries if entry.kind == LAST_USE for use in json.loads(entry.body).items()])
    for entry in entries:
        if entry.kind == ACCESSES:
            _accesses(session, json.loads(entry.body))


def _last_use(session: Session, uses: Iterable[tuple[str, dict[str, str]]]) -> None:
    """The newest use counts. In the order of their ids, in which keys are sealed anew, too: who does either waits for nobody in a ring."""
    for id_, use in sorted(uses, key=lambda one: one[0]):
        table, values = _columns(id_, use)
        at = table.c.last_used_at
        moment = values["last_used_at"]
        session.execute(update(table).where(table.c.id == id_, (at.is_(None)) | (at < moment)).values(**values))


def _columns(id_: str, use: dict[str, str]) -> tuple[Table, dict[str, object]]:
    """The table of a key or role, and what its columns become."""
    moment = datetime.fromisoformat(use["at"]).astimezone(UTC)
    values: dict[str, object] = {"last_used_at": moment, "last_used_region": use["region"]}
    if id_.startswith("AROA"):
        return Role.__table__, values  # type: ignore[return-value]  # a Table, as both are declared classes
    return AccessKey.__table__, values | {"last_used_service": use["service"]}  # type: ignore[return-value]  # likewise


def _accesses(session: Session, seen: list[list[str]]) -> None:
    """The newest time counts, in whatever order workers deliver. Sorted, so that two who deliver at once do not wait in a ring."""
    rows = {}
    for principal_id, account_id, action, at, region in seen:
        service, _, name = action.partition(":")
        key = (principal_id, service.lower(), name)
        rows[key] = dict(zip(("principal_id", "service", "action"), key, strict=True)) | {
            "account_id": account_id,
            "at": datetime.fromisoformat(at).astimezone(UTC),
            "region": region,
        }
    held = select(Access.principal_id, func.count()).where(Access.principal_id.in_({key[0] for key in rows})).group_by(Access.principal_id)
    full = {principal_id for principal_id, count in session.execute(held) if count >= MOST_ACTIONS}
    statement = _INSERT[session.get_bind().dialect.name](Access.__table__)
    newer = {"at": statement.excluded.at, "region": statement.excluded.region}
    upsert = statement.on_conflict_do_update(
        index_elements=["principal_id", "service", "action"], set_=newer, where=Access.at < statement.excluded.at
    )
    fresh = [rows[key] for key in sorted(rows) if key[0] not in full]
    if fresh:
        session.connection().execute(upsert, fresh)
    for key in sorted(rows):
        if key[0] in full:  # no new names, but new times of old ones
            row = rows[key]
            same = (Access.principal_id == key[0]) & (Access.service == key[1]) & (Access.action == key[2]) & (Access.at < row["at"])
            session.execute(update(Access).where(same).values(at=row["at"], region=row["region"]))
