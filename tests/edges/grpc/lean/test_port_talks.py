"""Calls on the lean listener that have several messages: each step by itself, without a socket and without a thread."""

import gzip
from typing import Any, cast

import pytest
import structlog

from sekisho.edges.grpc.lean import port
from sekisho.edges.grpc.lean.flows import Flow
from sekisho.edges.grpc.lean.stream import Stream
from sekisho.errors import Throttling
from tests.edges.grpc.frames import message
from tests.edges.grpc.lean.test_port import ADDRESS, FAULTS, HELLO, TALK, WATCHED, Place, raising


@pytest.fixture
def place() -> Place:
    return Place()


def hear(place: Place, stream: Stream, body: bytes = HELLO) -> Any:
    """A message of a call that talks; what is kept of the call."""
    place.port.heard(cast(Any, place.of), stream, body)
    return stream.call


@pytest.mark.parametrize(("seconds", "ends"), [(None, 160.0), (5.0, 105.0), (300.0, 160.0)])
def test_a_call_that_talks(place: Place, seconds: float | None, ends: float) -> None:
    """Each message is answered by another thread; what has come of the next one stays the connection's."""
    stream = place.stream(TALK, seconds=seconds, held=7)
    asked = hear(place, stream)
    assert (stream.held, asked.room, asked.messages, stream.ends, place.counts) == (7, 0, 1, ends, {"passed": 1})
    assert [work[0] for work in place.lane.work] == [ADDRESS]
    place.work()
    assert (place.heard, place.of.answered, place.rung) == ([b"hello"], [], 1)
    assert hear(place, stream) is asked
    assert (asked.messages, place.counts, stream.ends) == (2, {"passed": 2}, ends)


def test_the_answer_to_a_message_is_followed_by_the_next(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    sent: list[Any] = []
    stream = place.stream(TALK)
    hear(place, stream)
    monkeypatch.setattr(Flow, "send", lambda _flow, said, then: sent.append((said, then)))
    place.work()
    [(said, then)] = sent
    then()
    assert (said, place.of.listened) == (b"hello", [stream])


def test_a_call_that_talks_has_so_many_messages(place: Place) -> None:
    stream = place.stream(TALK)
    asked = hear(place, stream)
    asked.messages = port.MESSAGES - 1
    hear(place, stream)
    assert (place.of.ends, len(place.lane.work)) == ({}, 2)
    hear(place, stream)
    assert (place.of.ends, len(place.lane.work)) == ({1: "8 too many messages; go on with another call"}, 2)
    assert (asked.gone, stream.call, place.counts) == (True, None, {"passed": 2})


def test_a_message_of_a_call_that_talks_that_is_none(place: Place) -> None:
    stream = place.stream(TALK)
    hear(place, stream, b"\1" + HELLO[1:])
    assert (place.of.ends, place.lane.work) == ({1: "13 Compression bit set but no encoding configured"}, [])


def test_a_call_that_talks_and_threads_that_have_ended(place: Place) -> None:
    place.lane.closed = True
    stream = place.stream(TALK)
    hear(place, stream)
    assert (place.of.ends, stream.call, place.told()) == ({1: "14 The server stops."}, None, True)


@pytest.mark.parametrize(
    ("error", "expected", "events"),
    [(*FAULTS["aborted"],), (*FAULTS["failed"],), (Throttling("Rate exceeded"), "8 Rate exceeded", [])],
    ids=["aborted", "failed", "no place"],
)
def test_a_message_that_is_not_answered_ends_the_call(place: Place, error: Exception, expected: str, events: list[str]) -> None:
    place.said = raising(error)
    hear(place, place.stream(TALK))
    with structlog.testing.capture_logs() as logs:
        place.work()
    assert (place.of.ends, place.rung) == ({}, 1)
    place.port._flows.go()
    assert (place.of.ends, place.told()) == ({1: expected}, True)
    assert [(entry["event"], entry["exc_info"]) for entry in logs] == [(event, True) for event in events]


def test_a_message_for_which_there_is_no_thread(place: Place) -> None:
    place.lane.full = True
    hear(place, place.stream(TALK))
    place.work()
    place.port._flows.go()
    assert (place.heard, place.of.ends) == ([], {1: "8 Rate exceeded"})


def test_a_message_that_is_packed(place: Place) -> None:
    stream = place.stream(TALK, encoding="gzip")
    hear(place, stream, b"\1" + message(gzip.compress(b"hello"))[1:])
    place.work()
    assert place.heard == [b"hello"]


def test_a_message_of_a_call_that_has_ended_is_not_answered(place: Place) -> None:
    stream = place.stream(TALK)
    hear(place, stream)
    place.port.gone(stream)
    place.work()
    assert (place.heard, place.rung) == ([], 0)


@pytest.mark.parametrize(("held", "expected"), [(0, "0"), (3, "13 The last message is not whole.")])
def test_a_call_that_has_said_all(place: Place, held: int, expected: str) -> None:
    stream = place.stream(TALK)
    asked = hear(place, stream)
    stream.held = held
    place.port.silent(cast(Any, place.of), stream)
    assert (place.of.ends, asked.gone, stream.call, place.told()) == ({1: expected}, True, None, True)


def test_a_stream_that_has_ended_is_not_ended_again(place: Place) -> None:
    stream = place.stream(TALK)
    hear(place, stream)
    del place.of.streams[1]
    place.port.silent(cast(Any, place.of), stream)
    assert (place.of.ends, stream.call is not None) == ({}, True)


def test_what_follows_a_message_that_is_taken(place: Place) -> None:
    stream, other = place.arrive(WATCHED), place.stream(WATCHED, number=3)
    for one in (stream, other):
        place.port.taken(cast(Any, place.of), one)
    assert place.of.owner.taken == [stream.call.flow]
