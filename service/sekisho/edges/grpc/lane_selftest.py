"""Real calls through a polling lane of a throwaway server on loopback, before a worker has one: a check of the grpcio that is installed."""

import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from functools import cache
from typing import Any

import grpc
import structlog

from sekisho.edges.budgets import Budget
from sekisho.edges.grpc import lane, lane_attach, line
from sekisho.edges.grpc.arrivals import Arrivals
from sekisho.edges.grpc.receives import Receives
from sekisho.edges.lanes import Lane
from sekisho.memory import cold

PATIENCE = 5.0
"""Seconds that any call may take."""

_SERVICE, _POLLED, _STOCK = "sekisho.SelfTest", "/sekisho.SelfTest/Polled", "/sekisho.SelfTest/Stock"
_MESSAGES = (b"hello", b"wait", b"", b"x" * (line.INLINE + 1))
"""Answered by the thread; one that has to wait; an empty one; one that is too large for the thread."""

log = structlog.get_logger(__name__)


class FailedError(Exception):
    """Something is not as it should be."""


@cache
def passes() -> bool:
    """Whether a lane works in this process; if not, a line in the log says why."""
    try:
        with _server() as (polled, endpoint), grpc.insecure_channel(endpoint, _OPTIONS) as channel:
            _ask(channel)
            stopped = polled.stop(PATIENCE)
            _hold(stopped.wait(PATIENCE), "the server stops")
            _hold(polled.join(PATIENCE), "the lane ends with its server")
            _hold(polled.counts.ends == {"inline": 3, "passed": 3, "refused": 0, "empty": 1}, f"who answered what: {polled.counts.ends}")
    except Exception as error:
        log.warning("lane.unsupported", grpcio=grpc.__version__, error=f"{type(error).__name__}: {error}")
        return False
    return True


_OPTIONS = (("grpc.use_local_subchannel_pool", 1), ("grpc.enable_retries", 0))


def _ask(channel: grpc.Channel) -> None:
    polled = channel.unary_unary(_POLLED, None, None)
    for message in _MESSAGES:
        reply, call = polled.with_call(message, timeout=PATIENCE)
        seen = dict(call.trailing_metadata() or ())
        _hold(reply == message, "the answer is the handler's")
        _hold(
            seen == {"thread": "grpc-lane" if message in (b"hello", b"") else "pool", "peer": "ipv4:127.0.0.1", "time": "True"}, str(seen)
        )
    _hold(channel.unary_unary(_STOCK, None, None)(b"beside", timeout=PATIENCE) == b"beside", "other methods are served")
    _refused(polled.future(b"abort", timeout=PATIENCE), "NOT_FOUND", "nobody")
    _refused(polled.future(b"long", timeout=0.05), "DEADLINE_EXCEEDED", "")
    nothing = channel.stream_unary(_POLLED, None, None).future(iter(()), timeout=PATIENCE)
    _refused(nothing, "UNIMPLEMENTED", f'"{_POLLED}" requires exactly one request message.')


def _refused(future: Any, code: str, details: str) -> None:
    error = future.exception(PATIENCE)
    _hold(isinstance(error, grpc.RpcError) and error.code().name == code, f"{code} is {error!r}")
    _hold(not details or error.details() == details, f"{details} is {error!r}")


def _hold(holds: bool, what: str) -> None:
    if not holds:
        raise FailedError(what)


@contextmanager
def _server() -> Iterator[tuple[lane.PollingLane, str]]:
    pool = Lane("self-test", threads=2, waiting=10)
    receives = Receives(Budget())
    server = grpc.server(ThreadPoolExecutor(1), options=(("grpc.so_reuseport", 0),))
    ended = threading.Event()

    def say(body: bytes, context: Any) -> bytes:
        if body == b"abort":
            context.abort_with_status(_Nobody())
        if body in (b"wait", b"long"):
            cold.may_wait()
        if body == b"long":
            ended.wait(PATIENCE)
        thread = threading.current_thread().name
        seen = {
            "thread": "pool" if thread.startswith("self-test") else thread,
            "peer": context.peer().rpartition(":")[0],
            "time": str(0 < context.time_remaining() <= PATIENCE + 1),
        }
        context.set_trailing_metadata(tuple(seen.items()))
        return body

    def stock(body: bytes, context: Any) -> bytes:
        return say(body, context)

    stock.experimental_thread_pool = Arrivals(pool, lambda _: "", receives)  # type: ignore[attr-defined]
    handler = grpc.unary_unary_rpc_method_handler(stock)
    server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler(_SERVICE, {"Polled": handler, "Stock": handler}),))
    polled = lane_attach.attach(server, {_POLLED: say}, lambda _: "", receives)
    try:
        _hold(polled is not None, "a lane is made")
        assert polled is not None
        port = server.add_insecure_port("127.0.0.1:0")
        server.start()
        polled.start(shown=False)
        yield polled, f"127.0.0.1:{port}"
    finally:
        ended.set()
        (server if polled is None else polled).stop(0)
        receives.close()
        pool.shutdown(wait=False)


class _Nobody(grpc.Status):
    code, details, trailing_metadata = grpc.StatusCode.NOT_FOUND, "nobody", (("reason", "x"),)
