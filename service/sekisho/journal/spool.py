"""The spool: what happens without a write to the database, kept on the local disk until the database has it.

Issued credentials, denials and failures commit no row of their own. They are appended to one local SQLite file, many callers to one fsync;
a thread carries them into the database. What must be recorded before it may happen (issuing) waits for the disk; when the disk does not
take it, it does not happen. A denial does not wait: its caller has the answer before the record is on the disk, so a process that is killed
loses the denials of its last milliseconds (`sekisho_spool_unwritten` says how many those are at any time). A read, of which there are
many, waits for others to share a commit with, so a kill loses those of the last twentieth of a second. While the database is away, denials
and reads beyond their account's share are folded: one record of those that are alike, with their number.
"""

import queue
import sqlite3
import threading
import time
from collections import Counter, deque
from collections.abc import Sequence
from concurrent.futures import Future
from concurrent.futures import TimeoutError as FutureTimeout
from contextlib import suppress
from datetime import UTC, datetime
from enum import Enum, auto
from pathlib import Path
from typing import NamedTuple

from sekisho import meters
from sekisho.errors import ServiceUnavailable
from sekisho.journal import spool_file
from sekisho.journal.folds import Folds
from sekisho.journal.room import NOTED, Room
from sekisho.store import durable

FOLDED = "folded"
"""The kind of an entry that stands for several denials or reads."""

LINGER = 0.05
"""Seconds that an entry which was noted waits for others, so that reads cost few commits."""
BATCH = 1000
"""Entries of one commit."""
DELIVERY = 500
"""Entries that the database is given at once."""

DROPPED = meters.Counter(
    "sekisho_spool_dropped",
    "Entries that are lost, by kind and reason: the spool is full, the account has its share, the disk failed, the database refuses it.",
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


class Entry(NamedTuple):
    """One thing that happened: its kind, its body as JSON, and whose it is. `number` orders the entries of one spool. Those that have the
    same `alike` may be folded where there is no room for each of them; one without is dropped.
    """

    kind: str
    body: str
    number: int = 0
    account: str = ""
    alike: tuple[str, ...] = ()


class _Waiting(NamedTuple):
    entry: Entry
    written: "Future[None] | None" = None


class _Order(Enum):
    """What the writer is told beside entries."""

    COUNT = auto()
    SOON = auto()
    STOP = auto()


class Spool:
    """One file, one writer thread; many threads append."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._queue: queue.SimpleQueue[_Waiting | _Order] = queue.SimpleQueue()
        self._noted: deque[_Waiting] = deque()
        self._soon = False  # whether the writer was told that something is noted
        self._room = Room()
        self._folds = Folds()
        self._folding = threading.Lock()
        self._connection: sqlite3.Connection | None = None  # the writer's
        self._file: durable.Identity = None
        self._damaged = False
        self._open()
        self._thread = threading.Thread(target=self._write, name="spool", daemon=True)
        self._thread.start()

    def append(self, *entries: Entry, timeout: float) -> None:
        """Return when the entries are on the disk; raise ServiceUnavailable when one is not there within `timeout` seconds."""
        ends = time.monotonic() + timeout
        try:
            for written in [self._hand(entry, must=True) for entry in entries]:
                written.result(timeout=max(0.0, ends - time.monotonic()))
        except FutureTimeout:
            raise ServiceUnavailable(_UNWRITTEN) from None

    def add(self, entry: Entry) -> "Future[None]":
        """Hand over an entry without waiting; the future ends when it is on the disk or cannot be."""
        return self._hand(entry, must=False)

    def note(self, entry: Entry, *, part: float = NOTED) -> bool:
        """Hand over an entry that nobody asks after: it is on the disk soon, or folded or dropped where there is no room for it, which is
        False. `part` is that of the denials' room which it may have.
        """
        reason = "disk" if not self._thread.is_alive() else self._room.take(entry.account, must=False, part=part)
        if reason:
            self._spare(entry, reason)
            return False
        IN_FLIGHT.inc()
        self._noted.append(_Waiting(entry))
        if not self._soon:  # asked after the entry is there: the writer takes this back before it looks for entries
            self._soon = True
            self._queue.put(_Order.SOON)
        return True

    def _hand(self, entry: Entry, *, must: bool) -> "Future[None]":
        written: Future[None] = Future()
        reason = "disk" if not self._thread.is_alive() else self._room.take(entry.account, must=must)
        if reason:
            if must:
                DROPPED.labels(entry.kind, reason).inc()
            else:
                self._spare(entry, reason)
            written.set_exception(ServiceUnavailable(_REFUSALS[reason]))
        else:
            IN_FLIGHT.inc()
            self._queue.put(_Waiting(entry, written))
        return written

    def _spare(self, entry: Entry, reason: str) -> None:
        """Fold an entry that there is no room for, with those that are like it; else it is dropped."""
        if reason == "disk" or not self._fold(entry):
            DROPPED.labels(entry.kind, reason).inc()

    def _fold(self, entry: Entry) -> bool:
        if not entry.alike:
            return False
        with self._folding:
            return self._folds.fold(entry.account, entry.alike, entry.body, datetime.now(UTC))

    def flush(self, *, must: bool = False) -> None:
        """Write what was folded, as far as there is room; with `must`, as much room as there is for what must be recorded."""
        with self._folding:
            for key in self._folds.keys:
                if self._thread.is_alive() and not self._room.take(key[0], must=must):
                    IN_FLIGHT.inc()
                    self._queue.put(_Waiting(Entry(FOLDED, self._folds.take(key), account=key[0]), Future()))

    @property
    def depth(self) -> int:
        """Entries that the database does not have yet."""
        return self._room.total

    def waiting(self, limit: int = DELIVERY) -> Sequence[Entry]:
        """The oldest entries that the database does not have yet."""
        connection: sqlite3.Connection | None = None
        try:
            connection = spool_file.opened(self.path)
            rows = connection.execute("SELECT kind, body, number, account FROM entries ORDER BY number LIMIT ?", (limit,)).fetchall()
            if not rows:
                self._room.reset({})  # a worker that leaves delivers its successor's entries, too, which the successor still counts
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

    def refuse(self, entry: Entry) -> None:
        """Keep an entry aside that the database will never take."""
        connection = spool_file.opened(self.path)
        try:
            with connection:
                spool_file.refuse(connection, entry.kind, entry.body, entry.account)
        finally:
            connection.close()

    def recount(self) -> None:
        """Count what is on the disk, where another process takes entries out."""
        self._queue.put(_Order.COUNT)

    def close(self) -> None:
        """Write what was handed over and what was folded, then stop."""
        self.flush(must=True)
        self._queue.put(_Order.STOP)
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
            batch = self._taken()
            running = _Order.STOP not in batch
            waiting = [item for item in batch if isinstance(item, _Waiting)]
            accounts = Counter(item.entry.account for item in waiting)
            try:
                if waiting:
                    self._commit([item.entry for item in waiting])
            except (sqlite3.Error, OSError) as error:
                self._room.settle(accounts, kept=False)
                for item in waiting:
                    DROPPED.labels(item.entry.kind, "disk").inc()
                    if item.written is not None:
                        _fail(item.written, error)
            else:
                self._room.settle(accounts, kept=True)
                if _Order.COUNT in batch:
                    self._count()
                for item in waiting:
                    if item.written is not None:
                        item.written.set_result(None)
            IN_FLIGHT.dec(len(waiting))
        self._forget()

    def _taken(self) -> list[_Waiting | _Order]:
        """The entries of one commit: all that was handed over, and with it what was noted; of the latter alone, when enough of it has
        had time to come.
        """
        batch = [self._queue.get()]
        if batch[0] is _Order.SOON:
            with suppress(queue.Empty):
                batch.append(self._queue.get(timeout=LINGER))
        while not self._queue.empty() and len(batch) < BATCH:
            batch.append(self._queue.get())
        if self._soon:
            self._soon = False  # before what is noted is looked for: what comes meanwhile says so again
            most = BATCH if _Order.STOP not in batch else len(self._noted)
            while self._noted and most:
                batch.append(self._noted.popleft())
                most -= 1
            if self._noted and not self._soon:
                self._soon = True
                self._queue.put(_Order.SOON)
        return batch

    def _count(self) -> None:
        """In the writer's thread, so that no entry comes meanwhile. What is taken out meanwhile counts until the next time."""
        with suppress(sqlite3.Error, OSError):
            if self._connection is not None and durable.identity(self.path) == self._file:
                self._room.reset(spool_file.counted(self._connection))

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
