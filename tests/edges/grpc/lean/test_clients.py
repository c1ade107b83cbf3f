"""The clients of a listener: who comes in, what is read and sent, who is closed, and what each leaves behind."""

import select
import socket
from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any, cast

import pytest
import structlog

from sekisho.edges import budgets
from sekisho.edges.grpc.lean import ages, clients
from sekisho.edges.grpc.lean.answers import LATE, STOPPING, Said
from sekisho.edges.grpc.lean.clients import Clients
from sekisho.edges.grpc.lean.connection import Connection
from sekisho.edges.grpc.lean.door import BACKLOG, EVENTS
from sekisho.edges.grpc.lean.peers import INSECURE, UNSENT, Gone, Peer
from sekisho.edges.grpc.lean.stream import Ended, Stream

IN, OUT = select.EPOLLIN, select.EPOLLOUT
NOW = 7.0


class Notes(list[Any]):
    """Takes the place of a poll, of a door and of a budget: what each was told, and `True` for an answer."""

    answers = True

    def __getattr__(self, name: str) -> Any:
        def note(*given: Any) -> bool:
            self.append((name, *given))
            return self.answers

        return note


class Client:
    """A client whose socket is none; `did` is what was done with it."""

    def __init__(self, number: int, address: str = "192.0.2.1") -> None:
        self.number, self.address, self.name = number, address, f"client {number}"
        self.mask, self.held, self.parted, self.shaking, self.shakes = 0, 0, 0.0, False, 0
        self.auth: Any = INSECURE
        self.has_more = False
        self.unsent, self.taken = b"", list[Any]()
        self.did: list[Any] = []
        self.came = b"bytes"

    def shake(self) -> None:
        self.shakes -= 1
        self.shaking = self.shakes > 0

    def read(self) -> bytes:
        self.did.append("read")
        return self.came

    def send(self, now: float) -> None:
        self.did.append(("send", now))

    def close(self) -> None:
        self.did.append("close")


class Fed:
    """Its connection."""

    def __init__(self) -> None:
        self.held, self.now, self.fed = 0, 0.0, list[bytes]()
        self.streams: dict[int, Any] = {}
        self.forgotten: list[Any] = []
        self.ended = False

    def feed(self, data: bytes) -> None:
        self.fed.append(data)
        if self.ended:
            raise Ended(1, "a reason")

    def forget(self, stream: Any) -> None:
        self.forgotten.append(stream)


class Told(Clients):
    """Notes what it is told of clients; `coming` come to the door one batch at a time."""

    def __init__(self) -> None:
        bound = socket.socket()
        bound.bind(("127.0.0.1", 0))
        super().__init__(bound, None, 600.0)
        self._door.close()
        self._poll.close()
        self.poll, self.door, self.budget = Notes(), Notes(), Notes()
        self._poll, self._door = cast(Any, self.poll), cast(Any, self)
        self.defaults, self._answers = self._answers, cast(Any, self.budget)
        self.coming: list[list[Client]] = []
        self.read: list[Any] = []
        self.lost: list[Any] = []
        self.said: list[Any] = []

    def come(self, now: float) -> Iterator[Client]:
        self.door.append("come")
        return iter(self.coming.pop(0) if self.coming else ())

    def close(self) -> None:
        self.door.append("close")

    def open_again(self) -> None:
        self.door.append("open")

    def gone(self, stream: Stream) -> None:
        self.lost.append(stream)

    def _connected(self, peer: Peer) -> Connection:
        return cast(Connection, Fed())

    def _was_read(self, peer: Peer, began: float) -> None:
        self.read.append(peer)

    def _end(self, of: Connection, stream: Stream, said: Said) -> None:
        self.said.append((stream, said))


@pytest.fixture
def told() -> Told:
    return Told()


def enter(told: Told, *numbers: int) -> list[Any]:
    """Clients that have come in."""
    made = [Client(number) for number in numbers]
    told.coming.append(made)
    assert told._accept(NOW) is True
    told.poll.clear()
    told._unsent.clear()
    return made


def test_who_comes_in_is_polled(told: Told) -> None:
    first, second = Client(3), Client(4, "192.0.2.2")
    told.coming.append([first, second])
    assert told._accept(NOW) is True
    assert told._accept(NOW) is False
    assert told.poll == [("register", 3, IN), ("register", 4, IN)]
    assert cast(Any, told._peers) == {3: first, 4: second}
    assert list(cast(Any, told._unsent)) == [first, second]  # which are to be told the settings
    assert dict(told._of_address) == {"192.0.2.1": 1, "192.0.2.2": 1}
    assert [first.mask, second.mask] == [IN, IN]


@pytest.mark.parametrize(("limit", "most", "others"), [("CONNECTIONS", 2, 1), ("OF_ADDRESS", 2, 2)])
def test_a_connection_too_many_is_closed(told: Told, monkeypatch: pytest.MonkeyPatch, limit: str, most: int, others: int) -> None:
    """Those behind it come in where it is the address that has too many."""
    monkeypatch.setattr(clients, limit, most)
    made = [Client(number) for number in range(3, 3 + most + 1)]
    told.coming += [made, [*(Client(number, "192.0.2.2") for number in range(10, 10 + others)), Client(20)]]
    assert [told._accept(NOW), told._accept(NOW)] == [True, True]
    assert [one.did for one in made] == [[], [], ["close"]]
    assert sorted(told._peers) == ([3, 4] if limit == "CONNECTIONS" else [3, 4, 10, 11])
    assert told._counts.ends["connection"] == (3 if limit == "CONNECTIONS" else 2)


def test_who_comes_behind_one_that_is_too_many(told: Told, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(clients, "OF_ADDRESS", 1)
    told.coming.append([Client(3), Client(4), Client(5, "192.0.2.2")])
    assert told._accept(NOW) is True
    assert sorted(told._peers) == [3, 5]


def test_the_door_closes_behind_those_who_are_at_it(told: Told) -> None:
    told.coming += [[Client(3)], [Client(4)]]
    told._shut()
    assert told.door == ["come", "come", "come", "close"]
    assert sorted(told._peers) == [3, 4]


def test_the_door_closes_however_many_come(told: Told, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(clients, "OF_ADDRESS", 1)
    told.coming += [[Client(3)] for _ in range(200)]
    told._shut()
    assert told.door == ["come"] * (BACKLOG // EVENTS) + ["close"]


def test_an_act_on_a_client(told: Told) -> None:
    [peer] = enter(told, 3)
    acted: list[Any] = []
    told._guarded(peer, lambda *given: acted.append(given), NOW)
    assert (acted, peer.did) == ([(peer, NOW)], [])


@pytest.mark.parametrize("others", [[], [3]], ids=["closed", "closed, and its number is another's"])
def test_no_act_on_a_client_that_was_closed(told: Told, others: list[int]) -> None:
    [peer] = enter(told, 3)
    told._close(peer)
    if others:
        enter(told, *others)
    acted: list[Any] = []
    told._guarded(peer, lambda *given: acted.append(given), NOW)
    told._close(peer)
    assert (acted, peer.did, sorted(told._peers)) == ([], ["close"], others)


def test_a_client_that_has_gone_is_closed(told: Told) -> None:
    [peer, other] = enter(told, 3, 4)

    def go(*_: Any) -> None:
        raise Gone

    with structlog.testing.capture_logs() as logs:
        told._guarded(peer, go, NOW)
    assert (peer.did, other.did, told._peers, logs) == (["close"], [], {4: other}, [])


def test_a_fault_closes_the_client_that_it_happened_with(told: Told) -> None:
    [peer, other] = enter(told, 3, 4)

    def fail(*_: Any) -> None:
        raise RuntimeError("a fault")

    with structlog.testing.capture_logs() as logs:
        told._guarded(peer, fail, NOW)
    assert (peer.did, other.did, told._peers) == (["close"], [], {4: other})
    assert [(entry["event"], entry["peer"], entry["exc_info"]) for entry in logs] == [("lean.fault", "client 3", True)]


def test_what_has_come_is_fed_to_the_connection(told: Told) -> None:
    [peer] = enter(told, 3)
    told._read(peer, NOW)
    assert (peer.connection.fed, peer.connection.now, told.read) == ([b"bytes"], NOW, [peer])
    assert (list(told._unsent), told._more) == ([peer], {})


@pytest.mark.parametrize("known", [{"came": b""}, {"parted": 5.0}], ids=["nothing has come", "nothing is sent any more"])
def test_what_is_read_and_not_fed(told: Told, known: dict[str, Any]) -> None:
    [peer] = enter(told, 3)
    peer.__dict__.update(known)
    told._read(peer, NOW)
    assert (peer.did, peer.connection.fed, told.read, list(told._unsent)) == (["read"], [], [], [peer])


def test_nothing_is_read_before_the_handshake_is_over(told: Told) -> None:
    [peer] = enter(told, 3)
    peer.shaking, peer.shakes = True, 2
    told._read(peer, NOW)
    assert (peer.shakes, peer.did, list(told._unsent)) == (1, [], [peer])
    told._send(peer, NOW)  # nor is anything sent
    assert peer.did == []
    told._read(peer, NOW)
    assert (peer.shakes, peer.did, peer.connection.fed) == (0, ["read"], [b"bytes"])
    told._read(peer, NOW)
    assert peer.shakes == 0


@pytest.mark.parametrize(("auth", "more", "expected"), [({}, True, True), ({}, False, False), (INSECURE, True, False)])
def test_bytes_that_no_poll_tells_of_are_read_in_the_next_turn(told: Told, auth: Any, more: bool, expected: bool) -> None:
    [peer] = enter(told, 3)
    peer.auth, peer.has_more = auth, more
    told._read(peer, NOW)
    assert list(told._more) == ([peer] if expected else [])


def test_a_connection_that_is_over_is_told_why(told: Told) -> None:
    [peer] = enter(told, 3)
    peer.connection.ended = True
    with structlog.testing.capture_logs() as logs, pytest.raises(Gone):
        told._read(peer, NOW)
    assert (peer.did, told.read) == (["read", ("send", NOW)], [])
    assert logs == [{"event": "lean.ended", "log_level": "info", "peer": "client 3", "reason": "a reason"}]


POLLED = [(0, IN), (1, IN | OUT), (UNSENT - 1, IN | OUT), (UNSENT, OUT), (UNSENT + 1, OUT)]


@pytest.mark.parametrize(("waiting", "mask"), POLLED)
def test_a_client_is_polled_for_what_it_may_do(told: Told, waiting: int, mask: int) -> None:
    """To take what waits, and to send while that is not too much."""
    [peer] = enter(told, 3)
    peer.unsent = bytes(waiting)
    told._send(peer, NOW)
    assert (told.poll, peer.mask) == ([] if mask == IN else [("modify", 3, mask)], mask)
    told.poll.clear()
    told._send(peer, NOW)
    assert told.poll == []
    peer.unsent = b""
    told._send(peer, NOW)
    assert told.poll == ([] if mask == IN else [("modify", 3, IN)])


def test_what_was_taken_is_followed_by_the_next(told: Told) -> None:
    """Which is sent at once; not while too much waits."""
    [peer] = enter(told, 3)
    went: list[int] = []
    flows = [SimpleNamespace(go_on=lambda number=number: went.append(number)) for number in range(2)]
    peer.taken, peer.unsent = list(flows), bytes(UNSENT)
    told._send(peer, NOW)
    assert (went, peer.taken, peer.did) == ([], flows, [("send", NOW)])
    peer.unsent = bytes(UNSENT - 1)
    told._send(peer, NOW)
    assert (went, peer.taken, peer.did) == ([0, 1], [], [("send", NOW)] * 3)
    told._send(peer, NOW)
    assert (went, peer.did) == ([0, 1], [("send", NOW)] * 4)


def test_answers_that_wait_are_counted_of_the_address(told: Told) -> None:
    [peer] = enter(told, 3)
    peer.unsent, peer.connection.held = bytes(10), 5
    told._send(peer, NOW)
    told._send(peer, NOW)
    assert (told.budget, peer.held) == ([("take", "192.0.2.1", 15)], 15)
    peer.connection.held = 6
    told._send(peer, NOW)
    peer.unsent = b""
    told._send(peer, NOW)
    assert (told.budget[1:], peer.held) == ([("take", "192.0.2.1", 1), ("give", "192.0.2.1", 10)], 6)
    told._hold(peer, 6)
    assert len(told.budget) == 3


def test_who_lets_too_many_answers_wait_is_closed(told: Told) -> None:
    [peer] = enter(told, 3)
    told._hold(peer, 8)
    told.budget.answers = False
    peer.unsent = bytes(10)
    with structlog.testing.capture_logs() as logs, pytest.raises(Gone):
        told._send(peer, NOW)
    assert peer.held == 8
    assert logs == [{"event": "lean.ended", "log_level": "info", "peer": "client 3", "reason": "answers that are not taken"}]
    told._hold(peer, 2)
    assert told.budget == [("take", "192.0.2.1", 8), ("take", "192.0.2.1", 2), ("give", "192.0.2.1", 6)]


def test_as_many_answers_may_wait_as_twice_what_may_come() -> None:
    budget, share = Told().defaults, 2 * budgets.SHARE
    assert [budget.take(address, share) for address in "ab"] == [True, True]
    assert not budget.take("c", 1)
    budget.give("a", share)
    assert not budget.take("b", 1)
    assert (2 * budgets.TOTAL, budget.taken) == (2 * share, share)


def test_what_a_client_that_is_closed_leaves(told: Told) -> None:
    """Its room, its place among those of its address, and its calls, which nobody answers."""
    [peer, other] = enter(told, 3, 4)
    told._hold(peer, 8)
    peer.connection.streams = {1: "one", 3: "three"}
    told._close(peer)
    assert (told._peers, dict(told._of_address), told.poll) == ({4: other}, {"192.0.2.1": 1}, [("unregister", 3)])
    assert (peer.connection.forgotten, told.lost, peer.did) == (["one", "three"], ["one", "three"], ["close"])
    assert (told.budget, peer.held) == ([("take", "192.0.2.1", 8), ("give", "192.0.2.1", 8)], 0)
    told._close(other)
    assert (told._peers, dict(told._of_address)) == ({}, {})
    assert len(told.budget) == 2


@pytest.mark.parametrize(("since", "judged"), [(1.0, True), (ages.STILL, True), (ages.STILL + 0.5, False)])
def test_nobody_is_judged_after_the_thread_stood_still(told: Told, monkeypatch: pytest.MonkeyPatch, since: float, judged: bool) -> None:
    peers, seen = enter(told, 3, 4), list[Any]()

    def look(peer: Any, now: float, *, stopping: bool) -> Iterator[Any]:
        seen.append((peer, now, stopping))
        if peer.number == 3:
            raise Gone
        return iter(())

    monkeypatch.setattr(ages, "look", look)
    told._counts.turned = 0.0
    told._look_around(100.0, 100.0 - since)
    assert seen == ([(peer, 100.0, False) for peer in peers] if judged else [])
    assert sorted(told._peers) == ([4] if judged else [3, 4])
    assert (told.door[-1], told._counts._connections) == ("open", 1 if judged else 2)
    assert told.turned == told._counts.turned > 0.0
    told._counts.publish(0)


@pytest.mark.parametrize(("ends", "talks", "said"), [(0.0, True, LATE), (0.5, False, LATE), (0.5, True, STOPPING), (0.0, False, LATE)])
def test_calls_whose_time_is_up_are_told_so(told: Told, monkeypatch: pytest.MonkeyPatch, ends: float, talks: bool, said: Said) -> None:
    [peer] = enter(told, 3)
    late, stops = SimpleNamespace(talks=talks), list[bool]()

    def look(_peer: Any, _now: float, *, stopping: bool) -> Iterator[Any]:
        stops.append(stopping)
        yield late

    monkeypatch.setattr(ages, "look", look)
    told._ends = ends
    told._age_of(peer, NOW)
    assert (told.lost, told.said, stops) == ([late], [(late, said)], [ends > 0])
    assert list(told._unsent) == [peer]
