"""The machine of a connection, of calls that have several messages: each way as far as a window goes, and no further."""

import pytest

from sekisho.edges.grpc.lean import frames as ours
from sekisho.edges.grpc.lean.connection import CALMING, NOISE, SAID, Connection
from sekisho.edges.grpc.lean.outgoing import FORGIVEN, UNSENT
from sekisho.edges.grpc.lean.stream import Ended
from tests.edges.grpc import frames
from tests.edges.grpc.frames import frame
from tests.edges.grpc.lean.test_connection import PATH, SETTINGS, Heard, call, told

TALK = "/test.Ways/Talk"
PING = frame(frames.PING, 0, 0, b"12345678")


def opened(heard: Heard, *sent: bytes) -> Connection:
    """A connection on which one path talks."""
    made = Connection(heard, None, most_bytes=16 * 1024, most_entries=64, most_message=100_000, talking={TALK})
    made.feed(frames.PREFACE + SETTINGS + b"".join(sent))
    told(made)
    return made


def talk(stream: int = 1) -> bytes:
    """The beginning of a call that talks."""
    return frames.headers(stream, frames.opening(TALK))


def size(stream: int, kind: int, written: list[tuple[int, int, int, bytes]]) -> int:
    """Bytes of the payloads of this kind."""
    return sum(len(payload) for one, _, where, payload in written if (one, where) == (kind, stream))


def test_messages_are_told_one_by_one_however_they_are_cut() -> None:
    messages = [frames.message(body) for body in (b"one", b"", b"three" * 100)]
    whole = b"".join(messages)
    for cut in range(1, len(whole)):
        heard = Heard()
        made = opened(heard, talk(), frames.data(1, whole[:cut]), frames.data(1, whole[cut:], flags=1))
        for count, message in enumerate(messages, 1):
            assert heard.said == [(1, one) for one in messages[:count]]
            assert heard.said[-1] == (1, message)
            assert heard.silences == []
            made.listen(heard.streams[-1])
        assert heard.silences == [1]
        assert heard.room == 1 << 20


def test_who_talks_before_it_is_answered_has_its_window_and_no_more() -> None:
    """The window of the stream is not filled up while its first message is at work, so that who goes on is at fault."""
    heard = Heard()
    message = frames.message(b"x" * 1000)
    made = opened(heard, talk(), *[frames.data(1, message)] * 65)
    assert heard.said == [(1, message)]
    assert [one for one in told(made) if (one[0], one[2]) == (ours.WINDOW, 1)] == []
    with pytest.raises(Ended, match="more than the window of a stream"):
        made.feed(frames.data(1, message))


def test_the_window_is_filled_up_for_what_was_answered() -> None:
    heard = Heard()
    message = frames.message(b"x" * 1000)
    made = opened(heard, talk())
    for _ in range(500):
        made.feed(frames.data(1, message))
        made.listen(heard.streams[-1])
    assert len(heard.said) == 500
    credited = [ours.number(payload) for kind, _, where, payload in told(made) if (kind, where) == (ours.WINDOW, 1)]
    assert sum(credited) > 500 * len(message) - 65_535
    assert heard.room == 1 << 20


@pytest.mark.parametrize(
    ("said", "excess"),
    [
        pytest.param(frames.message(b"", length=SAID + 1), "message", id="a message that is too large, as soon as it says so"),
        pytest.param(frames.message(b"x" * 600, length=1000), "room", id="no room for it"),
    ],
)
def test_a_message_that_is_too_much(said: bytes, excess: str) -> None:
    heard = Heard(room=500)
    made = opened(heard, talk(), frames.data(1, said))
    assert (heard.said, heard.excess, made.streams, heard.room) == ([], [excess], {}, 500)


def test_who_is_silent_from_the_start() -> None:
    heard = Heard()
    opened(heard, frames.headers(1, frames.opening(TALK), flags=1), talk(3), frames.data(3, b"", flags=1))
    assert (heard.said, heard.silences) == ([], [1, 3])


def test_a_stream_of_answers_waits_for_its_window() -> None:
    """Also for one that settings make smaller and larger on the way, below nothing at first."""
    heard = Heard()
    made = opened(heard, call())
    stream = made.streams[1]
    message = b"m" * 100_000
    made.say(stream, message)
    written = told(made)
    assert (written[0][:3], size(1, frames.DATA, written)) == ((frames.HEADERS, 4, 1), 65_535)
    assert (heard.went, made.held) == ([], 100_000)
    made.feed(frame(frames.WINDOW, 0, 0, (1 << 20).to_bytes(4)))
    assert size(1, frames.DATA, told(made)) == 0
    made.feed(frame(frames.SETTINGS, 0, 0, b"\0\4" + (10_000).to_bytes(4)))  # 55,535 less than nothing
    made.feed(frame(frames.WINDOW, 0, 1, (60_000).to_bytes(4)))
    assert size(1, frames.DATA, told(made)) == 4_465
    made.feed(frame(frames.SETTINGS, 0, 0, b"\0\4" + (40_000).to_bytes(4)))
    assert size(1, frames.DATA, told(made)) == 30_000
    made.feed(frame(frames.SETTINGS, 0, 0, b"\0\4" + (65_535).to_bytes(4)))
    assert (heard.went, made.held, size(1, frames.DATA, told(made))) == ([1], 0, 0)
    made.finish(stream, ours.ANSWERED + b"\x00\x01a\x01b")
    assert told(made) == [(frames.HEADERS, 5, 1, b"\x00\x01a\x01b")]  # it has answered already, and does not say so again
    assert made.streams == {}


def test_an_end_stands_behind_the_messages_that_wait() -> None:
    heard = Heard()
    made = opened(heard, call())
    stream = made.streams[1]
    made.say(stream, b"a" * 70_000)
    made.say(stream, b"b" * 10)
    made.finish(stream, ours.ANSWERED + b"\x00\x01a\x01b")
    assert size(1, frames.DATA, told(made)) == 65_535
    made.feed(frame(frames.WINDOW, 0, 0, (1 << 20).to_bytes(4)) + frame(frames.WINDOW, 0, 1, (1 << 20).to_bytes(4)))
    written = told(made)
    assert [(kind, flags) for kind, flags, _, _ in written] == [(frames.DATA, 0), (frames.HEADERS, 5)]
    assert written[0][3] == b"a" * 4_465 + b"b" * 10
    assert (made.streams, made.held, made._unsent) == ({}, 0, 0)


def test_an_end_without_messages_is_trailers_alone() -> None:
    heard = Heard()
    made = opened(heard, call())
    made.finish(made.streams[1], ours.ANSWERED + b"\x00\x01a\x01b")
    assert told(made) == [(frames.HEADERS, 5, 1, ours.ANSWERED + b"\x00\x01a\x01b")]


def test_messages_that_nobody_takes_end_their_stream() -> None:
    """And give back what was counted for them."""
    heard = Heard()
    made = opened(heard, call(), call(3))
    made.say(made.streams[1], b"x" * (UNSENT - 10))
    made.say(made.streams[3], b"x" * 100_000)
    assert heard.lost == [3]
    assert told(made)[-1] == (frames.RESET, 0, 3, ours.CANCEL.to_bytes(4))
    made.feed(frame(frames.RESET, 0, 1, ours.CANCEL.to_bytes(4)))
    assert (heard.lost, made.held, made._unsent, made.streams) == ([3, 1], 0, 0, {})


def test_who_takes_messages_may_update_its_windows_and_measure_them() -> None:
    """Two updates and a ping for each message, as grpcio's and Go's clients send them, are no noise however many messages there are."""
    heard = Heard()
    made = opened(heard, call())
    update = frame(frames.WINDOW, 0, 0, (20).to_bytes(4)) + frame(frames.WINDOW, 0, 1, (20).to_bytes(4))
    for _ in range(NOISE):
        made.say(made.streams[1], b"x" * 20)
        made.feed((update + PING) * (FORGIVEN // 4) + update)
    assert made._noise < NOISE // 100


def test_pings_of_days_are_no_flood_and_as_many_at_once_are() -> None:
    heard = Heard()
    made = opened(heard, frames.headers(1, frames.opening(PATH)))
    for second in range(10 * NOISE):
        made.now = float(second)
        made.feed(PING)
    told(made)
    with pytest.raises(Ended, match="too many frames that are no calls"):
        made.feed(PING * int(NOISE + CALMING * 10 * NOISE))


def test_who_wants_a_smaller_table_is_told_once_that_none_is_used() -> None:
    """As RFC 7541 has it (4.2), and nghttp2 demands."""
    shrinks = frame(frames.SETTINGS, 0, 0, b"\0\1" + (100).to_bytes(4))
    heard = Heard()
    made = opened(heard, shrinks, call(1), call(3), call(5))
    made.answer(made.streams[1], b"", b"\x00\x01a\x01b")
    made.answer(made.streams[3], b"", b"\x00\x01a\x01b")
    blocks = [payload for kind, _, _, payload in told(made) if kind == frames.HEADERS]
    assert blocks == [b"\x20" + ours.ANSWERED, b"\x00\x01a\x01b", ours.ANSWERED, b"\x00\x01a\x01b"]
    made.feed(shrinks)
    made.finish(made.streams[5], ours.ANSWERED)
    assert told(made)[-1][3] == b"\x20" + ours.ANSWERED
