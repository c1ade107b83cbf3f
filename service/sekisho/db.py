"""The database: engine, sessions, and the locks that put every write in its place.

SQLite and PostgreSQL say yes to the same two questions: `write` (one transaction, alone in its accounts) and `read` (one snapshot).
A write on PostgreSQL takes the advisory locks of its accounts first, in order; on SQLite it takes a lock file beside the database
and then BEGIN IMMEDIATE, because SQLite's own lock starves writers of other processes.
"""

import hashlib
import sqlite3
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, ClassVar, Self

from sqlalchemy import DateTime, Dialect, Engine, MetaData, String, create_engine, event, make_url, text
from sqlalchemy.engine import URL
from sqlalchemy.exc import DBAPIError, IntegrityError, OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeout
from sqlalchemy.orm import DeclarativeBase, Session
from sqlalchemy.types import TypeDecorator

from sekisho.errors import Internal, RequestTimeout, ServiceUnavailable
from sekisho.file_lock import FileLock

DEFAULT_TIMEOUT = 30.0
"""Seconds that a call may take when its caller set no deadline."""

_BUSY = 5.0  # seconds at the most that SQLite waits for a program that does not know our lock file
_LOCK_CLASS = 0x5EC1  # the first key of our two-key advisory locks, so that they are told from those of other programs
_TRANSIENT = {"40001", "40P01", "55P03"}  # serialization failure, deadlock, lock not available


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


class UnsafeDatabase(ServiceUnavailable):
    """The database would lose a committed write, or is none that we know."""


class CommitUnknown(Internal):
    """The database broke off during the commit: the write is there or it is not. Not to be repeated blindly, hence not Unavailable."""


class WriteConflict(ServiceUnavailable):
    """Another write took the same name or the same rows; the pipeline tries the call once more before it says so."""


class Database:
    """One database, opened once for each process."""

    def __init__(self, url: str | URL, *, pool_size: int = 16) -> None:
        self.url = make_url(url)
        self.sqlite = self.url.get_backend_name() == "sqlite"
        if self.sqlite:
            self.engine = _sqlite(self.url, pool_size)
            self._lock = FileLock(Path(str(self.url.database) + ".lock"))
        elif self.url.get_backend_name() == "postgresql":
            self.engine = _postgresql(self.url, pool_size)
        else:
            raise UnsafeDatabase(f"`{self.url.get_backend_name()}` is not a database that Sekisho knows; use sqlite or postgresql+psycopg")

    @contextmanager
    def write(self, accounts: Iterable[str], *, deadline: float | None = None) -> Iterator[Session]:
        """One transaction, alone in the accounts; committed when the block ends, rolled back when it raises.

        `deadline` is on the monotonic clock, in seconds. Raises RequestTimeout or ServiceUnavailable, and then nothing was written.
        """
        deadline = time.monotonic() + DEFAULT_TIMEOUT if deadline is None else deadline
        if self.sqlite:
            with self._lock.held(deadline), self._session(deadline, "IMMEDIATE") as session:
                yield session
                _commit(session, deadline)
        else:
            with self._session(deadline, "READ COMMITTED") as session:
                for account in sorted(set(accounts)):
                    lock(session, f"account:{account}")
                yield session
                _commit(session, deadline)

    @contextmanager
    def read(self, *, deadline: float | None = None) -> Iterator[Session]:
        """One snapshot of the database, read only."""
        deadline = time.monotonic() + DEFAULT_TIMEOUT if deadline is None else deadline
        with self._session(deadline, "DEFERRED" if self.sqlite else "REPEATABLE READ") as session:
            yield session

    @contextmanager
    def _session(self, deadline: float, mode: str) -> Iterator[Session]:
        left = remaining(deadline)
        with translated(), Session(self.engine, expire_on_commit=False, autoflush=True) as session:
            options: dict[str, Any] = (
                {"sekisho_begin": mode, "sekisho_wait": min(_BUSY, left)}
                if self.sqlite
                else {"isolation_level": mode, "postgresql_readonly": mode == "REPEATABLE READ"}
            )
            connection = session.connection(execution_options=options)
            if not self.sqlite:
                connection.execute(text(f"SET LOCAL statement_timeout = {int(left * 1000) + 1}"))
            yield session

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
    """Hold an advisory lock of PostgreSQL until the transaction ends; a no-op on SQLite, where a writer is alone anyway."""
    if session.get_bind().dialect.name == "postgresql":
        key = int.from_bytes(hashlib.sha256(name.encode()).digest()[:4], "big", signed=True)
        session.execute(text("SELECT pg_advisory_xact_lock(:space, :key)"), {"space": _LOCK_CLASS, "key": key})


def _commit(session: Session, deadline: float) -> None:
    session.flush()
    remaining(deadline)
    try:
        session.commit()
    except DBAPIError as error:
        if _undecided(error.orig):
            raise CommitUnknown("The database broke off during the commit; whether the write took place is not known.") from error
        raise


def _undecided(error: BaseException | None) -> bool:
    """Whether a failed commit may have taken place: the connection went, or the disk failed after it had the pages."""
    if isinstance(error, sqlite3.Error):
        return "disk I/O error" in str(error)
    state = getattr(error, "sqlstate", None)
    return state is None or state[:2] in ("08", "57")  # connection exceptions; the server was stopped or cancelled us


@contextmanager
def translated() -> Iterator[None]:
    """Say database errors as ours; the text of the database, which may quote rows, stays in the log as the cause."""
    try:
        yield
    except IntegrityError as error:
        raise WriteConflict(
            "The request was rejected because another request changed the same entity at the same time. Try again."
        ) from error
    except PoolTimeout as error:
        raise ServiceUnavailable("No database connection became free in time.") from error
    except (OperationalError, DBAPIError) as error:
        raise _said(error.orig) from error
    except sqlite3.Error as error:  # from a new connection's pragmas, which SQLAlchemy does not wrap
        raise _said(error) from error


def _said(error: BaseException | None) -> ServiceUnavailable | RequestTimeout:
    """The error of a database in our words."""
    state = getattr(error, "sqlstate", None)
    words = str(error)
    if state in _TRANSIENT:
        return WriteConflict("The request was rejected because it collided with another request. Try again.")
    if state == "57014":
        return RequestTimeout("The deadline of the call passed; nothing was written.")
    if state == "53100" or "disk is full" in words or "No space left" in words or "disk I/O error" in words:
        return ServiceUnavailable("The database cannot take the write: its disk is full or failing. Nothing was written.")
    if "database is locked" in words:
        return ServiceUnavailable("The database is locked by another program. Nothing was written.")
    if "readonly database" in words or state == "25006":
        return ServiceUnavailable("The database is read-only. Nothing was written.")
    return ServiceUnavailable("The database cannot be reached or did not answer. Nothing was written.")


def _sqlite(url: URL, pool_size: int) -> Engine:
    if url.database in (None, "", ":memory:"):
        raise UnsafeDatabase("an in-memory database would lose every write; name a file")
    engine = create_engine(url, connect_args={"timeout": _BUSY, "check_same_thread": False}, pool_size=pool_size, max_overflow=pool_size)

    @event.listens_for(engine, "connect")
    def prepare(connection: Any, _record: Any) -> None:
        connection.isolation_level = None  # we say BEGIN ourselves; pysqlite would say it too late
        cursor = connection.cursor()
        for pragma in ("journal_mode = WAL", "synchronous = FULL", "foreign_keys = ON", "temp_store = MEMORY", "cache_size = -16384"):
            cursor.execute(f"PRAGMA {pragma}")
        cursor.close()

    @event.listens_for(engine, "begin")
    def begin(connection: Any) -> None:
        options = connection.get_execution_options()
        connection.exec_driver_sql(f"PRAGMA busy_timeout = {int(options.get('sekisho_wait', _BUSY) * 1000)}")
        connection.exec_driver_sql(f"BEGIN {options.get('sekisho_begin', 'DEFERRED')}")

    return engine


def _postgresql(url: URL, pool_size: int) -> Engine:
    if url.drivername == "postgresql":
        url = url.set(drivername="postgresql+psycopg")
    # The pool checks a connection before it lends it: after a failover the first call does not pay with an error.
    return create_engine(url, pool_size=pool_size, max_overflow=pool_size, pool_pre_ping=True, pool_timeout=10, connect_args=_PATIENCE)


# A server whose machine is gone says nothing: without these a call would wait for the kernel's own quarter of an hour.
_PATIENCE = {
    "connect_timeout": 5,
    "keepalives_idle": 5,
    "keepalives_interval": 5,
    "keepalives_count": 3,
    "tcp_user_timeout": 20_000,  # milliseconds
}


def refuse_unsafe(database: Database) -> None:
    """Raise UnsafeDatabase when the server's settings would lose a committed write."""
    with database.read() as session:
        if database.sqlite:
            wanted = {"journal_mode": "wal", "synchronous": "2", "foreign_keys": "1"}
            found = {name: str(session.execute(text(f"PRAGMA {name}")).scalar_one()) for name in wanted}
        else:
            wanted = {"fsync": "on", "full_page_writes": "on"}
            found = {name: session.execute(text(f"SHOW {name}")).scalar_one() for name in wanted}
            commit = session.execute(text("SHOW synchronous_commit")).scalar_one()
            if commit == "off":
                wanted["synchronous_commit"], found["synchronous_commit"] = "on", commit
    wrong = [f"{name} is {found[name]}, not {wanted[name]}" for name in wanted if found[name] != wanted[name]]
    if wrong:
        raise UnsafeDatabase(f"the database's settings are unsafe: {'; '.join(wrong)}")
