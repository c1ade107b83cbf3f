"""A database that can be looked at as it was: what a standby that lags shows."""

import sqlite3
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from sqlalchemy import text
from sqlalchemy.orm import Session

from sekisho.store import db


class Lagging(db.Database):
    """Serves reads from an older snapshot while `behind` is set; `hold` takes that snapshot. SQLite: a copy of the file."""

    def __init__(self, url: str, folder: Path) -> None:
        super().__init__(url)
        self.behind = False
        self._folder = folder
        self._held = ExitStack()
        self._copy: db.Database | None = None
        self._snapshot = ""

    def hold(self) -> None:
        """Take the snapshot that is served when the database is behind."""
        self._held.close()
        if self.sqlite:
            path = self._folder / "behind.db"
            path.unlink(missing_ok=True)
            with sqlite3.connect(str(self.url.database)) as now, sqlite3.connect(path) as copy:
                now.backup(copy)
            now.close()
            copy.close()
            self._copy = self._held.enter_context(db.Database(f"sqlite:///{path}"))
        else:
            session = self._held.enter_context(super().read(deadline=None))
            self._snapshot = str(session.execute(text("SELECT pg_export_snapshot()")).scalar_one())

    @contextmanager
    def read(self, *, deadline: float | None = None, first: str = "") -> Iterator[Session]:
        """As the database, then or now."""
        if not self.behind:
            with super().read(deadline=deadline, first=first) as session:
                yield session
        elif self._copy is not None:
            with self._copy.read(deadline=deadline, first=first) as session:
                yield session
        else:
            with super().read(deadline=deadline, first=f"SET TRANSACTION SNAPSHOT '{self._snapshot}'; {first or 'SELECT 1'}") as session:
                yield session

    def glance(self, query: str, *, deadline: float | None = None) -> db.Row | None:
        """As the database, then or now."""
        if not self.behind:
            return super().glance(query, deadline=deadline)
        with self.read(deadline=deadline, first=query) as session:
            row: db.Row | None = session.info[db.FIRST]
            return row

    def close(self) -> None:
        """Give back every connection, the held one first."""
        self._held.close()
        super().close()
