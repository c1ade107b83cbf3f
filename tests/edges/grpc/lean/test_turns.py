"""The turns of the thread of the lean listener: who is read, in which order, for how long calls are answered, and how it ends."""

import select
import socket
import threading
import time
from collections import deque
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any, cast

import pytest
import structlog

from sekisho.edges.grpc.lean import frames as ours
from sekisho.edges.grpc.lean import port
from sekisho.edges.grpc.lean.asked import ONCE, STREAMS, TALKS, Method
from sekisho.edges.grpc.lean.connection import Connection
from sekisho.edges.grpc.lean.door import EVENTS
from sekisho.edges.grpc.lean.line import Line
from sekisho.edges.grpc.lean.port import FLOODED, LULL, ROUND, SHAKES, SHARE, SLICE, Port
from sekisho.edges.grpc.sizes import MAX_MESSAGE, METADATA
from sekisho.edges.lanes import Claim

IN, OUT = select.EPOLLIN, select.EPOLLOUT
BELL, DOOR = 90, 91


class Over(BaseException):
    """A listener has turned more often than it was to."""


class Answered(deque[Any]):
    """Answers of other threads, which are looked for so often and no more."""

    looks = 100

    def __len__(self) -> int:
        self.looks -= 1
        if not self.looks:
            raise Over
        return super().__len__()


class Client:
    """A client whose socket is none."""

    def __init__(self, number: int, *, shaking: bool = False) -> None:
        self.number, self.shaking, self.name, self.address = number, shaking, f"client {number}", "192.0.2.1"
        self.connection: Any = SimpleNamespace(now=5.0, out=[], streams={})

    def __repr__(self) -> str:
        return str(self.number)


class Turned(Port):
    """A listener that turns when it is told to; `did` is what it has done. `events` is what its poll tells next."""

    looks = 100
    """The number of times that it may look for its end: a loop that does nothing would turn for ever."""

    @property
    def _ends(self) -> float:
        self.looks -= 1
        if not self.looks:
            raise Over
        return self._end_at

    @_ends.setter
    def _ends(self, at: float) -> None:
        self._end_at = at

    def __init__(self, methods: Any = None) -> None:
        bound = socket.socket()
        bound.bind(("127.0.0.1", 0))
        super().__init__(bound, methods or {}, lambda _: Claim(), age=600.0)
        self._answered = Answered()
        self.did: list[Any] = []
        self.events: list[Any] = []
        for held in (self._door, self._poll, self._bell):
            held.close()
        self._door, self._poll, self._bell = (cast(Any, self.held(name)) for name in ("door", "poll", "bell"))
        self._bell.number = BELL
        self._looked = time.monotonic() + 1000.0
        self.acts: dict[int, Callable[[], None]] = {}
        self.turns: list[Callable[[], object]] | None = None

    def held(self, name: str) -> Any:
        """A door, a poll, a bell."""

        def note(what: str) -> Callable[[], None]:
            return lambda: self.did.append(f"{name} {what}")

        return SimpleNamespace(
            is_at=lambda number: number == DOOR, poll=self._polled, close=note("close"), hear=note("hear"), ring=note("ring"), number=0
        )

    def _polled(self, waits: float, most: int) -> list[Any]:
        assert most == EVENTS
        self.did.append(("poll", waits))
        return self.events

    def clients(self, *numbers: int, shaking: bool = False) -> list[Any]:
        made = [Client(number, shaking=shaking) for number in numbers]
        self._peers.update({one.number: cast(Any, one) for one in made})
        return made

    def turn(self, *events: tuple[int, int]) -> list[Any]:
        """Its deeds in a turn in which a poll tells this."""
        self.events, self.did = list(events), []
        port.Port._step(self)
        return self.did

    def _step(self) -> None:
        if self.turns is None:
            super()._step()
        elif not self.turns:
            raise Over
        else:
            self.did.append("step")
            self.turns.pop(0)()

    def _read(self, peer: Any, now: float) -> None:
        self.did.append(f"read {peer.number}")
        self.acts.get(peer.number, lambda: None)()

    def _send(self, peer: Any, now: float) -> None:
        self.did.append(f"send {peer.number}")

    def _accept(self, now: float) -> bool:
        self.did.append("accept")
        return False

    def _answer_some(self, seconds: float) -> None:
        self.did.append(("answer", seconds))

    def _finish(self, asked: Any, said: Any) -> None:
        self.did.append(("finish", asked, said))

    def _look_around(self, now: float, before: float) -> None:
        self.did.append(("look", before))

    def _close(self, peer: Any) -> None:
        self.did.append(f"close {peer.number}")
        del self._peers[peer.number]

    def _shut(self) -> None:
        self.did.append("shut")


@pytest.fixture
def turned() -> Turned:
    return Turned()


def test_it_waits_for_a_moment_where_there_is_nothing_to_do(turned: Turned) -> None:
    assert turned.turn() == [("poll", ROUND)]
    turned._ends = 1.0
    assert turned.turn() == [("poll", LULL)]


def test_it_does_not_wait_where_there_is_something_to_do(turned: Turned) -> None:
    [peer] = turned.clients(3)
    turned._more[peer] = None
    assert turned.turn() == [("poll", 0.0), "read 3"]
    turned._unsent[peer] = None
    assert turned.turn() == [("poll", 0.0), "send 3"]
    turned._answered.append((cast(Any, "asked"), "said"))
    assert turned.turn() == [("poll", 0.0), ("finish", "asked", "said")]
    turned._flows.tell(lambda: turned.did.append("told"))
    assert turned.turn() == [("poll", 0.0), "told"]
    turned._line.put("a", cast(Any, "call"))
    assert turned.turn() == [("poll", 0.0), ("answer", SLICE)]


def test_who_has_sent_is_read_and_who_takes_is_sent_to(turned: Turned) -> None:
    turned.clients(3, 4, 5)
    turned.acts[3] = lambda: turned._line.put("a", cast(Any, "call"))
    assert turned.turn((3, IN), (4, OUT), (5, IN | OUT)) == [
        ("poll", ROUND),
        "read 3",
        "read 5",
        ("answer", SLICE),
        "send 3",
        "send 4",
        "send 5",
    ]


def test_the_bell_is_heard_and_the_door_is_opened(turned: Turned) -> None:
    """A number that is nobody's is passed over."""
    assert turned.turn((BELL, IN), (DOOR, IN), (7, IN)) == [("poll", ROUND), "bell hear", "accept"]


def test_few_handshakes_go_on_before_calls_are_answered(turned: Turned) -> None:
    """A client that has shaken hands is read, however many still do."""
    shaking = turned.clients(*range(3, 3 + SHAKES + 2), shaking=True)
    turned.clients(20)
    events = [(one.number, OUT) for one in shaking] + [(20, IN)]
    did = turned.turn(*events)
    assert [one for one in did if str(one).startswith("read")] == ["read 3", "read 4", "read 20"]
    assert [one for one in did if str(one).startswith("send")] == [f"send {number}" for number, _ in events]


@pytest.mark.parametrize(("refused", "events", "seconds"), [(0, EVENTS, SLICE), (1, EVENTS - 1, FLOODED), (1, EVENTS, None)])
def test_calls_are_answered_when_all_has_been_read(turned: Turned, refused: int, events: int, seconds: float | None) -> None:
    """In a flood only then, and for less long."""
    turned.clients(*range(3, 3 + events))
    turned._line.put("a", cast(Any, "call"))

    def refuse() -> None:
        turned.gate.refused += refused

    turned.acts[3] = refuse
    did = turned.turn(*[(number, IN) for number in range(3, 3 + events)])
    assert [one[1] for one in did if one[0] == "answer"] == ([] if seconds is None else [seconds])


@pytest.mark.parametrize(("ends", "every"), [(0.0, ROUND), (1.0, 0.0625)])
def test_it_looks_around_now_and_then(turned: Turned, monkeypatch: pytest.MonkeyPatch, ends: float, every: float) -> None:
    now = 1024.0
    monkeypatch.setattr(time, "monotonic", lambda: now)
    monkeypatch.setattr(port, "LULL", 0.0625)
    turned._ends = ends
    for since, looks in ((0.5, False), (1.0, True), (1.5, True)):
        turned._looked = before = now - since * every
        assert turned.turn() == [("poll", every), *([("look", before)] if looks else [])]
        assert turned._looked == (now if looks else before)


def test_a_turn_that_fails_is_followed_by_another(turned: Turned, monkeypatch: pytest.MonkeyPatch) -> None:
    """After a moment, for what fails may fail at each turn."""
    slept: list[float] = []
    monkeypatch.setattr(time, "sleep", slept.append)

    def fail() -> None:
        raise RuntimeError("a fault")

    turned.turns = [fail]
    with structlog.testing.capture_logs() as logs:
        turned._stepped()
    assert ([(entry["event"], entry["exc_info"]) for entry in logs], slept) == ([("lean.fault", True)], [LULL])


def test_a_call_that_fails_ends_its_connection(turned: Turned) -> None:
    [peer, _] = turned.clients(3, 4)
    asked: Any = SimpleNamespace(peer=lambda: "ipv4:192.0.2.1:5000", connection=SimpleNamespace(owner=peer))
    acted: list[Any] = []
    turned._safely(lambda *given: acted.append(given), asked, "said")
    assert (acted, turned.did) == ([(asked, "said")], [])

    def fail(*_: Any) -> None:
        raise RuntimeError("a fault")

    with structlog.testing.capture_logs() as logs:
        turned._safely(fail, asked)
    assert turned.did == ["close 3"]
    assert [(entry["event"], entry["peer"], entry["exc_info"]) for entry in logs] == [("lean.fault", "ipv4:192.0.2.1:5000", True)]


def test_nothing_is_answered_while_a_client_is_read(turned: Turned, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Line, "most", 2)
    [peer] = turned.clients(3)
    turned._line.enter("a")
    turned._was_read(peer, 0.0)
    assert turned.did == []


@pytest.mark.parametrize(("sent", "sends"), [(99.875, False), (99.5, True), (100.5, False)])
def test_some_calls_are_answered_when_more_come_than_may_wait(
    turned: Turned, monkeypatch: pytest.MonkeyPatch, sent: float, sends: bool
) -> None:
    """For some times as long as the client was read; who was refused hears so first, and nobody waits long for what is answered."""
    monkeypatch.setattr(Line, "most", 1)
    monkeypatch.setattr(port, "SENDING", 0.125)
    monkeypatch.setattr(time, "perf_counter", lambda: 100.25)
    [peer, other] = turned.clients(3, 4)
    turned._line.enter("a")
    turned._sent = sent
    turned._unsent[other] = None
    peer.connection.out.append(b"refused")
    turned._was_read(peer, 100.0)
    assert turned.did == ["send 3", ("answer", SHARE * 0.25), *(["send 4"] if sends else [])]
    turned.did.clear()
    peer.connection.out.clear()
    turned._was_read(peer, 100.0)
    assert turned.did == [("answer", SHARE * 0.25)]


def test_calls_are_answered_for_so_long(turned: Turned, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of the clock; each is charged what it took of the processor."""
    clock, processor, settled = [100.0], [50.0], list[Any]()
    monkeypatch.setattr(time, "perf_counter", lambda: clock[0])
    monkeypatch.setattr(time, "thread_time", lambda: processor[0])
    monkeypatch.setattr(turned._line, "settle", lambda account, **known: settled.append((account, known["spent"])))
    answered: list[int] = []

    def answer(asked: Any) -> None:
        answered.append(asked.number)
        clock[0] += 0.25
        processor[0] += 0.125 * asked.number

    monkeypatch.setattr(turned, "_answer", answer)
    calls = [SimpleNamespace(number=number, gone=number == 2, peer=lambda: "") for number in range(6)]
    for call in calls:
        turned._line.put(f"account {call.number}", cast(Any, call))
    port.Port._answer_some(turned, 0.5)  # at the end of it, one more is begun
    assert answered == [0, 1, 3]
    assert settled == [("account 0", 0.0), ("account 1", 0.125), ("account 2", 0.0), ("account 3", 0.375)]
    port.Port._answer_some(turned, 10.0)
    assert answered == [0, 1, 3, 4, 5]
    port.Port._answer_some(turned, 10.0)
    assert len(settled) == 6


def test_it_turns_until_it_is_told_to_stop(turned: Turned, monkeypatch: pytest.MonkeyPatch) -> None:
    """Then until its clients have gone, or its time is over."""
    now = [1000.0]
    monkeypatch.setattr(time, "monotonic", lambda: now[0])
    published: list[int] = []
    monkeypatch.setattr(turned._counts, "publish", published.append)
    turned.clients(3, 4)
    turned.turns = [lambda: None, lambda: turned.stop(10.0), lambda: None, lambda: now.insert(0, 1010.0)]
    turned._run()
    assert (turned.did.count("step"), turned.turns) == (4, [])
    assert turned.did[2:] == ["bell ring", "shut", "step", "step", "close 3", "close 4", "door close", "poll close", "bell close"]
    assert (published, turned.over.is_set()) == ([0], True)


def test_it_ends_with_its_last_client(turned: Turned) -> None:
    turned.clients(3)
    turned.turns = [lambda: turned.stop(1000.0), turned._peers.clear]
    turned._run()
    assert turned.did == ["step", "bell ring", "shut", "step", "door close", "poll close", "bell close"]


def test_it_ends_at_once_without_clients(turned: Turned) -> None:
    turned.turns = [lambda: turned.stop(1000.0)]
    assert not turned.over.is_set()
    turned._run()
    assert turned.did == ["step", "bell ring", "shut", "door close", "poll close", "bell close"]


def test_it_begins_on_a_thread_of_its_own(turned: Turned, monkeypatch: pytest.MonkeyPatch) -> None:
    made: list[Any] = []

    class Thread:
        def __init__(self, **known: Any) -> None:
            made.append(known)

        def start(self) -> None:
            made.append("start")

    monkeypatch.setattr(threading, "Thread", Thread)
    turned.start()
    assert made == [{"target": turned._run, "name": "grpc-lean", "daemon": True}, "start"]


def test_the_first_end_that_it_was_given_holds(turned: Turned, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(time, "monotonic", lambda: 1000.0)
    found = []
    for grace in (10.0, 20.0, 5.0):
        assert turned.stop(grace) is turned.over
        found.append(turned._ends)
    assert (found, turned.did) == ([1010.0, 1010.0, 1005.0], ["bell ring"] * 3)


def test_the_connection_of_a_client() -> None:
    """It has the sizes of all listeners, and knows which calls talk."""
    kinds = {"/test.Ways/Polled": ONCE, "/test.Ways/Watched": STREAMS, "/test.Ways/Talk": TALKS}
    made = Turned({path: Method(path, None, lambda *_: b"", cast(Any, None), kind=kind) for path, kind in kinds.items()})
    [peer] = made.clients(3)
    connection = made._connected(peer)
    assert (type(connection), connection.owner, connection._most) == (Connection, peer, MAX_MESSAGE)
    assert connection._talking == {"/test.Ways/Talk"}
    assert ours.LIST.to_bytes(2) + METADATA.to_bytes(4) in connection.out[0]


def test_it_hears_its_bell() -> None:
    bound = socket.socket()
    bound.bind(("127.0.0.1", 0))
    made = Port(bound, {}, lambda _: Claim(), age=600.0)
    assert made._poll.poll(0.0) == []
    made._bell.ring()
    assert made._poll.poll(0.0) == [(made._bell.number, IN)]
    for held in (made._door, made._poll, made._bell):
        held.close()
