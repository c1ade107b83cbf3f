"""The lean listener under clients that leave half of everything undone, and a system that gives no more: its thread goes on, and idles."""

import contextlib
import errno
import os
import resource
import socket
import ssl
import struct
import time
from collections.abc import Iterator
from pathlib import Path

import grpc
import pytest

from sekisho.edges.budgets import Budget
from sekisho.edges.grpc.lean import ages, answers, door, port
from sekisho.edges.grpc.lean.peers import Peer
from sekisho.edges.lanes import Claim
from tests.certificates import Authority
from tests.edges.grpc import frames
from tests.edges.grpc.ways import BESIDE, CLIENT, PATIENCE, POLLED, Lean, leanly, opening, said, sync, until, whole

RESET = struct.pack("ii", 1, 0)
SMALL = frames.frame(frames.SETTINGS, 0, 0, b"\0\4\0\0\0\0")  # a window of nothing for every stream
HUGE = frames.frame(frames.SETTINGS, 0, 0, b"\0\4\x7f\xff\xff\xff") + frames.frame(frames.WINDOW, 0, 0, b"\x7f\0\0\0")


@pytest.fixture
def lean() -> Iterator[Lean]:
    with leanly() as made:
        yield made


def number(lean: Lean) -> int:
    return int(lean.endpoint.rpartition(":")[2])


def call(body: bytes, stream: int = 1) -> bytes:
    return frames.headers(stream, frames.opening(POLLED)) + frames.data(stream, frames.message(body), flags=1)


def test_who_has_gone_before_it_is_taken_in() -> None:
    """A client that sends something and resets before the handshake, which `ssl` refuses to wrap (CVE-2023-40217)."""
    bound = socket.socket()
    bound.bind(("127.0.0.1", 0))
    listener = port.Port(bound, {}, lambda _: Claim(), tls=lambda: ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER), age=60.0)
    gone = socket.create_connection(bound.getsockname())
    gone.sendall(b"x")
    gone.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET)
    gone.close()
    time.sleep(0.1)  # before its thread begins, so that it finds the reset
    listener.start()
    with socket.create_connection(bound.getsockname()) as second:
        until(lambda: listener._peers, "the thread has ended")
        assert not listener.over.is_set()
        second.sendall(b"no TLS")
    assert listener.stop(0.1).wait(PATIENCE)


def test_handshakes_hold_nobody_up(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of many that are due at once, a step does few, and the next steps do the others."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(*Authority().server().write(tmp_path, "server"))
    context.set_alpn_protocols(["h2"])
    bound = socket.socket()
    bound.bind(("127.0.0.1", 0))
    listener = port.Port(bound, {}, lambda _: Claim(), tls=lambda: context, age=60.0)
    shakes: list[int] = []
    shake = Peer.shake

    def counted(self: Peer) -> None:
        shakes.append(self.number)
        shake(self)

    monkeypatch.setattr(Peer, "shake", counted)
    clients = [socket.create_connection(bound.getsockname()) for _ in range(12)]
    try:
        for client in clients:
            there = ssl.MemoryBIO()
            hello = ssl._create_unverified_context().wrap_bio(ssl.MemoryBIO(), there)  # noqa: S323  # only its first message is sent
            with contextlib.suppress(ssl.SSLWantReadError):
                hello.do_handshake()
            client.sendall(there.read())
        limit, most = time.monotonic() + PATIENCE, 0
        while len(set(shakes)) < len(clients):
            assert time.monotonic() < limit
            before = len(shakes)
            listener._step()
            most = max(most, len(shakes) - before)
        assert most == port.SHAKES
    finally:
        for client in clients:
            client.close()
        listener.start()
        assert listener.stop(0.1).wait(PATIENCE)


def test_no_more_files_is_no_busy_loop(lean: Lean, monkeypatch: pytest.MonkeyPatch) -> None:
    """Who waits at the door then is taken in once there are files again."""
    said: list[str] = []
    before = resource.getrlimit(resource.RLIMIT_NOFILE)
    with frames.Peer(lean.endpoint) as first, socket.socket() as late:
        sync(first)
        monkeypatch.setattr(door.log, "error", lambda _event, **more: said.append(more["error"]))
        with Path(os.devnull).open() as highest:
            taken = highest.fileno()
        resource.setrlimit(resource.RLIMIT_NOFILE, (taken, before[1]))
        try:
            late.connect(("127.0.0.1", number(lean)))
            began, used = time.monotonic(), time.process_time()
            until(lambda: said, "nobody was refused")
            time.sleep(1.0)
            sync(first)
            assert set(said) == {os.strerror(errno.EMFILE)}
            assert len(said) <= 2 + (time.monotonic() - began)
            assert time.process_time() - used < 0.5 * (time.monotonic() - began)
        finally:
            resource.setrlimit(resource.RLIMIT_NOFILE, before)
        until(lambda: len(lean.port._peers) == 2, "it was forgotten")


def test_a_second_stop_writes_in_nobodys_file(tmp_path: Path) -> None:
    """What woke the thread is closed by then, and its number is that of the next file: a database, say."""
    with leanly() as lean:
        assert lean.stop(0.0).wait(PATIENCE)
        files = [(tmp_path / str(index)).open("wb") for index in range(8)]
        lean.stop(0.0)
        lean.port._bell.ring()  # as a thread that has answered too late
        for file in files:
            file.close()
        assert [(tmp_path / str(index)).read_bytes() for index in range(8)] == [b""] * 8


def test_an_error_that_no_header_carries(lean: Lean) -> None:
    """Half a surrogate pair, as JSON may have it in what a policy says."""
    assert b"Exception" in answers.unknown(ValueError("\ud800")).block
    with grpc.insecure_channel(lean.endpoint, CLIENT) as channel:
        assert said(channel, b"hello")[0] == "OK"


def test_a_fault_in_an_answer_ends_a_connection_alone(lean: Lean, monkeypatch: pytest.MonkeyPatch) -> None:
    real = answers.framed

    def fails(message: bytes) -> bytes:
        if message == b"poison":
            raise RuntimeError("a fault")
        return real(message)

    monkeypatch.setattr(answers, "framed", fails)
    with grpc.insecure_channel(lean.endpoint, CLIENT) as other:
        for path in (POLLED, BESIDE):
            assert said(other, b"hello", path=path)[0] == "OK"
            with grpc.insecure_channel(lean.endpoint, (*CLIENT, ("path", path))) as channel:
                assert said(channel, b"poison", path=path)[0] == "UNAVAILABLE"
            assert said(other, b"hello", path=path)[0] == "OK"
    until(lambda: not lean.port._line.waiting, "something is left of calls")


def test_who_says_nothing_is_closed(lean: Lean, monkeypatch: pytest.MonkeyPatch) -> None:
    """No preface, half a frame, a header block without an end."""
    monkeypatch.setattr(ages, "PATIENCE", 1.0)
    with (
        socket.create_connection(("127.0.0.1", number(lean))) as silent,
        frames.Peer(lean.endpoint) as half,
        frames.Peer(lean.endpoint) as endless,
    ):
        half.send(frames.frame(frames.PING, 0, 0, b"12345678")[:12])
        endless.send(frames.frame(frames.HEADERS, 0, 1, b"\0"))
        for one in (silent, half.socket, endless.socket):
            one.settimeout(PATIENCE)
            while one.recv(4096):
                pass


def test_an_answer_that_is_not_taken_is_given_up(lean: Lean, monkeypatch: pytest.MonkeyPatch) -> None:
    """By a client that opens no window for it; anybody may ask for health."""
    monkeypatch.setattr(ages, "TAKING", 1.0)
    with frames.Peer(lean.endpoint) as peer:
        peer.socket.settimeout(20.0)
        peer.send(SMALL, call(b"hello"))
        assert peer.ended(1).endswith(b"RESET")
        assert [one.connection.held for one in lean.port._peers.values()] == [0]


@pytest.mark.parametrize(("settings", "size"), [(SMALL, 900_000), (HUGE, 3_900_000)])
def test_answers_that_wait_are_bounded_for_an_address(lean: Lean, monkeypatch: pytest.MonkeyPatch, settings: bytes, size: int) -> None:
    """Of many connections, whether the window holds them back or nobody reads: each has more than its address may."""
    monkeypatch.setattr(ages, "PATIENCE", 600.0)  # it is not for that
    lean.port._answers = Budget(8_000_000, 4_000_000)
    peers = [frames.Peer(lean.endpoint) for _ in range(6)]
    for peer in peers:
        peer.send(settings, *(call(b"big:%d" % size, stream) for stream in range(1, 12, 2)))
    until(lambda: lean.answered and not lean.port._peers, "their answers are kept")
    with grpc.insecure_channel(lean.endpoint, CLIENT) as channel:
        assert said(channel, b"hello")[0] == "OK"
    for peer in peers:
        peer.__exit__(None, None, None)
    until(lambda: not lean.port._answers.taken, "room is left taken")


def test_who_is_at_the_door_is_let_in_before_it_closes() -> None:
    """A connection that was made before the stop is not cut: its call is answered."""
    bound = socket.socket()
    bound.bind(("127.0.0.1", 0))
    listener = port.Port(bound, {}, lambda _: Claim(), age=60.0)
    with frames.Peer(f"127.0.0.1:{bound.getsockname()[1]}") as peer:
        over = listener.stop(PATIENCE)
        listener.start()
        peer.send(opening(), whole(b"hello"))
        while (found := peer.receive())[0] != frames.HEADERS:
            if found[0] == frames.PING and not found[1] & frames.ACK:
                peer.send(frames.frame(frames.PING, frames.ACK, 0, found[3]))
    assert over.wait(PATIENCE)


def test_the_end_of_an_answer_is_not_cut_off(lean: Lean) -> None:
    """By a client that still sends while it reads, as each does that opens windows."""
    said = b"hold:" + b"x" * 500_000
    with frames.Peer(lean.endpoint) as peer:
        peer.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 16_384)
        peer.send(HUGE, frames.headers(1, frames.opening(BESIDE)), frames.data(1, frames.message(said), flags=1))
        assert lean.entered.acquire(timeout=PATIENCE)
        over = lean.stop(PATIENCE)
        size = 0
        while True:
            kind, flags, which, body = peer.receive()
            if kind == frames.PING and not flags & frames.ACK:
                peer.send(frames.frame(frames.PING, frames.ACK, 0, body))
                until(lambda: all(one.connection.leaving for one in lean.port._peers.values()), "it does not leave")
                lean.gate.set()
            if kind == frames.DATA:
                size += len(body)
                peer.send(frames.frame(frames.WINDOW, 0, 0, b"\0\0\0\1"))
                time.sleep(0.01)  # so that it is read later than it is sent
            if flags & frames.END_STREAM and which == 1:
                break
        assert size == len(said) + 5
    assert over.wait(PATIENCE)


def test_a_client_with_small_windows_takes_large_answers(lean: Lean) -> None:
    """As those have that open a quarter of HTTP/2's own 64 KiB at a time: they make no noise."""
    with frames.Peer(lean.endpoint) as peer:
        peer.send(frames.frame(frames.SETTINGS, 0, 0, b"\0\4\0\0\xff\xff"))
        for stream in range(1, 12, 2):
            peer.send(call(b"big:4000000", stream))
            size, taken = 0, 0
            while size < 4_000_005:
                kind, _, which, body = peer.receive()
                assert kind != frames.GOAWAY
                if kind == frames.DATA and which == stream:
                    size, taken = size + len(body), taken + len(body)
                    if taken >= 16_384:
                        more = taken.to_bytes(4)
                        peer.send(frames.frame(frames.WINDOW, 0, stream, more), frames.frame(frames.WINDOW, 0, 0, more))
                        taken = 0


def test_many_large_answers_of_one_connection(lean: Lean) -> None:
    with grpc.insecure_channel(lean.endpoint, CLIENT) as channel:
        calls = [channel.unary_unary(POLLED, None, None).future(b"big:500000", timeout=PATIENCE) for _ in range(50)]
        assert {one.code() for one in calls} == {grpc.StatusCode.OK}
