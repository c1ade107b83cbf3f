"""The spool's file on the disk, and others like it: a SQLite database that is opened, found damaged, or found to be gone."""

import os
import sqlite3
import time
from collections.abc import Callable, Mapping
from pathlib import Path

import structlog

_TABLE = "CREATE TABLE IF NOT EXISTS entries (number INTEGER PRIMARY KEY AUTOINCREMENT, kind TEXT NOT NULL, body TEXT NOT NULL)"
_ACCOUNT = "ALTER TABLE entries ADD COLUMN account TEXT NOT NULL DEFAULT ''"  # which the release before neither has nor writes
_REFUSED = "CREATE TABLE IF NOT EXISTS refused (kind TEXT NOT NULL, body TEXT NOT NULL, account TEXT NOT NULL)"
_DAMAGE = (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB)
_FILES = ("", "-wal", "-shm")

log = structlog.get_logger(__name__)


Prepare = Callable[[sqlite3.Connection], None]
"""Makes of a new connection what its file needs: settings, and tables that are not there."""


def of_spool(connection: sqlite3.Connection) -> None:
    """What is committed is on the disk."""
    connection.execute("PRAGMA synchronous = FULL")
    connection.execute(_TABLE)
    if not any(column[1] == "account" for column in connection.execute("PRAGMA table_info(entries)")):
        connection.execute(_ACCOUNT)


def opened(path: Path, prepare: Prepare = of_spool) -> sqlite3.Connection:
    """A connection to the file, which is made when there is none."""
    connection = sqlite3.connect(path, timeout=5.0, check_same_thread=False)  # made by who starts the writer
    try:
        connection.execute("PRAGMA journal_mode = WAL")
        prepare(connection)
    except BaseException:
        connection.close()
        raise
    return connection


def mended(path: Path, prepare: Prepare = of_spool) -> sqlite3.Connection:
    """A connection to the file; one that is damaged is set aside, under a name that the log says, and another made."""
    try:
        connection = opened(path, prepare)
        try:
            if connection.execute("PRAGMA quick_check(1)").fetchone() == ("ok",):
                return connection
        except BaseException:
            connection.close()
            raise
        connection.close()
    except sqlite3.DatabaseError as error:
        if not is_damage(error):
            raise
    aside = path.with_name(f"{path.name}.damaged-{time.time_ns()}")
    for suffix in _FILES:
        if os.path.lexists(f"{path}{suffix}"):
            Path(f"{path}{suffix}").replace(f"{aside}{suffix}")
    log.error("spool.set_aside", path=str(aside), reason="the file is damaged; what it held and the database has not is only there")
    return opened(path, prepare)


def is_damage(error: Exception) -> bool:
    """Whether an error of SQLite says that the file is not what it was."""
    code = getattr(error, "sqlite_errorcode", None)
    return code is not None and code & 0xFF in _DAMAGE


def refuse(connection: sqlite3.Connection, kind: str, body: str, account: str) -> None:
    """Keep an entry that no database takes, in a table of its own in the file, for an operator to look at."""
    connection.execute(_REFUSED)
    connection.execute("INSERT INTO refused (kind, body, account) VALUES (?, ?, ?)", (kind, body, account))


def counted(connection: sqlite3.Connection, last: int | None = None) -> Mapping[str, int]:
    """How many entries each account has, up to a number."""
    query = "SELECT account, count(*) FROM entries WHERE ? IS NULL OR number <= ? GROUP BY account"
    return dict(connection.execute(query, (last, last)).fetchall())
