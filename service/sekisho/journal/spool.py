"""The spool: what happens without a write to the database, kept on the local disk until the database has it.

Issued credentials, denials and failures commit no row of their own, yet must not be lost. They are appended to one local SQLite file,
many callers to one fsync; a thread carries them into the database. What must be recorded before it may happen (issuing) waits for the disk;
when the disk does not take it, it does not happen.
"""

import queue
import sqlite3
import threading
from collections.abc import Sequence
from concurrent.futures import Future
from concurrent.futures import TimeoutError as FutureTimeout
from dataclasses import dataclass
from pathlib import Path

from sekisho.errors import ServiceUnavailable

LIMIT = 100_000
"""Entries that may wait for the database; past that nothing more is issued, so that a long outage cannot fill the disk."""

_UNWRITTEN = "The spool cannot be written, so nothing was issued or recorded."


@dataclass(frozen=True, slots=True)
class Entry:
    """One thing that happened: its kind and its body as JSON. `number` orders the entries of one spool."""

    kind: str
    body: str
    number: int = 0


@dataclass(frozen=True, slots=True)
class _Waiting:
    entry: Entry
    written: "Future[None]"


class Spool:
    """One file, one writer thread; many threads append."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._queue: queue.SimpleQueue[_Waiting | None] = queue.SimpleQueue()
        self._pending = 0
        self._count = threading.Lock()
        with self._open() as connection:
            connection.execute(
                "CREATE TABLE IF NOT EXISTS entries (number INTEGER PRIMARY KEY AUTOINCREMENT, kind TEXT NOT NULL, body TEXT NOT NULL)"
            )
            (self._pending,) = connection.execute("SELECT count(*) FROM entries").fetchone()
        connection.close()
        self._thread = threading.Thread(target=self._write, name="spool", daemon=True)
        self._thread.start()

    def append(self, entry: Entry, *, timeout: float) -> None:
        """Return when the entry is on the disk; raise ServiceUnavailable when it is not there within `timeout` seconds."""
        try:
            self.add(entry).result(timeout=timeout)
        except FutureTimeout:
            raise ServiceUnavailable(_UNWRITTEN) from None

    def add(self, entry: Entry) -> "Future[None]":
        """Hand over an entry without waiting; the future ends when it is on the disk or cannot be."""
        written: Future[None] = Future()
        if self._pending >= LIMIT:
            written.set_exception(ServiceUnavailable("The spool is full, because the database has not taken its entries for long."))
        elif not self._thread.is_alive():
            written.set_exception(ServiceUnavailable(_UNWRITTEN))
        else:
            self._queue.put(_Waiting(entry, written))
        return written

    def waiting(self, limit: int = 500) -> Sequence[Entry]:
        """The oldest entries that the database does not have yet."""
        connection = self._open()
        try:
            rows = connection.execute("SELECT kind, body, number FROM entries ORDER BY number LIMIT ?", (limit,)).fetchall()
            return [Entry(*row) for row in rows]
        finally:
            connection.close()

    def delivered(self, last: int) -> None:
        """Forget the entries up to this number: the database has them."""
        connection = self._open()
        try:
            with connection:
                count = connection.execute("DELETE FROM entries WHERE number <= ?", (last,)).rowcount
            with self._count:
                self._pending -= count
        finally:
            connection.close()

    def close(self) -> None:
        """Write what was handed over, then stop."""
        self._queue.put(None)
        self._thread.join(timeout=10)

    def _open(self) -> sqlite3.Connection:
        connection = sqlite3.connect(self.path, timeout=5.0)
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("PRAGMA synchronous = FULL")
        return connection

    def _write(self) -> None:
        """Take all that waits, commit it at once, tell everybody; whoever comes meanwhile is in the next commit."""
        connection: sqlite3.Connection | None = None
        running = True
        while running:
            batch = [self._queue.get()]
            while not self._queue.empty() and len(batch) < 1000:
                batch.append(self._queue.get())
            running = None not in batch
            waiting = [item for item in batch if item is not None]
            try:
                if connection is None:
                    connection = self._open()
                with connection:
                    rows = [(item.entry.kind, item.entry.body) for item in waiting]
                    connection.executemany("INSERT INTO entries (kind, body) VALUES (?, ?)", rows)
            except (sqlite3.Error, OSError) as error:
                connection = None  # a file that was lost or replaced is opened anew
                for item in waiting:
                    _fail(item.written, error)
            else:
                with self._count:
                    self._pending += len(waiting)
                for item in waiting:
                    item.written.set_result(None)
        if connection is not None:
            connection.close()


def _fail(written: "Future[None]", cause: Exception) -> None:
    error = ServiceUnavailable(_UNWRITTEN)
    error.__cause__ = cause
    written.set_exception(error)
