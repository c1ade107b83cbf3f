"""A lease on a database: of several processes, over all nodes, one has it, for as long as it lives.

On PostgreSQL it is an advisory lock of a session that is kept open for it; on SQLite a lock on a file beside the database. Both end with
the process. One whose session breaks does not know it before it looks again: for so long two may believe that they have it.
"""

import fcntl
import os
from contextlib import suppress
from pathlib import Path
from typing import Any

from sqlalchemy import PoolProxiedConnection

from sekisho.store import db


class Lease:
    """The lease of a name; each process makes its own."""

    def __init__(self, database: db.Database, name: str) -> None:
        self._database, self._name = database, name
        self._handle: int | None = None
        self._session: PoolProxiedConnection | None = None

    def take(self) -> bool:
        """Have it, if it is free or one's own already; whether one has it."""
        return self._of_file() if self._database.sqlite else self._of_session()

    def release(self) -> None:
        """Leave it to another."""
        if self._handle is not None:
            os.close(self._handle)
            self._handle = None
        if self._session is not None:
            session, self._session = self._session, None
            session.invalidate()  # the lock is the session's, and the session must not be lent to anybody

    def _of_file(self) -> bool:
        if self._handle is None:
            handle = os.open(Path(f"{self._database.url.database}.{self._name}.lease"), os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
            try:
                fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                os.close(handle)
                return False
            self._handle = handle
        return True

    def _of_session(self) -> bool:
        with db.translated():
            if self._session is not None:
                try:
                    db.last_row(self._session.driver_connection, "SELECT 1")
                    return True
                except Exception:
                    with suppress(Exception):
                        self.release()
                    self._session = None
                    raise
            session = self._database.engine.raw_connection()
            driver: Any = session.driver_connection
            row = db.last_row(driver, f"SELECT pg_try_advisory_lock({db.lock_key(self._name)})")
            if row is None or row[0] != "t":
                session.close()
                return False
            self._session = session
            return True
