"""The machine of a connection at its bounds: what may just be and what may not, what each end says, and what is not looked at again."""

from dataclasses import dataclass, field

import pytest

from sekisho.edges.grpc.lean import frames as ours
from sekisho.edges.grpc.lean import outgoing
from sekisho.edges.grpc.lean.connection import BLOCK, SAID, Connection
from sekisho.edges.grpc.lean.stream import Ended
from tests.edges.grpc import frames
from tests.edges.grpc.frames import frame
from tests.edges.grpc.lean.test_connection import ENDS, FREE, FULL, MOST, PATH, SETTINGS, Gate, Heard, call, literals, opened, told
from tests.edges.grpc.lean.test_talks import TALK, talk
from tests.edges.grpc.lean.test_talks import opened as talking

HEAD = frames.opening(PATH)
BEGUN = frames.PREFACE + SETTINGS
WORDS = {
    "another preface": "no preface of HTTP/2",
    "no settings": "settings come first",
    "a frame that is too large": "a frame is too large",
    "the stream 0": "the number of a stream",
    "a stream of ours": "the number of a stream",
    "an older stream": "the number of a stream",
    "a block that is interrupted": "a header block is interrupted",
    "a continuation of nothing": "a continuation of nothing",
    "a continuation of another stream": "a continuation of nothing",
    "a block without end": "a header block is too large",
    "a block that is none": "no entry 0",
    "more padding than payload": "more padding than payload",
    "a priority without its bytes": "less payload than there must be",
    "data before a stream": "data of no stream",
    "data of the stream 0": "data of no stream",
    "a reset before a stream": "a reset of no stream",
    "a reset of another size": "a reset of another size",
    "settings of a stream": "settings of a stream",
    "settings of another size": "settings of another size",
    "an acknowledgement with settings": "an acknowledgement with settings",
    "a window that is too large": "a window is too large",
    "a ping of another size": "a ping of another form",
    "a window that grows by nothing": "a window grows by nothing",
    "a window that grows beyond": "a window is too large",
    "a window of no stream": "a window of no stream",
    "an update of another size": "an update of another size",
    "a push": "a client does not push",
    "a flood of pings": "too many frames that are no calls",
    "trailers": "a call has trailers",
}


def grown(stream: int, more: int) -> bytes:
    return frame(frames.WINDOW, 0, stream, more.to_bytes(4))


MORE: dict[str, tuple[bytes, int, str]] = {
    **{case: (*ENDS[case], words) for case, words in WORDS.items()},
    "a ping before settings": (frames.PREFACE + frame(frames.PING, 0, 0, bytes(8)), ours.PROTOCOL, "settings come first"),
    "a window before settings": (frames.PREFACE + grown(0, 1), ours.PROTOCOL, "settings come first"),
    "a reset of the stream 0": (BEGUN + call() + frame(frames.RESET, 0, 0, bytes(4)), ours.PROTOCOL, "a reset of no stream"),
    "a goodbye of a stream": (BEGUN + call() + frame(frames.GOAWAY, 0, 1, bytes(8)), ours.PROTOCOL, "the end of a stream's connection"),
    "a priority of the stream 0": (BEGUN + frame(2, 0, 0, bytes(5)), ours.PROTOCOL, "a priority of another form"),
    "a priority of four bytes": (BEGUN + frame(2, 0, 1, bytes(4)), ours.SIZE, "a priority of another form"),
    "a priority of six bytes": (BEGUN + frame(2, 0, 1, bytes(6)), ours.SIZE, "a priority of another form"),
    "a block that is too large by a byte": (BEGUN + frames.headers(1, bytes(BLOCK + 1)), ours.CALM, "a header block is too large"),
    "a window of a connection that is too large by a byte": (BEGUN + grown(0, 2**31 - 65_535), ours.FLOW, "a window is too large"),
    "a window of a stream that is too large by a byte": (BEGUN + call() + grown(1, 2**31 - 65_535), ours.FLOW, "a window is too large"),
    "a window that settings make too large": (
        BEGUN + call() + grown(1, 1) + frame(frames.SETTINGS, 0, 0, b"\0\4\x7f\xff\xff\xff"), ours.FLOW, "a window is too large",
    ),
}  # fmt: skip


@pytest.mark.parametrize("case", MORE)
def test_what_a_connection_ends_with(case: str) -> None:
    """The last stream that was looked at, the code, and the words."""
    sent, code, words = MORE[case]
    made = Connection(Heard(), None, most_bytes=16 * 1024, most_entries=64, most_message=MOST)
    with pytest.raises(Ended) as ended:
        made.feed(sent)
    assert (ended.value.code, str(ended.value)) == (code, words)
    assert told(made)[-1] == (frames.GOAWAY, 0, 0, made.last.to_bytes(4) + code.to_bytes(4) + words.encode())


ALLOWED: dict[str, bytes] = {
    "a frame of all bytes that it may have": frame(frames.PING + 93, 0, 0, bytes(16_384)),
    "the largest window of a connection": grown(0, 2**31 - 1 - 65_535),
    "the largest window of a stream": call(3) + grown(3, 2**31 - 1 - 65_535),
    "a priority": frame(2, 0, 1, bytes(5)),
    "a frame that nobody knows": frame(10, 255, 1, b"x"),
    "a largest block": frames.headers(3, literals((b"a", b"x" * (BLOCK - 7)))),
    "a window of a call that is over": call(3) + frame(frames.RESET, 0, 3, bytes(4)) + grown(3, 1),
    "a reset of a call that is over": call(3) + frame(frames.RESET, 0, 3, bytes(4)) * 2,
}


@pytest.mark.parametrize("case", ALLOWED)
def test_what_may_just_be(case: str) -> None:
    heard = Heard()
    made = opened(heard, ALLOWED[case])
    made.feed(call(5, b"last"))
    assert heard.calls[-1] == (PATH, frames.message(b"last"))


def test_a_preface_that_comes_alone() -> None:
    heard = Heard()
    made = opened(heard, greeting=frames.PREFACE)
    assert (made.partial, made.settled) == (False, False)
    made.feed(SETTINGS + call())
    assert len(heard.calls) == 1
    assert made.settled


def test_a_frame_or_a_block_that_has_begun_is_a_part() -> None:
    """And time is counted from the last frame that was whole."""
    made = opened(Heard())
    said = []
    whole = frame(1, 0, 1, HEAD[:20]) + frame(9, 4, 1, HEAD[20:])
    for now, (begin, end) in enumerate([(0, 12), (12, 29), (29, 33), (33, len(whole))], 1):
        made.now = float(now)
        made.feed(whole[begin:end])
        said.append((made.partial, made.moved))
    assert said == [(True, 0.0), (True, 2.0), (True, 2.0), (False, 4.0)]


def test_the_highest_bit_of_a_streams_number_is_not_looked_at() -> None:
    heard = Heard()
    opened(heard, frames.headers(1 << 31 | 1, HEAD) + frames.data(1 << 31 | 1, frames.message(b"x"), flags=1))
    assert [stream.id for stream in heard.streams] == [1]


def test_what_stands_around_headers_and_data_is_left_out() -> None:
    heard = Heard()
    body = frames.message(b"hello")
    opened(
        heard,
        frame(1, 4 | 32, 1, bytes(5) + HEAD) + frame(0, 1, 1, body),
        frame(1, 4 | 8 | 32, 3, b"\x03" + bytes(5) + HEAD + bytes(3)) + frame(0, 1 | 8, 3, b"\x02" + body + bytes(2)),
        frame(1, 4 | 8, 5, b"\0" + HEAD) + frame(0, 8, 5, b"\x09" + body[:4] + bytes(9)) + frame(0, 1, 5, body[4:]),
    )
    assert heard.calls == [(PATH, body)] * 3


def test_all_bytes_of_data_are_credited_with_what_stands_around_them() -> None:
    """Of the connection once half of its window has come, to the byte; of the stream with each part, and never nothing."""
    made = opened(Heard(), frames.headers(1, HEAD))
    told(made)
    part = frame(0, 8, 1, b"\x01" + bytes(9_998) + b"\0")
    for _ in range(2):
        made.feed(part * 3)
        assert told(made) == [(frames.WINDOW, 0, 1, (10_000).to_bytes(4))] * 3
        made.feed(part)
        assert told(made) == [(frames.WINDOW, 0, where, size.to_bytes(4)) for where, size in ((0, 40_000), (1, 10_000))]
    made.feed(frames.data(1, b""))
    assert told(made) == []


def test_a_call_that_is_whole_is_told_once() -> None:
    heard = Heard()
    made = opened(heard, call(1), frames.data(1, frames.message(b"again"), flags=1))
    assert heard.calls == [(PATH, frames.message(b"hello"))]
    assert made.streams.keys() == {1}


def test_http_answers_what_is_not_grpc() -> None:
    heard = Heard(gate=Gate(frozenset((FULL,))))
    head = frames.opening(FULL).replace(frames.literal(b"content-type", b"application/grpc"), frames.literal(b"content-type", b"text/html"))
    made = opened(heard)
    told(made)
    made.feed(frames.headers(1, head, flags=1) + frames.headers(3, head))
    end = frames.literal(b":status", b"415")
    assert told(made) == [(1, 5, 1, end), (1, 5, 3, end), (frames.RESET, 0, 3, bytes(4))]
    assert (heard.calls, heard.gate.refused, made.streams) == ([], 0, {})


def test_a_message_of_as_many_bytes_as_it_may_have() -> None:
    heard = Heard()
    body = frames.message(b"x" * MOST)
    opened(heard, frames.headers(1, HEAD), frames.data(1, body), frames.data(1, b"", flags=1))
    assert (heard.calls, heard.excess) == ([(PATH, body)], [])


LARGE: dict[str, bytes] = {
    "says that it is too large": frames.data(1, frames.message(b"", length=MOST + 1)),
    "says so in parts": b"".join(frame(0, 0, 1, bytes([one])) for one in frames.message(b"", length=MOST + 1)),
    "says that it has gigabytes": frames.data(1, frames.message(b"", length=1 << 24)),
    "says nothing of it": frames.data(1, frames.message(b"x" * (MOST + 1), length=10)),
}


@pytest.mark.parametrize("case", LARGE)
def test_a_message_that_is_too_large(case: str) -> None:
    """It is refused at once; the client is to send no more of it, and has no window for it."""
    heard = Heard()
    made = opened(heard, frames.headers(1, HEAD))
    made.feed(LARGE[case])
    assert (heard.excess, heard.room, made.streams) == (["message"], 1 << 20, {})
    written = [(kind, flags, payload) for kind, flags, stream, payload in told(made) if stream == 1]
    assert written[-2:] == [(frames.HEADERS, 5, ours.ANSWERED), (frames.RESET, 0, ours.NO_ERROR.to_bytes(4))]


@dataclass
class Counting(Gate):
    """Writes down how many were refused at once."""

    counts: list[int] = field(default_factory=list)

    def refusals(self, count: int) -> list[bytes]:
        self.counts.append(count)
        return super().refusals(count)


def refusing() -> tuple[Connection, Heard, Counting]:
    gate = Counting(frozenset((FULL,)))
    heard = Heard(gate=gate)
    made = opened(heard)
    told(made)
    return made, heard, gate


def test_a_run_is_refused_at_once() -> None:
    made, _, gate = refusing()
    made.feed(b"".join(call(stream, block=frames.opening(FULL)) for stream in range(1, 103, 2)))
    assert gate.counts == [1, 50]


def test_calls_that_are_alike_are_asked_about_once_for_the_bytes_that_have_come() -> None:
    made, _, gate = refusing()
    made.feed(b"".join(frames.headers(stream, frames.opening(FULL)) for stream in (1, 3, 5)))
    assert (gate.asked, gate.refused) == (1, 3)


def test_who_takes_a_call_back_is_asked_about_anew() -> None:
    made, _, gate = refusing()
    made.feed(frames.headers(1, frames.opening(FULL)) + frame(frames.RESET, 0, 1, bytes(4)) + frames.headers(3, frames.opening(FULL)))
    assert gate.asked == 2


def test_a_call_without_a_message_is_not_refused_by_its_head() -> None:
    made, heard, gate = refusing()
    made.feed(frames.headers(1, frames.opening(FULL), flags=1))
    assert (heard.calls, gate.asked) == ([(FULL, b"")], 0)


def test_a_block_of_nothing_is_like_no_call() -> None:
    made, heard, gate = refusing()
    made.feed(call(1) + frame(1, 4, 3) + frames.data(3, frames.message(b"x"), flags=1))
    assert told(made) == [(frames.RESET, 0, 3, ours.PROTOCOL.to_bytes(4))]
    assert (len(heard.calls), gate.refused) == (1, 0)


def test_a_run_says_first_that_no_table_is_used() -> None:
    made, _, gate = refusing()
    shrinks = frame(frames.SETTINGS, 0, 0, b"\0\1\0\0\0\0")
    made.feed(call(1, block=frames.opening(FULL)) + shrinks + call(3, block=frames.opening(FULL)) + call(5, block=frames.opening(FULL)))
    assert [payload for kind, _, _, payload in told(made) if kind == 1] == [ours.ANSWERED, b"\x20" + ours.ANSWERED, ours.ANSWERED]
    assert gate.refused == 3


def test_who_has_heard_the_word_takes_its_next_calls_elsewhere() -> None:
    """Also those that are like one that was refused; but nobody parts by a ping that was not asked for."""
    made, _, gate = refusing()
    farewell = frame(frames.PING, 1, 0, outgoing.FAREWELL)
    made.feed(farewell)
    assert (told(made), made.leaving) == ([], False)
    made.leave()
    made.leave()
    assert told(made) == [(frames.GOAWAY, 0, 0, b"\x7f\xff\xff\xff" + bytes(4)), (frames.PING, 0, 0, outgoing.FAREWELL)]
    made.feed(call(1, block=frames.opening(FULL)) + farewell + call(3, block=frames.opening(FULL)))
    assert gate.refused == 1
    made.part()
    assert told(made) == [
        (frames.HEADERS, 5, 1, ours.ANSWERED),
        (frames.GOAWAY, 0, 0, (1).to_bytes(4) + bytes(4)),
        (frames.RESET, 0, 3, ours.REFUSED.to_bytes(4)),
    ]


@pytest.mark.parametrize("size", [0, 255, 256, 300, 600, 16_384, 16_385, 65_535])
@pytest.mark.parametrize("trailer", [b"\x88", bytes(300), bytes(700)])
def test_an_answer_is_three_frames_or_more(size: int, trailer: bytes) -> None:
    heard = Heard()
    made = opened(heard, call())
    told(made)
    made.answer(heard.streams[0], bytes(size), trailer)
    first, *parts, last = told(made)
    assert (first, last) == ((frames.HEADERS, 4, 1, ours.ANSWERED), (frames.HEADERS, 5, 1, trailer))
    assert [one[:3] for one in parts] == [(frames.DATA, 0, 1)] * len(parts)
    assert (sum(len(one[3]) for one in parts), max((len(one[3]) for one in parts), default=0)) == (size, min(size, 16_384))
    assert (made.streams, made.held, made._window) == ({}, 0, 65_535 - size)


def test_a_window_of_a_byte_is_used() -> None:
    heard = Heard()
    made = opened(heard, frame(frames.SETTINGS, 0, 0, b"\0\4\0\0\0\1"), call())
    told(made)
    made.answer(heard.streams[0], b"ab", b"\x88")
    assert told(made)[1:] == [(frames.DATA, 0, 1, b"a")]


def test_answers_that_wait_have_as_many_bytes_as_they_may(monkeypatch: pytest.MonkeyPatch) -> None:
    """One more is given up, and nothing is left of it."""
    monkeypatch.setattr(outgoing, "UNSENT", 1000)
    heard = Heard()
    made = opened(heard, frame(frames.SETTINGS, 0, 0, b"\0\4\0\0\0\0"), *(call(at) for at in (1, 3, 5, 7)))
    one, two, three, four = heard.streams
    made.answer(one, bytes(600), b"\x88")
    made.say(two, bytes(400))
    told(made)
    made.answer(three, b"x", b"\x88")
    assert told(made) == [(frames.RESET, 0, 5, ours.CALM.to_bytes(4))]
    made.say(four, b"x")
    assert told(made) == [(frames.RESET, 0, 7, ours.CANCEL.to_bytes(4))]
    assert (set(made.streams), made.held, heard.lost) == ({1, 3}, 1000, [7])


def test_a_talk_has_its_window_to_the_byte() -> None:
    heard = Heard()
    made = talking(heard, talk(), *[frames.data(1, bytes(13_107))] * 5)
    assert not told(made)
    with pytest.raises(Ended, match=r"^more than the window of a stream$"):
        made.feed(frames.data(1, b"x"))


def test_a_talk_has_its_window_back_but_for_what_waits() -> None:
    heard = Heard()
    message = frames.message(bytes(12_000))
    made = talking(heard, talk(), frames.data(1, message * 3))
    assert not [one for one in told(made) if one[2] == 1]
    made.listen(heard.streams[0])
    assert [one for one in told(made) if one[2] == 1] == [(frames.WINDOW, 0, 1, (24_010).to_bytes(4))]
    made.feed(frames.data(1, message * 2, flags=1))
    for _ in range(3):
        made.listen(heard.streams[0])
    assert [one for one in told(made) if one[2] == 1] == []  # it has said all
    assert (len(heard.said), heard.room) == (5, 1 << 20)


@pytest.mark.parametrize(
    ("said", "excess"),
    [
        (b"\1" + frames.message(bytes(SAID))[1:], []),
        (frames.message(bytes(SAID + 1)), ["message"]),
        (frames.message(b"", length=1 << 24), ["message"]),
    ],
)
def test_a_message_of_a_talk_has_as_many_bytes_as_it_may(said: bytes, excess: list[str]) -> None:
    heard = Heard()
    talking(heard, talk(), frames.data(1, said))
    assert (heard.said, heard.excess) == ([] if excess else [(1, said)], excess)


def test_a_message_of_a_talk_for_which_there_is_no_room_is_not_told() -> None:
    heard = Heard(room=10)
    made = talking(heard, talk(), frames.data(1, frames.message(b"x" * 20)))
    assert (heard.said, heard.excess, heard.room, made.streams) == ([], ["room"], 10, {})


def test_others_are_told_beside() -> None:
    heard = Heard()
    talking(heard, call(1, block=frames.opening(FREE)), talk(3), frames.data(3, frames.message(b"x")))
    assert (heard.calls, heard.said) == ([(FREE, frames.message(b"hello"))], [(3, frames.message(b"x"))])
    assert TALK == "/test.Ways/Talk"
