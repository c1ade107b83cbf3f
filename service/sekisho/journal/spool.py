"""The spool: what happens without a write to the database, kept on the local disk until the database has it.

Issued credentials, denials and failures commit no row of their own. They are appended to one local SQLite file, many callers to one fsync;
a thread carries them into the database. What must be recorded before it may happen (issuing) waits for the disk; when the disk does not
take it, it does not happen. A denial does not wait: its caller has the answer before the record is on the disk, so a process that is killed
loses the denials of its last milliseconds (`sekisho_spool_unwritten` says how many those are at any time). While the database is away,
denials beyond their account's share are dropped, and counted.
"""

import queue
import sqlite3
import threading
from collections import Counter
from collections.abc import Sequence
from concurrent.futures import Future
from concurrent.futures import TimeoutError as FutureTimeout
from dataclasses import dataclass
from pathlib import Path

from sekisho import meters
from sekisho.errors import ServiceUnavailable
from sekisho.journal import spool_file
from sekisho.journal.room import Room
from sekisho.store import durable

DROPPED = meters.Counter(
    "sekisho_spool_dropped",
    "Entries that the spool did not take, by kind and reason: the spool is full, the account has its share, the disk failed.",
    ["kind", "reason"],
)
IN_FLIGHT = meters.Gauge("sekisho_spool_unwritten", "Entries that are on their way to the disk, and lost if the process is killed.")
IN_FLIGHT.set(0)

_UNWRITTEN = "The spool cannot be written, so nothing was issued or recorded."
_REFUSALS = {
    "full": "The spool is full, because the database has not taken its entries for long.",
    "share": "The account has its share of the spool, because the database has not taken its entries for long.",
    "disk": _UNWRITTEN,
}


@dataclass(frozen=True, slots=True)
class Entry:
    """One thing that happened: its kind, its body as JSON, and whose it is. `number` orders the entries of one spool."""

    kind: str
    body: str
    number: int = 0
    account: str = ""


@dataclass(frozen=True, slots=True)
class _Waiting:
    entry: Entry
    written: "Future[None]"


class Spool:
    """One file, one writer thread; many threads append."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._queue: queue.SimpleQueue[_Waiting | None] = queue.SimpleQueue()
        self._room = Room()
        self._connection: sqlite3.Connection | None = None  # the writer's
        self._file: durable.Identity = None
        self._damaged = False
        self._open()
        self._thread = threading.Thread(target=self._write, name="spool", daemon=True)
        self._thread.start()

    def append(self, entry: Entry, *, timeout: float) -> None:
        """Return when the entry is on the disk; raise ServiceUnavailable when it is not there within `timeout` seconds."""
        try:
            self._hand(entry, must=True).result(timeout=timeout)
        except FutureTimeout:
            raise ServiceUnavailable(_UNWRITTEN) from None

    def add(self, entry: Entry) -> "Future[None]":
        """Hand over an entry without waiting; the future ends when it is on the disk or cannot be."""
        return self._hand(entry, must=False)

    def _hand(self, entry: Entry, *, must: bool) -> "Future[None]":
        written: Future[None] = Future()
        reason = "disk" if not self._thread.is_alive() else self._room.take(entry.account, must=must)
        if reason:
            DROPPED.labels(entry.kind, reason).inc()
            written.set_exception(ServiceUnavailable(_REFUSALS[reason]))
        else:
            IN_FLIGHT.inc()
            self._queue.put(_Waiting(entry, written))
        return written

    @property
    def depth(self) -> int:
        """Entries that the database does not have yet."""
        return self._room.total

    def waiting(self, limit: int = 500) -> Sequence[Entry]:
        """The oldest entries that the database does not have yet."""
        connection: sqlite3.Connection | None = None
        try:
            connection = spool_file.opened(self.path)
            rows = connection.execute("SELECT kind, body, number, account FROM entries ORDER BY number LIMIT ?", (limit,)).fetchall()
            return [Entry(*row) for row in rows]
        except sqlite3.DatabaseError as error:
            self._damaged = self._damaged or spool_file.is_damage(error)  # the writer sets it aside with its next entry
            raise
        finally:
            if connection is not None:
                connection.close()

    def delivered(self, last: int) -> None:
        """Forget the entries up to this number: the database has them."""
        connection = spool_file.opened(self.path)
        try:
            with connection:
                connection.execute("BEGIN IMMEDIATE")
                accounts = spool_file.counted(connection, last)
                connection.execute("DELETE FROM entries WHERE number <= ?", (last,))
            self._room.free(accounts)
        finally:
            connection.close()

    def close(self) -> None:
        """Write what was handed over, then stop."""
        self._queue.put(None)
        self._thread.join(timeout=10)

    def _open(self) -> sqlite3.Connection:
        """Open the file that the path names now, and count what it holds."""
        self._connection = spool_file.mended(self.path)
        self._damaged = False
        self._file = durable.identity(self.path)
        self._room.reset(spool_file.counted(self._connection))
        return self._connection

    def _forget(self) -> None:
        """Close the file, before another of its name is opened: SQLite removes what belongs to a database by its path."""
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    def _write(self) -> None:
        """Take all that waits, commit it at once, tell everybody; whoever comes meanwhile is in the next commit."""
        running = True
        while running:
            batch = [self._queue.get()]
            while not self._queue.empty() and len(batch) < 1000:
                batch.append(self._queue.get())
            running = None not in batch
            waiting = [item for item in batch if item is not None]
            accounts = Counter(item.entry.account for item in waiting)
            try:
                self._commit([item.entry for item in waiting])
            except (sqlite3.Error, OSError) as error:
                self._room.settle(accounts, kept=False)
                for item in waiting:
                    DROPPED.labels(item.entry.kind, "disk").inc()
                    _fail(item.written, error)
            else:
                self._room.settle(accounts, kept=True)
                for item in waiting:
                    item.written.set_result(None)
            IN_FLIGHT.dec(len(waiting))
        self._forget()

    def _commit(self, entries: Sequence[Entry]) -> None:
        """Write entries into the file of that path: one that was deleted, replaced or damaged meanwhile has not got them, so once more."""
        for last in (False, True):
            connection = self._connection
            if connection is None or self._damaged or durable.identity(self.path) != self._file:
                self._forget()
                connection = self._open()
            try:
                with connection:
                    rows = [(entry.kind, entry.body, entry.account) for entry in entries]
                    connection.executemany("INSERT INTO entries (kind, body, account) VALUES (?, ?, ?)", rows)
            except (sqlite3.Error, OSError) as error:
                self._forget()
                if last or not spool_file.is_damage(error):
                    raise
            else:
                if durable.identity(self.path) == self._file:
                    return
        raise OSError("the file of the spool is replaced again and again")


def _fail(written: "Future[None]", cause: Exception) -> None:
    error = ServiceUnavailable(_UNWRITTEN)
    error.__cause__ = cause
    written.set_exception(error)
