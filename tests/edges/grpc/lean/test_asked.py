"""A call as handlers see it."""

import gzip
import math
import time
from types import SimpleNamespace
from typing import Any, cast

import grpc
import pytest

from sekisho.edges.grpc.lean import answers
from sekisho.edges.grpc.lean.answers import Aborted
from sekisho.edges.grpc.lean.asked import ONCE, Asked, Method
from sekisho.edges.lanes import Claim
from tests.edges.grpc.frames import message
from tests.edges.grpc.ways import told

PATH, METADATA = "/test.Ways/Polled", (("account", "111122223333"),)
OWNER = SimpleNamespace(address="192.0.2.1", name="ipv4:192.0.2.1:5000", auth={"transport_security_type": [b"ssl"]})


def say(body: bytes, _context: Any) -> bytes:
    return body


def asked(*, seconds: float | None = None, encoding: str = "", answer: Any = say, held: int = 0, **known: Any) -> Asked:
    """A call that has just come."""
    head = SimpleNamespace(path=PATH, metadata=METADATA, seconds=seconds, encoding=encoding)
    stream: Any = SimpleNamespace(head=head, held=held)
    return Asked(Method(PATH, answer, say, cast(Any, None), **known), cast(Any, SimpleNamespace(owner=OWNER)), stream)


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """The time of day, the first of these."""
    times = [1000.0]
    monkeypatch.setattr(time, "time", lambda: times[0])
    return times


def test_a_call_that_has_just_come() -> None:
    made = asked(held=7)
    assert (made.room, made.stream.held, made.account, made.part, made.body, made.trailing) == (7, 0, "", "", b"", ())
    assert (made.entered, made.gone, made.passed, made.packed, made.flow, made.messages) == (False, False, False, False, None, 0)
    assert made.invocation_metadata() == METADATA
    assert (made.peer(), made.auth_context()) == (OWNER.name, OWNER.auth)
    assert (made.method.signed, made.method.kind) == (True, ONCE)


def test_a_call_without_a_deadline(clock: list[float]) -> None:
    made = asked()
    assert (made.deadline, made.late, made.time_remaining()) == (None, False, math.inf)


def test_a_call_with_a_deadline(clock: list[float]) -> None:
    made = asked(seconds=2.0)
    assert (made.deadline, made.late, made.time_remaining()) == (1002.0, False, 2.0)
    clock[0] = 1001.5
    assert (made.late, made.time_remaining()) == (False, 0.5)
    for now in (1002.0, 1003.0):
        clock[0] = now
        assert (made.late, made.time_remaining()) == (True, 0.0)
    assert asked(seconds=0.0).late


def test_whose_a_call_says_it_is() -> None:
    """Where calls claim nothing, those of one address share."""
    claim = Claim("111122223333", stranger=True)
    read: list[Any] = []

    def claimed(metadata: Any) -> Claim:
        read.append(metadata)
        return claim

    assert (asked().claim(claimed), read) == (claim, [METADATA])
    assert (asked(signed=False).claim(claimed), len(read)) == (Claim("192.0.2.1"), 1)


def test_who_answers_a_message() -> None:
    """A larger one is for other threads, and so is one that the polling thread cannot answer."""
    for size, here in ((4, True), (5, False)):
        made = asked()
        assert made.receive(message(bytes(size)), 4) is here
        assert (made.body, made.packed) == (bytes(size), False)
    assert asked(answer=None).receive(message(b""), 4) is False


def test_who_unpacks_a_message() -> None:
    """The polling thread unpacks what is small, before and after."""
    for body, most, here in ((b"hello", 100, True), (bytes(100), 100, True), (bytes(101), 100, False), (b"hello", 5, False)):
        made, packed = asked(encoding="gzip"), gzip.compress(body, mtime=0)
        assert made.receive(b"\1" + message(packed)[1:], most) is here
        assert (made.body, made.packed) == ((body, False) if here else (packed, True))
    assert asked(encoding="gzip", answer=None).receive(b"\1" + message(gzip.compress(b"hello"))[1:], 100) is False


def test_a_message_that_is_none() -> None:
    with pytest.raises(Aborted) as caught:
        asked().receive(b"", 4)
    assert told(caught.value.said.block) == f'12 "{PATH}" requires exactly one request message.'
    with pytest.raises(Aborted) as caught:
        asked(encoding="gzip").receive(b"\1" + message(b"hello")[1:], 100)
    assert told(caught.value.said.block) == "13 the message cannot be unpacked"


def test_how_a_handler_ends_a_call() -> None:
    made = asked()
    made.set_trailing_metadata((("a", "b"),))
    assert made.trailing == (("a", "b"),)
    given: Any = SimpleNamespace(code=grpc.StatusCode.NOT_FOUND, details="nobody", trailing_metadata=())
    with pytest.raises(Aborted) as caught:
        made.abort_with_status(given)
    assert caught.value.said.block == answers.of_status(given).block
