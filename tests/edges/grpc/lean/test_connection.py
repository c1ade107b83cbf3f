"""The machine of a connection: calls however their bytes are cut, and what ends a connection or a stream."""

import random
from dataclasses import dataclass, field

import pytest

from sekisho.edges.grpc.lean import frames as ours
from sekisho.edges.grpc.lean.connection import NOISE, Connection
from sekisho.edges.grpc.lean.cuts import MOST as CUTS
from sekisho.edges.grpc.lean.heads import Head
from sekisho.edges.grpc.lean.outgoing import STREAMS
from sekisho.edges.grpc.lean.stream import Ended, Stream
from tests.edges.grpc import frames
from tests.edges.grpc.frames import frame

PATH = "/test.Ways/Polled"
SETTINGS = frame(frames.SETTINGS, 0, 0)
MOST = 100_000


@dataclass
class Gate:
    """Refuses calls to these paths."""

    full: frozenset[str] = frozenset()
    asked: int = 0
    refused: int = 0

    def refuses(self, _of: Connection, given: Head) -> bool:
        self.asked += 1
        return given.path in self.full

    def refusals(self, count: int) -> list[bytes]:
        self.refused += count
        return [ours.ANSWERED] * count


@dataclass
class Heard:
    """What a connection tells, with so many bytes of room."""

    room: int = 1 << 20
    gate: Gate = field(default_factory=Gate)
    calls: list[tuple[str, bytes]] = field(default_factory=list)
    streams: list[Stream] = field(default_factory=list)
    excess: list[str] = field(default_factory=list)
    lost: list[int] = field(default_factory=list)
    said: list[tuple[int, bytes]] = field(default_factory=list)
    silences: list[int] = field(default_factory=list)
    went: list[int] = field(default_factory=list)

    def arrived(self, _of: Connection, stream: Stream, message: bytes) -> None:
        self.calls.append((stream.head.path, message))
        self.streams.append(stream)

    def gone(self, stream: Stream) -> None:
        self.lost.append(stream.id)

    def heard(self, _of: Connection, stream: Stream, message: bytes) -> None:
        self.said.append((stream.id, message))
        self.streams.append(stream)

    def silent(self, _of: Connection, stream: Stream) -> None:
        self.silences.append(stream.id)

    def taken(self, _of: Connection, stream: Stream) -> None:
        self.went.append(stream.id)

    def refused(self, of: Connection, stream: Stream, excess: str) -> None:
        self.excess.append(excess)
        of.answer_at_once(stream, ours.ANSWERED)

    def take(self, _of: Connection, size: int) -> bool:
        if size > self.room:
            return False
        self.room -= size
        return True

    def give(self, _of: Connection, size: int) -> None:
        self.room += size


def opened(heard: Heard, *sent: bytes, greeting: bytes = frames.PREFACE + SETTINGS) -> Connection:
    """A connection that has sent this."""
    made = Connection(heard, None, most_bytes=16 * 1024, most_entries=64, most_message=MOST)
    made.feed(greeting + b"".join(sent))
    return made


def told(connection: Connection) -> list[tuple[int, int, int, bytes]]:
    """The frames that it has written since: kind, flags, stream, payload."""
    data, found = b"".join(connection.out), []
    connection.out.clear()
    while data:
        size = int.from_bytes(data[:3])
        assert len(data) >= 9 + size, "the last frame is whole, too"
        found.append((data[3], data[4], int.from_bytes(data[5:9]), data[9 : 9 + size]))
        data = data[9 + size :]
    return found


def call(stream: int = 1, body: bytes = b"hello", block: bytes = b"") -> bytes:
    """A whole call."""
    return frames.headers(stream, block or frames.opening(PATH)) + frames.data(stream, frames.message(body), flags=1)


def test_a_call_cut_anywhere() -> None:
    """And so is the preface, and so are settings, and blocks in several frames."""
    whole = b"".join(
        (
            frames.PREFACE,
            SETTINGS,
            call(1),
            frames.headers(3, frames.opening(PATH, ((b"a", b"x" * 9000), (b"b", b"y" * 7000)))),
            *(frames.data(3, frames.message(b"parted")[at : at + 2]) for at in range(0, 12, 2)),
            frames.data(3, b"", flags=1),
            call(5, b"last"),
        )
    )
    chance = random.Random(3)
    for turn in range(300):
        heard = Heard()
        made = Connection(heard, None, most_bytes=32 * 1024, most_entries=64, most_message=MOST)
        cuts = sorted(chance.sample(range(1, len(whole)), turn % 20))
        for begin, end in zip([0, *cuts], [*cuts, len(whole)], strict=True):
            made.feed(whole[begin:end])
        assert [message for _, message in heard.calls] == [frames.message(body) for body in (b"hello", b"parted", b"last")]
        for stream in heard.streams:
            made.forget(stream)
        assert heard.room == 1 << 20


ENDS: dict[str, tuple[bytes, int]] = {
    "another preface": (b"GET / HTTP/1.1\r\nHost: x\r\n\r\n", ours.PROTOCOL),
    "no settings": (frames.PREFACE + call(), ours.PROTOCOL),
    "a frame that is too large": (frames.PREFACE + SETTINGS + b"\x00\x40\x01\x00\x00\x00\x00\x00\x01", ours.SIZE),
    "a stream of ours": (frames.PREFACE + SETTINGS + call(2), ours.PROTOCOL),
    "the stream 0": (frames.PREFACE + SETTINGS + call(0), ours.PROTOCOL),
    "a stream once more": (frames.PREFACE + SETTINGS + frames.headers(1, frames.opening(PATH), flags=1) * 2, ours.PROTOCOL),
    "an older stream": (frames.PREFACE + SETTINGS + call(5) + call(3), ours.CLOSED),
    "a block that is interrupted": (frames.PREFACE + SETTINGS + frame(1, 0, 1, b"\x83") + SETTINGS, ours.PROTOCOL),
    "a continuation of nothing": (frames.PREFACE + SETTINGS + frame(9, 4, 1, b"\x83"), ours.PROTOCOL),
    "a continuation of another stream": (frames.PREFACE + SETTINGS + frame(1, 0, 1, b"\x83") + frame(9, 4, 3, b"\x83"), ours.PROTOCOL),
    "a block without end": (frames.PREFACE + SETTINGS + frame(1, 0, 1) + frame(9, 0, 1, b"\x83" * 16_000) * 2, ours.CALM),
    "continuations without anything": (frames.PREFACE + SETTINGS + frame(1, 0, 1) + frame(9, 0, 1) * (NOISE + 1), ours.CALM),
    "a block that is none": (frames.PREFACE + SETTINGS + frame(1, 4, 1, b"\x80"), ours.COMPRESSION),
    "more padding than payload": (frames.PREFACE + SETTINGS + frame(1, 4 | 8, 1, b"\x05abc"), ours.PROTOCOL),
    "padding without a length": (frames.PREFACE + SETTINGS + frame(1, 4 | 8, 1), ours.PROTOCOL),
    "a priority without its bytes": (frames.PREFACE + SETTINGS + frame(1, 4 | 32, 1, b"abc"), ours.PROTOCOL),
    "data before a stream": (frames.PREFACE + SETTINGS + frame(0, 0, 1, b"x"), ours.PROTOCOL),
    "data of the stream 0": (frames.PREFACE + SETTINGS + call() + frame(0, 0, 0, b"x"), ours.PROTOCOL),
    "a reset before a stream": (frames.PREFACE + SETTINGS + frame(3, 0, 1, b"\0\0\0\0"), ours.PROTOCOL),
    "a reset of another size": (frames.PREFACE + SETTINGS + call() + frame(3, 0, 1, b"\0"), ours.SIZE),
    "settings of a stream": (frames.PREFACE + frame(4, 0, 1), ours.PROTOCOL),
    "settings of another size": (frames.PREFACE + frame(4, 0, 0, b"\0\1\0"), ours.SIZE),
    "an acknowledgement with settings": (frames.PREFACE + frame(4, 1, 0, b"\0" * 6), ours.SIZE),
    "a window that is too large": (frames.PREFACE + frame(4, 0, 0, b"\0\4\xff\xff\xff\xff"), ours.FLOW),
    "a frame size that is none": (frames.PREFACE + frame(4, 0, 0, b"\0\5\0\0\0\1"), ours.PROTOCOL),
    "a ping of another size": (frames.PREFACE + SETTINGS + frame(6, 0, 0, b"x"), ours.SIZE),
    "a ping of a stream": (frames.PREFACE + SETTINGS + frame(6, 0, 1, b"x" * 8), ours.PROTOCOL),
    "a window that grows by nothing": (frames.PREFACE + SETTINGS + frame(8, 0, 0, b"\0" * 4), ours.PROTOCOL),
    "a window that grows beyond": (frames.PREFACE + SETTINGS + frame(8, 0, 0, b"\x7f\xff\xff\xff"), ours.FLOW),
    "a window of no stream": (frames.PREFACE + SETTINGS + frame(8, 0, 7, b"\0\0\0\1"), ours.PROTOCOL),
    "an update of another size": (frames.PREFACE + SETTINGS + frame(8, 0, 0, b"\1"), ours.SIZE),
    "a push": (frames.PREFACE + SETTINGS + frame(5, 4, 1, b"\0\0\0\2\x83"), ours.PROTOCOL),
    "a flood of pings": (frames.PREFACE + SETTINGS + frame(6, 0, 0, b"x" * 8) * (NOISE + 1), ours.CALM),
    "a flood of settings": (frames.PREFACE + SETTINGS * (NOISE + 2), ours.CALM),
    "a flood of frames that nobody knows": (frames.PREFACE + SETTINGS + frame(99, 0, 0, b"x") * (NOISE + 1), ours.CALM),
    "a flood of empty data": (
        frames.PREFACE + SETTINGS + frames.headers(1, frames.opening(PATH)) + frame(0, 0, 1) * (NOISE + 1), ours.CALM,
    ),
    "a flood of resets of unfinished calls": (
        frames.PREFACE
        + SETTINGS
        + b"".join(frames.headers(2 * n + 1, frames.opening(PATH)) + frame(3, 0, 2 * n + 1, b"\0\0\0\x08") for n in range(NOISE + 1)),
        ours.CALM,
    ),
    "trailers": (frames.PREFACE + SETTINGS + frames.headers(1, frames.opening(PATH)) + frames.headers(1, b"\x83", flags=1), ours.PROTOCOL),
}  # fmt: skip


@pytest.mark.parametrize("case", ENDS)
def test_what_ends_a_connection(case: str) -> None:
    sent, code = ENDS[case]
    made = Connection(Heard(), None, most_bytes=16 * 1024, most_entries=64, most_message=MOST)
    with pytest.raises(Ended):
        made.feed(sent)
    kind, _, stream, payload = told(made)[-1]
    assert (kind, stream, int.from_bytes(payload[4:8])) == (frames.GOAWAY, 0, code)


def literals(*pairs: tuple[bytes, bytes]) -> bytes:
    return b"".join(frames.literal(name, value) for name, value in pairs)


GOOD = (
    (b":method", b"POST"),
    (b":scheme", b"http"),
    (b":path", PATH.encode()),
    (b"te", b"trailers"),
    (b"content-type", b"application/grpc"),
)
RESETS: dict[str, bytes] = {
    "no path": literals(*GOOD[:2], *GOOD[3:]),
    "a path twice": literals(GOOD[2], *GOOD),
    "a pseudo field behind others": literals(*GOOD, (b":authority", b"x")),
    "a pseudo field of answers": literals((b":status", b"200"), *GOOD),
    "a field in capitals": literals(*GOOD, (b"Capital", b"x")),
    "a field without a name": literals(*GOOD, (b"", b"x")),
    "a field of a connection": literals(*GOOD, (b"connection", b"close")),
    "a line break in a value": literals(*GOOD, (b"a", b"x\r\ny")),
    "a zero in a value": literals(*GOOD, (b"a", b"x\0y")),
    "a value that is not ASCII": literals(*GOOD, (b"a", "ü".encode())),
    "binary that is not base64": literals(*GOOD, (b"a-bin", b"!!")),
    "two deadlines": literals(*GOOD, (b"grpc-timeout", b"1S"), (b"grpc-timeout", b"2S")),
    "a deadline of another unit": literals(*GOOD, (b"grpc-timeout", b"1d")),
    "a deadline below nothing": literals(*GOOD, (b"grpc-timeout", b"-1S")),
    "a deadline of nine digits": literals(*GOOD, (b"grpc-timeout", b"123456789S")),
    "a deadline without digits": literals(*GOOD, (b"grpc-timeout", b"S")),
    "a deadline in other digits": literals(*GOOD, (b"grpc-timeout", "٣S".encode())),
}


@pytest.mark.parametrize("case", RESETS)
def test_what_resets_a_stream(case: str) -> None:
    """And the connection goes on."""
    heard = Heard()
    made = opened(heard, call(1, block=RESETS[case]), call(3))
    assert [path for path, _ in heard.calls] == [PATH]
    assert (frames.RESET, 0, 1, ours.PROTOCOL.to_bytes(4)) in told(made)


def test_more_calls_than_a_connection_may_have() -> None:
    heard = Heard()
    made = opened(heard, *(call(2 * number + 1) for number in range(STREAMS + 2)))
    assert len(heard.calls) == STREAMS
    refused = [stream for kind, _, stream, payload in told(made) if kind == frames.RESET and payload == ours.REFUSED.to_bytes(4)]
    assert refused == [2 * STREAMS + 1, 2 * STREAMS + 3]


def test_room_is_given_back_however_a_call_ends() -> None:
    part = frames.headers(1, frames.opening(PATH)) + frames.data(1, frames.message(b"x" * 50_000)[:40_000])
    for end in (frame(frames.RESET, 0, 1, b"\0\0\0\x08"), frames.data(1, b"x" * 16_000) * 4):
        heard = Heard()
        made = opened(heard, part)
        assert heard.room == (1 << 20) - 40_000
        made.feed(end)
        assert heard.room == 1 << 20
    assert heard.excess == ["message"]


def test_without_room_a_call_is_refused() -> None:
    heard = Heard(room=20_000)
    opened(heard, frames.headers(1, frames.opening(PATH)), frames.data(1, frames.message(b"x" * 50_000)[:40_000]))
    assert (heard.excess, heard.room) == (["room"], 20_000)


def test_metadata_that_is_too_much() -> None:
    heard = Heard()
    made = opened(heard, call(1, block=frames.opening(PATH, ((b"a", b"x" * 17_000),))), call(3))
    assert (heard.excess, [path for path, _ in heard.calls]) == (["metadata"], [PATH])
    assert made.streams.keys() == {3}


def test_an_answer_waits_for_the_windows() -> None:
    """Of its stream, and of the connection; with a trailer behind all of it."""
    heard = Heard()
    made = opened(heard, frame(frames.SETTINGS, 0, 0, b"\0\4\0\0\0\x0a"), call())
    told(made)
    made.answer(heard.streams[0], b"0123456789abcdef", b"\x88")
    assert [(kind, payload) for kind, _, _, payload in told(made)] == [(frames.HEADERS, ours.ANSWERED), (frames.DATA, b"0123456789")]
    made.feed(frame(frames.WINDOW, 0, 1, b"\0\0\0\4"))
    assert [(kind, payload) for kind, _, _, payload in told(made)] == [(frames.DATA, b"abcd")]
    made.feed(frame(frames.SETTINGS, 0, 0, b"\0\4\0\0\1\0"))
    assert [(kind, flags, payload) for kind, flags, _, payload in told(made)] == [
        (frames.SETTINGS, 1, b""),
        (frames.DATA, 0, b"ef"),
        (frames.HEADERS, 5, b"\x88"),
    ]
    assert not made.streams


def test_answers_share_the_window_of_their_connection() -> None:
    heard = Heard()
    made = opened(heard, call(1), call(3))
    told(made)
    for stream in heard.streams:
        made.answer(stream, b"x" * 40_000, b"\x88")
    sent = sum(len(payload) for kind, _, _, payload in told(made) if kind == frames.DATA)
    assert sent == 65_535
    made.feed(frame(frames.WINDOW, 0, 0, (100_000).to_bytes(4)))
    assert sent + sum(len(payload) for kind, _, _, payload in told(made) if kind == frames.DATA) == 80_000
    assert not made.streams


def test_who_takes_no_answers_is_not_waited_for() -> None:
    heard = Heard()
    made = opened(heard, frame(frames.SETTINGS, 0, 0, b"\0\4\0\0\0\0"), *(call(2 * number + 1) for number in range(17)))
    told(made)
    for stream in heard.streams:
        made.answer(stream, b"x" * 2_000_000, b"\x88")
    assert [(kind, stream) for kind, _, stream, _ in told(made) if kind == frames.RESET] == [(frames.RESET, 33)]


def test_who_leaves_takes_no_calls() -> None:
    heard = Heard()
    made = opened(heard, call(1))
    told(made)
    made.leave()
    (goaway, ping) = told(made)
    assert (goaway[0], goaway[3][:4], ping[0]) == (frames.GOAWAY, b"\x7f\xff\xff\xff", frames.PING)
    made.feed(call(3))  # was on its way
    assert [path for path, _ in heard.calls] == [PATH] * 2
    made.feed(frame(frames.PING, frames.ACK, 0, b"another!") + call(5) + frame(frames.PING, frames.ACK, 0, ping[3]) + call(7))
    assert len(heard.calls) == 3
    assert [(kind, stream, payload[:4]) for kind, _, stream, payload in told(made)] == [
        (frames.GOAWAY, 0, (5).to_bytes(4)),
        (frames.RESET, 7, ours.REFUSED.to_bytes(4)),
    ]


def test_any_frames_are_answered_or_refused() -> None:
    """A million would be better: `make campaign` fuzzes messages; these are frames, each broken somewhere."""
    chance = random.Random(11)
    good = (call(1), SETTINGS, frame(frames.WINDOW, 0, 0, b"\0\0\0\1"), call(3, b"x" * 300), frame(6, 0, 0, b"12345678"), call(5))
    for _ in range(4000):
        sent = bytearray(b"".join(chance.sample(good, chance.randrange(1, 6))))
        for _ in range(chance.randrange(4)):
            sent[chance.randrange(len(sent))] = chance.randrange(256)
        heard = Heard()
        made = opened(heard)
        try:
            made.feed(bytes(sent))
        except Ended:
            assert told(made)[-1][0] == frames.GOAWAY
        for stream in list(made.streams.values()):
            made.forget(stream)
        assert heard.room == 1 << 20


FULL, FREE = "/test.Ways/Full", "/test.Ways/Free"


def test_calls_are_refused_by_their_heads() -> None:
    """Their messages are dropped, and are no noise; what has room beside them is taken."""
    heard = Heard(gate=Gate(frozenset((FULL,))))
    made = opened(heard)
    told(made)
    full, free = frames.opening(FULL), frames.opening(FREE)
    made.feed(call(1, block=full) + call(3, block=free) + b"".join(call(stream, block=full) for stream in range(5, 2 * NOISE + 205, 2)))
    assert [path for path, _ in heard.calls] == [FREE]
    assert heard.gate.refused == NOISE + 101
    answers = told(made)
    assert answers[:2] == [(ours.HEADERS, ours.END_HEADERS | ours.END_STREAM, stream, ours.ANSWERED) for stream in (1, 5)]
    assert [stream for kind, _, stream, _ in answers if kind == ours.HEADERS] == [1, *range(5, 2 * NOISE + 205, 2)]


def test_who_is_refused_is_asked_about_once_for_the_bytes_that_have_come() -> None:
    heard = Heard(gate=Gate(frozenset((FULL,))))
    made = opened(heard, call(1, block=frames.opening(FULL)))
    assert (heard.gate.asked, heard.gate.refused) == (1, 1)
    made.feed(b"".join(call(stream, block=frames.opening(FULL)) for stream in range(3, 103, 2)))
    assert (heard.gate.asked, heard.gate.refused) == (2, 51)


def test_a_refused_call_is_not_to_go_on() -> None:
    """A part of its message that is not the last is answered with a reset, and what comes after that is noise."""
    heard = Heard(gate=Gate(frozenset((FULL,))))
    made = opened(heard, frames.headers(1, frames.opening(FULL)))
    told(made)
    part = frames.data(1, frames.message(b"x" * 50), flags=0)
    made.feed(part)
    assert told(made) == [(ours.RESET, 0, 1, ours.NO_ERROR.to_bytes(4))]
    with pytest.raises(Ended, match="too many frames that are no calls"):
        made.feed(part * (NOISE + 1))
    assert heard.calls == []


def test_as_many_calls_are_refused_by_their_heads_as_may_be_under_way() -> None:
    """Whoever never sends their messages has the next ones read."""
    heard = Heard(gate=Gate(frozenset((FULL,))))
    made = opened(heard, *(frames.headers(stream, frames.opening(FULL)) for stream in range(1, 2 * CUTS + 1, 2)))
    assert heard.gate.refused == CUTS
    made.feed(call(2 * CUTS + 1, block=frames.opening(FULL)))
    assert (heard.gate.refused, [path for path, _ in heard.calls]) == (CUTS, [FULL])
    made.feed(frame(frames.RESET, 0, 1, bytes(4)) + frames.headers(2 * CUTS + 3, frames.opening(FULL)))
    assert heard.gate.refused == CUTS + 1
