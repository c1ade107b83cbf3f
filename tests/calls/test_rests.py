"""Rests: every half a millisecond of a thread's own processor time, as long as decisions are asked for."""

import time
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime

import pytest

from sekisho import sigv4
from sekisho.calls import rests
from sekisho.calls.rests import LATELY, REST, WORK, Rests
from sekisho.sigv4 import SignatureDoesNotMatch, bearer
from tests.harness import House


class Times:
    """A thread's processor time, and the time that passes."""

    def __init__(self) -> None:
        self.processor = self.passing = 0.0
        self.slept: list[float] = []
        self.asked = 0
        self.wanted = True

    def clock(self) -> float:
        self.asked += 1
        return self.processor

    def work(self, seconds: float) -> None:
        self.processor += seconds
        self.passing += seconds

    def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.passing += seconds

    def rests(self) -> Rests:
        return Rests(self.clock, lambda: self.passing, self.sleep, lambda _: self.wanted)


def test_a_thread_rests_after_each_piece_of_work() -> None:
    times = Times()
    mine = times.rests()
    for _ in range(100):
        times.work(WORK / 4)
        mine.step()
    assert times.slept == [REST] * 25


def test_the_time_that_others_take_is_no_work() -> None:
    times = Times()
    mine = times.rests()
    for _ in range(10):
        times.passing += 10 * WORK
        mine.step()
    assert times.slept == []
    times.work(WORK)
    mine.step()
    assert times.slept == [REST]


def test_nobody_rests_for_nobody() -> None:
    times = Times()
    times.wanted, mine = False, times.rests()
    for _ in range(100):
        times.work(WORK)
        mine.step()
    assert times.slept == []
    times.wanted = True
    times.work(WORK)
    mine.step()
    assert times.slept == [REST]


def test_the_processors_clock_is_asked_when_it_may_be_time() -> None:
    times = Times()
    mine = times.rests()
    before = times.asked
    for _ in range(99):
        times.work(WORK / 100)
        mine.step()
    assert times.asked == before


def test_decisions_are_wanted_for_a_while_after_the_last() -> None:
    rests.note()
    last = rests._asked
    assert rests.are_wanted(last + 0.9 * LATELY)
    assert not rests.are_wanted(last + LATELY)


def test_what_is_owed_is_settled_once() -> None:
    rests.settle()
    assert not rests.settle()
    rests.owe()
    assert rests.settle()
    assert not rests.settle()


def test_a_proof_within_a_question_that_does_not_hold_says_nothing_of_who_asks(house: House) -> None:
    """Only for a caller who could not be authenticated a thread owes a rest, and the account that was claimed is doubted."""
    forged = sigv4.Credentials(house.user("ann").access_key_id, "x" * 40)
    token = bearer.make(forged, "sekisho", datetime.now(UTC))
    rests.settle()
    with pytest.raises(SignatureDoesNotMatch):
        house.call("Authorize", action="orders:Ship", resource="*", bearer_token=token)
    assert not rests.settle()
    with pytest.raises(SignatureDoesNotMatch):
        house.call("Authorize", _as=forged, action="orders:Ship", resource="*")
    assert rests.settle()


def test_a_decision_is_noted_at_its_moment() -> None:
    before = time.perf_counter()
    rests.note()
    assert before <= rests._asked <= time.perf_counter()


def test_each_thread_owes_its_own_rest() -> None:
    rests.owe()
    with ThreadPoolExecutor(1) as pool:
        assert pool.submit(rests.settle).result(60) is False
    assert rests.settle() is True


def test_a_thread_rests_in_the_very_moment_that_it_is_time() -> None:
    times = Times()
    mine = times.rests()
    times.passing = WORK  # and less than that of its own
    times.processor = 0.75 * WORK
    mine.step()
    asked = times.asked
    times.passing = 1.2 * WORK
    mine.step()
    assert (times.asked, times.slept) == (asked, [])  # not before so much time has passed as was left to work
    times.processor, times.passing = WORK, 1.25 * WORK
    mine.step()
    assert (times.asked > asked, times.slept) == (True, [REST])


def test_a_rest_is_of_the_threads_own_clocks() -> None:
    mine = Rests()
    assert (mine._clock, mine._passing, mine._sleep, mine._wanted) == (time.thread_time, time.perf_counter, time.sleep, rests.are_wanted)
