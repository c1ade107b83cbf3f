"""The lean listener under callers that mean no good, or too much; and how it ends."""

import gzip
import socket
import threading
import time
import zlib
from collections.abc import Iterator
from random import Random
from typing import Any

import grpc
import pytest

from sekisho.edges.budgets import Budget
from sekisho.edges.grpc.lean import ages, clients, line
from sekisho.edges.grpc.lean.connection import Connection
from tests.edges.grpc import frames
from tests.edges.grpc.ways import BESIDE, CLIENT, PATIENCE, POLLED, Lean, heard, leanly, opening, said, sync, until, whole


@pytest.fixture
def lean() -> Iterator[Lean]:
    with leanly() as made:
        yield made


def test_a_caller_beside_a_flood_of_resets(lean: Lean) -> None:
    """Calls that are taken back as soon as they were sent, from four connections, as fast as they go."""
    ending = threading.Event()

    def flood(number: int) -> None:
        while not ending.is_set():
            with frames.Peer(lean.endpoint) as peer:
                try:
                    for stream in range(1, 4001, 2):
                        call = frames.headers(stream, frames.opening(POLLED)) + frames.data(stream, frames.message(b"cold:x"), flags=1)
                        peer.send(call + frames.frame(frames.RESET, 0, stream, b"\0\0\0\x08"))
                except OSError:
                    pass

    threads = [threading.Thread(target=flood, args=(number,), daemon=True) for number in range(4)]
    for thread in threads:
        thread.start()
    with grpc.insecure_channel(lean.endpoint, CLIENT) as channel:
        assert [said(channel, b"hello")[0] for _ in range(50)] == ["OK"] * 50
    ending.set()
    for thread in threads:
        thread.join(PATIENCE)
    until(lambda: not lean.budget.taken and not lean.port._line.waiting, "something is left of calls")


def test_a_caller_beside_connections_without_end_or_beginning(lean: Lean) -> None:
    silent = [socket.create_connection(("127.0.0.1", int(lean.endpoint.rpartition(":")[2]))) for _ in range(100)]
    slow = [frames.Peer(lean.endpoint) for _ in range(20)]
    for peer in slow:
        peer.send(*(frames.headers(2 * number + 1, frames.opening(POLLED)) for number in range(50)))
    with grpc.insecure_channel(lean.endpoint, CLIENT) as channel:
        assert said(channel, b"hello")[0] == "OK"
    for one in silent:
        one.close()
    for peer in slow:
        peer.__exit__(None, None, None)
    until(lambda: not lean.port._peers, "connections are left")


def test_messages_that_are_never_finished_take_no_more_than_their_room(lean: Lean) -> None:
    """Twenty connections with a hundred calls each, 60 KB of a megabyte sent: 120 MB, of which an address has a share."""
    lean.port._budget = lean.budget = Budget(4_000_000, 2_000_000)
    part = frames.message(b"x" * 1_000_000)[:60_000]
    ended: list[str] = []
    peers = [frames.Peer(lean.endpoint) for _ in range(20)]
    for peer in peers:
        for number in range(10):
            peer.send(frames.headers(2 * number + 1, frames.opening(POLLED)), frames.data(2 * number + 1, part))
    assert lean.budget.taken <= 2_000_000
    ended = [heard(peer, 19) for peer in peers[-3:]]
    assert ended == ["8 Rate exceeded"] * 3
    with grpc.insecure_channel(lean.endpoint, CLIENT) as channel:
        assert said(channel, b"hello")[0] == "OK"
    for peer in peers:
        peer.__exit__(None, None, None)
    until(lambda: lean.budget.taken == 0, "room is left taken")


def test_a_message_that_does_not_come_is_not_waited_for(lean: Lean, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ages, "PATIENCE", 1.0)
    with frames.Peer(lean.endpoint) as peer:
        peer.send(opening(), frames.data(1, frames.message(b"hello")[:7]))
        assert heard(peer, 1) == "4 Deadline Exceeded"
    until(lambda: lean.budget.taken == 0, "room is left taken")


def test_who_does_not_read_is_closed(lean: Lean, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ages, "PATIENCE", 1.0)
    with frames.Peer(lean.endpoint) as peer:
        peer.send(frames.frame(frames.SETTINGS, 0, 0, b"\0\4\x7f\xff\xff\xff"), frames.frame(frames.WINDOW, 0, 0, b"\x7f\0\0\0"))
        for stream in range(1, 100, 2):
            peer.send(frames.headers(stream, frames.opening(POLLED)), frames.data(stream, frames.message(b"big:1000000"), flags=1))
        until(lambda: not lean.port._peers, "it is waited for")


def test_a_large_message_is_for_other_threads(lean: Lean) -> None:
    """For its size alone: nobody is answered while the thread that polls is at it."""
    with grpc.insecure_channel(lean.endpoint, CLIENT) as channel:
        for size in (line.INLINE, line.INLINE + 1):
            assert said(channel, b"x" * size)[0] == "OK"
    assert lean.answered_by == ["grpc-lean", "ways"]


def packed(body: bytes) -> bytes:
    """A message in gzip, as gRPC frames it."""
    found = gzip.compress(body, mtime=0)
    return b"\1" + len(found).to_bytes(4) + found


LITTLE, HARD, BOMB = (b"length:" + rest for rest in (b"z" * 1_993, Random(1).randbytes(29_993), b"\0" * 999_993))
UNPACKED: dict[str, tuple[str, bytes, list[tuple[str, int]], str]] = {
    "a_little": (POLLED, LITTLE, [("grpc-lean", 2_000)], "grpc-lean"),
    "a_little_for_others": (BESIDE, LITTLE, [("ways", 2_000)], "ways"),
    "much": (POLLED, HARD, [("ways", 30_000)], "ways"),
    "a_little_that_becomes_much": (POLLED, BOMB, [("grpc-lean", line.INLINE + 1), ("ways", 1_000_000)], "ways"),
}


@pytest.mark.parametrize("case", UNPACKED)
def test_much_is_unpacked_by_other_threads(lean: Lean, monkeypatch: pytest.MonkeyPatch, case: str) -> None:
    """The bytes that each thread has made, and the thread that answers: the one that polls makes no more than it may read."""
    path, body, expected, answering = UNPACKED[case]
    made: list[tuple[str, int]] = []
    real = zlib.decompressobj

    class Opened:
        def __init__(self, bits: int) -> None:
            self._opened = real(bits)

        def decompress(self, data: bytes, most: int) -> bytes:
            found = self._opened.decompress(data, most)
            made.append((threading.current_thread().name.partition("_")[0], len(found)))
            return found

        def __getattr__(self, name: str) -> Any:
            return getattr(self._opened, name)

    monkeypatch.setattr(zlib, "decompressobj", Opened)
    with frames.Peer(lean.endpoint) as peer:
        peer.send(opening(path, ((b"grpc-encoding", b"gzip"),)), frames.data(1, packed(body), flags=frames.END_STREAM))
        assert heard(peer, 1) == "0"
    assert (made, lean.answered_by, lean.answered) == (expected, [answering], [body])
    until(lambda: lean.budget.taken == 0, "room is left taken")


BROKEN = {
    "too_large": (gzip.compress(b"\0" * 1_310_721), "8 a message has at most 1310720 bytes"),
    "cut": (gzip.compress(HARD)[:-9], "13 the message cannot be unpacked"),
    "with_more_behind": (gzip.compress(HARD) + b"x", "13 the message cannot be unpacked"),
    "none": (HARD, "13 the message cannot be unpacked"),
}


@pytest.mark.parametrize("path", [POLLED, BESIDE])
@pytest.mark.parametrize("case", BROKEN)
def test_what_other_threads_cannot_unpack(lean: Lean, path: str, case: str) -> None:
    sent, expected = BROKEN[case]
    with frames.Peer(lean.endpoint) as peer:
        peer.send(opening(path, ((b"grpc-encoding", b"gzip"),)))
        peer.send(frames.data(1, b"\1" + len(sent).to_bytes(4) + sent, flags=frames.END_STREAM))
        assert heard(peer, 1) == expected
    assert lean.answered == []
    until(lambda: lean.budget.taken == 0, "room is left taken")


def test_an_old_connection_is_told_to_go() -> None:
    """Its calls are answered; it has GOAWAY, and its client makes its next calls over another one, and again what crosses with the word."""
    with leanly(age=0.5) as lean, grpc.insecure_channel(lean.endpoint) as channel:
        with frames.Peer(lean.endpoint) as peer:
            peer.send(opening(), whole(b"hello"))
            assert heard(peer, 1) == "0"
            while peer.receive()[0] != frames.GOAWAY:
                pass
        ends = time.monotonic() + 3.0
        while time.monotonic() < ends:
            assert said(channel, b"hello")[0] == "OK"


def test_calls_under_way_are_answered_when_it_stops(lean: Lean) -> None:
    with grpc.insecure_channel(lean.endpoint, CLIENT) as channel:
        calls = [channel.unary_unary(BESIDE, None, None).future(b"hold:", timeout=PATIENCE) for _ in range(3)]
        for _ in calls:
            assert lean.entered.acquire(timeout=PATIENCE)
        over = lean.stop(PATIENCE)
        assert not over.wait(0.1)
        lean.gate.set()
        assert [call.result() for call in calls] == [b"hold:"] * 3
        assert over.wait(PATIENCE)


def test_calls_that_take_longer_than_the_grace_are_cut(lean: Lean) -> None:
    with grpc.insecure_channel(lean.endpoint, CLIENT) as channel:
        call = channel.unary_unary(BESIDE, None, None).future(b"hold:", timeout=PATIENCE)
        assert lean.entered.acquire(timeout=PATIENCE)
        assert lean.stop(0.2).wait(PATIENCE)
        assert call.code() is grpc.StatusCode.UNAVAILABLE
    lean.gate.set()


def test_a_connection_that_is_too_many_is_closed(lean: Lean, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(clients, "OF_ADDRESS", 3)
    peers = [frames.Peer(lean.endpoint) for _ in range(3)]
    for peer in peers:
        sync(peer)
    with socket.create_connection(("127.0.0.1", int(lean.endpoint.rpartition(":")[2]))) as fourth:
        assert fourth.recv(1) == b""
    for peer in peers:
        peer.__exit__(None, None, None)


def test_a_fault_ends_a_connection_alone(lean: Lean, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of our own, which no frame should reach; the others are served on."""
    real = Connection.feed

    def fails(self: Any, data: bytes) -> None:
        if b"poison" in data:
            raise RuntimeError("a fault")
        real(self, data)

    monkeypatch.setattr(Connection, "feed", fails)
    with grpc.insecure_channel(lean.endpoint, CLIENT) as channel:
        assert said(channel, b"hello")[0] == "OK"
        with frames.Peer(lean.endpoint) as peer:
            peer.send(opening(), whole(b"poison"))
            with pytest.raises((OSError, EOFError, AssertionError)):
                heard(peer, 1)
        assert said(channel, b"hello")[0] == "OK"
