"""The two databases, opened so that they lose nothing that was committed."""

import os
import select
import socket
import sqlite3
import time
from collections.abc import Callable, Mapping
from typing import Any

import psycopg
from sqlalchemy import Engine, create_engine, event
from sqlalchemy.engine import URL
from sqlalchemy.exc import DisconnectionError

from sekisho.errors import ServiceUnavailable
from sekisho.store import durable
from sekisho.store.pulse import Pulse

BUSY = 1.0
"""Seconds at the most that SQLite waits for a program that does not know our lock file."""

_LIMIT = 30_000  # milliseconds that one statement of PostgreSQL may take
FILE = "file"
"""Where the record of a connection of SQLite has which file it opened."""

MOVED = "the file was removed or replaced"
"""The words of the driver's error for that."""

_WIRE = "wire"  # where the record of a connection has the socket, to be shut when the server is silent
_IDLE = 1.0  # seconds after which a connection of PostgreSQL is asked before it is lent


class UnsafeDatabase(ServiceUnavailable):
    """The database would lose a committed write, or is none that we know."""


def opened(url: URL, pool_size: int, *, make: bool = True) -> Engine:
    """The engine of a database, with its pool; UnsafeDatabase for one that we do not know. `make` is about a file that is not there."""
    maker = _MAKERS.get(url.get_backend_name())
    if maker is None:
        raise UnsafeDatabase(f"`{url.get_backend_name()}` is not a database that Sekisho knows; use sqlite or postgresql+psycopg")
    return maker(url, pool_size, make)


def _sqlite(url: URL, pool_size: int, make: bool) -> Engine:
    if not url.database or url.database == ":memory:":
        raise UnsafeDatabase("an in-memory database would lose every write; name a file")
    path = url.database
    engine = create_engine(url, connect_args={"timeout": BUSY, "check_same_thread": False}, pool_size=pool_size, max_overflow=pool_size)
    first: list[durable.Identity] = []

    @event.listens_for(engine, "do_connect")
    def refuse(_dialect: Any, _record: Any, _arguments: Any, _named: Any) -> None:
        """SQLite would make the file that is gone, empty."""
        if first and durable.identity(path) != first[0]:
            raise sqlite3.OperationalError(MOVED)
        if not make and durable.identity(path) is None:
            raise sqlite3.OperationalError("there is no such file")

    @event.listens_for(engine, "engine_disposed")
    def disposed(_engine: Engine) -> None:
        first.clear()

    @event.listens_for(engine, "connect")
    def prepare(connection: Any, record: Any) -> None:
        first[:] = first or [durable.identity(path)]
        record.info[FILE] = first[0]
        connection.isolation_level = None  # we say BEGIN ourselves; pysqlite would say it too late
        cursor = connection.cursor()
        for pragma in ("journal_mode = WAL", "synchronous = FULL", "foreign_keys = ON", "temp_store = MEMORY", "cache_size = -16384"):
            cursor.execute(f"PRAGMA {pragma}")
        cursor.close()

    return engine


def _postgresql(url: URL, pool_size: int, _make: bool) -> Engine:
    if url.drivername == "postgresql":
        url = url.set(drivername="postgresql+psycopg")
    # In the driver's autocommit we say BEGIN ourselves, with all that belongs to it, in one round trip.
    engine = create_engine(
        url, pool_size=pool_size, max_overflow=pool_size, isolation_level="AUTOCOMMIT", pool_timeout=10, connect_args=_CONNECT
    )

    _, named = engine.dialect.create_connect_args(url)
    pulse = Pulse(lambda: _ask(**named))

    @event.listens_for(engine, "do_connect")
    def refuse(_dialect: Any, _record: Any, _arguments: Any, _named: Any) -> None:
        _refuse_silent(pulse)

    @event.listens_for(engine, "connect")
    def limit(connection: Any, record: Any) -> None:
        """For what runs outside transactions, which set their own."""
        connection.execute(f"SET statement_timeout = {_LIMIT}")
        # Of our own, since the driver may close its own at any time, and the number be another file's by then.
        record.info[_WIRE] = socket.socket(fileno=os.dup(connection.fileno()))

    @event.listens_for(engine, "checkout")
    def check(connection: Any, record: Any, _proxy: Any) -> None:
        """After a failover the first call does not pay with an error. A server that closed a connection made its socket readable;
        one that vanished did not: after a pause it is asked.
        """
        _refuse_silent(pulse)
        pulse.lent(connection, record.info[_WIRE])
        now = time.monotonic()
        idle = now - record.info.get("lent", now)
        record.info["lent"] = now
        if connection.closed or idle > _IDLE or _readable(connection):
            try:
                connection.execute("SELECT 1")
            except psycopg.Error as error:
                raise DisconnectionError from error

    @event.listens_for(engine, "checkin")
    def back(connection: Any, _record: Any) -> None:
        pulse.returned(connection)

    @event.listens_for(engine, "close")
    def gone(connection: Any, record: Any) -> None:
        pulse.returned(connection)
        wire = record.info.pop(_WIRE, None)
        if wire is not None:
            wire.close()

    @event.listens_for(engine, "engine_disposed")
    def disposed(_engine: Engine) -> None:
        pulse.close()

    return engine


def beside(url: URL) -> "psycopg.Connection[Any]":
    """A connection to PostgreSQL beside the pool, for who keeps it."""
    dialect: Any = url.set(drivername="postgresql+psycopg").get_dialect()()
    _, named = dialect.create_connect_args(url)
    return psycopg.connect(**(_CONNECT | named), autocommit=True)


def _refuse_silent(pulse: Pulse) -> None:
    if pulse.silent:
        raise psycopg.OperationalError("the server does not answer")


def _ask(**named: Any) -> None:
    """Return when the server answers at all; TimeoutError when it does not."""
    try:
        psycopg.connect(**(named | {"connect_timeout": 2})).close()
    except psycopg.errors.ConnectionTimeout as error:
        raise TimeoutError from error
    except psycopg.Error:
        return  # a refusal is an answer


def _readable(connection: Any) -> bool:
    asked = select.poll()
    asked.register(connection.fileno(), select.POLLIN)
    return bool(asked.poll(0))


# A server whose machine is gone says nothing: without the times a call would wait for the kernel's own quarter of an hour.
_CONNECT = {
    "connect_timeout": 2,
    "keepalives_idle": 5,
    "keepalives_interval": 5,
    "keepalives_count": 3,
    "tcp_user_timeout": 20_000,  # milliseconds
    "client_encoding": "utf8",  # else psycopg hands out bytes where the database's encoding is SQL_ASCII, before anybody can refuse it
}

_MAKERS: Mapping[str, Callable[[URL, int, bool], Engine]] = {"sqlite": _sqlite, "postgresql": _postgresql}
