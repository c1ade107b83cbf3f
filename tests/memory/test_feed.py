"""Waiting for a revision, and the thread that looks."""

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from structlog.testing import capture_logs

from sekisho.errors import RequestTimeout, ServiceUnavailable
from sekisho.memory import cold, feed
from sekisho.memory.confirmation import Confirmation
from sekisho.memory.history import Behind
from sekisho.memory.places import Places
from sekisho.store import changes
from tests import scraped
from tests.harness import house


def test_revisions_from_afar_hold_only_some_of_the_threads(tmp_path: Path) -> None:
    with house(f"sqlite:///{tmp_path / 'sekisho.db'}", tmp_path) as made:
        made.call("CreateUser", user_name="ann")
        ahead = changes.Point(changes.parse(made.revision).number + 1, "0" * 16).token
        refused: list[str] = []

        def ask() -> None:
            with pytest.raises(feed.AnotherHistory) as caught:
                made.node.feed.wait_for(ahead, time.monotonic() + 300)
            refused.append(caught.value.message)

        waiting = [threading.Thread(target=ask) for _ in range(feed.WAITERS)]
        for thread in waiting:
            thread.start()
        while made.node.feed._places._value:  # until each has its place
            time.sleep(0.005)
        with pytest.raises(feed.NotYet, match="too many calls wait"):
            made.node.feed.wait_for(ahead, time.monotonic() + 300)
        made.call("CreateUser", user_name="bob")
        for thread in waiting:
            thread.join(60)
        assert len(refused) == feed.WAITERS
        made.node.feed.wait_for(made.node.world.point.token, time.monotonic() + 1.0)


@pytest.mark.parametrize("looks", [0, 1])
def test_a_deadline_that_comes_during_a_look_is_told_as_any_other(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, looks: int) -> None:
    with house(f"sqlite:///{tmp_path / 'sekisho.db'}", tmp_path) as made:
        made.call("CreateUser", user_name="ann")
        ahead = changes.Point(changes.parse(made.revision).number + 1, "0" * 16).token
        left, poll = [looks], made.node.world.poll

        def late(deadline: float | None = None) -> changes.Point:
            if left[0] == 0:
                raise RequestTimeout("The deadline passed.")
            left[0] -= 1
            return poll(deadline)

        monkeypatch.setattr(made.node.world, "poll", late)
        with pytest.raises(feed.NotYet, match="has not reached the revision"):
            made.node.feed.wait_for(ahead, time.monotonic() + 300)


class Clock:
    """Time that goes on when somebody sleeps; `pauses` are the seconds of each sleep."""

    def __init__(self) -> None:
        self.now = 1000.0
        self.pauses: list[float] = []

    def monotonic(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.pauses.append(seconds)
        self.now += seconds


class FakeWorld:
    """A world at revision 5; each look brings it to the next of these numbers, or fails."""

    def __init__(self, *looks: int | Exception, applied: bool = True) -> None:
        self.point = changes.Point(5, f"{5:016x}")
        self.places = Places()
        self.confirmed = Confirmation(None)
        self.looks = list(looks)
        self.applied = applied
        self.done: list[Any] = []

    def cached_point(self, number: int) -> changes.Point | None:
        return changes.Point(number, f"{number:016x}") if self.applied and number <= self.point.number else None

    def poll(self, deadline: float | None = None) -> changes.Point:
        self.done.append((deadline, len(self.places._asked)))
        return self.renewed()

    def renewed(self) -> changes.Point:
        look = self.looks.pop(0) if self.looks else self.point.number
        if isinstance(look, Exception):
            raise look
        self.point = changes.Point(look, f"{look:016x}")
        return self.point

    def look_at_lag(self) -> None:
        self.done.append("lag")

    def reweigh(self) -> None:
        self.done.append("reweigh")

    @contextmanager
    def snapshot(self, deadline: float) -> Iterator[object]:
        self.done.append(("snapshot", deadline, len(self.places._asked)))
        yield "session"


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    made = Clock()
    monkeypatch.setattr(feed, "time", made)
    return made


def feed_of(world: FakeWorld) -> feed.Feed:
    """A feed that nobody has started."""
    return feed.Feed(world)  # type: ignore[arg-type]


def token(number: int) -> str:
    """A revision of the history of these worlds."""
    return changes.Point(number, f"{number:016x}").token


def test_a_revision_that_was_applied_takes_no_look(clock: Clock) -> None:
    world = FakeWorld()
    with cold.unwaiting():
        feed_of(world).wait_for(token(5), clock.now)
        feed_of(world).wait_for(token(3), clock.now)
        with pytest.raises(cold.Cold):
            feed_of(world).wait_for(token(6), clock.now + 5)
    assert world.done == []


def test_one_that_the_next_look_brings_is_not_waited_for(clock: Clock) -> None:
    world = FakeWorld(6)
    made = feed_of(world)
    while made._places.acquire(blocking=False):
        pass  # and needs no place among those who wait
    made.wait_for(token(6), 1010.0)
    assert (world.done, clock.pauses) == ([(1010.0, 1)], [])


def test_one_from_afar_is_looked_for_until_it_is_there(clock: Clock) -> None:
    """Ever less often, and with a place among those who wait, but for the first look with none among those who load."""
    world = FakeWorld(*([5] * 9), 6, 8)
    made = feed_of(world)
    made.wait_for(token(8), 1010.0)
    assert clock.pauses == [0.001, 0.002, 0.004, 0.008, 0.016, 0.032, 0.05, 0.05, 0.05]
    assert world.done == [(1010.0, 1)] + [(1010.0, 0)] * 10
    assert made._places._value == feed.WAITERS
    assert scraped.value("sekisho_feed_lag_revisions") == 3


def test_one_that_does_not_come_before_the_deadline(clock: Clock) -> None:
    world = FakeWorld()
    made = feed_of(world)
    with pytest.raises(feed.NotYet) as caught:
        made.wait_for(token(6), 1000.005)
    assert caught.value.message == "This worker has not reached the revision in `at_least` yet."
    assert clock.pauses == pytest.approx([0.001, 0.002, 0.002])
    assert made._places._value == feed.WAITERS


def test_too_many_that_wait(clock: Clock) -> None:
    world = FakeWorld()
    made = feed_of(world)
    for _ in range(feed.WAITERS):
        assert made._places.acquire(blocking=False)
    with pytest.raises(feed.NotYet) as caught:
        made.wait_for(token(6), 1010.0)
    assert caught.value.message == "This worker has not reached the revision in `at_least` yet, and too many calls wait for theirs."
    assert clock.pauses == []
    assert made._places._value == 0, "and takes nobody's place away"


def test_a_deadline_during_a_look(clock: Clock) -> None:
    for looks in ([RequestTimeout("late")], [5, RequestTimeout("late")]):
        with pytest.raises(feed.NotYet) as caught:
            feed_of(FakeWorld(*looks)).wait_for(token(6), 1010.0)
        assert caught.value.message == "This worker has not reached the revision in `at_least` yet."


@pytest.mark.parametrize("is_there", [True, False])
def test_one_that_memory_does_not_remember_is_asked_of_the_database(clock: Clock, monkeypatch: pytest.MonkeyPatch, is_there: bool) -> None:
    world = FakeWorld(applied=False)
    asked: list[object] = []

    def at(session: object, number: int) -> changes.Point | None:
        asked.append((session, number))
        return changes.Point(number, f"{number:016x}") if is_there else None

    monkeypatch.setattr(changes, "at", at)
    if is_there:
        feed_of(world).wait_for(token(3), 1010.0)
    else:
        with pytest.raises(feed.AnotherHistory) as caught:
            feed_of(world).wait_for(token(3), 1010.0)
        assert caught.value.message == "The revision in `at_least` is not in the history of this database."
    assert asked == [("session", 3)]
    assert world.done == [(1010.0, 1), ("snapshot", 1010.0, 1)]


class Turns:
    """An event that is set after so many turns, each of which lets time go by; `waited` are the seconds of each."""

    def __init__(self, clock: Clock, turns: int, step: float) -> None:
        self.waited: list[float] = []
        self._clock, self._turns, self._step = clock, turns, step

    def wait(self, seconds: float) -> bool:
        self.waited.append(seconds)
        self._clock.now += self._step
        return len(self.waited) > self._turns


def run(made: feed.Feed, clock: Clock, turns: int, step: float = 0.25) -> list[float]:
    """So many turns of the thread, here; the seconds that it would have waited before each, and before it ended."""
    made._stop = events = Turns(clock, turns, step)  # type: ignore[assignment]
    made._run()
    return events.waited


def test_the_thread_looks_and_now_and_then_at_the_lag(clock: Clock) -> None:
    world = FakeWorld(6, 7)
    began = time.monotonic()
    world.confirmed.at = began - 50
    made = feed_of(world)
    assert not made.wait_for_look(0)
    assert run(made, clock, 6) == [feed.INTERVAL] * 7
    assert world.done == ["lag", *["reweigh"] * 4, "lag", *["reweigh"] * 2]
    assert made.wait_for_look(0)
    assert scraped.value("sekisho_feed_revision") == 7
    assert 50 <= scraped.value("sekisho_feed_lag_seconds") <= 51 + time.monotonic() - began


def test_a_world_without_revisions_is_told_as_such(clock: Clock) -> None:
    run(feed_of(FakeWorld(9)), clock, 1)
    run(feed_of(FakeWorld(0)), clock, 1)
    assert scraped.value("sekisho_feed_revision") == 0


def test_a_look_that_found_nothing_newer_says_that_memory_is_not_behind(clock: Clock) -> None:
    world = FakeWorld()
    with pytest.raises(feed.NotYet):
        feed_of(world).wait_for(token(9), 1000.0)
    assert scraped.value("sekisho_feed_lag_revisions") == 4
    run(feed_of(world), clock, 1)
    assert scraped.value("sekisho_feed_lag_revisions") == 0


def test_looks_that_fail_are_told_once_for_each_outage(clock: Clock) -> None:
    errors: list[int | Exception] = [
        ServiceUnavailable("gone"),
        RuntimeError("a defect"),
        6,
        RuntimeError("a defect"),
        7,
        Behind("it lags"),
    ]
    made = feed_of(FakeWorld(*errors))
    with capture_logs() as told:
        assert len(run(made, clock, 7)) == 8
    assert told == [
        {"event": event, "log_level": "warning", "error": error}
        for event, error in (
            ("feed.database_unreachable", "gone"),
            ("feed.database_unreachable", "RuntimeError"),
            ("feed.database_behind", "it lags"),
        )
    ]


def test_a_look_that_fails_is_no_look(clock: Clock) -> None:
    made = feed_of(FakeWorld(RuntimeError("a defect")))
    run(made, clock, 1)
    assert not made.wait_for_look(0)


def test_the_world_is_kept_new_where_the_lag_is_not_said(clock: Clock, monkeypatch: pytest.MonkeyPatch) -> None:
    world = FakeWorld(6)

    def silent() -> None:
        raise RuntimeError

    monkeypatch.setattr(world, "look_at_lag", silent)
    run(feed_of(world), clock, 3)
    assert (world.point.number, world.done) == (6, ["reweigh"] * 2)


def test_the_thread_of_a_feed() -> None:
    world = FakeWorld()
    made = feed_of(world)
    assert (made._thread.name, made._thread.daemon) == ("feed", True)
    made.start()
    assert made.wait_for_look(60)
    made.stop()
    assert not made._thread.is_alive()
    joined: list[tuple[bool, float]] = []
    made = feed_of(world)
    made._thread = SimpleNamespace(join=lambda *, timeout: joined.append((made._stop.is_set(), timeout)))  # type: ignore[assignment]
    made.stop()
    assert joined == [(True, 5)]
