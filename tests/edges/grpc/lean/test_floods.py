"""Many calls at once on the lean listener: whose turn it is, who is refused and what that one hears, and what a stop leaves of them."""

import fcntl
import socket
import struct
import termios
import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack
from typing import Any

import grpc
import pytest
from google.rpc import error_details_pb2, status_pb2

from sekisho.edges.grpc.lean import port
from sekisho.edges.grpc.lean.asked import Method
from sekisho.edges.grpc.lean.gate import Gate
from sekisho.edges.grpc.lean.line import Line
from sekisho.edges.grpc.lean.peers import READ
from sekisho.edges.lanes import Claim, Lane
from tests.edges.grpc import frames
from tests.edges.grpc.ways import CLIENT, PATIENCE, POLLED, Lean, leanly, said, told, until

TOGETHER = 90
"""Calls of a connection, which the listener reads at once."""


class Caller:
    """Calls of one connection, and how they end."""

    def __init__(self, peer: frames.Peer, count: int, account: str, body: bytes) -> None:
        self._peer, self._blocks, self._left = peer, dict[int, bytes](), count
        self.ends: Counter[str] = Counter()
        head = frames.opening(POLLED, ((b"account", account.encode()),))
        calls = [frames.headers(at, head) + frames.data(at, frames.message(body), flags=frames.END_STREAM) for at in range(1, 2 * count, 2)]
        assert sum(map(len, calls)) < READ - 100
        peer.send(*calls)
        until(lambda: not unacknowledged(peer), "the listener's system does not have them")

    def finish(self) -> Counter[str]:
        """Wait for the end of all."""
        while self._left:
            kind, flags, stream, body = self._peer.receive()
            if kind == frames.PING and not flags & frames.ACK:
                self._peer.send(frames.frame(frames.PING, frames.ACK, 0, body))
            if kind == frames.HEADERS:
                self._blocks[stream] = self._blocks.get(stream, b"") + body
            if kind == frames.RESET or (flags & frames.END_STREAM and kind in (frames.HEADERS, frames.DATA)):
                self.ends["RESET" if kind == frames.RESET else told(self._blocks.get(stream, b""))] += 1
                self._left -= 1
        return self.ends


def unacknowledged(peer: frames.Peer) -> int:
    """The bytes that were sent and are not in the other side's buffer yet."""
    (found,) = struct.unpack("i", fcntl.ioctl(peer.socket, termios.TIOCOUTQ, b"\0\0\0\0"))
    return int(found)


class Crowd:
    """Calls of accounts, ninety to a connection, all of which are there for the listener to read when `send` returns."""

    def __init__(self, lean: Lean, stack: ExitStack) -> None:
        self._lean, self._stack = lean, stack
        self._callers: dict[str, list[Caller]] = {}

    def send(self, account: str, count: int, body: bytes = b"hello") -> None:
        """Send so many calls at once."""
        for at in range(0, count, TOGETHER):
            peer = self._stack.enter_context(frames.Peer(self._lean.endpoint))
            self._callers.setdefault(account, []).append(Caller(peer, min(TOGETHER, count - at), account, body))

    def ends(self, account: str) -> Counter[str]:
        """How the calls of an account ended."""
        return sum((caller.finish() for caller in self._callers[account]), Counter())

    def leave(self) -> None:
        """Close all connections."""
        self._stack.close()


@pytest.fixture
def lean() -> Iterator[Lean]:
    with leanly() as made:
        yield made


@pytest.fixture
def crowd(lean: Lean) -> Iterator[Crowd]:
    with ExitStack() as stack:
        yield Crowd(lean, stack)


def hold(lean: Lean, crowd: Crowd) -> None:
    """Keep the polling thread at a call until the gate is open; what comes meanwhile it then reads before it answers any of it."""
    crowd.send("holder", 1, b"hold:")
    assert lean.entered.acquire(timeout=PATIENCE)


def test_a_flood_of_one_account_does_not_stand_before_another(lean: Lean, crowd: Crowd) -> None:
    hold(lean, crowd)
    crowd.send("flood", 90, b"flood")
    crowd.send("bystander", 1, b"bystander")
    lean.gate.set()
    assert (crowd.ends("bystander"), crowd.ends("flood")) == ({"0": 1}, {"0": 90})
    assert lean.answered.index(b"bystander") <= 45


def test_a_flood_refuses_its_own_calls_and_nobody_elses(lean: Lean, crowd: Crowd) -> None:
    """A third of the places, of which there are 64 at the least, is more than the bystander needs."""
    hold(lean, crowd)
    crowd.send("flood", 450)
    crowd.send("bystander", 20)
    lean.gate.set()
    assert crowd.ends("bystander") == {"0": 20}
    ends = crowd.ends("flood")
    assert set(ends) == {"0", "8 Rate exceeded"}
    assert ends["0"] >= 20


def test_a_flood_leaves_time_for_answers(monkeypatch: pytest.MonkeyPatch) -> None:
    """Ten connections with ninety calls each are read one after the other, and calls are answered between: not 128 of them and the rest
    refused. Here there is all the time that answers take.
    """
    monkeypatch.setattr(port, "SHARE", 1e9)
    answered: list[bytes] = []

    def say(body: bytes, _context: Any) -> bytes:
        answered.append(body)
        return body

    bound, pool = socket.socket(), Lane("ways", threads=1, waiting=10)
    bound.bind(("127.0.0.1", 0))
    listener = port.Port(bound, {POLLED: Method(POLLED, say, say, pool)}, lambda _: Claim("flood"), age=600.0)
    with ExitStack() as stack:
        peers = [stack.enter_context(frames.Peer(f"127.0.0.1:{bound.getsockname()[1]}")) for _ in range(10)]
        callers = [Caller(peer, TOGETHER, "flood", b"hello") for peer in peers]
        limit = time.monotonic() + PATIENCE
        while sum(listener._counts.ends.values()) < 10 * TOGETHER:
            assert time.monotonic() < limit
            listener._step()
        ends = sum((caller.finish() for caller in callers), Counter[str]())
    listener.start()
    assert listener.stop(0.1).wait(PATIENCE)
    pool.shutdown()
    assert set(ends) == {"0", "8 Rate exceeded"}
    assert len(answered) == ends["0"] > 500


@pytest.mark.parametrize("where", [Line, Gate], ids=["read", "by_its_head"])
def test_who_is_refused_hears_what_grpcios_listener_says(lean: Lean, monkeypatch: pytest.MonkeyPatch, where: type) -> None:
    monkeypatch.setattr(where, "refuses", lambda *_: True)
    with grpc.insecure_channel(lean.endpoint, CLIENT) as channel:
        refused = channel.unary_unary(POLLED, None, None).future(b"hello", timeout=PATIENCE)
        assert (refused.code(), refused.details()) == (grpc.StatusCode.RESOURCE_EXHAUSTED, "Rate exceeded")
        trailing = dict(refused.trailing_metadata())
    info = error_details_pb2.ErrorInfo()
    assert status_pb2.Status.FromString(trailing["grpc-status-details-bin"]).details[0].Unpack(info)
    assert (info.reason, info.domain, info.metadata["code"]) == ("THROTTLING", "sekisho", "Throttling")
    assert info.metadata["request_id"] == trailing["sekisho-request-id"] != ""
    assert lean.answered == []


def test_all_calls_end_well_when_it_stops(lean: Lean, crowd: Crowd) -> None:
    """Those that wait in the pool, the one that is being answered, those that are there and not read yet."""
    crowd.send("pool", 3, b"wait:")
    for _ in range(3):
        assert lean.entered.acquire(timeout=PATIENCE)
    hold(lean, crowd)
    crowd.send("line", 50)
    stopped = lean.stop(PATIENCE)
    lean.gate.set()
    assert (crowd.ends("pool"), crowd.ends("holder"), crowd.ends("line")) == ({"0": 3}, {"0": 1}, {"0": 50})
    crowd.leave()
    assert stopped.wait(PATIENCE)


def test_threads_end() -> None:
    before = threading.active_count()
    with leanly() as lean, grpc.insecure_channel(lean.endpoint, CLIENT) as channel:
        assert said(channel, b"hello") == ["OK", "hello", {}]
    until(lambda: threading.active_count() <= before, "threads are left")
