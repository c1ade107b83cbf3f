"""Statements are compiled once for all engines of one kind, and once more for another kind or version."""

from pathlib import Path

from sqlalchemy import select
from sqlalchemy.engine import Dialect

from sekisho.store import db
from sekisho.store.tables import User
from tests import compiled, sqlite


def dialect(path: Path) -> Dialect:
    """That of an engine which has connected."""
    with db.Database(sqlite.migrated(path)) as database, database.read() as session:
        session.scalar(select(User.id).where(User.name == path.name))
    return database.engine.dialect


def test_what_one_engine_has_compiled_another_one_has(tmp_path: Path) -> None:
    first = dialect(tmp_path / "a.db")
    kept = len(compiled.CACHE)
    second = dialect(tmp_path / "b.db")
    assert first is not second
    assert first == second
    assert len(compiled.CACHE) == kept


def test_dialects_that_compile_otherwise_are_others(tmp_path: Path, postgres_url: str) -> None:
    first, second = dialect(tmp_path / "a.db"), dialect(tmp_path / "b.db")
    vars(second)["default_schema_name"] = "elsewhere"
    assert first != second
    assert first != db.Database(postgres_url).engine.dialect
