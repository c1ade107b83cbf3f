"""The process that writes memory to the disk, and the file that a world begins from; threads and files are in `test_restored.py`."""

import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from structlog.testing import capture_logs

from sekisho.errors import ServiceUnavailable
from sekisho.memory import keeper, lines, snapshot
from sekisho.memory.keeper import Keeper
from sekisho.memory.snapshot import SnapshotRejected
from sekisho.store.changes import ORIGIN, Point
from tests import scraped

NOW = datetime(2026, 1, 1, tzinfo=UTC)
RING: Any = object()
PATH = Path("/nowhere/memory")


class FakeWorld:
    """A world at a point, confirmed so many seconds ago."""

    def __init__(self, point: Point | None = None) -> None:
        self.point = point or Point(7, "7" * 16)
        self.confirmed = SimpleNamespace(age=50.0)
        self.asked: list[datetime] = []
        self.begun: list[tuple[Any, ...]] = []

    def taken(self, now: datetime) -> Any:
        self.asked.append(now)
        return SimpleNamespace(point=self.point)

    def restore(self, *given: Any) -> None:
        self.begun.append(given)


def keeper_of(world: FakeWorld, *, every: float = 60.0) -> Keeper:
    """A keeper whose thread nobody has started."""
    return Keeper(world, RING, PATH, every=every)  # type: ignore[arg-type]


@pytest.fixture
def written(monkeypatch: pytest.MonkeyPatch) -> list[tuple[Any, ...]]:
    """Written in the place of files."""
    seen: list[tuple[Any, ...]] = []
    monkeypatch.setattr(snapshot, "write", lambda *given: seen.append(given))
    return seen


def test_what_memory_holds_now_is_written(written: list[tuple[Any, ...]]) -> None:
    world, before = FakeWorld(), datetime.now(UTC)
    keeper_of(world).write()
    ((path, taken, ring),) = written
    assert (path, taken.point, ring) == (PATH, world.point, RING)
    assert before <= world.asked[0] <= datetime.now(UTC)
    assert 50 <= scraped.value("sekisho_snapshot_age_seconds") < 80


def test_a_world_that_has_not_begun_leaves_alone_what_is_there(written: list[tuple[Any, ...]]) -> None:
    keeper_of(FakeWorld(ORIGIN)).write()
    assert written == []


class Turns:
    """An event that is set after so many turns; `waited` are the seconds that each would have taken."""

    def __init__(self, turns: int) -> None:
        self.waited: list[float] = []
        self._turns = turns

    def wait(self, seconds: float) -> bool:
        self.waited.append(seconds)
        return len(self.waited) == self._turns


def run(made: Keeper, turns: int, write: Callable[[], None]) -> list[float]:
    """The thread's own turns here, the last because it is to stop; how long it would have waited before each."""
    made._stop = events = Turns(turns)  # type: ignore[assignment]
    made.write = write  # type: ignore[method-assign]
    made._run()
    return events.waited


def test_it_writes_every_so_many_seconds_and_once_at_the_end(monkeypatch: pytest.MonkeyPatch) -> None:
    """A snapshot that costs more than a twentieth of that has the next one wait."""
    spent, costs = [0.0], iter([1.0, 10.0, 3.0, 2.0])
    monkeypatch.setattr(time, "thread_time", lambda: spent[0])

    def write() -> None:
        spent[0] += next(costs)

    assert run(keeper_of(FakeWorld(), every=60.0), 4, write) == [60.0, 60.0, 200.0, 60.0]


def test_what_cannot_be_written_is_told_once_for_each_outage_and_tried_again() -> None:
    errors = iter([ServiceUnavailable("full"), RuntimeError("a defect"), None, RuntimeError("a defect"), None])
    left: list[Exception | None] = []

    def write() -> None:
        left.append(next(errors))
        if left[-1] is not None:
            raise left[-1]

    with capture_logs() as told:
        run(keeper_of(FakeWorld()), 5, write)
    assert len(left) == 5
    assert told == [
        {"event": "snapshot.not_written", "log_level": "error", "path": str(PATH), "error": error} for error in ("full", "RuntimeError")
    ]


def test_the_thread_writes_when_it_is_stopped(written: list[tuple[Any, ...]]) -> None:
    made = keeper_of(FakeWorld(), every=1e6)
    assert (made._thread.name, made._thread.daemon) == ("keeper", True)
    made.start()
    assert written == []
    made.stop()
    assert not made._thread.is_alive()
    assert len(written) == 1


def test_whoever_stops_it_waits_for_half_a_minute() -> None:
    made, joined = keeper_of(FakeWorld()), list[tuple[bool, float]]()
    made._thread = SimpleNamespace(join=lambda *, timeout: joined.append((made._stop.is_set(), timeout)))  # type: ignore[assignment]
    made.stop()
    assert joined == [(True, 30)]


def test_a_world_begins_from_the_first_file_that_is_a_snapshot(monkeypatch: pytest.MonkeyPatch) -> None:
    found = SimpleNamespace(records={"a": b"x", "b": b"y"}, confirmed_at=NOW)
    files: dict[str, Any] = {"good": found, "better": None}
    asked: list[tuple[Any, ...]] = []

    def read(path: Path, ring: object, now: datetime, *, oldest: timedelta) -> Any:
        asked.append((path.name, ring, now, oldest))
        if path.name not in files:
            raise SnapshotRejected(f"{path.name} is damaged")
        return files[path.name]

    monkeypatch.setattr(snapshot, "read", read)
    monkeypatch.setattr(lines, "read", lambda line, ring: (line, ring))
    world, check, day = FakeWorld(), lambda _: None, timedelta(days=1)
    paths = [Path("/x") / name for name in ("bad", "worse", "good", "better")]
    with capture_logs() as told:
        assert keeper.restore(world, RING, paths, NOW, oldest=day, check=check) is True  # type: ignore[arg-type]
    ((snapshot_, now, open_, checked),) = world.begun
    assert (snapshot_, now, open_(b"line"), checked) == (found, NOW, (b"line", RING), check)
    assert asked == [(name, RING, NOW, day) for name in ("bad", "worse", "good")]
    assert told == [
        {"event": "snapshot.rejected", "log_level": "warning", "path": "/x/bad", "reason": "bad is damaged"},
        {"event": "snapshot.rejected", "log_level": "warning", "path": "/x/worse", "reason": "worse is damaged"},
        {
            "event": "snapshot.restored",
            "log_level": "info",
            "path": "/x/good",
            "records": 2,
            "confirmed_at": "2026-01-01T00:00:00+00:00",
        },
    ]
    assert keeper.restore(world, RING, paths[:2], NOW, oldest=day, check=check) is False  # type: ignore[arg-type]
    assert len(world.begun) == 1
