"""Frames that are no part of a call: which they are, how many a connection may send, and how many are forgiven."""

from collections.abc import Callable

import pytest

from sekisho.edges.grpc.lean import frames as ours
from sekisho.edges.grpc.lean.connection import NOISE, Connection
from sekisho.edges.grpc.lean.outgoing import STREAMS
from sekisho.edges.grpc.lean.stream import Ended
from tests.edges.grpc import frames
from tests.edges.grpc.frames import frame
from tests.edges.grpc.lean.test_connection import FULL, PATH, SETTINGS, Gate, Heard, call
from tests.edges.grpc.lean.test_talks import TALK, talk

PING = frame(frames.PING, 0, 0, b"12345678")
HEAD, BARE = frames.opening(PATH), frames.literal(b"a", b"b")
JSON = HEAD.replace(frames.literal(b"content-type", b"application/grpc"), frames.literal(b"content-type", b"application/json"))


def grown(stream: int, more: int) -> bytes:
    return frame(frames.WINDOW, 0, stream, more.to_bytes(4))


def whole(stream: int, path: str, *, ended: bool = True) -> bytes:
    return frames.headers(stream, frames.opening(path)) + frames.data(stream, frames.message(b"x"), flags=int(ended))


AFTER: dict[str, tuple[bytes, int]] = {
    "settings": (SETTINGS, 1),
    "a ping": (PING, 1),
    "an answer to a ping": (frame(frames.PING, 1, 0, b"12345678"), 1),
    "a priority": (frame(2, 0, 1, bytes(5)), 1),
    "a goodbye": (frame(frames.GOAWAY, 0, 0, bytes(8)), 1),
    "frames that nobody knows": (frame(10, 0, 0) + frame(255, 0, 0), 2),
    "a window of the connection": (grown(0, 1), 0),
    "a call": (call(1), -2),
    "a call without a message": (frames.headers(1, HEAD, flags=1), -2),
    "a call with its window": (call(1) + grown(1, 100), -1),
    "a call that is taken back": (call(1) + frame(frames.RESET, 0, 1, bytes(4)), -1),
    "a call that is taken back before it was whole": (frames.headers(1, HEAD) + frame(frames.RESET, 0, 1, bytes(4)), 1),
    "a part of a message": (frames.headers(1, HEAD) + frames.data(1, b"\0\0"), 0),
    "a part that is nothing": (frames.headers(1, HEAD) + frames.data(1, b""), 1),
    "a block in parts": (frame(1, 0, 1, HEAD[:9]) + frame(9, 0, 1, HEAD[9:20]) + frame(9, 4, 1, HEAD[20:]), 0),
    "a block in parts that are nothing": (frame(1, 0, 1, HEAD) + frame(9, 0, 1) + frame(9, 4, 1), 2),
    "data behind the end": (call(1) + frames.data(1, b"more"), -1),
    "no call of gRPC": (frames.headers(1, BARE), 1),
    "a call that HTTP answers": (frames.headers(1, JSON, flags=1), 1),
    "too much metadata": (frames.headers(1, frames.opening(PATH, ((b"a", b"x" * 17_000),))), 1),
    "a message without room": (frames.headers(1, HEAD) + frames.data(1, frames.message(b"x" * 3_000, length=9_000)), 1),
    "a message of a talk without room": (talk(1) + frames.data(1, frames.message(b"x" * 3_000, length=9_000)), 1),
    "a part of a talk": (talk(1) + frames.data(1, b"\0\0"), 0),
    "a part of a talk that is nothing": (talk(1) + frames.data(1, b""), 1),
    "the end of a talk": (talk(1) + frames.data(1, b"", flags=1), 0),
    "more calls than there may be": (b"".join(frames.headers(2 * at + 1, HEAD) for at in range(STREAMS + 2)), 2),
    "a refused call": (whole(1, FULL), -1),
    "refused calls": (b"".join(whole(at, FULL) for at in (1, 3, 5, 7)), -4),
    "a refused call that goes on": (whole(1, FULL, ended=False) + frames.data(1, b"more"), 0),
}


def begun(*, room: int = 2_000) -> Connection:
    heard = Heard(room=room, gate=Gate(frozenset((FULL,))))
    made = Connection(heard, None, most_bytes=16 * 1024, most_entries=64, most_message=100_000, talking={TALK})
    made.feed(frames.PREFACE + SETTINGS)
    return made


@pytest.mark.parametrize("case", AFTER)
def test_how_much_noise_it_is(case: str) -> None:
    """Beyond ten frames that were noise before it."""
    made, (sent, more) = begun(), AFTER[case]
    made.feed(PING * 9)
    assert made._noise == 10
    made.feed(sent)
    assert made._noise == 10 + more


@pytest.mark.parametrize("sent", [call(1), whole(1, FULL), b"".join(whole(at, FULL) for at in (1, 3, 5, 7))])
def test_calls_win_nobody_more_noise_than_there_may_be(sent: bytes) -> None:
    made = begun()
    made.feed(sent)
    assert made._noise == 0


def test_messages_win_nobody_more_noise_than_there_may_be() -> None:
    made = begun()
    made.feed(call(1))
    made.feed(PING * 6)
    for left in (2, 0, 0):
        made.say(made.streams[1], b"x")
        assert made._noise == left


@pytest.mark.parametrize(("more", "noise"), [(1, 1), (1023, 1), (1024, 0), (70_000, 0)])
def test_who_takes_an_answer_in_sips_makes_noise(more: int, noise: int) -> None:
    made = begun()
    made.feed(call(1))
    made.say(made.streams[1], b"x" * 100_000)
    made.feed(grown(1, more))
    assert made._noise == noise


def ended(made: Connection, sent: bytes) -> bool:
    try:
        made.feed(sent)
    except Ended as reason:
        return (reason.code, str(reason)) == (ours.CALM, "too many frames that are no calls")
    return False


def test_as_many_as_there_may_be() -> None:
    made = begun()
    assert not ended(made, PING * (NOISE - 1))
    assert ended(made, PING)


def quiet(made: Connection) -> None:
    """Nothing for days."""
    made.now = 1e6


def watching(made: Connection) -> None:
    """A ping each second."""
    for second in range(5 * NOISE):
        made.now = float(second)
        made.feed(PING)


def settling(made: Connection) -> None:
    """Settings anew, which forgive nothing and take nothing away."""
    made.now = 1e6
    made.feed(SETTINGS)


@pytest.mark.parametrize("before", [quiet, watching, settling])
def test_time_forgives_no_more_than_there_may_be(before: Callable[[Connection], None]) -> None:
    """And what nobody has sent is not saved up."""
    made = begun()
    before(made)
    assert not ended(made, PING * (NOISE - 2))
    assert ended(made, PING * (NOISE + 2))


def test_two_a_second_are_forgiven() -> None:
    made = begun()
    assert not ended(made, PING * (NOISE - 1))
    made.now = 100.0
    assert not ended(made, PING * 200)
    assert ended(made, PING)
