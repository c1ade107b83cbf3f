"""Calls whose message does not come hold no thread, and are ended."""

import threading
import time
import tomllib
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import grpc
import pytest

from sekisho.edges.budgets import Budget
from sekisho.edges.grpc import arrivals
from sekisho.edges.grpc.receives import Receives
from sekisho.edges.lanes import Claim, Lane

ROOT = Path(__file__).parents[3]
METHOD = "/test.Echo/Say"
CALLS = 6
THREADS = 2


@pytest.fixture
def endpoint() -> Iterator[str]:
    """An echo on two threads, impatient with callers."""
    lane = Lane("test", threads=THREADS, waiting=1000)
    receives = Receives(Budget(), patience=1.0)
    pool = arrivals.Arrivals(lane, lambda metadata: Claim(), receives)

    def say(body: bytes, context: grpc.ServicerContext) -> bytes:
        if body == b"fail":
            context.abort(grpc.StatusCode.NOT_FOUND, "nobody")
        return body

    say.experimental_thread_pool = pool  # type: ignore[attr-defined]
    server = grpc.server(ThreadPoolExecutor(1))
    handler = grpc.unary_unary_rpc_method_handler(say)
    server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler("test.Echo", {"Say": handler}),))
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    yield f"127.0.0.1:{port}"
    server.stop(0).wait()
    receives.close()
    lane.shutdown()


def test_the_pinned_grpcio_is_one_that_can_be_reached_into() -> None:
    """And the server's requirements admit no other minor release than the one that these tests run on."""
    assert arrivals.SUPPORTED
    major, minor = map(int, grpc.__version__.split(".")[:2])
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    assert f"grpcio>={major}.{minor},<{major}.{minor + 1}" in project["optional-dependencies"]["server"]


def test_calls_are_answered_and_errors_arrive(endpoint: str) -> None:
    with grpc.insecure_channel(endpoint) as channel:
        call = channel.unary_unary(METHOD, None, None)
        assert call(b"hello", timeout=60) == b"hello"
        with pytest.raises(grpc.RpcError) as caught:
            call(b"fail", timeout=60)
        assert caught.value.code() is grpc.StatusCode.NOT_FOUND


def test_many_calls_at_once_are_all_answered(endpoint: str) -> None:
    with grpc.insecure_channel(endpoint) as channel:
        call = channel.unary_unary(METHOD, None, None)
        futures = [call.future(str(number).encode(), timeout=60) for number in range(500)]
        assert [future.result() for future in futures] == [str(number).encode() for number in range(500)]


def test_callers_who_send_no_message_hold_no_thread_and_are_ended(endpoint: str) -> None:
    forever = threading.Event()

    def nothing() -> Iterator[bytes]:
        forever.wait(60)
        yield from ()

    with grpc.insecure_channel(endpoint) as slow, grpc.insecure_channel(endpoint) as channel:
        hanging: list[Any] = [slow.stream_unary(METHOD, None, None).future(nothing()) for _ in range(CALLS)]
        time.sleep(0.3)
        assert channel.unary_unary(METHOD, None, None)(b"hello", timeout=60) == b"hello"
        for call in hanging:
            with pytest.raises((grpc.RpcError, grpc.FutureCancelledError)):
                call.result(timeout=60)
        forever.set()


def test_a_caller_who_closes_without_a_message_is_told_so(endpoint: str) -> None:
    with grpc.insecure_channel(endpoint) as channel:
        with pytest.raises(grpc.RpcError) as caught:
            channel.stream_unary(METHOD, None, None)(iter(()), timeout=60)
        assert caught.value.code() is grpc.StatusCode.UNIMPLEMENTED
