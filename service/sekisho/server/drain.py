"""Carries the spool into the database: audit records of what committed no row, and the last use of keys and roles.

An entry leaves the spool only after the database has committed it; one that arrives twice is written once, by its id.
"""

import json
import threading
from collections.abc import Iterable
from datetime import UTC, datetime

import structlog
from sqlalchemy import Table, select, update
from sqlalchemy.orm import Session

from sekisho import audit, db
from sekisho.authorize.last_use import KIND as LAST_USE
from sekisho.authorize.last_use import LastUse
from sekisho.errors import SekishoError
from sekisho.spool import Entry, Spool
from sekisho.tables import AccessKey, AuditRecord, Role

INTERVAL = 1.0
log = structlog.get_logger(__name__)


class Drain:
    """The thread that drains one worker's spool."""

    def __init__(self, spool: Spool, last_use: LastUse, database: db.Database) -> None:
        self._spool, self._last_use, self._database = spool, last_use, database
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
            last_round = self._stop.wait(INTERVAL)
            try:
                self._last_use.flush()
                while self.once():
                    pass
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

    def once(self) -> bool:
        """Deliver one batch; whether there may be more."""
        entries = self._spool.waiting()
        if not entries:
            return False
        with self._database.write(()) as session:
            deliver(session, entries)
        self._spool.delivered(entries[-1].number)
        return True


def deliver(session: Session, entries: Iterable[Entry]) -> None:
    """Write entries of a spool; outside the change log, which is for what decisions depend on."""
    records = [json.loads(entry.body) for entry in entries if entry.kind == audit.KIND]
    known = set(session.scalars(select(AuditRecord.id).where(AuditRecord.id.in_([record["id"] for record in records]))))
    fresh = {record["id"]: record for record in records if record["id"] not in known}
    session.add_all(audit.row(record, revision=None) for record in fresh.values())
    session.flush()
    for entry in entries:
        if entry.kind == LAST_USE:
            _last_use(session, json.loads(entry.body))


def _last_use(session: Session, uses: dict[str, dict[str, str]]) -> None:
    for id_, use in uses.items():
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
