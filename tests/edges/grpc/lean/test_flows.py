"""The wire of a call that has several messages, and what passes between threads and the one that polls."""

from types import SimpleNamespace
from typing import Any, cast

import grpc
import pytest

from sekisho.edges.grpc.lean import answers
from sekisho.edges.grpc.lean.flows import Flow, Flows
from tests.edges.grpc.frames import message
from tests.edges.grpc.ways import told

STREAM: Any = SimpleNamespace(id=1)
GIVEN = SimpleNamespace(code=grpc.StatusCode.NOT_FOUND, details="nobody", trailing_metadata=())


class Notes:
    """A bell and a connection: what is done with them, in its order."""

    def __init__(self) -> None:
        self.did: list[Any] = []

    def ring(self) -> None:
        self.did.append("ring")

    def say(self, stream: Any, framed: bytes) -> None:
        self.did.append(("say", stream, framed))

    def finish(self, stream: Any, block: bytes) -> None:
        self.did.append(("finish", stream, told(block)))


class Made:
    """A flow, and the flows that it is one of."""

    def __init__(self) -> None:
        self.notes = Notes()
        self.flows = Flows(cast(Any, self.notes), self._end, lambda of: self.notes.did.append(("touched", of is self.notes)))
        self.flow = Flow(self.flows, cast(Any, self.notes), STREAM)

    def _end(self, of: Any, stream: Any, said: answers.Said) -> None:
        self.notes.did.append(("end", of is self.notes, stream, told(said.block)))

    def done(self) -> list[Any]:
        """A turn of the polling thread: all that was done since the last time."""
        self.flows.go()
        did, self.notes.did = self.notes.did, []
        return did


@pytest.fixture
def made() -> Made:
    return Made()


def nothing() -> None:
    """The frames that follow a message."""


def test_what_is_told_is_done_by_the_polling_thread(made: Made) -> None:
    did: list[Any] = []
    assert not made.flows.ready
    made.flows.tell(lambda *given: did.append(given), 1, "two")
    made.flows.tell(lambda *given: did.append(given))
    assert (did, made.flows.ready, made.notes.did) == ([], True, ["ring", "ring"])
    made.flows.go()
    assert (did, made.flows.ready) == ([(1, "two"), ()], False)


def test_what_is_told_meanwhile_is_done_the_next_time(made: Made) -> None:
    did: list[int] = []
    made.flows.tell(lambda: made.flows.tell(did.append, 1))
    made.flows.go()
    assert (did, made.flows.ready) == ([], True)
    made.flows.go()
    assert (did, made.flows.ready) == ([1], False)


def test_a_message_is_sent_and_what_follows_it_once_it_is_taken(made: Made) -> None:
    followed: list[int] = []
    made.flow.send(b"hello", lambda: followed.append(1))
    assert made.notes.did == ["ring"]
    assert made.done() == ["ring", ("say", STREAM, message(b"hello")), ("touched", True)]
    made.flow.go_on()
    made.flow.go_on()
    assert followed == [1]


def test_a_message_that_is_too_large_ends_the_call(made: Made) -> None:
    made.flow.send(bytes(answers.MAX_ANSWER + 1), nothing)
    size, most = answers.MAX_ANSWER + 1, answers.MAX_ANSWER
    assert made.done() == ["ring", ("end", True, STREAM, f"8 the answer has {size} bytes; at most {most} are sent")]
    assert made.flow.then is None


@pytest.mark.parametrize("how", ["well", "otherwise"])
def test_the_end_of_a_call_is_its_last_word(made: Made, how: str) -> None:
    if how == "well":
        made.flow.finish((("a", "b"),))
    else:
        made.flow.abort(GIVEN)
    assert made.done() == ["ring", ("finish", STREAM, "0" if how == "well" else "5 nobody"), ("touched", True)]
    made.flow.send(b"hello", nothing)
    made.flow.finish(())
    made.flow.abort(GIVEN)
    assert made.done() == ["ring"] * 3
    assert (made.flow.then, made.flow.watch(nothing)) == (None, False)


def test_nothing_is_said_on_a_call_that_has_ended(made: Made) -> None:
    """A watcher is told, and nothing follows what was on its way."""
    assert made.flow.watch(nothing)
    made.flow.send(b"hello", nothing)
    made.done()
    assert made.flow.then is nothing
    assert made.flow.cut() is nothing
    assert made.flow.then is None
    assert not made.flow.watch(nothing)
    made.flow.send(b"hello", nothing)
    made.flow.finish(())
    assert made.done() == ["ring", "ring"]


def test_nobody_watches_a_call(made: Made) -> None:
    assert made.flow.cut() is None
