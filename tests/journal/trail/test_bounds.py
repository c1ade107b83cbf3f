"""Indexes find what is looked for again and again, however long the trail is."""

from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import event

from sekisho.credentials.key_ring import KeyRing
from sekisho.journal.trail import checkpoints, evidence
from sekisho.journal.trail.checkpoints import Checkpoints
from sekisho.journal.trail.evidence import Wanted, Witness
from sekisho.journal.trail.retention import Retention
from sekisho.journal.trail.sealer import Sealer
from sekisho.store import db
from tests import sqlite
from tests.journal.trail.records import NOW, Trail

LONG = "audit_records", "trail_links", "trail_resources", "trail_checkpoints"


@pytest.fixture
def trail(tmp_path: Path, ring: KeyRing) -> Iterator[Trail]:
    with db.Database(sqlite.migrated(tmp_path / "sekisho.db")) as database:
        made = Trail(database, ring)
        made.fill(6)
        made.seal()
        maker(made, tmp_path).once()
        yield made


def maker(trail: Trail, folder: Path) -> Checkpoints:
    return Checkpoints(trail.database, trail.ring, publish=[checkpoints.folder(folder)], now=lambda: trail.now)


def plans(trail: Trail, step: Callable[[], object]) -> list[str]:
    """SQLite's plans for what the statements of a step ask for in tables that grow with the trail."""
    asked: list[tuple[str, Any]] = []

    def note(_connection: Any, _cursor: Any, statement: str, parameters: Any, _context: Any, many: bool) -> None:
        if not many and statement.startswith(("SELECT", "UPDATE", "DELETE")):
            asked.append((statement, parameters))

    event.listen(trail.database.engine, "before_cursor_execute", note)
    step()
    event.remove(trail.database.engine, "before_cursor_execute", note)
    with trail.database.read() as session:
        connection: Any = session.connection().connection.driver_connection
        rows = [row[-1] for said, given in asked for row in connection.execute(f"EXPLAIN QUERY PLAN {said}", given)]
    assert rows
    return [row for row in rows if any(name in row.split() for name in LONG)]


def test_what_is_done_each_second_reads_no_table(trail: Trail, tmp_path: Path) -> None:
    steps: list[Callable[[], object]] = [
        Sealer(trail.database, trail.ring).once,
        maker(trail, tmp_path).once,
        maker(trail, tmp_path).publish,
    ]
    found = [plan for step in steps for plan in plans(trail, step)]
    assert [plan for plan in found if "INDEX" not in plan] == []
    assert "SCAN trail_checkpoints USING INDEX ix_trail_checkpoints_unpublished" in found


def test_the_resources_of_records_are_found_by_their_ordinals(trail: Trail) -> None:
    """By the account, each batch would read all that the account has."""
    trail.now = NOW + timedelta(days=100)
    retained = plans(trail, Retention(trail.database, trail.ring, days=90, now=lambda: trail.now).once)
    verified = plans(trail, lambda: evidence.of_database(trail.database, Witness(trail.ring), Wanted()))
    for found in (retained, verified):
        assert "SEARCH trail_resources USING INDEX ix_trail_resources_ordinal (ordinal=?)" in found
