"""SQLite databases that are migrated already: migrating one costs 80 ms of CPU, copying one hardly any, and nearly every test needs one."""

import tempfile
from functools import cache
from pathlib import Path

from sekisho.store import db, schema


def migrated(path: Path) -> str:
    """A database with today's schema and no row, by its URL; a file that is there already is left alone."""
    if not path.exists():
        path.write_bytes(_content())
    return f"sqlite:///{path}"


@cache
def _content() -> bytes:
    with tempfile.TemporaryDirectory(prefix="sekisho-sqlite-") as folder:
        path = Path(folder) / "migrated.db"
        with db.Database(f"sqlite:///{path}") as database:
            schema.upgrade(database)
        assert sorted(file.name for file in path.parent.iterdir() if file.stat().st_size) == ["migrated.db"]  # all is in the one file
        return path.read_bytes()
