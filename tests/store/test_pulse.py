"""Whether a server is alive, look by look."""

import socket
import threading
import time
from collections.abc import Iterator

import pytest

from sekisho.store import pulse
from sekisho.store.pulse import Pulse


class Asked:
    """A server that answers, or does not, when the test says so."""

    def __init__(self) -> None:
        self.times = 0
        self.alive = True
        self.answers = threading.Event()

    def __call__(self) -> None:
        self.times += 1
        self.answers.wait(60)
        self.answers.clear()
        if not self.alive:
            raise TimeoutError


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> Iterator[Asked]:
    monkeypatch.setattr(pulse, "TICK", 600.0)
    made = Asked()
    yield made
    made.answers.set()


def answer(watch: Pulse, asked: Asked, *, alive: bool) -> None:
    """Have the question answered that is under way."""
    asked.alive = alive
    asked.answers.set()
    limit = time.monotonic() + 60
    while watch._asking and time.monotonic() < limit:
        time.sleep(0.001)
    assert not watch._asking


def is_shut(wire: socket.socket) -> bool:
    """Whether the other end would read the end."""
    wire.setblocking(False)
    try:
        return wire.recv(1) == b""
    except BlockingIOError:
        return False


def test_a_silent_server_is_asked_and_given_up(asked: Asked) -> None:
    watch = Pulse(asked)
    ours, theirs = socket.socketpair()
    connection = object()
    watch.lent(connection, ours)
    found = []
    for _ in range(5):
        watch.look()
        found.append((asked.times, watch.silent, is_shut(theirs)))
    assert found == [(0, False, False), (1, False, False), (1, False, False), (1, False, False), (1, True, True)]
    watch.returned(connection)
    assert watch.silent  # a connection that was shut says nothing of the server
    answer(watch, asked, alive=False)
    watch.look()
    assert (asked.times, watch.silent) == (2, True)
    answer(watch, asked, alive=True)
    assert not watch.silent
    watch.close()


def test_who_waits_for_a_lock_is_let_wait_while_the_server_answers(asked: Asked) -> None:
    watch = Pulse(asked)
    ours, theirs = socket.socketpair()
    watch.lent(object(), ours)
    for _ in range(50):
        watch.look()
        if watch._asking:
            answer(watch, asked, alive=True)
    assert not is_shut(theirs)
    assert asked.times == 25
    watch.close()


def test_whatever_comes_back_is_a_sign_of_life(asked: Asked) -> None:
    watch = Pulse(asked)
    ours, theirs = socket.socketpair()
    watch.lent(object(), ours)
    for _ in range(50):
        other = object()
        watch.lent(other, ours)
        watch.look()
        watch.returned(other)
    assert not is_shut(theirs)
    assert asked.times == 0
    watch.close()


def test_a_server_is_asked_again_whatever_came_of_the_last_time(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing else would ever learn that it answers."""
    monkeypatch.setattr(pulse, "TICK", 600.0)
    monkeypatch.setattr(threading, "excepthook", lambda _: None)
    came: list[Exception | None] = [UnicodeError("a name that is none"), None]

    def ask() -> None:
        if (error := came.pop(0)) is not None:
            raise error

    watch = Pulse(ask)
    watch.silent = True
    for left in (1, 0):
        watch.look()
        limit = time.monotonic() + 60
        while (watch._asking or len(came) > left) and time.monotonic() < limit:
            time.sleep(0.001)
    assert not watch.silent


def test_no_thread_to_ask_with_is_no_reason_to_ask_no_more(monkeypatch: pytest.MonkeyPatch, asked: Asked) -> None:
    watch = Pulse(asked)
    watch.silent = True

    def refused(_: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    with monkeypatch.context() as patch:
        patch.setattr(threading.Thread, "start", refused)
        with pytest.raises(RuntimeError):
            watch.look()
    watch.look()
    answer(watch, asked, alive=True)
    assert not watch.silent


def test_an_engine_that_was_disposed_of_while_its_server_was_silent_can_be_used_again(asked: Asked) -> None:
    watch = Pulse(asked)
    ours, _ = socket.socketpair()
    watch.lent(object(), ours)
    watch.silent = True
    watch.close()
    assert not watch.silent
