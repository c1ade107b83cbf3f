"""The sending side of a connection: bytes that just go, that wait, and that are given up."""

import pytest

from sekisho.edges.grpc.lean import frames as ours
from sekisho.edges.grpc.lean.outgoing import UNSENT
from tests.edges.grpc import frames
from tests.edges.grpc.frames import frame
from tests.edges.grpc.lean.test_connection import PATH, Gate, Heard, call, opened, told
from tests.edges.grpc.lean.test_limits import HEAD, quiet

TRAILER = b"\x88"


@pytest.mark.parametrize("kept", ["window of the stream", "window of the connection", "frame"])
@pytest.mark.parametrize("more", [0, 1])
def test_an_answer_that_just_goes(kept: str, more: int) -> None:
    """In one frame, and otherwise in as many as it takes and as go."""
    heard = Heard()
    made = quiet(opened(heard, call(1), call(3)))
    stream, other = heard.streams
    size = 1_000
    if kept == "frame":
        size = ours.LENGTH
    elif kept == "window of the stream":
        stream.window = size
    else:
        made._window = size
    made.answer(stream, b"x" * (size + more), TRAILER)
    written = told(made)
    assert [(kind, flags, len(payload)) for kind, flags, _, payload in written[:2]] == [
        (ours.HEADERS, ours.END_HEADERS, len(ours.ANSWERED)),
        (ours.DATA, 0, size),
    ]
    ends = [(kind, flags, payload) for kind, flags, _, payload in written[2:]]
    last = (ours.HEADERS, ours.END_HEADERS | ours.END_STREAM, TRAILER)
    assert ends == ([last] if not more else [(ours.DATA, 0, b"x"), last] if kept == "frame" else [])
    assert (1 in made.streams, made.held, made._unsent) == ((True, size + 1, 1) if more and kept != "frame" else (False, 0, 0))
    if kept == "window of the connection":
        assert made._window == 0
    assert other.window == 65_535


@pytest.mark.parametrize("size", [0, 255, 256, 5_000])
def test_trailers_and_answers_of_any_size(size: int) -> None:
    heard = Heard()
    made = quiet(opened(heard, call(1)))
    made.answer(heard.streams[0], b"x" * size, b"y" * size)
    assert len(made.out) == 1  # what goes whole is written at once
    assert [(kind, flags, stream, payload) for kind, flags, stream, payload in told(made)] == [
        (ours.HEADERS, ours.END_HEADERS, 1, ours.ANSWERED),
        (ours.DATA, 0, 1, b"x" * size),
        (ours.HEADERS, ours.END_HEADERS | ours.END_STREAM, 1, b"y" * size),
    ]


@pytest.mark.parametrize(("more", "given_up"), [(0, False), (1, True)])
def test_as_much_may_wait_for_a_client(more: int, given_up: bool) -> None:
    for act in ("answer", "say"):
        heard = Heard()
        made = quiet(opened(heard, call(1)))
        made._unsent = UNSENT - 100_000
        message = b"x" * (100_000 + more)
        if act == "answer":
            made.answer(heard.streams[0], message, TRAILER)
        else:
            made.say(heard.streams[0], message)
        code = ours.CALM if act == "answer" else ours.CANCEL
        assert ((ours.RESET, 0, 1, code.to_bytes(4)) in told(made)) is given_up
        assert (1 in made.streams) is not given_up


@pytest.mark.parametrize(("more", "noise"), [(ours.SIP - 1, 1), (ours.SIP, 0)])
def test_a_window_that_grows_in_drops_is_noise(more: int, noise: int) -> None:
    made = quiet(opened(Heard(), call(1)))
    made._noise = 1
    made.say(made.streams[1], b"x" * 100_000)
    assert made._noise == 0  # whoever takes messages may say so
    made.feed(frame(8, 0, 1, more.to_bytes(4)))
    assert made._noise == noise


@pytest.mark.parametrize(("noise", "left"), [(0, 0), (1, 0), (5, 4)])
def test_a_call_that_is_refused_is_one(noise: int, left: int) -> None:
    made = quiet(opened(Heard(gate=Gate(frozenset((PATH,))))))
    made._noise = noise
    made.feed(HEAD)
    assert made._noise == left


def test_a_client_is_asked_and_told_to_go() -> None:
    made = quiet(opened(Heard()))
    made.ping()
    assert told(made) == [(ours.PING, 0, 0, b"are you?")]
    made.leave()
    made.leave()
    assert [(kind, flags, stream) for kind, flags, stream, _ in told(made)] == [(ours.GOAWAY, 0, 0), (ours.PING, 0, 0)]
    made.feed(frame(frames.PING, frames.ACK, 0, b"are you?"))
    assert not made.leaving
    made.part()
    made.part()
    assert [kind for kind, *_ in told(made)] == [ours.GOAWAY]


def test_an_answer_that_comes_before_the_call_is_whole_ends_it() -> None:
    made = quiet(opened(Heard(), HEAD))
    made.answer_at_once(made.streams[1], ours.ANSWERED)
    assert told(made) == [(ours.HEADERS, 5, 1, ours.ANSWERED), (ours.RESET, 0, 1, ours.NO_ERROR.to_bytes(4))]
