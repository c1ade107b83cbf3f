"""Messages that are not sent whole cost bounded memory, and hold up nobody from another address."""

from collections.abc import Iterator
from contextlib import ExitStack
from types import SimpleNamespace
from typing import Any

import pytest

from sekisho.api.authorize.v1 import decisions_pb2
from sekisho.edges.budgets import MIB
from sekisho.edges.grpc import receives, sizes
from sekisho.edges.grpc.server import LOOKAHEAD
from sekisho.operations import OPERATIONS
from tests.edges.grpc import frames
from tests.edges.grpc.echo import METHOD, SLOTS, Echo
from tests.edges.grpc.frames import Peer


@pytest.fixture
def echo() -> Iterator[Echo]:
    """A new one for each test."""
    with ExitStack() as stack:
        yield Echo(stack)


def half(stream: int) -> bytes:
    """A call that sends a little of the largest message."""
    return frames.headers(stream, frames.opening(METHOD)) + frames.data(stream, frames.message(b"x" * 500, length=sizes.MAX_MESSAGE))


def whole(stream: int) -> bytes:
    """A call as it should be."""
    return frames.headers(stream, frames.opening(METHOD)) + frames.data(stream, frames.message(b"hello"), flags=frames.END_STREAM)


def answered(peer: Peer, stream: int) -> bool:
    """Whether a call ends with status 0."""
    peer.send(whole(stream))
    return b"grpc-status\x010" in peer.ended(stream)


def granted(peer: Peer, calls: int) -> set[int]:
    """The calls whose message the server has asked for, when `calls` of them have been; it asks by opening their windows."""
    found: set[int] = set()
    while len(found) < calls:
        kind, _, stream, _ = peer.receive()
        if kind == frames.WINDOW and stream:
            found.add(stream)
    return found


def test_an_address_has_no_more_than_its_share(echo: Echo) -> None:
    with Peer(echo.endpoint) as slow, Peer(echo.endpoint, source="127.0.0.2") as other:
        slow.send(*[half(2 * index + 1) for index in range(80)])
        assert len(granted(slow, SLOTS // 2)) == SLOTS // 2
        assert echo.budget.taken == SLOTS // 2 * sizes.MAX_MESSAGE
        assert answered(other, 1)
        slow.socket.settimeout(0.3)
        with pytest.raises(TimeoutError):
            granted(slow, 1)


def test_whoever_holds_most_gives_way_when_all_room_is_taken(echo: Echo) -> None:
    with ExitStack() as stack:
        slow = [stack.enter_context(Peer(echo.endpoint, source=f"127.0.0.{number}")) for number in (2, 3)]
        for peer in slow:
            peer.send(*[half(2 * index + 1) for index in range(40)])
            granted(peer, SLOTS // 2)
        assert echo.budget.taken == SLOTS * sizes.MAX_MESSAGE
        honest = stack.enter_context(Peer(echo.endpoint, source="127.0.0.4"))
        assert all(answered(honest, stream) for stream in (1, 3, 5))


def test_room_comes_back_when_its_callers_go(echo: Echo) -> None:
    with Peer(echo.endpoint) as slow:
        slow.send(*[half(2 * index + 1) for index in range(40)])
        granted(slow, SLOTS // 2)
    with Peer(echo.endpoint) as honest:
        assert answered(honest, 1)
    with Peer(echo.endpoint) as honest:
        honest.send(*[whole(2 * index + 1) for index in range(50)])
        assert b"grpc-status" in honest.ended(99)


def test_an_address_that_lets_too_many_wait_is_refused(echo: Echo, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(receives, "WAITING", 10)
    with Peer(echo.endpoint) as slow:
        slow.send(*[half(2 * index + 1) for index in range(SLOTS // 2 + 11)])
        last = 2 * (SLOTS // 2 + 10) + 1
        said = slow.ended(last)
        assert b"grpc-status\x018" in said
        assert b"Rate exceeded" in said


def test_little_is_taken_of_a_message_that_nobody_asked_for(echo: Echo) -> None:
    with Peer(echo.endpoint) as peer:
        assert peer.settings()[frames.INITIAL_WINDOW] == LOOKAHEAD == 16384


AUTHORIZE = "/sekisho.api.authorize.v1.AuthorizeService/Authorize"


def question(body: int = 0, policy: int = 0) -> bytes:
    """A question with a signed body and a policy of these sizes."""
    signed = decisions_pb2.SignedRequest(body=b"x" * body) if body else None
    made = decisions_pb2.AuthorizeRequest(signed_request=signed, action="a:B", resource="*", resource_policy="x" * policy)
    return made.SerializeToString()


SIZES: dict[str, tuple[str, bytes, bool]] = {
    "authorize_up_to_256_kib": (AUTHORIZE, b"x" * 262_144, True),
    "authorize_beyond": (AUTHORIZE, b"x" * 262_145, False),
    "authorize_with_a_signed_body": (AUTHORIZE, question(body=MIB), True),
    "authorize_with_a_large_policy_beside_a_signed_body": (AUTHORIZE, question(body=MIB, policy=262_144), False),
    "authorize_with_a_large_policy": (AUTHORIZE, question(policy=262_144), False),
    "authorize_of_numbers_without_end": (AUTHORIZE, b"\xff" * 300_000, False),
    "a_batch_with_a_signed_body": (AUTHORIZE + "Batch", question(body=MIB), True),
    "another_rpc_up_to_a_mebibyte": ("/sekisho.api.iam.v1.IamService/CreatePolicy", b"x" * MIB, True),
    "another_rpc_beyond": ("/sekisho.api.iam.v1.IamService/CreatePolicy", b"x" * (MIB + 1), False),
}


@pytest.mark.parametrize("name", SIZES)
def test_the_size_of_a_message_by_its_rpc(name: str) -> None:
    path, body, fits = SIZES[name]
    operation: Any = SimpleNamespace(path=path, name=path.rpartition("/")[2])
    if fits:
        sizes.check(operation, body)
    else:
        with pytest.raises(sizes.MessageTooLarge):
            sizes.check(operation, body)


def test_every_row_is_an_rpc() -> None:
    assert set(sizes.MOST) <= {operation.path for operation in OPERATIONS.values()}
