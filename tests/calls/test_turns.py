"""Turns: one computes at a time, accounts one after the other, and nobody who gave up keeps a turn."""

import threading
import time
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from sekisho.calls import turns
from sekisho.calls.turns import Turns
from sekisho.errors import RequestTimeout


def wait_for(shared: Turns, waiting: int) -> None:
    limit = time.monotonic() + 60
    while shared.waiting != waiting:
        assert time.monotonic() < limit
        time.sleep(0.001)


def test_one_computes_at_a_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(turns, "SLICE", 0.0)
    shared, alone, met = Turns(), threading.Lock(), list[bool]()

    def compute(account: str) -> None:
        with shared.turn(account) as turn:
            for _ in range(50):
                met.append(alone.acquire(blocking=False))
                sum(range(100))
                alone.release()
                turn.pause()

    with ThreadPoolExecutor(6) as pool:
        for future in [pool.submit(compute, account) for account in "aaabbc"]:
            future.result(60)
    assert met == [True] * 300
    assert (shared.waiting, shared.taken) == (0, False)


def test_accounts_come_one_after_the_other() -> None:
    shared, order = Turns(), list[str]()

    def compute(account: str) -> None:
        with shared.turn(account):
            order.append(account)

    with ThreadPoolExecutor(8) as pool:
        with shared.turn("holder"):
            futures = []
            for number, account in enumerate("aaabbc", 1):
                futures.append(pool.submit(compute, account))
                wait_for(shared, number)
        for future in futures:
            future.result(60)
    assert "".join(order) == "abcaba"


def test_a_turn_is_kept_for_its_slice(monkeypatch: pytest.MonkeyPatch) -> None:
    shared, done = Turns(), list[str]()

    def compute() -> None:
        with shared.turn("b"):
            done.append("b")

    with ThreadPoolExecutor(1) as pool, shared.turn("a") as turn:
        future = pool.submit(compute)
        wait_for(shared, 1)
        monkeypatch.setattr(time, "thread_time", lambda: 0.0)  # no time passes
        turn.pause()
        done.append("a")
        monkeypatch.setattr(time, "thread_time", lambda: 1e9)
        turn.pause()
        done.append("a")
        future.result(60)
    assert done == ["a", "b", "a"]


def test_who_waits_no_longer_leaves_the_turn_to_others() -> None:
    shared = Turns()
    with shared.turn("a"):
        late = pytest.raises(RequestTimeout, match=r"^The deadline of the call passed while others computed\.$")
        with late, shared.turn("b", time.monotonic() + 0.01):
            raise AssertionError("it is another's turn")
        assert shared.waiting == 0
    with shared.turn("c", time.monotonic() + 60):
        assert shared.taken
    assert not shared.taken


def test_a_turn_that_comes_in_the_very_moment_of_giving_up_goes_on_to_the_next(monkeypatch: pytest.MonkeyPatch) -> None:
    shared = Turns()
    shared.take("holder", time.monotonic() + 60)

    class Late:
        """A lock that is let go just when nobody waits for it any more."""

        def acquire(self, timeout: float = -1) -> bool:
            if timeout >= 0:
                shared.give()
            return timeout < 0

        def release(self) -> None:
            pass

    with monkeypatch.context() as patched:
        patched.setattr(threading, "Lock", Late)
        with pytest.raises(RequestTimeout):
            shared.take("late", time.monotonic())
    assert (shared.waiting, shared.taken) == (0, False)


class Noted:
    """Turns that are free, and note who takes and gives one."""

    def __init__(self) -> None:
        self.wanted = True
        self.steps: list[object] = []

    def take(self, *given: object) -> None:
        self.steps.append(given)

    def give(self) -> None:
        self.steps.append("given")


def test_a_turn_is_given_up_in_the_moment_that_it_ends_to_whoever_waits(monkeypatch: pytest.MonkeyPatch) -> None:
    noted: Any = Noted()
    turn = turns.Turn(noted, "a", 7.0)
    turn.give()
    assert noted.steps == []  # it was not taken
    now = 4.0
    monkeypatch.setattr(time, "thread_time", lambda: now)
    turn.take()
    for at, wanted, given_up in (
        (4.0 + 0.75 * turns.SLICE, True, False),
        (4.0 + turns.SLICE, False, False),
        (4.0 + turns.SLICE, True, True),
        (4.0 + 1.75 * turns.SLICE, True, False),
        (4.0 + turns.SLICE + turns.SLICE, True, True),
    ):
        now, noted.wanted = at, wanted
        noted.steps.clear()
        turn.pause()
        assert noted.steps == (["given", ("a", 7.0)] if given_up else [])
    noted.steps.clear()
    turn.give()
    turn.give()
    assert noted.steps == ["given"]


def test_a_turn_that_nobody_has_is_taken_at_once_whatever_the_deadline() -> None:
    shared = Turns()
    shared.take("a", 0.0)
    assert (shared.taken, shared.wanted, shared.waiting) == (True, False, 0)
    with pytest.raises(RequestTimeout):
        shared.take("b", 0.0)
    with pytest.raises(RequestTimeout):
        shared.take("a", time.monotonic() - 1)
    assert (shared.taken, shared.wanted, shared.waiting) == (True, False, 0)
    shared.give()
    assert shared.taken is False


def test_accounts_that_go_on_waiting_go_behind_the_others() -> None:
    shared = Turns()
    shared.take("holder", 0.0)
    with ThreadPoolExecutor(4) as pool:
        taking = []
        for number, account in enumerate("aab", 1):
            taking.append(pool.submit(shared.take, account, time.monotonic() + 60))
            wait_for(shared, number)
        assert (shared.wanted, list(shared._waiting)) == (True, ["a", "b"])
        shared.give()
        taking[0].result(60)
        assert (shared.taken, list(shared._waiting), shared.waiting) == (True, ["b", "a"], 2)
        shared.give()
        taking[2].result(60)
        assert (list(shared._waiting), shared.waiting) == (["a"], 1)
        shared.give()
        taking[1].result(60)
        assert (shared.wanted, shared.taken) == (False, True)
    shared.give()
    assert shared.taken is False
