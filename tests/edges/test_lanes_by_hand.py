"""A lane whose threads are the test's own: who is answered when, who is refused, and when one more thread begins."""

import contextlib
import threading
from collections import deque
from concurrent.futures import Future
from types import SimpleNamespace
from typing import Any

import pytest
import structlog

from sekisho import policy
from sekisho.calls import rests
from sekisho.edges import doubts
from sekisho.edges import lanes as lanes_module
from sekisho.edges.answers import SHEDS
from sekisho.edges.lanes import Claim, Lane
from sekisho.errors import Throttling

ANN, BOB = "111122223333", "444455556666"
HOME, AWAY = "192.0.2.1", "192.0.2.2"


class Asleep(Exception):
    """A thread sleeps until the next call comes."""


class Wakings:
    """Wakes the threads of a lane."""

    def __init__(self) -> None:
        self.left: deque[bool] = deque()

    def put(self, goes_on: bool) -> None:
        self.left.append(goes_on)

    def get(self) -> bool:
        if not self.left:
            raise Asleep
        return self.left.popleft()


class ByHand(Lane):
    """A lane that has no threads but the test's own; `grown` are those that it wanted to begin."""

    def __init__(self, **given: Any) -> None:
        super().__init__("by-hand", **given)
        self.wakings = Wakings()
        self._calls = self.wakings  # type: ignore[assignment]
        self.grown = 0

    def _grow(self) -> None:
        self.grown += 1

    def rest(self) -> None:
        """Be a thread of the lane until it sleeps; it sleeps from then on."""
        with pytest.raises(Asleep):
            self._answer_all()

    def taken(self) -> tuple[str, Any, bool]:
        """Be a thread of the lane that takes a call and has it still: the account, what it answers, and whether it is refused."""
        found = self._taken()
        assert found is not None
        return found[0], found[1].run(), found[3]


@pytest.fixture(autouse=True)
def believed(monkeypatch: pytest.MonkeyPatch) -> doubts.Doubts:
    """Nobody is doubted, and nobody owes a rest."""
    monkeypatch.setattr(doubts, "here", doubts.Doubts(lambda: 100.0))
    rests.settle()
    return doubts.here


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> SimpleNamespace:
    """The processor time of the thread, which a call takes by adding to `now`; its sleeps are in `slept`."""
    made = SimpleNamespace(now=50.0, slept=[])
    monkeypatch.setattr(lanes_module, "time", SimpleNamespace(thread_time=lambda: made.now, sleep=made.slept.append))
    return made


def shed(lane: str, reason: str) -> float:
    return float(next(iter(SHEDS.labels(lane, reason).numbers)))


@pytest.mark.parametrize(
    ("claim", "share"),
    [
        (Claim(), ("", "")),
        (Claim(ANN), (ANN, "")),
        (Claim(ANN, True), (f"{ANN} {HOME}", "")),
        (Claim("", True), (f" {HOME}", "")),
        (Claim(BOB), (BOB, str(1 + hash(HOME) % doubts.PARTS))),
        (Claim(BOB, True), (f"{BOB} {HOME}", "")),
    ],
)
def test_the_share_that_a_call_is_of(believed: doubts.Doubts, claim: Claim, share: tuple[str, str]) -> None:
    believed.note(BOB, HOME)
    believed.note("", HOME)
    assert claim.share(HOME) == share
    assert claim.share(AWAY)[1] == ""


def test_a_thread_begins_where_none_is_idle_and_there_may_be_more() -> None:
    lane, grown = ByHand(threads=3, waiting=100), []
    for _ in range(2):
        lane.submit(str)
        grown.append(lane.grown)
    lane.rest()  # one of them answers both
    for _ in range(4):
        lane.submit(str)
        grown.append(lane.grown)
    assert grown == [1, 2, 2, 3, 3, 3]
    assert lane._started == 3


def test_calls_that_are_to_be_refused_need_threads_as_well() -> None:
    lane = ByHand(threads=5, waiting=2)
    for _ in range(2):
        lane.submit(str)
    for _ in range(2):
        lane.rest()
    grown = []
    for _ in range(4):
        lane.submit(str)
        grown.append(lane.grown)
    assert grown == [2, 2, 3, 4]


def test_a_thread_of_a_lane_has_its_name_and_does_not_keep_the_process(monkeypatch: pytest.MonkeyPatch) -> None:
    made: list[dict[str, Any]] = []
    refused = [False, True, True, False]

    class Thread:
        def __init__(self, **given: Any) -> None:
            made.append(given)

        def start(self) -> None:
            if refused.pop(0):
                raise RuntimeError("can't start new thread")

    monkeypatch.setattr(threading, "Thread", Thread)
    lane = Lane("bay", threads=2, waiting=100)
    lane.submit(str)
    with structlog.testing.capture_logs() as said:
        lane.submit(str)
        lane.submit(str)
    lane.submit(str)
    lane.submit(str)
    assert said == 2 * [{"event": "lane.no_thread", "lane": "bay", "log_level": "error"}]
    assert [given["name"] for given in made] == ["bay_1", "bay_2", "bay_2", "bay_2"]
    assert {(given["target"], given["daemon"]) for given in made} == {(lane._serve, True)}
    assert (lane.waiting, lane.running) == (5, 0)


def test_what_a_call_is_given_and_what_it_gives_back() -> None:
    lane = ByHand(threads=1, waiting=100)

    def said(*args: Any, **kwargs: Any) -> Any:
        return args, kwargs

    def wrong(error: BaseException) -> None:
        raise error

    errors: list[BaseException] = [KeyError("x"), KeyboardInterrupt()]
    answered = [
        lane.submit(said, 1, b=2),
        lane.submit_for(ANN, said, 3, d=4),
        lane.submit_claimed(Claim(ANN), HOME, said, 5, 6),
        lane.submit_claimed(Claim("", True), HOME, said, 7),
    ]
    failed = [lane.submit(wrong, error) for error in errors]
    assert lane.waiting == 6
    assert not any(future.done() for future in (*answered, *failed))
    lane.rest()
    assert [future.result(0) for future in answered] == [((1,), {"b": 2}), ((3,), {"d": 4}), ((5, 6), {}), ((7,), {})]
    assert [future.exception(0) for future in failed] == errors
    assert (lane.waiting, lane.running, lane._running) == (0, 0, {})


def test_whose_a_call_is_and_which_part_of_that(believed: doubts.Doubts) -> None:
    lane = ByHand(threads=1, waiting=100)
    believed.note(BOB, HOME)
    lane.submit(str)
    lane.submit_for(ANN, str)
    for address in (HOME, AWAY):
        lane.submit_claimed(Claim(BOB), address, str)
    parts = {account: list(found.parts) for account, found in lane._queue._accounts.items()}
    assert parts == {"": [""], ANN: [""], BOB: [believed.part(BOB, HOME), ""]}


def test_strangers_go_where_strangers_go() -> None:
    lane, strangers = ByHand(threads=1, waiting=100), ByHand(threads=1, waiting=100)
    lane.submit_claimed(Claim(ANN, True), HOME, str)
    assert (lane.waiting, strangers.waiting) == (1, 0)
    lane.strangers = strangers
    lane.submit_claimed(Claim(ANN, True), HOME, str)
    lane.submit_claimed(Claim(ANN), HOME, str)
    assert (lane.waiting, strangers.waiting) == (2, 1)


def test_a_call_runs_while_it_has_a_thread() -> None:
    lane = ByHand(threads=4, waiting=100)
    seen = [lane.submit_for(account, lambda: (lane.running, lane.waiting)) for account in (ANN, BOB)]
    held = lane.submit_for(ANN, str)
    assert [lane.taken()[0] for _ in range(2)] == [ANN, BOB]
    assert (lane.running, lane.waiting) == (2, 1)
    lane.rest()
    assert [future.done() for future in (*seen, held)] == [False, False, True]
    lane._leave(ANN)
    lane._leave(BOB)
    assert (lane.running, lane._running) == (0, {})


def test_an_account_has_no_more_threads_than_those_that_are_not_reserved() -> None:
    """Calls that it left behind are taken by its own thread when that is free, without being woken."""
    lane = ByHand(threads=3, waiting=100, reserved=1)
    for number in range(4):
        lane.submit_for(ANN, str, number)
    assert [lane.taken() for _ in range(2)] == [(ANN, "0", False), (ANN, "1", False)]
    lane.rest()  # woken twice in vain
    assert (lane._passed, lane.waiting, lane._idle) == (2, 2, 1)
    lane.submit_for(BOB, str, "b")
    assert lane.taken() == (BOB, "b", False)
    assert (lane._passed, len(lane.wakings.left)) == (1, 1)
    lane._leave(ANN)
    assert lane.taken() == (ANN, "2", False)
    assert (lane._passed, len(lane.wakings.left)) == (0, 1)
    lane._leave(ANN)
    assert lane.taken() == (ANN, "3", False)
    assert (lane._passed, len(lane.wakings.left), lane._full) == (0, 0, {ANN})
    lane._leave(ANN)
    assert (lane._full, lane.running) == (set(), 2)


def test_a_lane_of_which_all_is_reserved_serves_an_account_one_by_one() -> None:
    lane = ByHand(threads=2, waiting=100, reserved=2)
    for number in range(2):
        lane.submit_for(ANN, str, number)
    assert lane.taken() == (ANN, "0", False)
    lane.rest()
    assert (lane.waiting, lane._passed) == (1, 1)


def test_what_is_too_much_is_refused_before_anything_is_answered() -> None:
    lane = ByHand(threads=2, waiting=2)
    before, ran = shed("by-hand", "queue"), list[str]()

    def call(name: str) -> str:
        lane.enter()
        ran.append(name)
        return name

    futures = [lane.submit_for(ANN, call, str(number)) for number in range(4)]
    quiet = lane.submit_for(BOB, call, "quiet")
    assert lane.waiting == 3
    lane.rest()
    assert [type(future.exception(0)) for future in futures] == [Throttling, Throttling, type(None), type(None)]
    assert str(futures[0].exception(0)) == "Rate exceeded"
    assert (ran, quiet.result(0)) == (["2", "quiet", "3"], "quiet")
    assert shed("by-hand", "queue") == before + 2
    assert lane._running == {}
    lane.enter()  # whoever was answered last is not refused


def test_an_account_is_charged_what_its_calls_take(clock: SimpleNamespace) -> None:
    lane, done = ByHand(threads=1, waiting=100), list[str]()

    def work(name: str, seconds: float) -> None:
        done.append(name)
        clock.now += seconds

    for number in range(2):
        lane.submit_for(ANN, work, f"long {number}", 10.0)
    for number in range(6):
        lane.submit_for(BOB, work, f"short {number}", 1.0)
    lane.rest()
    assert done[:3] == ["long 0", "short 0", "long 1"]  # what it costs is known once it was measured
    assert done[3:] == [f"short {number}" for number in range(1, 6)]
    assert {account: found.time for account, found in lane._queue._accounts.items()} == {ANN: pytest.approx(20.0), BOB: pytest.approx(6.0)}
    assert clock.slept == []


def test_who_was_claimed_in_vain_is_doubted_and_its_thread_rests_before_it_leaves(
    clock: SimpleNamespace, believed: doubts.Doubts, monkeypatch: pytest.MonkeyPatch
) -> None:
    lane = ByHand(threads=2, waiting=100, pace=7.0)
    running: list[tuple[float, int, bool]] = []

    def sleep(seconds: float) -> None:
        running.append((seconds, lane.running, futures[0].done()))

    monkeypatch.setattr(clock, "slept", SimpleNamespace(append=sleep))
    monkeypatch.setattr(lanes_module, "time", SimpleNamespace(thread_time=lambda: clock.now, sleep=sleep))
    futures: list[Future[Any]] = [lane.submit_claimed(Claim(ANN), HOME, rests.owe), lane.submit_claimed(Claim(BOB), AWAY, str)]
    lane.rest()
    assert running == [(7.0, 1, True)]
    assert [believed.hold(*claimed) for claimed in ((ANN, HOME), (ANN, AWAY), (BOB, AWAY))] == [True, False, False]
    hasty = ByHand(threads=2, waiting=100)
    hasty.submit_claimed(Claim(BOB), HOME, rests.owe)
    hasty.rest()
    assert len(running) == 1
    assert believed.hold(BOB, HOME)


def test_a_thread_does_not_rest_for_one_who_is_refused() -> None:
    lane = ByHand(threads=1, waiting=1)
    lane.submit_for(ANN, rests.owe)
    owed = lane.submit_for(ANN, rests.settle)
    lane.rest()
    assert owed.result(0)


def test_a_call_that_was_cancelled_is_not_made() -> None:
    lane, ran = ByHand(threads=1, waiting=100), list[str]()
    futures = [lane.submit_for(ANN, ran.append, name) for name in "abc"]
    assert futures[1].cancel()
    lane.rest()
    assert (ran, lane.waiting, lane.running) == (["a", "c"], 0, 0)


def test_a_closed_lane_answers_what_waits_and_lets_each_thread_end() -> None:
    lane = ByHand(threads=2, waiting=100)
    future = lane.submit(str, 1)
    lane.shutdown()
    with pytest.raises(RuntimeError, match="the lane is closed"):
        lane.submit(str, 2)
    for _ in range(3):
        lane._answer_all()
        assert list(lane.wakings.left) == [False]
    assert future.result(0) == "1"


def test_a_lane_that_cancels_what_waits_counts_nothing_as_passed() -> None:
    lane = ByHand(threads=2, waiting=100)
    futures: list[Future[str]] = [lane.submit(str, number) for number in range(3)]
    lane.shutdown(cancel_futures=True)
    assert [future.cancelled() for future in futures] == [True] * 3
    lane._answer_all()
    assert (lane._passed, lane.waiting) == (0, 0)


def test_streams_leave_places_for_those_who_are_told_that_there_is_none() -> None:
    lane = ByHand(threads=4, waiting=100)
    before = shed("by-hand", "streams")
    for _ in range(2):
        with contextlib.suppress(KeyError), lane.place(), lane.place():
            with pytest.raises(Throttling, match=r"^Rate exceeded$"):
                lane.place().__enter__()
            raise KeyError
    assert shed("by-hand", "streams") == before + 2
    with ByHand(threads=1, waiting=100).place(), ByHand(threads=3, waiting=100).place():
        pass


def test_a_thread_of_a_lane_takes_the_steps_of_what_it_computes(monkeypatch: pytest.MonkeyPatch) -> None:
    steps: list[str] = []
    monkeypatch.setattr(rests, "Rests", lambda: SimpleNamespace(step=lambda: steps.append("step")))
    lane = ByHand(threads=1, waiting=100)
    lane.submit(policy.steps.step)
    lane.shutdown()
    lane._serve()
    policy.steps.step()
    assert steps == ["step"]
