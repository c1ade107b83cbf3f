"""Rests: every half a millisecond of a thread's own processor time, as long as decisions are asked for."""

from sekisho.calls import rests
from sekisho.calls.rests import LATELY, REST, WORK, Rests


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
