"""A worker whose polling thread hangs gives no more signs of life, and its parent puts another in its place."""

import os
import queue
import signal
import socket
import threading
import time
from contextlib import ExitStack
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from sekisho import meters
from sekisho.edges.grpc.lean.asked import Method
from sekisho.edges.grpc.lean.port import Port
from sekisho.edges.lanes import Claim, Lane
from sekisho.node import prepare, pulse, run, seats, workers
from sekisho.node.options import Options
from sekisho.node.orders import STOP, Orders
from sekisho.node.workers import Workers
from tests import started
from tests.edges.grpc import frames

PATH = "/test.Ways/Polled"
PATIENCE = 120.0


@pytest.mark.parametrize(("turned", "alive"), [(100.0, True), (95.0, True), (94.9, False)])
def test_a_thread_turns_that_has_lately(turned: float, alive: bool) -> None:
    assert pulse.is_alive(turned, 100.0) is alive


def test_one_thread_that_hangs_is_enough(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pulse, "INTERVAL", 0.01)
    monkeypatch.setattr(pulse, "is_alive", lambda turned, _: turned > 0.0)
    beats, first, second = list[None](), SimpleNamespace(turned=1.0), SimpleNamespace(turned=0.0)
    with pulse.beating(lambda: beats.append(None), [first, second]):
        time.sleep(0.1)
        assert beats == []
        first.turned, second.turned = 0.0, 1.0
        time.sleep(0.1)
        assert beats == []
        first.turned = 1.0
        until(lambda: beats)


def until(holds: Any) -> None:
    limit = time.monotonic() + PATIENCE
    while not holds():
        assert time.monotonic() < limit
        time.sleep(0.01)


def test_a_thread_that_hangs_in_a_call_does_not_turn(monkeypatch: pytest.MonkeyPatch) -> None:
    """Signs are given before, and after, and none while it hangs."""
    monkeypatch.setattr(pulse, "INTERVAL", 0.01)
    now = [0.0]
    monkeypatch.setattr(pulse, "is_alive", lambda turned, _: turned > now[0])
    hangs, goes_on = threading.Event(), threading.Event()

    def hang(body: bytes, _context: Any) -> bytes:
        hangs.set()
        assert goes_on.wait(PATIENCE)
        return body

    bound, pool, beats = socket.socket(), Lane("ways", threads=1, waiting=10), list[float]()
    bound.bind(("127.0.0.1", 0))
    listener = Port(bound, {PATH: Method(PATH, hang, hang, pool)}, lambda _: Claim(), age=600.0)
    listener.start()
    with pulse.beating(lambda: beats.append(time.monotonic()), [listener]):
        until(lambda: beats)
        peer = frames.Peer(f"127.0.0.1:{bound.getsockname()[1]}")
        with peer:
            peer.send(frames.headers(1, frames.opening(PATH)) + frames.data(1, frames.message(b"hello"), flags=1))
            assert hangs.wait(PATIENCE)
            now[0] = time.monotonic()  # from here on, only a turn that comes after this counts
            count = len(beats)
            time.sleep(0.3)
            assert len(beats) <= count + 1
            goes_on.set()
            until(lambda: len(beats) > count + 1)
    assert listener.stop(0.1).wait(PATIENCE)
    pool.shutdown()


def test_a_worker_that_hangs_is_replaced(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Stopped by a signal, as a whole: the other goes on, and another one comes."""
    monkeypatch.setattr(seats, "SILENCE", 8.0)
    (tmp_path / "log").touch()
    monkeypatch.setattr(workers, "multiprocessing", started.multiprocessing(str(tmp_path / "log")))
    anywhere = "127.0.0.1:0"
    options = Options(data_dir=tmp_path / "data", grpc=anywhere, http=anywhere, lean=anywhere, workers=2, pin=False)
    meters.clear(tmp_path / "data" / "meters")
    prepare.prepare(options)
    orders: Orders = queue.SimpleQueue()
    ready = threading.Event()
    with ExitStack() as stack:
        made = Workers(run._reserved(options, stack), edges=(), grace=1.0)
        thread = threading.Thread(target=made.run, args=(ready.set, orders), daemon=True)
        thread.start()
        stack.callback(thread.join, PATIENCE)
        stack.callback(orders.put, STOP)
        assert ready.wait(PATIENCE)
        seat = made._seats[1]
        hung = seat.worker
        assert hung is not None
        assert hung.process.pid is not None
        until(lambda: hung.beaten is not None)
        os.kill(hung.process.pid, signal.SIGSTOP)
        until(lambda: seat.worker is not hung and seat.worker is not None and seat.worker.serving is not None)
        assert hung.process.exitcode == -signal.SIGKILL
    assert not thread.is_alive()
