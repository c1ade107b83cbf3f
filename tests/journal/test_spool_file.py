"""A spool's file that cannot be opened just now: it is whole, and stays where it is."""

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from sekisho.journal import spool_file


def test_a_file_that_others_hold_is_not_taken_for_a_damaged_one(tmp_path: Path) -> None:
    path = tmp_path / "s.db"
    spool_file.opened(path).close()

    def prepare(connection: sqlite3.Connection) -> None:
        connection.execute("PRAGMA busy_timeout = 1")
        connection.execute("BEGIN IMMEDIATE")

    with closing(sqlite3.connect(path, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        with pytest.raises(sqlite3.OperationalError, match="locked"):
            spool_file.mended(path, prepare)
    assert [file.name for file in tmp_path.iterdir() if "damaged" in file.name] == []
