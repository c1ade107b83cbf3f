"""One small server in two ways, on the listener of grpcio and on the lean one; and what callers make of it."""

import json
import re
import socket
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from typing import Any

import grpc

from sekisho.edges.budgets import Budget
from sekisho.edges.grpc import status
from sekisho.edges.grpc.arrivals import Arrivals
from sekisho.edges.grpc.lean.asked import Method
from sekisho.edges.grpc.lean.port import Port
from sekisho.edges.grpc.receives import Receives
from sekisho.edges.grpc.server import OPTIONS
from sekisho.edges.lanes import Claim, Lane
from sekisho.errors import AccessDenied
from sekisho.memory import cold
from tests.edges.grpc import frames

POLLED, BESIDE = "/test.Ways/Polled", "/test.Ways/Beside"
"""A method that the lean listener's own thread answers, and one that it leaves to others."""
NOISE = ("user-agent", "grpc-accept-encoding", "accept-encoding")
TRAILERS = re.compile(rb"\x0c?grpc-(status|message)(?!-)(.)", re.DOTALL)
CLIENT = (("grpc.max_receive_message_length", 8 << 20), ("grpc.max_send_message_length", 8 << 20), ("grpc.enable_retries", 0))
PATIENCE = 60.0


class Ways:
    """The server on grpcio's listener. Handlers that wait do so for `gate`."""

    def __init__(self, stack: ExitStack) -> None:
        self.gate, self.entered = threading.Event(), threading.Semaphore(0)
        self.pool = Lane("ways", threads=4, waiting=1000)
        self.budget = Budget()
        self.receives = Receives(self.budget, patience=30.0)
        self.answered_by: list[str] = []
        self.answered: list[bytes] = []  # messages, in the order in which the handler had them
        self.server: Any = grpc.server(ThreadPoolExecutor(1), options=[pair for pair in OPTIONS if pair[0] != "grpc.so_reuseport"])
        pool = Arrivals(self.pool, claimed, self.receives)
        self.server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler("test.Ways", self._handlers(pool)),))
        self.endpoint = f"127.0.0.1:{self.server.add_insecure_port('127.0.0.1:0')}"
        self.server.start()
        stack.callback(self._close)

    def stop(self, grace: float) -> threading.Event:
        """Stop the server."""
        stopped: threading.Event = self.server.stop(grace)
        return stopped

    def _close(self) -> None:
        self.gate.set()
        assert self.stop(0.5).wait(PATIENCE)
        self.receives.close()
        self.pool.shutdown()

    def _handlers(self, pool: Arrivals) -> "dict[str, grpc.RpcMethodHandler[bytes, bytes]]":
        def say(body: bytes, context: Any) -> bytes:
            return self.say(body, context)

        say.experimental_thread_pool = pool  # type: ignore[attr-defined]
        return dict.fromkeys(("Polled", "Beside"), grpc.unary_unary_rpc_method_handler(say))

    def say(self, body: bytes, context: Any) -> bytes:
        """The handler: a word and what follows its colon."""
        self.answered_by.append(threading.current_thread().name.partition("_")[0])
        self.answered.append(body)
        word, _, rest = body.partition(b":")
        if word in WORDS:
            return WORDS[word](rest, context)
        if word == b"hold":  # as nothing may that is answered inline
            self.entered.release()
            self.gate.wait(PATIENCE)
        if word == b"wait":
            cold.may_wait()
            self.entered.release()
            self.gate.wait(PATIENCE)
        return body


def claimed(metadata: Any) -> Claim:
    """The account that a call claims."""
    return Claim(str(dict(metadata).get("account", "")))


def _fail(_rest: bytes, _context: Any) -> bytes:
    raise ValueError("boom")


def _deny(rest: bytes, context: Any) -> bytes:
    context.abort_with_status(status.of(AccessDenied(rest.decode()), "r-1"))
    raise AssertionError("abort_with_status raises")


def _trailing(rest: bytes, context: Any) -> bytes:
    context.set_trailing_metadata((("sekisho-revision", rest.decode()), ("sekisho-request-id", "r-2")))
    return rest


def _metadata(_rest: bytes, context: Any) -> bytes:
    pairs = [[name, value if isinstance(value, str) else value.hex()] for name, value in context.invocation_metadata()]
    return json.dumps([pair for pair in pairs if pair[0] not in NOISE]).encode()


def _peer(_rest: bytes, context: Any) -> bytes:
    found = {key: [value.decode("latin-1")[:30] for value in values] for key, values in context.auth_context().items()}
    return json.dumps([context.peer().rpartition(":")[0], found, 0 < context.time_remaining() < 100], sort_keys=True).encode()


def _cold(rest: bytes, _context: Any) -> bytes:
    cold.may_wait()
    return rest


WORDS: dict[bytes, Callable[[bytes, Any], bytes]] = {
    b"fail": _fail,
    b"deny": _deny,
    b"trailing": _trailing,
    b"metadata": _metadata,
    b"peer": _peer,
    b"cold": _cold,
    b"length": lambda rest, _: b"%d" % (len(rest) + 7),
    b"big": lambda rest, _: b"x" * int(rest),
}


class Lean(Ways):
    """The same on the lean listener."""

    def __init__(self, stack: ExitStack, *, age: float = 600.0) -> None:
        self.gate, self.entered = threading.Event(), threading.Semaphore(0)
        self.pool = Lane("ways", threads=4, waiting=1000)
        self.answered_by, self.answered = [], []
        methods = [Method(POLLED, self.say, self.say, self.pool), Method(BESIDE, None, self.say, self.pool)]
        bound = socket.socket()
        bound.bind(("127.0.0.1", 0))
        self.endpoint = f"127.0.0.1:{bound.getsockname()[1]}"
        self.port = Port(bound, {one.path: one for one in methods}, claimed, age=age)
        self.budget = self.port._budget
        self.port.start()
        stack.callback(self._close)

    def stop(self, grace: float) -> threading.Event:
        """Stop the listener."""
        return self.port.stop(grace)

    def _close(self) -> None:
        self.gate.set()
        assert self.stop(0.5).wait(PATIENCE)
        self.pool.shutdown()


@contextmanager
def leanly(**options: Any) -> Iterator[Lean]:
    """The lean listener."""
    with ExitStack() as stack:
        yield Lean(stack, **options)


@contextmanager
def stock() -> Iterator[Ways]:
    """The listener of grpcio."""
    with ExitStack() as stack:
        yield Ways(stack)


def said(channel: grpc.Channel, body: bytes, *, path: str = POLLED, timeout: float | None = PATIENCE, **options: Any) -> list[Any]:
    """Call; the status, then the reply or the details, then trailing metadata, all as texts."""
    try:
        reply, call = channel.unary_unary(path, None, None).with_call(body, timeout=timeout, **options)
    except grpc.RpcError as error:
        return ended(error)
    return ["OK", reply.decode("latin-1"), _texts(call.trailing_metadata())]


def ended(error: Any) -> list[Any]:
    """How a failed call ended."""
    return [error.code().name, error.details(), _texts(error.trailing_metadata())]


def _texts(metadata: Any) -> dict[str, str]:
    return {name: value if isinstance(value, str) else f"{len(value)} bytes" for name, value in metadata or ()}


def until(holds: Callable[[], object], what: str) -> None:
    """Wait until it holds; `what` is wrong where it never does."""
    limit = time.monotonic() + PATIENCE
    while not holds():
        assert time.monotonic() < limit, what
        time.sleep(0.01)


def framed(endpoint: str, *sent: bytes) -> str:
    """Send frames on stream 1 of a connection of their own; how it ends: `status message`, RESET or GOAWAY."""
    with frames.Peer(endpoint) as peer:
        peer.send(*sent)
        return heard(peer, 1)


def heard(peer: frames.Peer, stream: int) -> str:
    """How a stream ends."""
    block = peer.ended(stream)
    return told(block)


def told(block: bytes) -> str:
    """The status and the message in header blocks."""
    found = {match[1]: block[match.end() : match.end() + match[2][0]].decode("latin-1") for match in TRAILERS.finditer(block)}
    if b"status" not in found:
        said = block.removeprefix(b"\x20")[:40]  # which tells the peer of `frames`, who wants no table, that there is none
        return "RESET" if b"RESET" in block else "GOAWAY" if b"GOAWAY" in block else f"HTTP {said!r}"
    return f"{found[b'status']} {found.get(b'message', '')}".strip()


def opening(path: str = POLLED, headers: Sequence[tuple[bytes, bytes]] = (), *, flags: int = 0) -> bytes:
    """The header frame of a call on stream 1."""
    return frames.headers(1, frames.opening(path, headers), flags=flags)


def whole(body: bytes) -> bytes:
    """The data frame of a whole message that ends stream 1."""
    return frames.data(1, frames.message(body), flags=frames.END_STREAM)


def sync(peer: frames.Peer) -> None:
    """Wait until the server has read all that was sent."""
    peer.send(frames.frame(frames.PING, 0, 0, b"12345678"))
    while peer.receive()[:2] != (frames.PING, frames.ACK):
        pass
