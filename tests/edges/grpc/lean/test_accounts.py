"""What a connection counts, beside what is there: bytes that wait, room that is taken; whatever its client and whoever answers do."""

import random
from dataclasses import dataclass, field
from typing import Any

import pytest

from sekisho.edges.grpc.lean import frames as ours
from sekisho.edges.grpc.lean.connection import NOISE, Connection
from sekisho.edges.grpc.lean.cuts import MOST as CUTS
from sekisho.edges.grpc.lean.outgoing import STREAMS
from sekisho.edges.grpc.lean.stream import Ended, Stream
from tests.edges.grpc import frames
from tests.edges.grpc.frames import frame
from tests.edges.grpc.lean.test_connection import PATH, SETTINGS, Gate, Heard, call, told

FULL, TALK = "/test.Ways/Full", "/test.Ways/Talk"
ROOM = 1 << 16


@dataclass
class Answering(Heard):
    """Who answers, with what a connection calls open: those that have come whole, and those that talk."""

    room: int = ROOM
    gate: Gate = field(default_factory=lambda: Gate(frozenset((FULL,))))
    open: dict[int, Stream] = field(default_factory=dict)

    def arrived(self, _of: Connection, stream: Stream, message: bytes) -> None:
        self.room += stream.held  # it is the receiver's from here on
        stream.held, stream.call = 0, self
        self.open[stream.id] = stream

    def heard(self, _of: Connection, stream: Stream, message: bytes) -> None:
        stream.call = self
        self.open[stream.id] = stream

    def gone(self, stream: Stream) -> None:
        assert self.open.pop(stream.id, None) is stream or stream.call is None
        stream.call = None

    def silent(self, of: Connection, stream: Stream) -> None:
        self.open.pop(stream.id, None)
        of.answer_at_once(stream, ours.ANSWERED)

    def refused(self, of: Connection, stream: Stream, excess: str) -> None:
        self.gone(stream)
        of.answer_at_once(stream, ours.ANSWERED)


def check(made: Connection, heard: Answering) -> None:
    """What is counted is what is there."""
    waiting = [stream for stream in made.streams.values() if stream.rest is not None]
    assert made._unsent == sum(len(stream.rest or b"") for stream in waiting)
    assert made.held == sum(stream.size for stream in waiting)
    assert heard.room == ROOM - sum(stream.held for stream in made.streams.values())
    assert all(stream.held >= len(stream.body) for stream in made.streams.values() if stream.talks)
    assert len(made.streams) <= STREAMS
    assert len(made._cuts._ids) <= CUTS
    assert heard.open.keys() <= made.streams.keys()
    assert made._window >= 0


class Client:
    """Frames at random of a client that keeps to the rules mostly: `sent` is what it may still send on the streams that it has open."""

    def __init__(self, chance: random.Random) -> None:
        self._chance, self._next = chance, 1
        self._open: list[int] = []

    def frame(self) -> bytes:
        """The next one."""
        return self._chance.choice((self._begin, self._begin, self._go_on, self._go_on, self._reset, self._widen, self._widen, self._set))()

    def _begin(self) -> bytes:
        id_, self._next = self._next, self._next + 2
        path = self._chance.choice((PATH, FULL, TALK))
        if self._chance.random() < 0.6:
            return call(id_, b"x" * self._chance.choice((0, 5, 3000)), frames.opening(path))
        self._open.append(id_)
        return frames.headers(id_, frames.opening(path))

    def _which(self) -> int:
        if self._open and self._chance.random() < 0.8:
            return self._chance.choice(self._open)
        return self._chance.randrange(1, self._next + 1) | 1

    def _go_on(self) -> bytes:
        if not self._open:
            return b""
        id_ = self._chance.choice(self._open)
        ended = self._chance.random() < 0.3
        if ended:
            self._open.remove(id_)
        large = frames.message(b"m" * 9000)
        body = self._chance.choice((b"", b"\0\0", frames.message(b"m" * 7), large, large[:5000]))
        return frames.data(id_, body, flags=ended)

    def _reset(self) -> bytes:
        id_ = self._which()
        if id_ >= self._next:
            return b""
        self._open = [one for one in self._open if one != id_]
        return frame(frames.RESET, 0, id_, b"\0\0\0\x08")

    def _widen(self) -> bytes:
        id_ = self._chance.choice((0, self._which()))
        return frame(frames.WINDOW, 0, id_, self._chance.choice((1, 900, 70_000)).to_bytes(4)) if id_ < self._next else b""

    def _set(self) -> bytes:
        return frame(frames.SETTINGS, 0, 0, b"\0\4" + self._chance.choice((0, 10, 65_535, 200_000)).to_bytes(4))


def answer(made: Connection, heard: Answering, chance: random.Random) -> None:
    """Do something with a call that is open, as `Port` and its flows may."""
    if not heard.open:
        return
    stream = chance.choice(list(heard.open.values()))
    act: Any = chance.choice(("answer", "say", "finish", "abort", "abandon", "listen"))
    if act == "answer" and not stream.spoken and not stream.talks:
        heard.open.pop(stream.id)
        stream.call = None
        made.answer(stream, b"a" * chance.choice((5, 3000, 90_000)), b"\x88")
    elif act == "say":
        made.say(stream, b"s" * chance.choice((5, 3000, 90_000)))
    elif act == "finish":
        heard.open.pop(stream.id)
        stream.call = None
        made.finish(stream, ours.ANSWERED)
    elif act == "abort":
        heard.gone(stream)
        made.answer_at_once(stream, ours.ANSWERED)
    elif act == "abandon":
        made.abandon(stream)
    elif act == "listen" and stream.talks and stream.busy:
        made.listen(stream)


def test_what_is_counted_is_what_is_there() -> None:
    ends = 0
    for seed in range(150):
        chance = random.Random(seed)
        heard = Answering()
        made = Connection(heard, None, most_bytes=16 * 1024, most_entries=64, most_message=10_000, talking={TALK})
        made.feed(frames.PREFACE + SETTINGS)
        client = Client(chance)
        for _ in range(150):
            try:
                made.feed(client.frame())
            except Ended:
                ends += 1
                break
            check(made, heard)
            answer(made, heard, chance)
            check(made, heard)
        for stream in list(made.streams.values()):
            made.forget(stream)
            heard.gone(stream)
        assert (made._unsent, made.held, heard.room, heard.open) == (0, 0, ROOM, {})
    assert ends < 75  # most of them come to their end


def test_a_refusal_tells_that_no_table_is_used() -> None:
    """Where it is the first header block of all, to a client that wants no table; the next ones do not say it again."""
    heard = Heard(gate=Gate(frozenset((FULL,))))
    made = Connection(heard, None, most_bytes=16 * 1024, most_entries=64, most_message=10_000)
    made.feed(frames.PREFACE + frame(frames.SETTINGS, 0, 0, b"\0\1\0\0\0\0") + call(1, block=frames.opening(FULL)) + call(3))
    made.answer(heard.streams[0], b"answer", b"\x88")
    blocks = [(stream, payload) for kind, _, stream, payload in told(made) if kind == frames.HEADERS]
    assert blocks == [(1, ours.NO_TABLE + ours.ANSWERED), (3, ours.ANSWERED), (3, b"\x88")]


@pytest.mark.parametrize("reset", [b"", b"\0\0\0\x08"], ids=["sends the rest", "takes it back"])
def test_a_refused_call_is_a_call(reset: bytes) -> None:
    """A client that hears of a refusal before it has sent the message takes the call back: it has done nothing wrong."""
    heard = Heard(gate=Gate(frozenset((FULL,))))
    made = Connection(heard, None, most_bytes=16 * 1024, most_entries=64, most_message=10_000)
    made.feed(frames.PREFACE + SETTINGS)
    for stream in range(1, 2 * (NOISE + 100), 2):
        rest = frame(frames.RESET, 0, stream, reset) if reset else frames.data(stream, b"", flags=1)
        made.feed(frames.headers(stream, frames.opening(FULL)) + rest)
    assert heard.gate.refused == NOISE + 100


def test_whoever_takes_late_calls_back_does_nothing_wrong() -> None:
    """As grpcio's clients do: the window of each stream grows before anything is sent on it; when a deadline has passed, it is reset."""
    heard = Heard()
    made = Connection(heard, None, most_bytes=16 * 1024, most_entries=64, most_message=10_000)
    made.feed(frames.PREFACE + SETTINGS)
    for stream in range(1, 2 * (NOISE + 100), 2):
        made.feed(frames.headers(stream, frames.opening(PATH)) + frame(frames.WINDOW, 0, stream, (5).to_bytes(4)))
        made.feed(frames.data(stream, frames.message(b"hello"), flags=1) + frame(frames.RESET, 0, stream, b"\0\0\0\x08"))
    assert heard.lost == list(range(1, 2 * (NOISE + 100), 2))
