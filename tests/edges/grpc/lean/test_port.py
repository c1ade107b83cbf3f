"""The steps of a call on the lean listener, each by itself, without a socket and without a thread."""

import gzip
import math
import socket
from collections.abc import Callable
from itertools import dropwhile
from types import SimpleNamespace
from typing import Any, cast

import pytest
import structlog

from sekisho.calls import rests
from sekisho.edges import doubts
from sekisho.edges.grpc.lean import answers
from sekisho.edges.grpc.lean.answers import Aborted
from sekisho.edges.grpc.lean.asked import ONCE, STREAMS, TALKS, Asked, Method
from sekisho.edges.grpc.lean.heads import Head
from sekisho.edges.grpc.lean.line import INLINE, Line
from sekisho.edges.grpc.lean.port import Port
from sekisho.edges.grpc.lean.stream import MESSAGE, Stream
from sekisho.edges.lanes import Claim
from sekisho.errors import Throttling
from sekisho.memory import cold
from tests.edges.grpc.frames import message
from tests.edges.grpc.ways import BESIDE, POLLED, told

WATCHED, TALK, ELSEWHERE = "/test.Ways/Watched", "/test.Ways/Talk", "/sekisho.api.toy.v1.ToyService/Get"
ACCOUNT, ADDRESS = "111122223333", "192.0.2.1"
HELLO = message(b"hello")


class Lane:
    """The threads of a class of calls, which have not begun."""

    def __init__(self) -> None:
        self.work: list[tuple[Any, ...]] = []
        self.closed = self.full = False

    def submit(self, *given: Any) -> None:
        if self.closed:
            raise RuntimeError
        self.work.append(given)

    submit_for = submit_claimed = submit

    def enter(self) -> None:
        if self.full:
            raise Throttling("Rate exceeded")


class Of:
    """A connection; `ends` is how its streams have ended."""

    def __init__(self) -> None:
        self.owner = Owner()
        self.streams: dict[int, Stream] = {}
        self.now, self.out = 100.0, list[bytes]()
        self.ends: dict[int, str] = {}
        self.answered: list[Any] = []
        self.listened: list[Stream] = []

    def answer(self, stream: Stream, framed: bytes, trailer: bytes) -> None:
        self.answered.append((stream.id, framed, trailer))

    def answer_at_once(self, stream: Stream, block: bytes) -> None:
        assert stream.id not in self.ends
        self.ends[stream.id] = told(block)

    def listen(self, stream: Stream) -> None:
        self.listened.append(stream)


class Owner:
    """A client."""

    address, name = ADDRESS, "ipv4:192.0.2.1:5000"

    def __init__(self) -> None:
        self.taken: list[Any] = []


class Budget:
    """Notes what is taken and given."""

    def __init__(self) -> None:
        self.did: list[Any] = []

    def take(self, address: str, size: int) -> bool:
        self.did.append(("take", address, size))
        return size < 100

    def give(self, address: str, size: int) -> None:
        self.did.append(("give", address, size))


class Place:
    """A listener that has not begun, and what its calls leave."""

    def __init__(self, *, rest: bool = False) -> None:
        self.lane, self.of, self.budget, self.rung = Lane(), Of(), Budget(), 0
        self.said: Any = lambda body, _asked: body
        self.heard: list[Any] = []
        kinds = {POLLED: ONCE, BESIDE: ONCE, WATCHED: STREAMS, TALK: TALKS}
        methods = {
            path: Method(path, self._say if path == POLLED else None, self._say, cast(Any, self.lane), kind=kind)
            for path, kind in kinds.items()
        }
        other = Method("", None, self._say, cast(Any, self.lane)) if rest else None
        bound = socket.socket()
        bound.bind(("127.0.0.1", 0))
        self.port = Port(bound, methods, lambda metadata: Claim(*metadata), rest=other, age=600.0)
        self.port._door.close()
        self.port._poll.close()
        self.port._bell.close()
        self.port._budget = cast(Any, self.budget)
        self.port._bell.ring = self._ring  # type: ignore[method-assign]

    def _ring(self) -> None:
        self.rung += 1

    def _say(self, body: bytes, asked: Any) -> Any:
        self.heard.append(body)
        return self.said(body, asked)

    def stream(self, path: str = POLLED, *, number: int = 1, seconds: float | None = None, held: int = 0, encoding: str = "") -> Stream:
        """A call that has begun."""
        made = Stream(number, Head(path, cast(Any, (ACCOUNT,)), seconds, encoding, ""), 65_535, 1.0)
        made.held = held
        self.of.streams[number] = made
        return made

    def arrive(self, path: str = POLLED, body: bytes = HELLO, **known: Any) -> Stream:
        """A call that has come whole."""
        made = self.stream(path, **known)
        self.port.arrived(cast(Any, self.of), made, body)
        return made

    def answer(self) -> None:
        """Answer who is in the line."""
        self.port._answer_some(60.0)

    def work(self) -> None:
        """Have other threads do what they were given, and the polling thread finish it."""
        work, self.lane.work = self.lane.work, []
        for given in work:
            [act, *rest] = dropwhile(lambda one: not callable(one), given)
            act(*rest)

    @property
    def counts(self) -> dict[str, int]:
        """The outcomes, counted."""
        return {end: count for end, count in self.port._counts.ends.items() if count}

    def told(self) -> bool:
        """True when something is to be sent to the client since the last time."""
        unsent = list(cast(Any, self.port._unsent))
        self.port._unsent.clear()
        return unsent == [self.of.owner]


@pytest.fixture
def place() -> Place:
    return Place()


def raising(error: BaseException) -> Callable[[bytes, Any], Any]:
    """A handler that fails."""

    def fail(_body: bytes, _asked: Any) -> Any:
        raise error

    return fail


def test_a_call_is_answered(place: Place) -> None:
    stream = place.arrive(held=7)
    asked = stream.call
    assert (place.port._line.waiting, place.heard, stream.held, asked.room, asked.flow, stream.ends) == (1, [], 0, 7, None, math.inf)
    place.answer()
    assert (place.heard, place.of.answered, place.told()) == ([b"hello"], [(1, HELLO, answers.trailer(()))], True)
    assert (stream.call, asked.room, asked.entered, place.port._line.waiting) == (None, 0, False, 0)
    assert (place.budget.did, place.counts) == ([("give", ADDRESS, 7)], {"inline": 1})


def test_an_answer_has_what_the_handler_sends_behind(place: Place) -> None:
    def say(body: bytes, asked: Asked) -> bytes:
        asked.set_trailing_metadata((("a", "b"),))
        return body

    place.said = say
    place.arrive()
    place.answer()
    assert place.of.answered == [(1, HELLO, answers.trailer((("a", "b"),)))]
    assert place.budget.did == []


@pytest.mark.parametrize("path", ["/nobody/Knows", ELSEWHERE])
def test_a_path_that_nobody_has(place: Place, path: str) -> None:
    assert place.arrive(path).call is None
    assert (place.of.ends, place.told(), place.counts) == ({1: "12 Method not found!"}, True, {})


@pytest.mark.parametrize(("path", "known"), [(ELSEWHERE, True), ("/nobody/Knows", False), ("/a/sekisho.api.", False)])
def test_services_of_ours_have_a_method_for_all(path: str, known: bool) -> None:
    place = Place(rest=True)
    stream = place.arrive(path)
    assert (stream.call is not None, place.of.ends) == ((True, {}) if known else (False, {1: "12 Method not found!"}))
    assert len(place.lane.work) == known


@pytest.mark.parametrize(("seconds", "ends"), [(None, math.inf), (5.0, 105.0)])
def test_a_stream_has_a_wire_and_an_end(place: Place, seconds: float | None, ends: float) -> None:
    stream = place.arrive(WATCHED, seconds=seconds)
    assert (stream.ends, stream.call.flow is not None, len(place.lane.work)) == (ends, True, 1)


def test_a_call_without_a_message(place: Place) -> None:
    stream = place.arrive(body=b"", held=7)
    assert (stream.call, place.of.ends, place.told()) == (None, {1: f'12 "{POLLED}" requires exactly one request message.'}, True)
    assert (place.budget.did, place.lane.work, place.port._line.waiting) == ([("give", ADDRESS, 7)], [], 0)


def test_a_call_for_which_there_is_no_place(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Line, "most", 1)
    calls = [place.arrive(number=number, held=number) for number in (1, 3, 5)]
    assert [call.call is not None for call in calls] == [True, True, False]  # who comes alone has a place, and so has who claims something
    assert (place.of.ends, place.counts) == ({5: "8 Rate exceeded"}, {"refused": 1})
    assert (place.budget.did, place.port._line.waiting) == ([("give", ADDRESS, 5)], 2)


@pytest.mark.parametrize(("path", "size"), [(BESIDE, 5), (POLLED, INLINE + 1)])
def test_a_call_for_other_threads(place: Place, path: str, size: int) -> None:
    stream = place.arrive(path, message(bytes(size)), held=7)
    [(claim, address, *_)] = place.lane.work
    asked = stream.call
    assert (claim, address, asked.passed, asked.room, place.counts) == (Claim(ACCOUNT), ADDRESS, True, 7, {"passed": 1})
    place.work()
    assert (place.heard, place.rung, place.of.answered, place.budget.did) == ([bytes(size)], 1, [], [])
    place.port._finish(*place.port._answered.popleft())
    assert place.of.answered == [(1, message(bytes(size)), answers.trailer(()))]
    assert (place.budget.did, place.counts) == ([("give", ADDRESS, 7)], {"passed": 1})


def test_other_threads_unpack(place: Place) -> None:
    place.arrive(BESIDE, b"\1" + message(gzip.compress(b"hello"))[1:], encoding="gzip")
    place.arrive(BESIDE, b"\1" + message(b"hello")[1:], encoding="gzip", number=3)
    place.work()
    assert [said if isinstance(said, bytes) else told(said.block) for _, said in place.port._answered] == [
        b"hello",
        "13 the message cannot be unpacked",
    ]


FAULTS = {
    "aborted": (Aborted(answers.STOPPING), "14 The server stops.", []),
    "failed": (ValueError("boom"), "2 Exception calling application: boom", ["lean.handler"]),
}


@pytest.mark.parametrize("path", [POLLED, BESIDE])
@pytest.mark.parametrize("name", FAULTS)
def test_a_handler_that_does_not_answer(place: Place, path: str, name: str) -> None:
    error, expected, events = FAULTS[name]
    place.said = raising(error)
    place.arrive(path)
    with structlog.testing.capture_logs() as logs:
        place.answer()
        place.work()
    for asked, said in place.port._answered:
        place.port._finish(asked, said)
    assert (place.of.ends, place.told(), place.counts) == ({1: expected}, True, {"inline" if path == POLLED else "passed": 1})
    assert [(entry["event"], entry["exc_info"]) for entry in logs] == [(event, True) for event in events]


def test_a_handler_that_would_wait_answers_on_another_thread(place: Place) -> None:
    place.said = raising(cold.Cold("a name"))
    stream = place.arrive(held=7)
    place.answer()
    assert (place.of.ends, place.port._line.waiting, place.counts, stream.call.entered) == ({}, 0, {"passed": 1}, False)
    assert (stream.call.passed, place.budget.did, len(place.lane.work)) == (True, [], 1)


@pytest.mark.parametrize("path", [POLLED, BESIDE])
def test_nobody_is_answered_after_his_deadline(place: Place, path: str) -> None:
    place.arrive(path, seconds=0.0)
    place.answer()
    place.work()
    for asked, said in place.port._answered:
        place.port._finish(asked, said)
    assert (place.heard, place.of.ends, place.told()) == ([], {1: "4 Deadline Exceeded"}, True)
    assert place.counts == ({} if path == POLLED else {"passed": 1})


@pytest.mark.parametrize(("owes", "noted"), [(True, [(ACCOUNT, ADDRESS)]), (False, [])])
def test_a_claim_that_was_in_vain_is_doubted(place: Place, monkeypatch: pytest.MonkeyPatch, owes: bool, noted: list[Any]) -> None:
    found: list[Any] = []
    monkeypatch.setattr(rests, "settle", lambda: owes)
    monkeypatch.setattr(doubts, "here", SimpleNamespace(note=lambda *given: found.append(given), part=lambda *_: ""))
    place.arrive()
    place.answer()
    assert (found, len(place.of.answered)) == (noted, 1)


def test_other_threads_that_have_ended(place: Place) -> None:
    place.lane.closed = True
    stream = place.arrive(BESIDE, held=7)
    assert (stream.call, place.of.ends, place.budget.did) == (None, {1: "14 The server stops."}, [("give", ADDRESS, 7)])


@pytest.mark.parametrize(
    ("said", "trailing", "expected", "events"),
    [
        (bytes(answers.MAX_ANSWER + 1), (), "8 the answer has 4194305 bytes; at most 4194304 are sent", []),
        (b"x", (("a", "\n"),), "13 Failed to send response!", ["lean.unsaid"]),
    ],
    ids=["too large", "a field that no block carries"],
)
def test_an_answer_that_cannot_be_sent(place: Place, said: bytes, trailing: Any, expected: str, events: list[str]) -> None:
    def say(_body: bytes, asked: Asked) -> bytes:
        asked.set_trailing_metadata(trailing)
        return said

    place.said = say
    place.arrive()
    with structlog.testing.capture_logs() as logs:
        place.answer()
    assert (place.of.ends, place.of.answered) == ({1: expected}, [])
    assert [(entry["event"], entry["exc_info"]) for entry in logs] == [(event, True) for event in events]


def test_a_call_that_was_taken_back_is_not_answered(place: Place) -> None:
    """It leaves the line and gives its room back; its place in the queue is passed over."""
    stream = place.arrive(held=7)
    asked = stream.call
    place.port.gone(stream)
    place.port.gone(stream)
    assert (asked.gone, stream.call, place.port._line.waiting, place.budget.did) == (True, None, 0, [("give", ADDRESS, 7)])
    place.answer()
    assert (place.heard, place.of.answered, place.of.ends, place.told(), place.port._line.ready) == ([], [], {}, False, 0)


def test_a_call_that_is_taken_back_while_a_thread_is_at_it_keeps_its_room(place: Place) -> None:
    streams = [place.arrive(BESIDE, held=7), place.arrive(BESIDE, number=3, held=8)]
    asked = streams[0].call
    place.port.gone(streams[0])
    assert place.budget.did == []
    place.work()
    place.port.gone(streams[1])
    assert (place.heard, place.budget.did) == ([b"hello"], [])
    assert place.port._answered[0] == (asked, answers.LATE)
    for one, said in place.port._answered:
        place.port._finish(one, said)
    assert (place.budget.did, place.of.answered, place.of.ends) == ([("give", ADDRESS, 7), ("give", ADDRESS, 8)], [], {})


def test_a_stream_that_is_taken_back_is_closed_by_another_thread(place: Place) -> None:
    closed: list[int] = []
    for number in (1, 3, 5):
        place.arrive(WATCHED, number=number).call.flow.watch(lambda number=number: closed.append(number))
    place.arrive(WATCHED, number=7)
    place.lane.work.clear()
    place.port.gone(place.of.streams[7])
    assert place.lane.work == []
    place.port.gone(place.of.streams[1])
    assert (closed, len(place.lane.work)) == ([], 1)
    place.work()
    assert closed == [1]
    place.lane.closed = True
    place.port.gone(place.of.streams[3])
    assert closed == [1, 3]


def test_the_handler_of_a_stream_has_no_answer_of_its_own(place: Place) -> None:
    place.said = lambda *_: None
    stream = place.arrive(WATCHED, held=7)
    place.work()
    place.port._finish(*place.port._answered.popleft())
    assert (place.of.ends, place.of.answered, stream.call is not None) == ({}, [], True)
    assert place.budget.did == [("give", ADDRESS, 7)]


def test_a_call_of_which_there_is_too_much(place: Place) -> None:
    stream = place.arrive(held=7)
    place.port.refused(cast(Any, place.of), stream, MESSAGE)
    assert (place.of.ends, place.counts, stream.call) == ({1: "8 a message has at most 1310720 bytes"}, {"refused": 1}, None)
    assert (place.port._line.waiting, place.budget.did, place.told()) == (0, [("give", ADDRESS, 7)], True)


def test_room_is_of_the_address(place: Place) -> None:
    assert [place.port.take(cast(Any, place.of), size) for size in (99, 100)] == [True, False]
    place.port.give(cast(Any, place.of), 99)
    assert place.budget.did == [("take", ADDRESS, 99), ("take", ADDRESS, 100), ("give", ADDRESS, 99)]
