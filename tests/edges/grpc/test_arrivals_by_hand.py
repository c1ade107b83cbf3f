"""Calls that grpcio hands over, and the wire of a stream, on states of grpcio's own and calls of the test's."""

from concurrent.futures import Future
from types import SimpleNamespace
from typing import Any

import grpc
import pytest
from grpc import _server
from grpc._cython import cygrpc  # type: ignore[attr-defined]  # compiled: no stubs

from sekisho.edges.grpc import arrivals, sizes, status, wires
from sekisho.edges.grpc.arrivals import Arrivals
from sekisho.edges.lanes import Claim
from sekisho.errors import AccessDenied

server: Any = _server


class Call:
    """A call of an address, which notes what it is told."""

    def __init__(self, peer: str = "ipv4:192.0.2.1:5000", metadata: Any = ()) -> None:
        self._peer, self.batches = peer, list[Any]()
        self.state = server._RPCState()
        self.event = SimpleNamespace(
            call=self, invocation_metadata=metadata, call_details=SimpleNamespace(method=b"/a.B/C\xff"), batch_operations=[]
        )

    def peer(self) -> bytes:
        return self._peer.encode()

    def start_server_batch(self, operations: Any, tag: Any) -> None:
        self.batches.append((list(operations), tag))

    @property
    def status(self) -> tuple[Any, str, dict[str, Any]]:
        """The status that the call was ended with: code, details, trailing metadata."""
        found = next(one for one in self.batches[-1][0] if isinstance(one, cygrpc.SendStatusFromServerOperation))
        details = found._details.decode() if isinstance(found._details, bytes) else found._details
        return found._code, details, dict(found._trailing_metadata or ())


class Lane:
    """Notes what it is given."""

    def __init__(self) -> None:
        self.given: list[Any] = []
        self.future: Future[Any] = Future()

    def submit(self, *args: Any, **kwargs: Any) -> "Future[Any]":
        self.given.append((args, kwargs))
        return self.future

    submit_claimed = submit


class Asked:
    """Receives that ask for nothing."""

    def __init__(self) -> None:
        self.receives: list[Any] = []

    def ask(self, receive: Any) -> None:
        self.receives.append(receive)


def run(*_: Any) -> None:
    """The function that grpcio would run."""


def reads(data: bytes) -> bytes:
    """The deserializer of a call."""
    return data


def handed(lane: Lane, asked: Asked, call: Call, claimed: Any = None) -> "Future[Any]":
    """Hand a call over as grpcio does."""
    pool = Arrivals(lane, claimed, asked)  # type: ignore[arg-type]
    return pool.submit(run, "in pool", call.event, call.state, "behaviour", "wait", reads, "serializer")


def test_a_call_goes_to_its_lane_when_its_message_has_come() -> None:
    lane, asked, call = Lane(), Asked(), Call(metadata=(("k", "v"),))
    ended = handed(lane, asked, call, lambda metadata: Claim(dict(metadata)["k"], True))
    (receive,) = asked.receives
    assert (lane.given, ended is receive.ended, ended.done()) == ([], True, False)
    assert (receive.address, receive.event, receive.state, receive.deserializer) == ("192.0.2.1", call.event, call.state, reads)
    assert receive.then() is lane.future
    ((args, kwargs),) = lane.given
    assert args[:7] == (Claim("v", True), "192.0.2.1", run, "in pool", call.event, call.state, "behaviour")
    assert (args[8:], kwargs) == ((reads, "serializer"), {})
    call.state.request = b"hello"
    assert args[7]() == b"hello"
    assert call.state.request is None


def test_calls_that_claim_nothing_share_by_address() -> None:
    lane, asked = Lane(), Asked()
    handed(lane, asked, Call("ipv6:%5B2001:db8::7%5D:5000"))
    asked.receives[0].then()
    assert lane.given[0][0][:2] == (Claim("2001:db8::/64"), "2001:db8::/64")


def test_a_caller_who_closes_without_a_message_is_told_so_by_grpcio() -> None:
    lane, asked, call = Lane(), Asked(), Call()
    handed(lane, asked, call)
    asked.receives[0].then()
    message = lane.given[0][0][7]
    assert (message(), call.batches) == (None, [])  # it is open still
    call.state.client = server._CLOSED
    assert message() is None
    assert call.status[:2] == (cygrpc.StatusCode.unimplemented, '"/a.B/C\N{REPLACEMENT CHARACTER}" requires exactly one request message.')
    answered = Call()
    answered.state.client, answered.state.request = server._CLOSED, b"hello"
    assert (arrivals._message(answered.event, answered.state), answered.batches) == (b"hello", [])


@pytest.mark.parametrize("how", ["unsupported", "fewer", "named"])
def test_what_is_handed_over_otherwise_goes_to_the_lane_at_once(monkeypatch: pytest.MonkeyPatch, how: str) -> None:
    lane, asked = Lane(), Asked()
    monkeypatch.setattr(arrivals, "SUPPORTED", how != "unsupported")
    pool = Arrivals(lane, None, asked)  # type: ignore[arg-type]
    args: Any = ("in pool", Call().event, server._RPCState(), "behaviour", "wait", reads, "serializer")[: 6 if how == "fewer" else 7]
    more: Any = {"more": 1} if how == "named" else {}
    assert pool.submit(run, *args, **more) is lane.future
    assert (lane.given, asked.receives, pool._max_workers) == ([((run, *args), more)], [], 1)


def test_too_much_metadata_is_refused_before_a_message_is_asked_for() -> None:
    lane, asked, call = Lane(), Asked(), Call(metadata=[("a", "b")] * (sizes.MOST_ENTRIES + 1))
    assert handed(lane, asked, call).result(0) is None
    code, details, trailing = call.status
    assert (code, len(trailing[status.REQUEST_ID])) == (cygrpc.StatusCode.resource_exhausted, 36)
    assert details.startswith("the metadata of a call has at most 64 entries")
    assert asked.receives == []


@pytest.mark.parametrize(
    ("peer", "host"),
    [
        ("ipv4:192.0.2.1:5000", "192.0.2.1"),
        ("ipv6:%5B::1%5D:5000", "::1"),
        ("ipv6:[2001:db8::1]:5000", "2001:db8::1"),
        ("unix:/a:b", ""),
        ("unix:", ""),
        ("", ""),
    ],
)
def test_the_address_of_a_peer(peer: str, host: str) -> None:
    assert arrivals.host(peer) == host


# The wire.


def wire(call: Call, context: Any = None) -> wires.Wire:
    context = context or SimpleNamespace(add_callback=lambda gone: True)
    context._rpc_event, context._state = call.event, call.state
    return wires.Wire(context)


@pytest.mark.parametrize("alive", [True, False])
def test_the_end_of_a_call_is_watched(alive: bool) -> None:
    watched: list[Any] = []

    def add_callback(gone: Any) -> bool:
        watched.append(gone)
        return alive

    assert wire(Call(), SimpleNamespace(add_callback=add_callback)).watch(run) is alive
    assert watched == [run]


def test_a_message_is_sent_and_what_comes_next_begins_when_it_was_taken() -> None:
    call, then = Call(), list[str]()
    made = wire(call)
    for message in (b"one", b"two"):
        made.send(message, lambda: then.append("then"))
    kinds = [[type(operation) for operation in operations] for operations, _ in call.batches]
    assert kinds == [[cygrpc.SendInitialMetadataOperation, cygrpc.SendMessageOperation], [cygrpc.SendMessageOperation]]
    assert [(operations[-1]._message, operations[-1]._flags) for operations, _ in call.batches] == [(b"one", 0), (b"two", 0)]
    assert (call.state.due, call.state.initial_metadata_allowed, then) == ({server._SEND_MESSAGE_TOKEN}, False, [])
    assert call.batches[0][1](None) == (None, ())
    assert (call.state.due, then) == (set(), ["then"])


def test_a_call_ends_well_with_its_trailing_metadata() -> None:
    call = Call()
    wire(call).finish((("a", "b"),))
    assert call.status == (cygrpc.StatusCode.ok, "", {"a": "b"})
    assert call.state.statused


def test_a_call_ends_with_a_status() -> None:
    call = Call()
    wire(call).abort(status.of(AccessDenied("no"), "r-1"))
    code, details, trailing = call.status
    assert (code, details, trailing[status.REQUEST_ID]) == (cygrpc.StatusCode.permission_denied, "no", "r-1")
    assert grpc.StatusCode.PERMISSION_DENIED.value[0] == code


@pytest.mark.parametrize("how", ["cancelled", "statused"])
def test_what_is_said_after_the_end_is_dropped(how: str) -> None:
    call = Call()
    call.state.client, call.state.statused = server._CANCELLED if how == "cancelled" else server._OPEN, how == "statused"
    made = wire(call)
    made.send(b"one", lambda: pytest.fail("nobody has taken it"))
    made.finish((("a", "b"),))
    made.abort(status.of(AccessDenied("no"), "r-1"))
    assert (call.batches, call.state.due, call.state.trailing_metadata) == ([], set(), None)


def test_the_pinned_grpcio_has_what_is_reached_into() -> None:
    assert wires.SUPPORTED is arrivals.SUPPORTED is True
