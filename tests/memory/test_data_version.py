"""A file of SQLite that was written to since the last look, or was not."""

import sqlite3
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from sekisho.errors import SekishoError
from sekisho.memory.data_version import DataVersion
from sekisho.store import db


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """A file whose name is not one of a URL."""
    made = tmp_path / "a b?c=d#e.db"
    write(made, "CREATE TABLE t (n INTEGER)")
    return made


@pytest.fixture
def version(path: Path) -> Iterator[DataVersion]:
    class Database:
        class url:  # noqa: N801  # as SQLAlchemy has it
            database = str(path)

    made = DataVersion(Database())  # type: ignore[arg-type]
    yield made
    made.close()


def write(path: Path, statement: str = "INSERT INTO t VALUES (1)") -> None:
    """Commit something."""
    connection = sqlite3.connect(path)
    connection.execute(statement)
    connection.commit()
    connection.close()


def look(version: DataVersion) -> bool:
    """True when there were commits."""
    with version.looked() as changed:
        return changed


def test_each_commit_is_seen_once(version: DataVersion, path: Path) -> None:
    assert [look(version), look(version)] == [True, False], "the first look knows nothing"
    write(path)
    assert [look(version), look(version)] == [True, False]


def test_a_look_that_comes_to_nothing_is_made_again(version: DataVersion) -> None:
    look(version)
    for error in (RuntimeError(), KeyboardInterrupt()):
        with pytest.raises(type(error)), version.looked():
            raise error
        assert version._connection is None
        assert [look(version), look(version)] == [True, False]


def test_after_it_was_closed_a_look_begins_anew(version: DataVersion) -> None:
    look(version)
    version.close()
    version.close()
    assert version._connection is None
    assert [look(version), look(version)] == [True, False]


def test_one_looks_at_a_time(version: DataVersion) -> None:
    with version.looked():
        assert not version._lock.acquire(blocking=False)
    assert version._lock.acquire(blocking=False)
    version._lock.release()


def test_a_file_that_is_gone_is_not_made_anew(version: DataVersion, path: Path) -> None:
    path.unlink()
    with pytest.raises(SekishoError):
        look(version)
    assert not path.exists()


def test_any_thread_may_look(version: DataVersion) -> None:
    look(version)
    with ThreadPoolExecutor(1) as other:
        assert other.submit(look, version).result(60) is False


def test_it_is_of_the_file_of_its_database(path: Path) -> None:
    with db.Database(f"sqlite:///{path.parent / 'plain.db'}") as database:
        write(path.parent / "plain.db", "CREATE TABLE t (n INTEGER)")
        made = DataVersion(database)
        assert look(made)
        write(path.parent / "plain.db")
        assert look(made)
        made.close()
