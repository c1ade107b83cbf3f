"""The machine of a connection at its limits: what is just allowed, and what is one more."""

import pytest

from sekisho.edges.grpc.lean import frames as ours
from sekisho.edges.grpc.lean.connection import BLOCK, NOISE, OF_CALL, Connection
from sekisho.edges.grpc.lean.outgoing import CREDIT
from sekisho.edges.grpc.lean.stream import Ended
from tests.edges.grpc import frames
from tests.edges.grpc.frames import frame
from tests.edges.grpc.lean import test_talks as talks
from tests.edges.grpc.lean.test_connection import MOST, PATH, SETTINGS, Heard, call, opened, told

PING = frame(frames.PING, 0, 0, b"12345678")
HEAD = frames.headers(1, frames.opening(PATH))
TRAILER = b"\x88"


def quiet(made: Connection) -> Connection:
    """A connection that has written what it had to, and of which no noise is known."""
    told(made)
    made._noise = 0
    return made


def windows(made: Connection) -> list[tuple[int, int]]:
    """The windows that it has filled up: of which stream, and by how much."""
    return [(stream, ours.number(payload)) for kind, _, stream, payload in told(made) if kind == ours.WINDOW]


def test_frames_of_other_kinds_are_passed_over() -> None:
    """Also before settings, and those of priority, which nobody follows."""
    heard = Heard()
    made = quiet(opened(heard, greeting=frames.PREFACE + frame(10, 0, 0, b"x") + frame(255, 0, 7, b"x") + SETTINGS))
    made.feed(frame(2, 0, 1, b"\0\0\0\0\x10") + call(1))
    assert (len(heard.calls), made._noise, told(made)) == (1, 0, [])


def test_so_much_noise_goes_with_a_call() -> None:
    made = quiet(opened(Heard()))
    for number in range(50):
        made.feed(PING * OF_CALL + call(2 * number + 1))
    assert made._noise == 0
    made.feed(PING * (OF_CALL + 3) + call(101))
    assert made._noise == 3


def test_noise_is_forgiven_once_it_is_too_much() -> None:
    """By the time since then, and no more than all of it: who was quiet for days has not won a flood."""
    made = quiet(opened(Heard()))
    made.now = 1e6
    made.feed(PING * 2 * NOISE)
    with pytest.raises(Ended, match="too many frames that are no calls"):
        made.feed(PING)
    made = quiet(opened(Heard()))
    made.now = 10.0  # of two a second
    made.feed(PING * NOISE)
    assert made._noise == NOISE
    made._noise = 0
    made.feed(PING * (NOISE + 20))
    with pytest.raises(Ended, match="too many frames that are no calls"):
        made.feed(PING)


NOISES: dict[str, tuple[bytes, bytes, int]] = {
    "empty data": (HEAD, frame(0, 0, 1), 1),
    "data of a call that has come": (call(), frame(0, 0, 1, b"x"), 1),
    "an empty continuation": (b"", frame(1, 0, 1) + frame(9, 0, 1), 1),
    "a call that is none": (b"", frames.headers(1, frames.literal(b":method", b"POST")), 1),
    "a window of a call that has nothing to send": (call(), frame(8, 0, 1, b"\0\0\0\x14"), 1),
    "a large window of a call that has nothing to send": (call(), frame(8, 0, 1, b"\0\0\x13\x88"), 1),
    "a window of the connection": (b"", frame(8, 0, 0, b"\0\0\0\1"), 0),
    "a window of a call that is over": (call() + frame(3, 0, 1, bytes(4)), frame(8, 0, 1, b"\0\0\0\1"), 0),
    "settings": (b"", SETTINGS, 1),
    "a ping": (b"", PING, 1),
    "a reset": (call(), frame(3, 0, 1, bytes(4)), 1),
    "metadata that are too much": (b"", frames.headers(1, frames.opening(PATH, ((b"a", b"x" * 17_000),))), 1),
    "a call of HTTP": (b"", frames.headers(1, frames.opening(PATH).replace(b"application/grpc", b"application/json")), 1),
    "a part of a message": (HEAD, frame(0, 0, 1, b"x"), 0),
}


@pytest.mark.parametrize("name", NOISES)
def test_what_is_noise(name: str) -> None:
    before, sent, expected = NOISES[name]
    made = quiet(opened(Heard(), before))
    made.feed(sent)
    assert made._noise == expected


@pytest.mark.parametrize(("more", "excess"), [(0, []), (1, ["message"])])
def test_more_of_a_message_than_it_says(more: int, excess: list[str]) -> None:
    heard = Heard()
    opened(heard, HEAD, frames.data(1, frames.message(b"x" * MOST, length=10)), frame(0, 0, 1, b"x" * more) if more else b"")
    assert heard.excess == excess


def test_a_message_that_is_packed_may_come_in_parts() -> None:
    """The flag before its size says so, and is no part of the size."""
    heard, message = Heard(), b"\1" + frames.message(b"packed")[1:]
    opened(heard, HEAD, frame(0, 0, 1, message[:7]), frame(0, 1, 1, message[7:]))
    assert (heard.calls, heard.excess) == ([(PATH, message)], [])


def test_settings_that_come_again_forgive_no_noise_twice() -> None:
    """The time for which a client was quiet is counted from when its noise was last forgiven."""
    made = quiet(opened(Heard()))
    made.now = 10.0  # twenty are forgiven
    made.feed(SETTINGS + PING * (NOISE + 19))
    assert made._noise == NOISE
    with pytest.raises(Ended, match="too many frames that are no calls"):
        made.feed(PING)


def test_padding_is_of_the_window_and_not_of_the_message() -> None:
    heard = Heard()
    made = quiet(opened(heard, HEAD))
    message = frames.message(b"hello")
    made.feed(frame(0, 8, 1, b"\3" + message[:7] + b"\0\0\0"))
    assert (windows(made), heard.room) == ([(1, 11)], (1 << 20) - 7)
    made.feed(frame(0, 8 | 1, 1, b"\2" + message[7:] + b"\0\0"))
    assert heard.calls == [(PATH, message)]
    assert made._received == 11 + 6


def test_the_window_of_the_connection_is_filled_up_now_and_then() -> None:
    made = quiet(opened(Heard(), HEAD))
    made.feed(frames.data(1, frames.message(b"x" * (CREDIT - 5), length=50_000)))
    assert [one for one in windows(made) if one[0] == 0] == []
    made.feed(frame(0, 0, 1, b"x"))
    assert windows(made) == [(0, CREDIT + 1), (1, 1)]
    assert made._received == 0


def test_the_window_of_a_call_that_talks_is_filled_up_by_what_was_answered() -> None:
    """Once that is half of it; what has come of the next message is not answered yet."""
    made = talks.opened(Heard(), talks.talk())
    stream = made.streams[1]
    for size, extra, credited in ((16_000, b"", []), (16_000, b"", []), (752, b"", []), (0, b"\0\0", [(1, CREDIT + 5)])):
        made.feed(frames.data(1, frames.message(b"x" * size) + extra))
        assert [one for one in windows(made) if one[0] == 1] == credited
        made.listen(stream)
    assert (stream.credit, stream.held) == (2, 2)
    made.feed(frames.data(1, b"\0\0\0" + frames.message(b"x" * 16_000) * 2))
    for _ in range(3):
        made.listen(stream)
    whole = frames.message(b"x" * 900)
    made.feed(frames.data(1, whole, flags=1))
    assert [one for one in windows(made) if one[0] == 1] == []  # it sends no more


def test_room_is_given_back_once() -> None:
    heard = Heard()
    made = opened(heard, HEAD, frame(0, 0, 1, frames.message(b"x" * 9, length=10)))
    stream = made.streams[1]
    for _ in range(2):
        made.forget(stream)
        assert (heard.room, stream.held, made.streams) == (1 << 20, 0, {})


@pytest.mark.parametrize("room", [9, 1 << 20])
def test_a_message_for_which_there_is_no_room_is_noise(room: int) -> None:
    made = quiet(opened(Heard(room=room), HEAD))
    made.feed(frame(0, 0, 1, frames.message(b"", length=MOST) + b"x" * 5))
    assert made._noise == (room == 9)


@pytest.mark.parametrize(("size", "ends"), [(BLOCK, False), (BLOCK + 1, True)])
def test_a_header_block_at_its_limit(size: int, ends: bool) -> None:
    block = frames.opening(PATH, ((b"a", b"x" * 30_000),))[:size]
    made = opened(Heard(), frame(1, 0, 1, block[:16_000]))
    if ends:
        with pytest.raises(Ended, match="a header block is too large"):
            made.feed(frame(9, 0, 1, block[16_000:]))
    else:
        made.feed(frame(9, 0, 1, block[16_000:]))
        assert made.partial


@pytest.mark.parametrize("sent", [frame(3, 0, 1, bytes(4)), frame(8, 0, 1, b"\0\0\0\1"), frame(0, 1, 1, b"x")])
def test_the_last_stream_is_one_that_there_was(sent: bytes) -> None:
    heard = Heard()
    made = opened(heard, call(1))
    made.forget(heard.streams[0])
    made.feed(sent + call(3))
    assert len(heard.calls) == 2


def test_a_ping_is_answered_and_an_answer_is_not() -> None:
    made = quiet(opened(Heard()))
    made.feed(PING + frame(frames.PING, frames.ACK, 0, b"12345678"))
    assert told(made) == [(ours.PING, ours.ACK, 0, b"12345678")]


@pytest.mark.parametrize(("room", "sent", "flags", "noise"), [(9, b"", 0, 1), (9, b"", 1, 0), (9, b"x" * 9, 0, 0), (9, b"x" * 10, 0, 1)])
def test_noise_of_a_call_that_talks(room: int, sent: bytes, flags: int, noise: int) -> None:
    made = quiet(talks.opened(Heard(room=room), talks.talk()))
    made.feed(frame(0, flags, 1, sent))
    assert made._noise == noise


def test_a_message_for_which_there_is_no_room_is_not_too_large() -> None:
    heard = Heard(room=MOST + 4)
    opened(heard, HEAD, frames.data(1, frames.message(b"x" * MOST)))
    assert heard.excess == ["room"]


def test_a_window_of_a_call_that_sends_nothing() -> None:
    heard = Heard()
    made = opened(heard, call(1), frame(8, 0, 1, (5_000).to_bytes(4)))
    assert (heard.went, made.held, made.streams[1].window) == ([], 0, 70_535)
