"""A database with records, and what links them."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from sekisho.credentials.key_ring import KeyRing
from sekisho.store import db
from tests.journal.trail.records import Trail


@pytest.fixture
def database(database_url: str) -> Iterator[db.Database]:
    with db.Database(database_url) as made:
        yield made


@pytest.fixture
def ring(tmp_path: Path) -> KeyRing:
    return KeyRing.create(tmp_path / "keyring.json")


@pytest.fixture
def trail(database: db.Database, ring: KeyRing) -> Trail:
    return Trail(database, ring)
