"""Takes entries out of the spool of another process: what stands in the file that was opened, whatever becomes of its name."""

import sqlite3
from collections.abc import Sequence
from pathlib import Path
from typing import Self
from urllib.parse import quote

from sekisho.journal import spool_file
from sekisho.journal.spool import Entry


class Outlet:
    """The file of a spool, opened by who drains it; sqlite3.Error when there is none."""

    def __init__(self, path: Path) -> None:
        # Not made when it is not there: whose spool it is makes it.
        self._connection = sqlite3.connect(f"file:{quote(str(path))}?mode=rw", uri=True, timeout=5.0, isolation_level=None)

    def waiting(self, limit: int = 500) -> Sequence[Entry]:
        """The oldest entries."""
        rows = self._connection.execute("SELECT kind, body, number, account FROM entries ORDER BY number LIMIT ?", (limit,)).fetchall()
        return [Entry(*row) for row in rows]

    def delivered(self, last: int) -> None:
        """Forget the entries up to this number: the database has them."""
        self._connection.execute("PRAGMA synchronous = FULL")
        self._connection.execute("DELETE FROM entries WHERE number <= ?", (last,))

    def refuse(self, entry: Entry) -> None:
        """Keep an entry aside that the database will never take."""
        spool_file.refuse(self._connection, entry.kind, entry.body, entry.account)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc: object) -> None:
        self._connection.close()
