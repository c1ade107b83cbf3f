"""A stream on a wire, a lane and a lot of the test's own: what it sends when, and how it ends."""

from collections.abc import Callable, Iterator
from typing import Any

import pytest
import structlog

from sekisho.calls.waits import Wait
from sekisho.edges.grpc import status, streams
from sekisho.edges.grpc.streams import Places, Stream
from sekisho.errors import AccessDenied, Throttling

ANN, BOB = "111122223333", "444455556666"


class Line:
    """Wire, lane and lot in one, which note what they are asked for; `gone` has what the wire was told to call."""

    def __init__(self, *, alive: bool = True) -> None:
        self.alive = alive
        self.did: list[Any] = []
        self.gone: Callable[[], None] = lambda: None
        self.taken: Callable[[], None] = lambda: None
        self.made: Callable[[], None] = lambda: None
        self.is_shut = False
        self.ended: list[str] = []
        self.parking: Callable[[], object] = lambda: None

    def watch(self, gone: Callable[[], None]) -> bool:
        self.gone = gone
        return self.alive

    def send(self, message: bytes, then: Callable[[], None]) -> None:
        self.did.append(message)
        self.taken = then

    def finish(self, trailing: Any) -> None:
        self.did.append(("finish", trailing))

    def abort(self, given: Any) -> None:
        self.did.append(("abort", given.code.name, given.details, dict(given.trailing_metadata)[status.REQUEST_ID]))

    def submit_for(self, account: str, make: Callable[[], None]) -> None:
        if self.is_shut:
            raise RuntimeError("the lane is closed")
        self.did.append(("lane", account))
        self.made = make

    def park(self, stream: Stream, wait: Wait) -> None:
        self.parking()
        self.did.append(("park", stream.account, wait))

    def forget(self, stream: Stream) -> None:
        self.did.append(("forget", stream.account))

    def stream(self, items: Iterator[Any]) -> Stream:
        """A stream of an account over this line."""
        this: Any = self
        return Stream(this, items, ANN, this, this, "r-1", self.ended.append)

    def told(self) -> list[Any]:
        """All that was done since this was asked last."""
        did, self.did = self.did, []
        return did


class Items:
    """The messages of a stream, which is noted when it is left; exceptions are raised."""

    def __init__(self, *items: Any) -> None:
        self.items, self.closed = list(items), 0

    def __iter__(self) -> "Items":
        return self

    def __next__(self) -> Any:
        if not self.items:
            raise StopIteration
        item = self.items.pop(0)
        if callable(item):
            item = item()
        if isinstance(item, Exception):
            raise item
        return item

    def close(self) -> None:
        self.closed += 1


FINISHED = ("finish", ((status.REQUEST_ID, "r-1"),))
FORGOTTEN = ("forget", ANN)


def test_a_message_is_made_when_the_one_before_was_taken() -> None:
    line, items = Line(), Items(b"one", b"two")
    line.stream(items).start()
    assert line.told() == [b"one"]
    line.taken()
    assert line.told() == [("lane", ANN)]
    line.made()
    assert line.told() == [b"two"]
    line.taken()
    line.made()
    assert line.told() == [("lane", ANN), FINISHED, FORGOTTEN]
    assert (line.ended, items.closed) == (["OK"], 1)


def test_a_stream_with_nothing_to_say_waits_in_the_lot() -> None:
    line, wait = Line(), Wait(1e6)
    stream = line.stream(Items(wait, b"one"))
    stream.start()
    assert line.told() == [("park", ANN, wait)]
    stream.resume()
    line.made()
    assert line.told() == [("lane", ANN), b"one"]
    assert line.ended == []


def test_a_caller_who_goes_while_the_stream_is_parked_leaves_nothing_in_the_lot() -> None:
    line = Line()
    stream = line.stream(Items(Wait(1e6)))
    line.parking = line.gone
    stream.start()
    assert [entry[:2] for entry in line.told()] == [FORGOTTEN, ("park", ANN), FORGOTTEN]
    assert line.ended == ["CANCELLED"]


def test_a_caller_who_goes_ends_the_stream_once() -> None:
    line, items = Line(), Items(b"one", b"two")
    line.stream(items).start()
    assert line.told() == [b"one"]
    for _ in range(2):
        line.gone()
    assert (line.told(), line.ended, items.closed) == ([FORGOTTEN], ["CANCELLED"], 1)
    line.taken()
    line.made()  # what was on its way to a thread
    assert (line.told(), line.ended, items.items) == ([("lane", ANN)], ["CANCELLED"], [b"two"])


def test_a_caller_who_goes_while_a_message_is_made_leaves_it_to_the_thread_to_close() -> None:
    line = Line()
    closed: list[int] = []

    def leaves() -> bytes:
        line.gone()
        closed.append(items.closed)
        return b"one"

    items = Items(leaves)
    line.stream(items).start()
    assert (closed, items.closed) == ([0], 1)
    assert (line.told(), line.ended) == ([FORGOTTEN, b"one"], ["CANCELLED"])


def test_a_call_that_has_ended_before_makes_nothing() -> None:
    line, items = Line(alive=False), Items(b"one")
    stream = line.stream(items)
    assert (line.told(), line.ended, items.closed) == ([FORGOTTEN], ["CANCELLED"], 1)
    stream.start()
    assert (line.told(), items.items) == ([], [b"one"])


def test_an_error_is_the_end_of_the_stream() -> None:
    line, items = Line(), Items(AccessDenied("no"))
    with structlog.testing.capture_logs() as said:
        line.stream(items).start()
    assert line.told() == [("abort", "PERMISSION_DENIED", "no", "r-1"), FORGOTTEN]
    assert (line.ended, items.closed, said) == (["PERMISSION_DENIED"], 1, [])


def test_a_defect_is_logged_and_the_caller_learns_the_number_of_its_call() -> None:
    line, items = Line(), Items(KeyError("secret"))
    with structlog.testing.capture_logs() as said:
        line.stream(items).start()
    text = "The request could not be processed because of an unknown error. Request id: r-1"
    assert line.told() == [("abort", "INTERNAL", text, "r-1"), FORGOTTEN]
    assert (line.ended, items.closed) == (["INTERNAL"], 1)
    assert said == [{"event": "stream.failure", "request_id": "r-1", "exc_info": True, "log_level": "error"}]


@pytest.mark.parametrize("by", ["lane", "lot"])
def test_a_server_that_stops_tells_its_callers(by: str) -> None:
    line, items = Line(), Items(b"one", b"two")
    stream = line.stream(items)
    stream.start()
    assert line.told() == [b"one"]
    line.is_shut = True
    if by == "lane":
        stream.resume()
    else:
        stream.end()
    assert line.told() == [("abort", "UNAVAILABLE", "The server stops. Go on with another one.", "r-1"), FORGOTTEN]
    assert (line.ended, items.closed) == (["UNAVAILABLE"], 1)


def test_items_that_cannot_be_closed_are_left() -> None:
    line = Line()
    line.stream(iter([b"one"])).start()
    line.gone()
    assert line.ended == ["CANCELLED"]


def test_places_are_given_by_account_and_in_all() -> None:
    places = Places(3, 2)
    for account in (ANN, ANN, BOB):
        places.take(account)
    for account in (ANN, BOB):
        with pytest.raises(Throttling, match=r"^Rate exceeded$"):
            places.take(account)
    assert (places.taken, dict(places._taken)) == (3, {ANN: 2, BOB: 1})
    places.give(BOB)
    assert (places.taken, dict(places._taken)) == (2, {ANN: 2})
    with pytest.raises(Throttling):
        places.take(ANN)
    places.give(ANN)
    assert (places.taken, dict(places._taken)) == (1, {ANN: 1})
    places.take(ANN)
    places.give(ANN)
    places.give(ANN)
    assert (places.taken, places._taken) == (0, {})


def test_the_places_that_there_are() -> None:
    places = Places()
    assert (places._most, places._share) == (streams.MOST, streams.SHARE) == (4000, 2000)
    assert (Places(0, 0)._most, Places(0, 0)._share) == (0, 0)
    assert (Places(5)._most, Places(share=6)._share) == (5, 6)
