"""The database: engine, sessions, and the locks that put every write in its place.

SQLite and PostgreSQL say yes to the same two questions: `write` (one transaction, alone in its accounts) and `read` (one snapshot).
A write on PostgreSQL takes the advisory locks of its accounts first, in order; on SQLite it takes a lock file beside the database
and then BEGIN IMMEDIATE, because SQLite's own lock starves writers of other processes.
"""

import hashlib
import sqlite3
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import closing, contextmanager
from datetime import UTC, datetime
from itertools import groupby
from pathlib import Path
from typing import Any, ClassVar, Self

import psycopg
from sqlalchemy import Connection, DateTime, Dialect, MetaData, String, make_url, text
from sqlalchemy.engine import URL
from sqlalchemy.exc import DBAPIError, IntegrityError, OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeout
from sqlalchemy.orm import DeclarativeBase, Session
from sqlalchemy.types import TypeDecorator

from sekisho.errors import Internal, RequestTimeout, ServiceUnavailable
from sekisho.store import durable, engines
from sekisho.store.file_lock import FileLock

DEFAULT_TIMEOUT = 30.0
"""Seconds that a call may take when its caller set no deadline."""

FIRST = "first"
"""Where `session.info` has the first row of the query that a transaction began with."""

WAITING = "waiting"
"""Where `session.info` has the new rows that the session does not know yet."""

Row = tuple[Any, ...]

Step = Callable[["Script"], None]
"""What is done with a commit (`at_commit`)."""

_STEPS = "steps"
_MOVED = "The file of the database was removed or replaced while the server runs. Nothing was written."
_LOCK_CLASS = 0x5EC1  # the first key of our two-key advisory locks, so that they are told from those of other programs
_DONE = (psycopg.pq.ExecStatus.COMMAND_OK, psycopg.pq.ExecStatus.TUPLES_OK)
_CANCELLED = "57014"  # by the statement's time limit
_DENIED = "42501"  # insufficient privilege
_BROKEN = "22012"  # division by zero, by which a statement says that what the write rests on has changed (`Script.demand`)
_TRANSIENT = {"40001", "40P01", "55P03", _BROKEN}  # serialization failure, deadlock, lock not available


class Moment(TypeDecorator[datetime]):
    """An instant in UTC, in whole microseconds; SQLite keeps no zone, so it is added on the way out."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        return None if value is None else value.astimezone(UTC)

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        return None if value is None else value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)


# Names and ids compare byte by byte on both databases: what sorts first does not depend on the locale of a server.
Key = String().with_variant(String(collation="C"), "postgresql")


class Base(DeclarativeBase):
    """A table. `touches` names the columns whose ids a change of a row makes stale in the caches of world records."""

    touches: ClassVar[tuple[str, ...] | None] = None

    type_annotation_map: ClassVar[dict[Any, Any]] = {str: Key, datetime: Moment}
    metadata = MetaData(
        naming_convention={
            "ix": "ix_%(table_name)s_%(column_0_N_name)s",
            "uq": "uq_%(table_name)s_%(column_0_N_name)s",
            "ck": "ck_%(table_name)s_%(constraint_name)s",
            "fk": "fk_%(table_name)s_%(column_0_N_name)s",
            "pk": "pk_%(table_name)s",
        }
    )


class Transaction(Session):
    """One transaction of ours, of rows.

    New rows wait in `info[WAITING]` (`changes.add`) until the session is flushed: because it is asked for rows, or has something else to
    write. Then they are rows of the session like all others. Those that still wait at the end are written with the commit.
    """

    _only: Connection | None = None

    def connection(self, *args: Any, **options: Any) -> Connection:
        """The connection of the transaction, of which there is one; what SQLAlchemy does to find it again costs as much as a query."""
        if self._only is None or args or options:
            self._only = super().connection(*args, **options)
        return self._only

    def flush(self, objects: Sequence[Any] | None = None) -> None:
        """Write what has changed. New rows go in their order, kind by kind, since those of a later kind may refer to those of an earlier
        one; after rows that are deleted, whose names they may have, but before changes, which may refer to them.
        """
        if self.deleted and not self.dirty:
            super().flush()
        for _, rows in groupby(self.info.pop(WAITING, ()), type):
            self.add_all(rows)
            super().flush()
        super().flush(objects)


class CommitUnknown(Internal):
    """The database broke off during the commit: the write is there or it is not. Not to be repeated blindly, hence not Unavailable."""


class WriteConflict(ServiceUnavailable):
    """Another write took the same name or the same rows; the pipeline tries the call once more before it says so."""


class Database:
    """One database, opened once for each process. Without `make`, a file of SQLite that is not there is an error; else it is made."""

    def __init__(self, url: str | URL, *, pool_size: int = 16, make: bool = True) -> None:
        self.url = make_url(url)
        self.sqlite = self.url.get_backend_name() == "sqlite"
        self.make = make
        self.engine = engines.opened(self.url, pool_size, make=make)
        self._lock = FileLock(Path(f"{self.url.database}.lock"))  # of SQLite

    @contextmanager
    def write(self, accounts: Iterable[str], *, deadline: float | None = None, first: str = "") -> Iterator[Session]:
        """One transaction, alone in the accounts; committed when the block ends, rolled back when it raises.

        `deadline` is on the monotonic clock, in seconds; `first` is a query that every caller of this kind begins with, whose row is then
        in `session.info[FIRST]`. Raises RequestTimeout or ServiceUnavailable, and then nothing was written.
        """
        deadline = time.monotonic() + DEFAULT_TIMEOUT if deadline is None else deadline
        if self.sqlite:
            with self._lock.held(deadline), self._session(deadline, "BEGIN IMMEDIATE", first) as session:
                self._refuse_moved(session)
                yield session
                self._refuse_moved(session)
                _commit(session, deadline)
        else:
            locks = [_taking(f"account:{account}") for account in sorted(set(accounts))]
            with self._session(deadline, "BEGIN ISOLATION LEVEL READ COMMITTED READ WRITE", *locks, first) as session:
                yield session
                _commit(session, deadline)

    def _refuse_moved(self, session: Session) -> None:
        """A file of SQLite that was removed or replaced takes writes as before, and nobody will ever find them."""
        if durable.identity(str(self.url.database)) != session.connection().connection.info[engines.FILE]:
            raise ServiceUnavailable(_MOVED)

    @contextmanager
    def read(self, *, deadline: float | None = None, first: str = "") -> Iterator[Session]:
        """One snapshot of the database, read only; `first` as with `write`."""
        deadline = time.monotonic() + DEFAULT_TIMEOUT if deadline is None else deadline
        with self._session(deadline, "BEGIN" if self.sqlite else "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY", first) as session:
            yield session

    def glance(self, query: str, *, deadline: float | None = None) -> Row | None:
        """The first row of one query in a snapshot of its own."""
        if deadline is not None:
            remaining(deadline)
        with translated(), closing(self.engine.raw_connection()) as connection:
            return last_row(connection.driver_connection, query)

    @contextmanager
    def _session(self, deadline: float, *statements: str) -> Iterator[Session]:
        begin, *following = filter(None, statements)
        left = remaining(deadline)
        with translated(), Transaction(self.engine, expire_on_commit=False) as session:
            if self.sqlite:
                begun = (f"PRAGMA busy_timeout = {int(min(engines.BUSY, left) * 1000)}", begin, *following)
            else:
                begun = (begin, f"SET LOCAL statement_timeout = {int(left * 1000) + 1}", *following)
            driver: Any = session.connection().connection.driver_connection
            try:
                session.info[FIRST] = last_row(driver, *begun)
                yield session
            except BaseException:
                if not self.sqlite and driver.closed:  # a roll-back would fail, and its error hide this one
                    session.invalidate()
                raise

    def close(self) -> None:
        """Give back every connection."""
        self.engine.dispose()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()


def remaining(deadline: float) -> float:
    """The seconds left until a deadline on the monotonic clock, or RequestTimeout."""
    left = deadline - time.monotonic()
    if left <= 0:
        raise RequestTimeout("The deadline of the call passed; nothing was written.")
    return left


def lock(session: Session, name: str) -> None:
    """Hold a further lock until the transaction ends, in which other accounts write, too: always after those of accounts, before that of
    the revision. What was read before may be old; on SQLite a writer is alone anyway.
    """
    connection = session.connection()
    if connection.dialect.name == "postgresql":
        last_row(connection.connection.driver_connection, _taking(name))


def last_row(driver: Any, *statements: str) -> Row | None:
    """Run statements without parameters, on PostgreSQL in one round trip; the first row of the last one, if it has any, on PostgreSQL as
    texts. SQLAlchemy is passed by, and psycopg but for its errors: what they do costs many times what the database takes for these.
    """
    if isinstance(driver, sqlite3.Connection):
        cursor = None
        for statement in statements:
            cursor = driver.execute(statement)
        row: Row | None = cursor.fetchone() if cursor is not None else None
        return row
    result = driver.pgconn.exec_("; ".join(statements).encode())
    if result.status not in _DONE:
        raise psycopg.errors.error_from_result(result)
    return tuple(result.get_value(0, column).decode() for column in range(result.nfields)) if result.ntuples else None


def trying(name: str) -> str:
    """The statement of PostgreSQL that has its connection hold a lock, if nobody else does; whether that is so (`t`)."""
    return f"SELECT pg_try_advisory_lock({_LOCK_CLASS}, {_key(name)})"


def _taking(name: str) -> str:
    return f"SELECT pg_advisory_xact_lock({_LOCK_CLASS}, {_key(name)})"


def _key(name: str) -> int:
    return int.from_bytes(hashlib.sha256(name.encode()).digest()[:4], "big", signed=True)


class Script:
    """What is done at the end of a write, with its commit: on SQLite a statement after the other, on PostgreSQL all in one round trip."""

    def __init__(self, connection: Connection) -> None:
        self.dialect = connection.dialect
        driver: Any = connection.connection.driver_connection
        self._cursor = psycopg.ClientCursor(driver) if self.dialect.name == "postgresql" else driver.cursor()
        self._parts: list[str] = []
        self.row: Row | None = None
        """After the commit: the first row of the last query."""

    def execute(self, statement: str, parameters: Any = None) -> None:
        """Add a statement with its parameters in the manner of the driver."""
        if self.dialect.name == "postgresql":
            self._parts.append(self._cursor.mogrify(statement, parameters))
        else:
            self._cursor.execute(statement, parameters or ())
            self.row = self._cursor.fetchone() if self._cursor.description is not None else self.row

    def lock(self, name: str) -> None:
        """Hold an advisory lock of PostgreSQL until the transaction ends; on SQLite a writer is alone anyway."""
        if self.dialect.name == "postgresql":
            self._parts.append(_taking(name))

    def demand(self, condition: str, parameters: Any) -> None:
        """Have nothing written unless a condition of PostgreSQL holds at this place: WriteConflict. There a script goes in one round trip,
        so nobody could look at an answer before the commit; on SQLite a writer is alone anyway.
        """
        if self.dialect.name == "postgresql":
            self.execute(f"SELECT 1 / (CASE WHEN {condition} THEN 1 ELSE 0 END)", parameters)

    def commit(self) -> bool:
        """On PostgreSQL do all of it, the commit too; whether that is so."""
        if self.dialect.name != "postgresql":
            return False
        self._cursor.execute("; ".join((*self._parts, "COMMIT")))
        more: bool | None = True
        while more:
            self.row = self._cursor.fetchone() if self._cursor.description is not None else self.row
            more = self._cursor.nextset()
        return True


def at_commit(session: Session, step: Step) -> None:
    """Have a step done with the commit of a write, after all rows are flushed."""
    session.info.setdefault(_STEPS, []).append(step)


def _commit(session: Session, deadline: float) -> None:
    if session.dirty:
        session.flush()
    else:
        Session.flush(session)  # not the rows that wait: nothing refers to them but each other, and they need no unit of work
    remaining(deadline)
    script = Script(session.connection())
    steps: list[Step] = session.info.pop(_STEPS, [])
    for step in steps:
        step(script)
    with _decided():
        if not script.commit():
            session.commit()


@contextmanager
def _decided() -> Iterator[None]:
    """CommitUnknown where nobody knows whether the commit took place."""
    try:
        yield
    except (DBAPIError, psycopg.Error) as error:
        if _undecided(error.orig if isinstance(error, DBAPIError) else error):
            raise CommitUnknown("The database broke off during the commit; whether the write took place is not known.") from error
        raise


def _undecided(error: BaseException | None) -> bool:
    """Whether a failed commit may have taken place: the connection went, or the disk failed after it had the pages."""
    if isinstance(error, sqlite3.Error):
        return "disk I/O error" in str(error)
    state = getattr(error, "sqlstate", None)
    if state == _CANCELLED:  # what came before the commit: PostgreSQL does not cancel that
        return False
    return state is None or state[:2] in ("08", "57")  # connection exceptions; the server was stopped


@contextmanager
def translated() -> Iterator[None]:
    """Say database errors as ours; the text of the database, which may quote rows, stays in the log as the cause."""
    try:
        yield
    except (IntegrityError, sqlite3.IntegrityError, psycopg.IntegrityError) as error:
        raise WriteConflict(
            "The request was rejected because another request changed the same entity at the same time. Try again."
        ) from error
    except PoolTimeout as error:
        raise ServiceUnavailable("No database connection became free in time.") from error
    except (OperationalError, DBAPIError) as error:
        raise _said(error.orig) from error
    except (sqlite3.Error, psycopg.Error) as error:  # from what passes SQLAlchemy by: a new connection's pragmas, `last_row`
        raise _said(error) from error


def _said(error: BaseException | None) -> ServiceUnavailable | RequestTimeout:
    """The error of a database in our words."""
    state = getattr(error, "sqlstate", None)
    words = str(error)
    if state in _TRANSIENT:
        return WriteConflict("The request was rejected because it collided with another request. Try again.")
    if state == _CANCELLED:
        return RequestTimeout("The deadline of the call passed; nothing was written.")
    if state == "53100" or "disk is full" in words or "No space left" in words or "disk I/O error" in words:
        return ServiceUnavailable("The database cannot take the write: its disk is full or failing. Nothing was written.")
    if words == engines.MOVED:
        return ServiceUnavailable(_MOVED)
    if "database is locked" in words:
        return ServiceUnavailable("The database is locked by another program. Nothing was written.")
    if "readonly database" in words or state == "25006":
        return ServiceUnavailable("The database is read-only. Nothing was written.")
    if state == _DENIED:  # its words name a table or the like, and never a row
        lacking = f"{words.splitlines()[0]}; see `sekisho db grants`"
        return ServiceUnavailable(f"The database lets this node do less than it needs: {lacking}. Nothing was written.")
    return ServiceUnavailable("The database cannot be reached or did not answer. Nothing was written.")


def refuse_unsafe(database: Database) -> None:
    """Raise UnsafeDatabase when the server's settings would lose a committed write, or its encoding lacks letters that names have."""
    with database.read() as session:
        if database.sqlite:
            wanted = {"journal_mode": "wal", "synchronous": "2", "foreign_keys": "1"}
            found = {name: str(session.execute(text(f"PRAGMA {name}")).scalar_one()) for name in wanted}
        else:
            wanted = {"fsync": "on", "full_page_writes": "on", "server_encoding": "UTF8"}
            found = {name: session.execute(text(f"SHOW {name}")).scalar_one() for name in wanted}
            commit = session.execute(text("SHOW synchronous_commit")).scalar_one()
            if commit == "off":
                wanted["synchronous_commit"], found["synchronous_commit"] = "on", commit
    wrong = [f"{name} is {found[name]}, not {wanted[name]}" for name in wanted if found[name] != wanted[name]]
    if wrong:
        raise engines.UnsafeDatabase(f"the database's settings are unsafe: {'; '.join(wrong)}")
