"""Whose time is up, and whose is not, since it is we who did not look."""

import select
import socket
import time
from collections.abc import Iterator
from contextlib import ExitStack

import pytest

from sekisho.edges.grpc.lean import ages
from sekisho.edges.grpc.lean.peers import Gone, Peer
from sekisho.edges.grpc.lean.port import Port
from sekisho.edges.lanes import Claim
from tests.edges.grpc import frames
from tests.edges.grpc.ways import PATIENCE, POLLED

HALF = frames.headers(1, frames.opening(POLLED))[:20]


@pytest.fixture
def turned() -> Iterator[Port]:
    """A listener that turns when it is told to, by `_step`."""
    bound = socket.socket()
    bound.bind(("127.0.0.1", 0))
    listener = Port(bound, {}, lambda _: Claim(), age=600.0)
    yield listener
    listener.start()
    assert listener.stop(0.1).wait(PATIENCE)


def began(listener: Port, stack: ExitStack) -> Peer:
    """A client that has sent half a frame, which was read."""
    client = stack.enter_context(frames.Peer(f"127.0.0.1:{listener._door._bound.getsockname()[1]}"))
    client.send(HALF)
    limit = time.monotonic() + PATIENCE
    while True:
        assert time.monotonic() < limit
        listener._step()
        for peer in listener._peers.values():
            if peer.connection.settled and peer.connection.partial:
                return peer


def test_nobody_is_late_because_our_thread_stood_still(turned: Port) -> None:
    """The machine slept for a minute: the rest of the frame may have come and not be read yet. A second later it should have been."""
    with ExitStack() as stack:
        peer = began(turned, stack)
        turned._looked = time.monotonic() - 60.0
        peer.connection.moved = time.monotonic() - 60.0
        turned._step()
        assert list(turned._peers.values()) == [peer]
        peer.connection.moved = time.monotonic() - 60.0
        turned._looked = time.monotonic() - 1.5
        turned._step()
        assert not turned._peers


def test_who_is_not_read_is_not_late_with_what_it_sends(turned: Port) -> None:
    with ExitStack() as stack:
        peer = began(turned, stack)
        now = peer.connection.moved + 2 * ages.PATIENCE
        peer.mask = select.EPOLLOUT  # as long as it has enough to take
        assert list(ages.look(peer, now, stopping=False)) == []
        peer.mask |= select.EPOLLIN
        assert list(ages.look(peer, now + ages.PATIENCE, stopping=False)) == []
        with pytest.raises(Gone):
            list(ages.look(peer, now + ages.PATIENCE + 0.1, stopping=False))
