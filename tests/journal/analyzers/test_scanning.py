"""The scan, step by step: what it looks at, and what becomes of it when it is overtaken, interrupted, or robbed of its database."""

from collections.abc import Iterator
from datetime import timedelta

import pytest
from sqlalchemy import select, update

from sekisho.errors import ServiceUnavailable
from sekisho.journal.analyzers import scanning as module
from sekisho.journal.analyzers import writing
from sekisho.journal.analyzers.slices import SLICE
from sekisho.store import db
from sekisho.store.tables import AccessFinding, AnalyzedResource, Analyzer, ScanTurn
from tests.journal.analyzers.estate import CLOSED, NOW, Estate, estate, exhausted


@pytest.fixture
def made(database_url: str) -> Iterator[Estate]:
    """An account with an analyzer that has looked at nothing yet."""
    with db.Database(database_url) as database:
        found = estate(database)
        found.analyzer()
        yield found


def test_a_thousand_roles_that_change_at_once_are_looked_at_in_slices(made: Estate) -> None:
    scanning = made.scanning()
    exhausted(scanning)
    for first in range(0, 1000, 100):
        made.roles(first, 100)
    steps = exhausted(scanning)
    assert steps >= 5
    assert len(made.statuses()) == 1000
    assert set(made.statuses().values()) == {"ACTIVE"}
    assert made.count(AnalyzedResource) == [1000]
    made.trust(7, CLOSED)
    exhausted(scanning)
    assert [name for name, status in made.statuses().items() if status == "RESOLVED"] == ["role-7"]
    assert exhausted(scanning) == 1


def test_what_is_there_is_looked_at_in_slices(made: Estate) -> None:
    made.roles(0, 3 * SLICE + 1)
    assert exhausted(made.scanning()) >= 4
    assert len(made.statuses()) == 3 * SLICE + 1


def test_a_slice_that_is_interrupted_is_done_again_and_changes_nothing_twice(made: Estate, monkeypatch: pytest.MonkeyPatch) -> None:
    scanning = made.scanning()
    exhausted(scanning)
    made.roles(0, 3)
    count = writing.count

    class KilledError(Exception):
        """The process is gone."""

    def killed(*_: object) -> None:
        raise KilledError

    with monkeypatch.context() as patched:
        patched.setattr(module, "_move", lambda session, todo: killed())
        with pytest.raises(KilledError):
            scanning.once()
    assert made.statuses() == {}
    with monkeypatch.context() as patched:
        patched.setattr(writing, "count", killed)  # after the commit
        with pytest.raises(KilledError):
            scanning.once()
    assert writing.count is count
    assert len(made.statuses()) == 3
    with made.database.read() as session:
        before = {row.id: row.updated_at for row in session.scalars(select(AccessFinding))}
    again = made.scanning()
    with made.database.write(()) as session:  # as if the place in the log had not been written
        session.execute(update(ScanTurn).values(number=ScanTurn.number, turn=ScanTurn.turn + 1))
    exhausted(again)
    with made.database.read() as session:
        assert {row.id: row.updated_at for row in session.scalars(select(AccessFinding))} == before


def test_of_two_who_scan_at_once_one_writes(made: Estate) -> None:
    first, second = made.scanning(), made.scanning()
    exhausted(first)
    made.roles(0, 3)
    made.beside = lambda: exhausted(second)
    assert first.once() is True  # and looks again
    assert len(made.statuses()) == 3
    assert exhausted(first) == 1


def test_an_analyzer_that_is_deleted_while_it_is_scanned_for_leaves_nothing(made: Estate) -> None:
    scanning = made.scanning()
    made.roles(0, 5)
    made.beside = lambda: made.delete("analyzer-main")
    exhausted(scanning)
    assert made.count(AccessFinding, AnalyzedResource, Analyzer) == [0, 0, 0]


def test_what_a_deleted_analyzer_found_is_cleared_away_a_little_at_a_time(made: Estate, monkeypatch: pytest.MonkeyPatch) -> None:
    scanning = made.scanning()
    made.roles(0, 10)
    exhausted(scanning)
    monkeypatch.setattr(module, "MOST_GONE", 4)
    made.delete("analyzer-main")
    assert exhausted(scanning) >= 5
    assert made.count(AccessFinding, AnalyzedResource, Analyzer) == [0, 0, 0]


def test_a_database_that_is_gone_costs_nothing_but_time(made: Estate, monkeypatch: pytest.MonkeyPatch) -> None:
    scanning = made.scanning()
    exhausted(scanning)
    made.roles(0, 2)

    def gone(*_: object, **__: object) -> None:
        raise ServiceUnavailable("The database cannot be reached.")

    for name in ("write", "read"):
        with monkeypatch.context() as patched:
            patched.setattr(made.database, name, gone)
            with pytest.raises(ServiceUnavailable):
                scanning.once()
    exhausted(scanning)
    assert made.statuses() == {"role-0": "ACTIVE", "role-1": "ACTIVE"}


def test_another_history_is_looked_at_from_its_beginning(made: Estate) -> None:
    scanning = made.scanning()
    exhausted(scanning)
    with made.database.write(()) as session:
        session.execute(update(ScanTurn).values(nonce="of another"))
    made.roles(0, 2)
    with made.database.write(()) as session:
        session.execute(update(ScanTurn).values(number=10_000))
    exhausted(made.scanning())
    assert len(made.statuses()) == 2


def test_a_resource_that_cannot_be_looked_at_is_a_finding(made: Estate) -> None:
    scanning = made.scanning()
    scanning._looking._ask = lambda *_: None
    made.roles(0, 1, CLOSED)
    exhausted(scanning)
    with made.database.read() as session:
        (one,) = session.scalars(select(AccessFinding)).all()
        assert (one.status, one.error) == ("ACTIVE", "INTERNAL_ERROR")
        assert session.scalars(select(AnalyzedResource.error)).all() == ["INTERNAL_ERROR"]


def test_resolved_findings_are_kept_for_ninety_days(made: Estate) -> None:
    scanning = made.scanning()
    made.roles(0, 2)
    exhausted(scanning)
    made.trust(0, CLOSED)
    exhausted(scanning)
    with made.database.write(()) as session:
        session.execute(update(AccessFinding).values(updated_at=NOW - timedelta(days=91)))
    scanning._purge_at = 0.0
    exhausted(scanning)
    assert made.statuses() == {"role-1": "ACTIVE"}


def test_the_lag_is_what_is_not_looked_at_yet(made: Estate) -> None:
    scanning = made.scanning()
    exhausted(scanning)
    for number in range(5):
        made.roles(200 * number, 150)
    scanning.once()
    assert module.LAG.labels().numbers[0] > 0
    exhausted(scanning)
    assert module.LAG.labels().numbers[0] == 0


def test_one_policy_is_asked_about_once(made: Estate) -> None:
    made.roles(0, 20)
    made.roles(20, 20, CLOSED)
    exhausted(made.scanning())
    assert len(made.looked) == 2


def test_a_slice_is_smaller_where_looking_takes_long(made: Estate, monkeypatch: pytest.MonkeyPatch) -> None:
    scanning = made.scanning()
    exhausted(scanning)
    monkeypatch.setattr(module, "LONG", -1.0)
    made.roles(0, 4)
    exhausted(scanning)
    assert scanning._size == SLICE // 2
    monkeypatch.setattr(module, "LONG", 1e9)
    made.roles(4, 1)
    exhausted(scanning)
    assert scanning._size == SLICE
