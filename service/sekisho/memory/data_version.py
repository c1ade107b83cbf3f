"""Whether anything was committed to a SQLite database since the last look: a look into shared memory, which costs microseconds."""

import sqlite3
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from urllib.parse import quote

from sekisho.store import db


class DataVersion:
    """A connection of its own, since SQLite does not tell a connection of its own commits. For one look at a time."""

    def __init__(self, database: db.Database) -> None:
        self._path = str(database.url.database)
        self._connection: sqlite3.Connection | None = None
        self._last: int | None = None
        self._lock = threading.Lock()

    @contextmanager
    def looked(self) -> Iterator[bool]:
        """Whether there were commits. What the block does about them is done before the next look; when it fails, so has the look."""
        with self._lock:
            try:
                yield self._changed()
            except BaseException:
                self._forget()
                raise

    def close(self) -> None:
        """Give back the connection; a look after that makes another."""
        with self._lock:
            self._forget()

    def _changed(self) -> bool:
        if self._connection is None:
            with db.translated():  # a file that is gone must not be made anew, empty
                self._connection = sqlite3.connect(
                    f"file:{quote(self._path)}?mode=rw", uri=True, timeout=1.0, isolation_level=None, check_same_thread=False
                )
        (version,) = self._connection.execute("PRAGMA data_version").fetchone()
        changed, self._last = version != self._last, version
        return bool(changed)

    def _forget(self) -> None:
        self._last = None
        if self._connection is not None:
            self._connection.close()
            self._connection = None
