"""Room for those who wait for the database."""

import math
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from types import SimpleNamespace

import pytest

from sekisho.memory import places
from sekisho.memory.places import Busy, Places

NEVER = 1e9
"""Seconds of patience that no test comes to."""


@contextmanager
def held(made: Places) -> Iterator[threading.Event]:
    """A place that another thread has, until it is told to go."""
    has, go = threading.Event(), threading.Event()

    def hold() -> None:
        with made.place():
            has.set()
            go.wait(60)

    thread = threading.Thread(target=hold)
    thread.start()
    try:
        assert has.wait(60)
        yield go
    finally:
        go.set()
        thread.join(60)


def test_there_are_so_many_places_and_no_more(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(places, "SLOW", 0.0)
    made = Places(2)
    with held(made), made.place():
        assert len(made._asked) == 2
        with made.place():  # whoever has one needs no second
            assert len(made._asked) == 2
        assert threading.get_ident() in made._asked, "and has the first until its block ends"
    assert made._asked == {}
    with held(made), held(made), pytest.raises(Busy) as caught, made.place():
        raise AssertionError("there is no third place")
    assert caught.value.message == "The database is slow or does not answer, and too many calls wait for it already. Try again."


def test_a_place_that_fails_is_free_again() -> None:
    made = Places(1)
    with pytest.raises(RuntimeError), made.place():
        raise RuntimeError
    assert made._asked == {}


def test_while_the_database_is_slow_nobody_waits(monkeypatch: pytest.MonkeyPatch) -> None:
    """It is slow by whoever asked first and has no answer."""
    monkeypatch.setattr(places, "LONGEST", NEVER)
    made = Places(2)
    with held(made), held(made):
        first, second = made._asked
        made._asked[first], made._asked[second] = time.monotonic() - places.SLOW, time.monotonic() + NEVER
        with pytest.raises(Busy), made.place():
            pass


def test_whoever_has_no_time_left_does_not_wait(monkeypatch: pytest.MonkeyPatch) -> None:
    """Not for a moment."""
    made = Places(1)
    made._asked = {1: 100.0 - places.SLOW}
    monkeypatch.setattr(places, "time", SimpleNamespace(monotonic=lambda: 100.0))
    monkeypatch.setattr(made._changed, "wait", lambda _: pytest.fail("it waits"))
    with pytest.raises(Busy), made.place():
        pass


@pytest.mark.parametrize("is_first", [True, False])
def test_whoever_finds_no_place_waits_for_one(monkeypatch: pytest.MonkeyPatch, is_first: bool) -> None:
    monkeypatch.setattr(places, "SLOW", NEVER)
    monkeypatch.setattr(places, "LONGEST", NEVER)
    made, had = Places(1), threading.Event()

    def ask() -> None:
        with made.place():
            had.set()

    with held(made) as go:
        waiting = threading.Thread(target=ask)
        waiting.start()
        limit = time.monotonic() + 60
        while not made._changed._waiters and time.monotonic() < limit:  # type: ignore[attr-defined]
            time.sleep(0.001)
        assert not had.is_set()
        if is_first:
            with made._changed:
                made._changed.notify()  # for nothing: there is no place yet
        go.set()
        assert had.wait(60)
        waiting.join(60)
    assert made._asked == {}


@pytest.mark.parametrize("left", [0, 1])
def test_places_that_are_free_when_the_wait_is_over_are_taken(monkeypatch: pytest.MonkeyPatch, left: int) -> None:
    """Whoever had them went in that moment, after others had got them once more."""
    monkeypatch.setattr(places, "LONGEST", NEVER)
    made, waited = Places(2), list[float]()

    def wait(seconds: float) -> bool:
        waited.append(seconds)
        asked = time.monotonic() - (0 if len(waited) == 1 else places.SLOW)
        made._asked = dict.fromkeys(range(1, 3 if len(waited) == 1 else 1 + left), asked)
        return False

    made._asked = dict.fromkeys((1, 2), time.monotonic() - places.SLOW + 1000)
    monkeypatch.setattr(made._changed, "wait", wait)
    with made.place():
        assert len(made._asked) == left + 1
    assert 500 < waited[0] <= 1000
    assert 0 < waited[1] <= places.SLOW


def test_nobody_waits_for_longer_than_the_longest(monkeypatch: pytest.MonkeyPatch) -> None:
    """Also where the database has answered all, and the machine takes the time."""
    monkeypatch.setattr(places, "LONGEST", 0.0)
    made = Places(1)
    with held(made):
        (holder,) = made._asked
        made._asked[holder] = math.inf
        with pytest.raises(Busy), made.place():
            pass


def test_a_database_that_has_answered_is_not_slow(monkeypatch: pytest.MonkeyPatch) -> None:
    made = Places()
    before = time.monotonic()
    with made.place():
        (asked,) = made._asked.values()
        assert before <= asked <= time.monotonic()
        made.answered()
        assert list(made._asked.values()) == [math.inf]
    made.answered()  # of a thread that has no place
    assert made._asked == {}
    with held(made):
        (other,) = made._asked.values()
        made.answered()
        assert list(made._asked.values()) == [other], "another thread has not been answered"


def test_as_many_places_as_there_are_unless_somebody_says_otherwise() -> None:
    assert Places()._most == places.MOST == 2
