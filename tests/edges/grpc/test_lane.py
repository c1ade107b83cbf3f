"""The polling lane when things go wrong: floods, faults, a thread that hangs; and on what it is used at all."""

import threading
import time
import tomllib
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import grpc
import pytest
from google.rpc import error_details_pb2, status_pb2

from sekisho.edges.grpc import lane_attach, lane_calls, lane_passing, lane_selftest, lane_watch, line, sizes
from sekisho.edges.grpc.lane import PollingLane
from tests.edges.grpc import frames
from tests.edges.grpc.ways import CLIENT, PATIENCE, POLLED, Ways, heard, opening, said, serving, told, whole

ROOT = Path(__file__).parents[3]


@pytest.fixture
def ways() -> Iterator[Ways]:
    with serving(polling=True) as made:
        yield made


@pytest.fixture
def channel(ways: Ways) -> Iterator[grpc.Channel]:
    with grpc.insecure_channel(ways.endpoint, CLIENT) as made:
        yield made


def until(holds: Callable[[], bool]) -> None:
    """Wait until it holds."""
    limit = time.monotonic() + PATIENCE
    while not holds():
        assert time.monotonic() < limit
        time.sleep(0.005)


class Caller:
    """Calls of one connection, and how they end."""

    def __init__(self, peer: frames.Peer, count: int, account: str, body: bytes) -> None:
        self._peer, self._blocks, self._left = peer, dict[int, bytes](), count
        self.ends: Counter[str] = Counter()
        head = frames.opening(POLLED, ((b"account", account.encode()),))
        for stream in range(1, 2 * count, 2):
            peer.send(frames.headers(stream, head), frames.data(stream, frames.message(body), flags=frames.END_STREAM))
        peer.send(frames.frame(frames.PING, 0, 0, b"12345678"))
        while self._take()[:2] != (frames.PING, frames.ACK):
            pass

    def _take(self) -> tuple[int, int]:
        kind, flags, stream, body = self._peer.receive()
        if kind == frames.HEADERS:
            self._blocks[stream] = self._blocks.get(stream, b"") + body
        if kind == frames.RESET or (flags & frames.END_STREAM and kind in (frames.HEADERS, frames.DATA)):
            self.ends["RESET" if kind == frames.RESET else told(self._blocks.get(stream, b""))] += 1
            self._left -= 1
        return kind, flags

    def finish(self) -> Counter[str]:
        """Wait for the end of all."""
        while self._left:
            self._take()
        return self.ends


class Crowd:
    """Calls of accounts, ninety to a connection, all of which the server has read when `send` returns."""

    def __init__(self, ways: Ways, stack: ExitStack) -> None:
        self._ways, self._stack = ways, stack
        self._callers: dict[str, list[Caller]] = {}

    def send(self, account: str, count: int, body: bytes = b"hello") -> None:
        """Send so many calls at once."""
        for at in range(0, count, 90):
            peer = self._stack.enter_context(frames.Peer(self._ways.endpoint))
            self._callers.setdefault(account, []).append(Caller(peer, min(90, count - at), account, body))

    def finish(self) -> None:
        """Wait for the end of all."""
        for callers in self._callers.values():
            for caller in callers:
                caller.finish()

    def ends(self, account: str) -> Counter[str]:
        """How the calls of an account ended."""
        return sum((caller.finish() for caller in self._callers[account]), Counter())


@pytest.fixture
def crowd(ways: Ways) -> Iterator[Crowd]:
    with ExitStack() as stack:
        yield Crowd(ways, stack)


def hold(ways: Ways, crowd: Crowd) -> None:
    """Keep the polling thread at a call until the gate is open."""
    crowd.send("holder", 1, b"hold:")
    assert ways.entered.acquire(timeout=PATIENCE)


# Whose turn it is.


def test_a_flood_of_one_account_does_not_stand_before_another(ways: Ways, crowd: Crowd) -> None:
    """Once the lane has learnt what calls cost, of which it thinks more at first than these take."""
    for _ in range(2):
        ways.gate.clear()
        ways.answered.clear()
        hold(ways, crowd)
        crowd.send("flood", 90, b"flood")
        crowd.send("bystander", 1, b"bystander")
        ways.gate.set()
        crowd.finish()
    assert (crowd.ends("bystander"), crowd.ends("flood")) == ({"0": 2}, {"0": 180})
    assert ways.answered.index(b"bystander") <= 45


def test_a_flood_refuses_its_own_calls_and_nobody_elses(ways: Ways, crowd: Crowd) -> None:
    hold(ways, crowd)
    crowd.send("flood", 450)
    crowd.send("bystander", 40)
    ways.gate.set()
    assert crowd.ends("bystander") == {"0": 40}
    ends = crowd.ends("flood")
    assert set(ends) == {"0", "8 Rate exceeded"}
    assert ends["0"] >= line.MOST


def test_who_is_refused_hears_what_the_stock_path_says(ways: Ways, crowd: Crowd) -> None:
    """More calls by a library than an account may have waiting: which of them are refused does not matter."""
    hold(ways, crowd)
    crowd.send("other", 200)
    with ExitStack() as stack:
        channels = [stack.enter_context(grpc.insecure_channel(ways.endpoint, (*CLIENT, ("number", number)))) for number in range(4)]
        methods = [channel.unary_unary(POLLED, None, None) for channel in channels]
        calls: list[Any] = [methods[at % 4].future(b"hello", metadata=(("account", "flood"),), timeout=PATIENCE) for at in range(380)]
        crowd.send("other", 200)  # after which those have come as well
        ways.gate.set()
        refused = next(call for call in calls if call.code() is not grpc.StatusCode.OK)
    assert (refused.code(), refused.details()) == (grpc.StatusCode.RESOURCE_EXHAUSTED, "Rate exceeded")
    trailing = dict(refused.trailing_metadata())
    info = error_details_pb2.ErrorInfo()
    assert status_pb2.Status.FromString(trailing["grpc-status-details-bin"]).details[0].Unpack(info)
    assert (info.reason, info.domain, info.metadata["code"]) == ("THROTTLING", "sekisho", "Throttling")
    assert info.metadata["request_id"] == trailing["sekisho-request-id"]
    assert not trailing["sekisho-request-id"].startswith("0000000000")


# Those who send nothing.


def silent(count: int) -> list[bytes]:
    """Calls that send no message, on the first streams of a connection."""
    return [frames.headers(2 * index + 1, frames.opening(POLLED)) for index in range(count)]


def test_calls_without_a_message_do_not_stop_the_others() -> None:
    """Of another address; they have their share of the bytes and no more, and are ended when patience is."""
    with serving(polling=True, patience=2.0) as ways, ExitStack() as stack, grpc.insecure_channel(ways.endpoint, CLIENT) as channel:
        peers = [stack.enter_context(frames.Peer(ways.endpoint, source=f"127.0.0.{number % 2 + 2}")) for number in range(10)]
        for peer in peers:
            peer.send(*silent(90))
        for _ in range(50):
            assert said(channel, b"hello") == ["OK", "hello", {}]
        assert ways.budget.taken <= 64 * 1024 * 1024
        assert ways.polled is not None
        assert len(ways.polled._silent) <= 2 * (32 * 1024 * 1024 // sizes.MAX_MESSAGE)
        for peer in peers[:2]:
            assert heard(peer, 1) != "0"
        until(lambda: ways.budget.taken == 0)


def test_a_message_that_is_never_whole_takes_no_more_than_its_room() -> None:
    with serving(polling=True) as ways, frames.Peer(ways.endpoint, source="127.0.0.2") as slow:
        parts = [frames.data(2 * index + 1, frames.message(b"x" * 500, length=sizes.MAX_MESSAGE)) for index in range(90)]
        slow.send(*[part for pair in zip(silent(90), parts, strict=True) for part in pair])
        until(lambda: ways.budget.taken == 32 * 1024 * 1024 // sizes.MAX_MESSAGE * sizes.MAX_MESSAGE)
        with frames.Peer(ways.endpoint) as peer:
            peer.send(opening(), whole(b"hello"))
            assert heard(peer, 1) == "0"


# Faults.


FAULTS = ("_came", "_ask", "_arrived", "_answer", "_finish", "_look_around")


@pytest.mark.parametrize("where", FAULTS)
@pytest.mark.parametrize("at", [20, 40])
def test_a_fault_retires_the_lane_and_loses_no_call(
    ways: Ways, channel: grpc.Channel, crowd: Crowd, monkeypatch: pytest.MonkeyPatch, where: str, at: int
) -> None:
    """Wherever it strikes, once, while a hundred calls are under way; and all room is given back."""
    real, left = getattr(PollingLane, where), [at]

    def failing(self: PollingLane, *arguments: Any) -> Any:
        left[0] -= 1
        if left[0] == 0:
            raise RuntimeError("injected")
        return real(self, *arguments)

    monkeypatch.setattr(PollingLane, where, failing)
    crowd.send("one", 50)
    crowd.send("two", 50, b"cold:hello")
    assert (crowd.ends("one"), crowd.ends("two")) == ({"0": 50}, {"0": 50})
    until(lambda: left[0] <= 0)
    assert ways.polled is not None
    until(lambda: bool(ways.polled and ways.polled.retired))
    ways.answered_by.clear()
    for _ in range(20):
        assert said(channel, b"hello") == ["OK", "hello", {}]
    assert set(ways.answered_by) == {"ways"}
    until(lambda: ways.budget.taken == 0)


def test_a_thread_that_hangs_is_replaced(ways: Ways, channel: grpc.Channel, crowd: Crowd, monkeypatch: pytest.MonkeyPatch) -> None:
    """By one that passes on whatever comes, so that one call alone is lost, and that is answered once its thread goes on."""
    monkeypatch.setattr(lane_watch, "TICK", 0.02)
    hold(ways, crowd)
    crowd.send("waiting", 30)
    assert crowd.ends("waiting") == {"0": 30}
    assert ways.polled is not None
    assert ways.polled.retired
    assert said(channel, b"hello") == ["OK", "hello", {}]
    ways.gate.set()
    assert crowd.ends("holder") == {"0": 1}
    until(lambda: ways.budget.taken == 0)


def test_a_busy_thread_is_not_taken_for_one_that_hangs(ways: Ways, channel: grpc.Channel, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lane_watch, "TICK", 0.015)  # twelve looks end before an idle thread's step, and not before a busy one has its turn
    for _ in range(200):
        assert said(channel, b"hello") == ["OK", "hello", {}]
    time.sleep(lane_calls.SOON)  # idle, it is in the same step for so long
    assert ways.polled is not None
    assert not ways.polled.retired


def test_all_calls_end_well_when_the_server_stops(ways: Ways, crowd: Crowd) -> None:
    """Those that wait in the pool, those in line, those that core was asked for."""
    crowd.send("pool", 3, b"wait:")
    for _ in range(3):
        assert ways.entered.acquire(timeout=PATIENCE)
    crowd.send("line", 50)
    stopped = ways.stop(PATIENCE)
    ways.gate.set()
    assert stopped.wait(PATIENCE)
    assert ways.polled is not None
    assert ways.polled.join(PATIENCE)
    assert crowd.ends("pool") == {"0": 3}
    assert crowd.ends("line") == {"0": 50}


# On what it is used.


def test_the_lane_is_for_releases_that_these_tests_run_on() -> None:
    """The bound in the server's requirements is the last that is tested, and what runs here is one of them."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    first, last = lane_attach.TESTED
    assert f"grpcio>={first[0]}.{first[1]},<{last[0]}.{last[1] + 1}" in project["optional-dependencies"]["server"]
    assert first <= tuple(int(part) for part in grpc.__version__.split(".")[:2]) <= last
    assert lane_selftest.passes()


@pytest.mark.parametrize("release", ["1.84.9", "1.86.0", "2.0.0"])
def test_another_release_has_no_lane(monkeypatch: pytest.MonkeyPatch, release: str) -> None:
    monkeypatch.setattr(grpc, "__version__", release)
    server = grpc.server(ThreadPoolExecutor(1))
    assert lane_attach.attach(server, {}, lambda _: "", None) is None  # type: ignore[arg-type]  # comes not so far
    assert not lane_selftest.passes.__wrapped__()


class Interceptor(grpc.ServerInterceptor):  # type: ignore[type-arg]  # generic in its stubs alone
    """One that does nothing."""

    def intercept_service(self, continuation: Any, handler_call_details: Any) -> Any:
        return continuation(handler_call_details)


def test_interceptors_are_not_gone_past() -> None:
    server = grpc.server(ThreadPoolExecutor(1), interceptors=[Interceptor()])
    assert lane_attach.attach(server, {}, lambda _: "", None) is None  # type: ignore[arg-type]


@pytest.mark.parametrize("name", ["_RPCState", "_unary_response_in_pool", "_receive_close_on_server"])
def test_the_self_test_finds_what_grpcio_lacks(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    monkeypatch.setattr(lane_selftest, "PATIENCE", 0.5)
    monkeypatch.delattr(lane_passing._server, name)
    assert not lane_selftest.passes.__wrapped__()


def test_threads_end() -> None:
    before = threading.active_count()
    with serving(polling=True) as ways, grpc.insecure_channel(ways.endpoint, CLIENT) as channel:
        assert said(channel, b"hello") == ["OK", "hello", {}]
    until(lambda: threading.active_count() <= before)


def test_core_is_asked_for_no_call_in_place_of_one_that_is_refused(ways: Ways, crowd: Crowd, monkeypatch: pytest.MonkeyPatch) -> None:
    """A refusal takes a good part of an answer's time: whoever refused all that come would answer nobody. Answers make up for it."""
    hold(ways, crowd)  # so that the lane's own thread changes nothing meanwhile
    polled, asked = ways.polled, list[Any]()
    assert polled is not None
    event = SimpleNamespace(tag=polled._methods[0], success=True)
    with monkeypatch.context() as patched:
        patched.setattr(polled, "_request", asked.append)
        for admitted in (True, False, False):
            patched.setattr(polled, "_came", lambda *_, admitted=admitted: admitted)
            polled._take(event)
        polled._asked, polled._open = polled._asked + 3, polled._open - 3
        assert (len(asked), len(polled._owed)) == (1, 2)
    ways.gate.set()
    until(lambda: not polled._owed)
