"""Signatures of calls that issued credentials: a file that the workers of a node share, since such a call writes nothing to the database.

It outlives workers, and asks nobody else. What it does not know is what another node has issued.
"""

import sqlite3
import threading
import time
from contextlib import closing
from pathlib import Path

from sekisho.errors import ServiceUnavailable
from sekisho.journal import spool_file
from sekisho.store import durable
from sekisho.store.file_lock import FileLock
from sekisho.store.used import KEPT, Use

_TABLE = """CREATE TABLE IF NOT EXISTS used (
    minute INTEGER, account_id TEXT, signature TEXT, used_at INTEGER NOT NULL, PRIMARY KEY (minute, account_id, signature)
) WITHOUT ROWID"""
_MINUTE = 60_000_000  # microseconds
_PATIENCE = 1.0
"""Seconds that one worker waits for the others."""


class Issued:
    """The file; threads share it."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._lock = threading.Lock()
        self._making = FileLock(Path(f"{path}.lock"))
        self._connection: sqlite3.Connection | None = None
        self._file: durable.Identity = None
        self._swept = 0  # the minute up to which it holds nothing
        with self._lock:
            self._opened()

    def use(self, given: Use) -> bool:
        """Use a signature up; False where it was used before. ServiceUnavailable when the file cannot say."""
        with self._lock:
            for last in (False, True):
                try:
                    return self._use(self._opened(), given)
                except sqlite3.Error as error:
                    self._forget()
                    if last or not spool_file.is_damage(error):
                        raise ServiceUnavailable("The file of used signatures cannot be written, so nothing was issued.") from error
        raise AssertionError("the second try returns or raises")

    def close(self) -> None:
        """Close the file."""
        with self._lock:
            self._forget()

    def _use(self, connection: sqlite3.Connection, given: Use) -> bool:
        key = (given.minute, given.account_id, given.signature)
        with connection:
            connection.execute("BEGIN IMMEDIATE")
            ended = given.used_at // _MINUTE - KEPT
            if ended > self._swept:
                self._swept = ended
                connection.execute("DELETE FROM used WHERE minute < ?", (self._swept,))
            with closing(connection.execute("SELECT used_at FROM used WHERE (minute, account_id, signature) = (?, ?, ?)", key)) as cursor:
                row = cursor.fetchone()
            if row is None:
                connection.execute("INSERT INTO used VALUES (?, ?, ?, ?)", (*key, given.used_at))
        return row is None or not given.is_replay(row[0])

    def _opened(self) -> sqlite3.Connection:
        """The file that the path names now; one that is damaged is set aside and another made."""
        if self._connection is None or durable.identity(self._path) != self._file:
            self._forget()
            with self._making.held(time.monotonic() + _PATIENCE):  # workers start at once, and SQLite makes one of them fail
                self._connection = spool_file.mended(self._path, _prepare)
                self._file = durable.identity(self._path)
        return self._connection

    def _forget(self) -> None:
        if self._connection is not None:
            self._connection.close()
            self._connection = None


def _prepare(connection: sqlite3.Connection) -> None:
    connection.execute(f"PRAGMA busy_timeout = {int(_PATIENCE * 1000)}")
    connection.execute("PRAGMA synchronous = NORMAL")  # whole after a loss of power, which may take the last uses with it
    connection.execute(_TABLE)
