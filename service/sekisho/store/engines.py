"""The two databases, opened so that they lose nothing that was committed."""

import select
import time
from collections.abc import Callable, Mapping
from typing import Any

import psycopg
from sqlalchemy import Engine, create_engine, event
from sqlalchemy.engine import URL
from sqlalchemy.exc import DisconnectionError

from sekisho.errors import ServiceUnavailable

BUSY = 5.0
"""Seconds at the most that SQLite waits for a program that does not know our lock file."""

_LIMIT = 30_000  # milliseconds that one statement of PostgreSQL may take
_IDLE = 1.0  # seconds after which a connection of PostgreSQL is asked before it is lent


class UnsafeDatabase(ServiceUnavailable):
    """The database would lose a committed write, or is none that we know."""


def opened(url: URL, pool_size: int) -> Engine:
    """The engine of a database, with its pool; UnsafeDatabase for one that we do not know."""
    make = _MAKERS.get(url.get_backend_name())
    if make is None:
        raise UnsafeDatabase(f"`{url.get_backend_name()}` is not a database that Sekisho knows; use sqlite or postgresql+psycopg")
    return make(url, pool_size)


def _sqlite(url: URL, pool_size: int) -> Engine:
    if url.database in (None, "", ":memory:"):
        raise UnsafeDatabase("an in-memory database would lose every write; name a file")
    engine = create_engine(url, connect_args={"timeout": BUSY, "check_same_thread": False}, pool_size=pool_size, max_overflow=pool_size)

    @event.listens_for(engine, "connect")
    def prepare(connection: Any, _record: Any) -> None:
        connection.isolation_level = None  # we say BEGIN ourselves; pysqlite would say it too late
        cursor = connection.cursor()
        for pragma in ("journal_mode = WAL", "synchronous = FULL", "foreign_keys = ON", "temp_store = MEMORY", "cache_size = -16384"):
            cursor.execute(f"PRAGMA {pragma}")
        cursor.close()

    return engine


def _postgresql(url: URL, pool_size: int) -> Engine:
    if url.drivername == "postgresql":
        url = url.set(drivername="postgresql+psycopg")
    # In the driver's autocommit we say BEGIN ourselves, with all that belongs to it, in one round trip.
    engine = create_engine(
        url, pool_size=pool_size, max_overflow=pool_size, isolation_level="AUTOCOMMIT", pool_timeout=10, connect_args=_PATIENCE
    )

    @event.listens_for(engine, "connect")
    def limit(connection: Any, _record: Any) -> None:
        """For what runs outside transactions, which set their own."""
        connection.execute(f"SET statement_timeout = {_LIMIT}")

    @event.listens_for(engine, "checkout")
    def check(connection: Any, record: Any, _proxy: Any) -> None:
        """After a failover the first call does not pay with an error. A server that closed a connection made its socket readable;
        one that vanished did not: after a pause it is asked.
        """
        now = time.monotonic()
        idle = now - record.info.get("lent", now)
        record.info["lent"] = now
        if connection.closed or idle > _IDLE or _readable(connection):
            try:
                connection.execute("SELECT 1")
            except psycopg.Error as error:
                raise DisconnectionError from error

    return engine


def _readable(connection: Any) -> bool:
    asked = select.poll()
    asked.register(connection.fileno(), select.POLLIN)
    return bool(asked.poll(0))


# A server whose machine is gone says nothing: without these a call would wait for the kernel's own quarter of an hour.
_PATIENCE = {
    "connect_timeout": 5,
    "keepalives_idle": 5,
    "keepalives_interval": 5,
    "keepalives_count": 3,
    "tcp_user_timeout": 20_000,  # milliseconds
}

_MAKERS: Mapping[str, Callable[[URL, int], Engine]] = {"sqlite": _sqlite, "postgresql": _postgresql}
