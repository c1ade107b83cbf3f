"""The lot without its thread: who waits, who is due, and who goes on in which slice."""

import threading
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import pytest

from sekisho.calls.waits import Wait
from sekisho.edges.grpc import lot as lots
from sekisho.edges.grpc.lot import PAUSE, SLICE, Lot

ANN, BOB = "111122223333", "444455556666"


class World:
    """Tells nothing by itself."""

    def __init__(self) -> None:
        self.heard: list[Callable[[Any], None]] = []

    def hear(self, told: Callable[[Any], None]) -> Callable[[], None]:
        self.heard.append(told)
        return self.heard.clear


class Parked:
    """A stream that notes when it goes on; `due` is whether its wait says that it is over."""

    def __init__(self, went: list[str], name: str, account: str) -> None:
        self.account, self.name, self.due = account, name, False
        self._went = went

    def resume(self) -> None:
        self._went.append(self.name)

    def end(self) -> None:
        self._went.append(f"{self.name} ended")


class Place:
    """A lot, its clock, and what its streams did."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.now, self.slept = 100.0, list[float]()
        self.threads: list[dict[str, Any]] = []
        monkeypatch.setattr(lots, "time", SimpleNamespace(monotonic=lambda: self.now, sleep=self._sleep))
        monkeypatch.setattr(threading, "Thread", self._thread)
        self.world = World()
        self.lot = Lot(self.world)  # type: ignore[arg-type]
        self.went: list[str] = []
        self.asleep: Callable[[], object] = lambda: None

    def _thread(self, **given: Any) -> Any:
        self.threads.append(given)
        return SimpleNamespace(start=lambda: self.threads.append({"started": given["name"]}))

    def _sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.asleep()

    def park(self, name: str, *, account: str = ANN, until: float = 1e6, of: frozenset[str] = frozenset()) -> Parked:
        stream = Parked(self.went, name, account)
        self.lot.park(stream, Wait(until, lambda: stream.due, of))
        return stream

    def slice(self) -> list[str]:
        """The streams that go on with the next slice."""
        before = len(self.went)
        assert self.lot._slice() == len(self.went) - before
        return self.went[before:]

    @property
    def woken(self) -> bool:
        """True, once, where the lot's thread was woken."""
        woken = self.lot._wake.is_set()
        self.lot._wake.clear()
        return woken


@pytest.fixture
def place(monkeypatch: pytest.MonkeyPatch) -> Place:
    return Place(monkeypatch)


def test_a_lot_has_one_thread_and_hears_the_world(place: Place) -> None:
    assert place.threads == [{"target": place.lot._run, "name": "lot", "daemon": True}, {"started": "lot"}]
    assert place.world.heard == [place.lot._hear]
    assert (SLICE, PAUSE) == (32, 0.02)


def test_the_thread_is_woken_for_whoever_is_due_first(place: Place) -> None:
    woken = []
    for name, until in (("a", 300.0), ("b", 400.0), ("c", 200.0), ("d", 200.0)):
        place.park(name, until=until)
        woken.append(place.woken)
    assert woken == [True, False, True, False]
    assert (place.lot.size, place.lot._patience()) == (4, 100.0)
    place.now = 250.0
    assert place.lot._patience() == 0.0


def test_an_empty_lot_waits_for_ever(place: Place) -> None:
    assert place.lot._patience() is None
    assert (place.lot.size, place.slice()) == (0, [])


def test_who_is_due_when_it_comes_goes_on_at_once(place: Place) -> None:
    place.park("first")
    assert place.woken
    stream = Parked(place.went, "due", BOB)
    place.lot.park(stream, Wait(1e6, lambda: True, frozenset({ANN})))
    assert place.woken
    assert (place.lot.size, place.slice()) == (1, ["due"])
    assert set(place.lot._by_account) == {""}


def test_a_wait_that_cannot_say_whether_it_is_over_is(place: Place) -> None:
    def broken() -> bool:
        raise ValueError("broken")

    place.lot.park(Parked(place.went, "broken", ANN), Wait(1e6, broken))
    place.park("sound")
    assert (place.slice(), place.lot.size) == (["broken"], 1)


@pytest.mark.parametrize(
    ("changed", "asked"),
    [
        (frozenset({ANN}), ["ann", "any", "both"]),
        (frozenset({BOB}), ["any", "both"]),
        (frozenset({"777788889999"}), ["any"]),
        (frozenset({ANN, BOB}), ["ann", "any", "both"]),
        (frozenset(), ["any"]),
        (None, ["ann", "any", "both"]),
    ],
)
def test_a_change_concerns_those_who_wait_for_its_account(place: Place, changed: Any, asked: list[str]) -> None:
    """And those who are not due stay."""
    streams = [
        place.park("ann", account="1", of=frozenset({ANN})),
        place.park("any", account="2"),
        place.park("both", account="3", of=frozenset({ANN, BOB})),
    ]
    place.lot._ask(changed)
    assert (place.slice(), place.lot.size) == ([], 3)
    for stream in streams:
        stream.due = True
    place.lot._ask(changed)
    assert (sorted(place.slice()), place.lot.size) == (asked, 3 - len(asked))
    place.lot._ask(None)
    assert sorted((*place.slice(), *asked)) == ["ann", "any", "both"]
    assert (place.lot.size, place.lot._by_account) == (0, {})


def test_what_is_heard_is_asked_by_the_thread(place: Place) -> None:
    place.park("a").due = True
    assert place.woken
    place.lot._hear(frozenset({ANN}))
    assert place.woken
    assert (place.slice(), list(place.lot._moved)) == ([], [frozenset({ANN})])


def test_those_whose_time_has_come_go_on(place: Place) -> None:
    for name, until in (("c", 300.0), ("a", 101.0), ("b", 102.0)):
        place.park(name, until=until)
    place.lot._ring()
    assert place.slice() == []
    place.now = 102.0
    place.lot._ring()
    assert (place.slice(), place.lot.size) == (["a", "b"], 1)


def test_a_time_is_of_one_wait(place: Place) -> None:
    """A stream that went on and waits again is not woken by the time of its wait before."""
    stream = place.park("a", until=150.0)
    stream.due = True
    place.lot._ask(None)
    assert place.slice() == ["a"]
    place.lot.park(stream, Wait(500.0))
    place.now = 200.0
    place.lot._ring()
    assert (place.slice(), place.lot.size, len(place.lot._timers)) == ([], 1, 1)
    place.now = 500.0
    place.lot._ring()
    assert (place.slice(), place.lot.size, place.lot._timers) == (["a"], 0, [])


def test_times_of_those_who_have_gone_are_dropped_when_they_are_too_many(place: Place) -> None:
    """Of the first at once; of others when there are more than two for each that waits, and sixty-four."""
    place.park("stays", until=101.0)
    gone = [place.park(f"{number}", until=200.0 + number) for number in range(67)]
    for stream in gone[:-1]:
        place.lot.forget(stream)
    place.lot._ring()
    assert (place.lot.size, len(place.lot._timers)) == (2, 68)
    place.lot.forget(place.park("one more", until=900.0))
    place.lot._ring()
    assert (place.lot.size, len(place.lot._timers)) == (2, 2)
    assert place.lot._timers[0][0] == 101.0
    place.lot.forget(gone[-1])
    place.lot.forget(place.park("last", until=100.5))
    place.lot._ring()
    assert (place.lot.size, len(place.lot._timers)) == (1, 2)


def test_times_are_in_their_order_when_some_were_dropped(place: Place) -> None:
    """They come in the order of a heap, of which the second goes with many others."""
    parked = {until: place.park(f"{until:g}", until=until) for until in (101.0, 102.0, 110.0, 103.0, 104.0, 111.0, 112.0, 105.0)}
    gone = [parked.pop(102.0), *(place.park(f"{number}", until=200.0 + number) for number in range(80))]
    for stream in gone:
        place.lot.forget(stream)
    place.lot._ring()
    assert sorted(entry[0] for entry in place.lot._timers) == sorted(parked)
    for until in sorted(parked):
        place.now = until
        assert place.lot._patience() == 0.0
        place.lot._ring()
        assert place.slice() == [f"{until:g}"]


def test_a_slice_takes_turns_by_account(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lots, "SLICE", 3)
    for name, account in (("a1", ANN), ("a2", ANN), ("a3", ANN), ("b1", BOB), ("b2", BOB), ("a4", ANN)):
        place.park(name, account=account, until=101.0)
    place.now = 101.0
    place.lot._ring()
    assert [place.slice() for _ in range(3)] == [["a1", "b1", "a2"], ["b2", "a3", "a4"], []]
    assert place.lot._ready == {}


def test_who_is_forgotten_waits_no_more_and_may_be_forgotten_again(place: Place) -> None:
    stays, goes = (place.park(name, of=frozenset({ANN, BOB})) for name in "ab")
    for _ in range(2):
        place.lot.forget(goes)
        assert (place.lot.size, {name: list(found) for name, found in place.lot._by_account.items()}) == (1, {ANN: [stays], BOB: [stays]})
    place.lot.forget(stays)
    assert (place.lot.size, place.lot._by_account, place.slice()) == (0, {}, [])


def test_one_who_has_gone_on_is_not_let_go_twice(place: Place) -> None:
    """Its wait was over, and its time comes as well."""
    stream = place.park("a", until=101.0)
    stream.due = True
    place.lot._ask(None)
    place.now = 101.0
    place.lot._ring()
    place.lot._ask(None)
    place.lot._let_go(stream)  # as one that asked for it before it went
    assert (place.slice(), place.slice()) == (["a"], [])


def test_all_are_told_when_the_lot_closes(place: Place) -> None:
    place.park("ready").due = True
    place.lot._ask(None)
    place.park("waits", of=frozenset({BOB}))
    assert place.woken
    place.lot.close()
    assert sorted(place.went) == ["ready ended", "waits ended"]
    assert (place.lot.size, place.lot._by_account, place.lot._ready, place.world.heard, place.woken) == (0, {}, {}, [], True)
    times = len(place.lot._timers)
    place.park("late")
    assert (place.went[2:], place.lot.size, len(place.lot._timers), place.woken) == (["late ended"], 0, times, False)


def test_a_lot_that_closes_while_a_slice_goes_on_does_not_pause(place: Place) -> None:
    stream = place.park("a", until=100.0)
    stream.resume = place.lot.close  # type: ignore[method-assign]
    place.lot._wake = Wakings(place, lambda: None)  # type: ignore[assignment]
    place.lot._run()
    assert place.slept == []


class Wakings:
    """Wakes the lot's thread as often as a test has said, each time after it has done something; then the lot is closed."""

    def __init__(self, place: Place, *then: Callable[[], object]) -> None:
        self.place, self.then, self.waited = place, list(then), list[Any]()
        self.cleared = 0

    def wait(self, patience: float | None) -> None:
        self.waited.append(patience)
        if self.then:
            self.then.pop(0)()
        else:
            self.place.lot._closed = True

    def clear(self) -> None:
        self.cleared += 1

    def set(self) -> None:
        """Nobody sleeps."""


def test_the_thread_asks_rings_and_lets_go_until_nobody_is_left(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lots, "SLICE", 1)
    due = [place.park(f"due {number}", until=1000.0) for number in range(2)]
    timed, later = place.park("timed", until=150.0), place.park("later", until=900.0)

    def changed() -> None:
        due[0].due = True
        place.lot._hear(frozenset())
        due[1].due = True
        place.lot._hear(None)

    def passed() -> None:
        place.now, place.asleep = 150.0, changed_again

    def changed_again() -> None:
        later.due = True
        place.lot._hear(None)

    wakings: Any = Wakings(place, changed, passed)
    place.lot._wake = wakings
    place.lot._run()
    assert place.went == ["due 0", "due 1", timed.name, "later"]
    assert place.slept == [PAUSE] * 4
    assert (wakings.waited, wakings.cleared) == ([50.0, 50.0, None], 3)


def test_the_times_that_come_while_the_thread_pauses_are_rung(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lots, "SLICE", 1)
    place.park("first", until=100.0)
    place.park("second", until=101.0)
    place.asleep = lambda: setattr(place, "now", place.now + 1.0)
    place.lot._wake = Wakings(place, lambda: None)  # type: ignore[assignment]
    place.lot._run()
    assert (place.went, place.slept) == (["first", "second"], [PAUSE] * 2)


def test_a_lot_that_closes_lets_nobody_go_any_more(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lots, "SLICE", 1)
    for number in range(3):
        place.park(f"{number}", until=100.0)
    place.asleep = place.lot.close
    place.lot._wake = Wakings(place, lambda: None)  # type: ignore[assignment]
    place.lot._run()
    assert place.went == ["0", "1 ended", "2 ended"]
    assert place.slept == [PAUSE]
