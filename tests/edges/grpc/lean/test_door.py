"""Clients at the door of a listener, and times in which nobody is looked for."""

import errno
import select
import socket
from types import SimpleNamespace
from typing import Any, cast

import pytest
import structlog

from sekisho.edges.grpc.lean import door as doors
from sekisho.edges.grpc.lean.door import BACKLOG, EVENTS, Door
from sekisho.edges.grpc.lean.peers import Peer

NOW = 1000.0
BOUND, LISTEN = 9, [("setblocking", False), ("listen", BACKLOG)]


class Socket:
    """A socket that notes what it is told; it accepts what it was given, and raises what of that is an error."""

    def __init__(self, *coming: Any, number: int = BOUND) -> None:
        self.did: list[Any] = []
        self._coming, self._number = list(coming), number
        self.fails: type[Exception] | None = None

    def fileno(self) -> int:
        return self._number

    def setblocking(self, flag: bool) -> None:
        self.did.append(("setblocking", flag))

    def listen(self, backlog: int) -> None:
        self.did.append(("listen", backlog))

    def setsockopt(self, *given: Any) -> None:
        self.did.append(("setsockopt", *given))
        if self.fails is not None:
            raise self.fails

    def accept(self) -> Any:
        if not self._coming:
            raise BlockingIOError
        found = self._coming.pop(0)
        if isinstance(found, OSError):
            raise found
        return found

    def close(self) -> None:
        self._number = -1
        self.did.append("close")


class Poll:
    """Notes who is polled."""

    def __init__(self) -> None:
        self.did: list[Any] = []

    def register(self, number: int, mask: int) -> None:
        self.did.append(("register", number, mask))

    def unregister(self, number: int) -> None:
        self.did.append(("unregister", number))


def door(bound: Socket, tls: Any = None, age: float = 600.0) -> tuple[Door, Poll]:
    poll = Poll()
    return Door(cast(Any, bound), cast(Any, poll), tls, age), poll


def come(made: Door) -> list[Any]:
    return list(made.come(NOW))


def caller(number: int = 4, port: int = 5000) -> tuple[Socket, Any]:
    return Socket(number=number), ("192.0.2.1", port)


def test_it_listens_from_its_making_on() -> None:
    bound = Socket()
    made, poll = door(bound)
    assert (bound.did, poll.did) == (LISTEN, [("register", BOUND, select.EPOLLIN)])
    assert [made.is_at(number) for number in (BOUND, BOUND + 1)] == [True, False]
    made.open_again()
    assert len(poll.did) == 1
    made.close()
    assert (poll.did[1:], bound.did[2:]) == ([("unregister", BOUND)], ["close"])
    assert not made.is_at(-1)
    made.open_again()
    made.close()
    assert len(poll.did) == 2


def test_a_door_may_have_the_first_number() -> None:
    made, poll = door(Socket(number=0))
    assert (poll.did, made.is_at(0)) == ([("register", 0, select.EPOLLIN)], True)


def test_who_comes_in() -> None:
    connected, where = caller()
    made, _ = door(Socket((connected, where)))
    [peer] = come(made)
    assert connected.did == [("setblocking", False), ("setsockopt", socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)]
    assert (peer.number, peer.name, peer.address, peer.began, peer.shaking) == (4, "ipv4:192.0.2.1:5000", "192.0.2.1", NOW, False)
    assert come(made) == []


def test_who_is_charged_for_what_comes() -> None:
    """Of IPv6, all that one customer has."""
    made, _ = door(Socket((Socket(number=4), ("2001:db8:1:2::3", 5000, 0, 0))))
    assert [peer.address for peer in come(made)] == ["2001:db8:1:2::/64"]


@pytest.mark.parametrize(("hashed", "age"), [(0, 900.0), (1500, 1000.0), (1999, 1099.8)])
def test_clients_last_a_tenth_more_or_less(monkeypatch: pytest.MonkeyPatch, hashed: int, age: float) -> None:
    """By whence they come, so that not all of them come again at once."""
    connected, where = caller()
    monkeypatch.setattr(doors, "hash", {where: hashed}.__getitem__, raising=False)
    made, _ = door(Socket((connected, where)), age=1000.0)
    [peer] = come(made)
    assert peer.ends - NOW == pytest.approx(age)


def test_so_many_come_in_at_a_time() -> None:
    made, _ = door(Socket(*(caller(number) for number in range(EVENTS + 3))))
    assert [len(come(made)) for _ in range(3)] == [EVENTS, 3, 0]


@pytest.mark.parametrize("number", [errno.ECONNABORTED, errno.EINTR])
def test_who_has_gone_before_he_came_in(number: int) -> None:
    made, poll = door(Socket(OSError(number, "gone"), caller()))
    with structlog.testing.capture_logs() as logs:
        assert len(come(made)) == 1
    assert (logs, len(poll.did)) == ([], 1)


def test_nobody_is_looked_for_while_there_are_no_files() -> None:
    made, poll = door(Socket(caller(), OSError(errno.EMFILE, "Too many open files"), caller()))
    with structlog.testing.capture_logs() as logs:
        assert len(come(made)) == 1
    assert logs == [{"event": "lean.accept", "log_level": "error", "error": "Too many open files"}]
    assert (poll.did[1:], made.is_at(BOUND)) == ([("unregister", BOUND)], False)
    made.open_again()
    assert (poll.did[2:], made.is_at(BOUND)) == ([("register", BOUND, select.EPOLLIN)], True)
    assert len(come(made)) == 1


@pytest.mark.parametrize("error", [OSError, ValueError])
def test_who_goes_while_he_comes_in_is_closed(error: type[Exception]) -> None:
    gone, _ = first = caller()
    gone.fails = error
    made, _ = door(Socket(first, caller(5)))
    assert [peer.number for peer in come(made)] == [5]
    assert gone.did[-1] == "close"


def test_who_comes_in_begins_a_handshake() -> None:
    """With the context of now, for a certificate may be renewed; one that TLS refuses is closed."""
    wrapped: list[Any] = []
    fails = [False, True]

    def wrap(connected: Any, **known: Any) -> Any:
        wrapped.append((connected, known))
        if fails.pop(0):
            raise ValueError
        return Socket(number=7)

    refused, _ = second = caller(5)
    first = caller(4)
    made, _ = door(Socket(first, second), tls=lambda: SimpleNamespace(wrap_socket=wrap))
    found: list[Peer] = come(made)
    assert [peer.number for peer in found] == [7]
    known = {"server_side": True, "do_handshake_on_connect": False}
    assert wrapped == [(first[0], known), (refused, known)]
    assert refused.did[-1] == "close"
