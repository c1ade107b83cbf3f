"""A thread that does rounds: every step in turn, whatever one of them does."""

import threading

import pytest
import structlog

from sekisho.errors import ServiceUnavailable
from sekisho.node import rounds
from sekisho.node.rounds import Rounds


def test_every_step_is_done_until_there_is_no_more(monkeypatch: pytest.MonkeyPatch) -> None:
    done: list[str] = []
    left = {"one": 3, "two": 1}
    twice = threading.Event()

    def step(name: str) -> bool:
        done.append(name)
        left[name] -= 1
        if done.count("two") == 2:
            twice.set()
        return left[name] > 0

    made = Rounds("test", 0.001, {name: (lambda name=name: step(name)) for name in left})  # type: ignore[misc]
    made.start()
    assert twice.wait(60)
    made.stop()
    assert done[:6] == ["one", "one", "one", "two", "one", "two"]


def test_a_step_that_fails_is_said_once_and_holds_up_no_other() -> None:
    tried: list[str] = []
    mended, enough = threading.Event(), threading.Event()

    def fails() -> bool:
        tried.append("fails")
        if not mended.is_set():
            raise ServiceUnavailable("the database is away")
        return False

    def goes_on() -> bool:
        tried.append("goes on")
        if tried.count("goes on") >= 3:
            enough.set()
        return False

    with structlog.testing.capture_logs() as said:
        made = Rounds("test", 0.001, {"fails": fails, "goes on": goes_on})
        made.start()
        assert enough.wait(60)
        mended.set()
        made.stop()
    assert [(line["event"], line["step"], line["message"]) for line in said] == [("rounds.failing", "fails", "the database is away")]


def test_one_that_is_stopped_does_a_last_round_and_no_endless_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rounds, "LEISURE", 0.05)
    done: list[int] = []

    def endless() -> bool:
        done.append(1)
        return True

    made = Rounds("test", 3600.0, {"endless": endless})
    made.start()
    made.stop()
    made._thread.join(60)
    assert not made._thread.is_alive()
    assert len(done) >= 1


def test_one_whose_work_can_wait_begins_none_when_it_is_stopped() -> None:
    done: list[int] = []

    def step() -> bool:
        done.append(1)
        return False

    made = Rounds("test", 3600, {"step": step}, last=False)
    made.start()
    made.stop()
    assert done == []
