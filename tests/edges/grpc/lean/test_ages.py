"""Whose time is up, and whose is not, since it is we who did not look."""

import select
import socket
import time
from collections.abc import Iterator
from contextlib import ExitStack
from types import SimpleNamespace
from typing import Any

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


NOW = 1000.0


class Open:
    """A connection as a look sees it; it notes what it is told to do."""

    def __init__(self, **known: Any) -> None:
        self.settled, self.partial, self.warned, self.leaving = True, False, False, False
        self.moved, self.out = NOW, list[bytes]()
        self.__dict__.update(known)
        self.streams: dict[int, Any] = {one.id: one for one in known.get("streams", ())}
        self.did: list[str] = []

    def ping(self) -> None:
        self.did.append("ping")

    def leave(self) -> None:
        self.did.append("leave")

    def part(self) -> None:
        self.leaving = True
        self.did.append("part")

    def abandon(self, stream: Any) -> None:
        self.did.append(f"abandon {stream.id}")


def client(connection: Open | None = None, **known: Any) -> Any:
    """A client that has settled, was heard of now, and has nothing to do."""
    made = {
        "mask": select.EPOLLIN,
        "stuck": 0.0,
        "parted": 0.0,
        "shaking": False,
        "began": 1.0,
        "ends": NOW + 1,
        "asked": 0.0,
        "unsent": b"",
    }
    connection = connection or Open()
    return SimpleNamespace(connection=connection, part=lambda now: connection.did.append(f"closed at {now:g}"), **made | known)


def stream(number: int = 1, *, seconds: float | None = None, **known: Any) -> Any:
    """A call whose answer is being made."""
    made = {"began": NOW, "ends": NOW + 1, "whole": True, "call": object(), "talks": False, "busy": False, "rest": None}
    return SimpleNamespace(id=number, head=SimpleNamespace(seconds=seconds), **made | known)


def looked(peer: Any, *, stopping: bool = False) -> list[str]:
    """The deeds of one look at a client."""
    did: list[str] = peer.connection.did
    try:
        did += [f"late {late.id}" for late in ages.look(peer, NOW, stopping=stopping)]
    except Gone:
        did.append("gone")
    assert peer.connection.now == NOW
    return did


PARTIAL, UNSETTLED, LEFT = {"partial": True}, {"settled": False}, {"warned": True, "leaving": True}
CLIENTS: dict[str, tuple[dict[str, Any], dict[str, Any], list[str]]] = {
    "in time": ({}, {"moved": 1.0}, []),
    "takes nothing": ({"stuck": NOW - 10}, {}, []),
    "takes nothing for too long": ({"stuck": NOW - 10.5}, {}, ["gone"]),
    "half a frame": ({}, PARTIAL | {"moved": NOW - 10}, []),
    "half a frame for too long": ({}, PARTIAL | {"moved": NOW - 10.5}, ["gone"]),
    "half a frame that may be there": ({"mask": select.EPOLLOUT}, PARTIAL | {"moved": NOW - 10.5}, []),
    "half of the first frame": ({"began": NOW - 1}, PARTIAL | UNSETTLED | {"moved": 0.0}, []),
    "parted": ({"parted": NOW - 5, "ends": 1.0, "began": 1.0, "shaking": True}, {}, []),
    "parted for too long": ({"parted": NOW - 5.5}, {}, ["gone"]),
    "shakes": ({"shaking": True, "began": NOW - 10, "ends": 1.0}, UNSETTLED, []),
    "shakes for too long": ({"shaking": True, "began": NOW - 10.5}, UNSETTLED, ["gone"]),
    "has shaken for too long, and more": ({"shaking": True, "began": NOW - 10.5}, {}, ["gone"]),
    "no settings": ({"began": NOW - 10, "ends": 1.0}, UNSETTLED, []),
    "no settings for too long": ({"began": NOW - 10.5}, UNSETTLED, ["gone"]),
    "old": ({"ends": NOW}, {}, []),
    "too old": ({"ends": NOW - 0.5}, {}, ["leave"]),
    "was told to go": ({"ends": NOW - 5}, {"warned": True}, []),
    "was told to go and goes": ({"ends": NOW - 5}, LEFT, []),
    "was told to go and stays": ({"ends": NOW - 5.5}, {"warned": True}, ["part", "closed at 1000"]),
    "was told to go and has a call": ({"ends": NOW - 41}, {"warned": True, "streams": [stream()]}, ["part"]),
    "was told to go and takes what was sent": ({"ends": NOW - 40, "unsent": b"x"}, LEFT, ["part"]),
    "was told to go and takes it in drops": ({"ends": NOW - 40.5, "unsent": b"x"}, LEFT, ["part", "gone"]),
    "was told to go and has something coming": ({"ends": NOW - 40}, LEFT | {"out": [b"x"]}, ["part"]),
    "was told to go and has something coming for too long": ({"ends": NOW - 40.5}, LEFT | {"out": [b"x"]}, ["part", "gone"]),
    "has gone before it was told": ({"ends": NOW - 0.5}, {"leaving": True}, ["leave"]),
    "quiet without calls": ({}, {"moved": NOW - 1000}, []),
    "quiet": ({}, {"moved": NOW - 60, "streams": [stream()]}, []),
    "too quiet": ({}, {"moved": NOW - 60.5, "streams": [stream()]}, ["ping"]),
    "asked": ({"asked": NOW - 20}, {"moved": NOW - 80, "streams": [stream()]}, []),
    "asked and silent": ({"asked": NOW - 20.5}, {"moved": NOW - 81, "streams": [stream()]}, ["gone"]),
    "asked and there": ({"asked": NOW - 30}, {"moved": NOW - 29, "streams": [stream()]}, []),
    "asked and there at once": ({"asked": NOW - 30}, {"moved": NOW - 30, "streams": [stream()]}, []),
    "asked and there, and quiet again": ({"asked": NOW - 90}, {"moved": NOW - 61, "streams": [stream()]}, ["ping"]),
}  # fmt: skip


@pytest.mark.parametrize("name", CLIENTS)
def test_clients_have_their_time(name: str) -> None:
    known, connection, expected = CLIENTS[name]
    assert looked(client(Open(**connection), **known)) == expected


STOPPING: dict[str, tuple[dict[str, Any], dict[str, Any], list[str]]] = {
    "in time": ({}, {}, ["leave"]),
    "shakes": ({"shaking": True, "began": NOW - 2}, UNSETTLED, []),
    "shakes for too long": ({"shaking": True, "began": NOW - 2.25}, UNSETTLED, ["gone"]),
    "no settings for too long": ({"began": NOW - 2.25}, UNSETTLED, ["gone"]),
    "was told to go": ({"ends": NOW}, {"warned": True}, []),
    "goes": ({"ends": NOW}, LEFT, ["closed at 1000"]),
    "goes when it has taken all": ({"ends": NOW, "unsent": b"x"}, LEFT, []),
    "goes when it was sent all": ({"ends": NOW}, LEFT | {"out": [b"x"]}, []),
    "goes when it was told all": ({"ends": NOW}, LEFT | {"streams": [stream()]}, []),
}


@pytest.mark.parametrize("name", STOPPING)
def test_clients_have_less_time_when_it_stops(name: str) -> None:
    known, connection, expected = STOPPING[name]
    assert looked(client(Open(**connection), **known), stopping=True) == expected


def test_who_was_told_to_go_has_its_time_from_then_on() -> None:
    peer = client(ends=1.0)
    assert looked(peer) == ["leave"]
    assert peer.ends == NOW


def test_who_was_asked_is_not_asked_again_until_it_was_heard_of() -> None:
    peer = client(Open(moved=NOW - 61, streams=[stream()]))
    assert (looked(peer), peer.asked) == (["ping"], NOW)
    assert looked(peer) == ["ping"]
    peer.connection.moved = NOW
    assert (looked(peer), peer.asked) == (["ping"], 0.0)


COMING: dict[str, Any] = {"whole": False, "call": None}
STREAMS: dict[str, tuple[Any, list[str]]] = {
    "is answered": (stream(began=1.0), []),
    "has to end": (stream(ends=NOW), []),
    "has ended": (stream(ends=NOW - 0.5), ["late 1"]),
    "comes": (stream(began=NOW - 10, **COMING), []),
    "comes too slowly": (stream(began=NOW - 10.5, **COMING), ["late 1"]),
    "comes by its deadline": (stream(began=NOW - 2, seconds=2.0, **COMING), []),
    "comes after its deadline": (stream(began=NOW - 2.5, seconds=2.0, **COMING), ["late 1"]),
    "comes too slowly for its long deadline": (stream(began=NOW - 10.5, seconds=50.0, **COMING), ["late 1"]),
    "has come and waits": (stream(began=1.0, call=None), []),
    "is told in parts": (stream(began=1.0, whole=False), []),
    "is taken": (stream(began=NOW - 30, rest=b"x", call=None), []),
    "is not taken": (stream(began=NOW - 30.5, rest=b"x", call=None), ["abandon 1"]),
    "a message of it is taken": (stream(began=NOW - 300, rest=b"x"), []),
    "a message of it is not taken": (stream(began=NOW - 300.5, rest=b"x"), ["abandon 1"]),
    "was answered": (stream(began=1.0, call=None, rest=None), []),
    "talks": (stream(talks=True), []),
}


@pytest.mark.parametrize("name", STREAMS)
def test_calls_have_their_time(name: str) -> None:
    given, expected = STREAMS[name]
    assert looked(client(Open(streams=[given]))) == expected


def test_calls_that_talk_end_when_it_stops_and_they_are_answered() -> None:
    streams = [stream(1, talks=True), stream(3, talks=True, busy=True), stream(5), stream(7, busy=True)]
    assert looked(client(Open(streams=streams, warned=True), ends=NOW), stopping=True) == ["late 1"]
