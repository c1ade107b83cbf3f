"""Being the only one of all processes that does something, for as long as it wants to.

On PostgreSQL by an advisory lock of a connection of its own, on SQLite by a lock file beside the database. Both end with the process,
however that ends. Whoever holds it must still do nothing that two could not do: PostgreSQL lets the next one in when it misses the
connection, which the first may notice later.
"""

import fcntl
import os
import select
import threading
import time
from typing import Any

import psycopg

from sekisho.store import db, engines

SILENCE = 5.0
"""Seconds after which a PostgreSQL that says nothing is given up: the pool's connections have a pulse for that, this one is not theirs."""


class Alone:
    """A claim of one name, on one database."""

    def __init__(self, database: db.Database, name: str) -> None:
        self._database, self._name = database, name
        self._lock = threading.Lock()
        self._file: int | None = None
        self._connection: Any = None

    def take(self) -> bool:
        """Hold the name, if it is free or held here already; whether it is held. Waits for no other process, and not
        for ever for a database that hangs.
        """
        with self._lock:
            return self._take_file() if self._database.sqlite else self._take_connection()

    def release(self) -> None:
        """Let another process have the name."""
        with self._lock:
            if self._file is not None:
                os.close(self._file)
                self._file = None
            self._drop()

    def _take_file(self) -> bool:
        if self._file is not None:
            return True
        path = f"{self._database.url.database}.{self._name}.lock"
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            os.close(descriptor)
            if isinstance(error, BlockingIOError):
                return False
            raise
        self._file = descriptor
        return True

    def _take_connection(self) -> bool:
        with db.translated():
            try:
                if self._connection is None:
                    self._connection = engines.beside(self._database.url)
                    if _answer(self._connection, db.trying(self._name)) != b"t":
                        self._drop()
                else:
                    _answer(self._connection, "SELECT 1")
            except BaseException:
                self._drop()
                raise
        return self._connection is not None

    def _drop(self) -> None:
        """Close the connection, with which the lock ends."""
        if self._connection is not None:
            self._connection.close()
            self._connection = None


def _answer(connection: "psycopg.Connection[Any]", statement: str) -> bytes | None:
    """The first value of a statement's first row; OperationalError when the server is silent."""
    asked, limit = connection.pgconn, time.monotonic() + SILENCE
    heard = select.poll()
    heard.register(asked.socket, select.POLLIN)
    asked.send_query(statement.encode())
    value = None
    while True:
        while asked.is_busy():
            if not heard.poll(max(0.0, limit - time.monotonic()) * 1000):
                raise psycopg.OperationalError("the server does not answer")
            asked.consume_input()
        result = asked.get_result()
        if result is None:
            return value
        if result.status != psycopg.pq.ExecStatus.TUPLES_OK:
            raise psycopg.errors.error_from_result(result)
        value = result.get_value(0, 0)
