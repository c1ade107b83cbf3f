"""Calls that are refused in a run: that each of them ends as if it had come alone, and that nothing else is taken for one of them."""

import random

import pytest

from sekisho.edges.grpc.lean import frames as ours
from sekisho.edges.grpc.lean import runs
from sekisho.edges.grpc.lean.connection import Connection
from sekisho.edges.grpc.lean.stream import Ended
from tests.edges.grpc import frames
from tests.edges.grpc.lean.test_connection import FREE, FULL, Gate, Heard, call, opened, told

BLOCK = frames.opening(FULL)
FREED = frames.opening(FREE)


def refusing() -> tuple[Connection, Heard]:
    """A connection that has said its settings, to one who has no room for calls to FULL."""
    heard = Heard(gate=Gate(frozenset((FULL,))))
    made = opened(heard)
    told(made)
    return made, heard


def test_a_run_ends_where_a_call_is_of_another_kind() -> None:
    data = call(3, b"abc", BLOCK) + call(5, b"", BLOCK) + call(7, b"x", FREED) + call(9, b"x", BLOCK)
    assert runs.read(data, 0, BLOCK, 1) == ([3, 5], 13, data.index(call(7, b"x", FREED)))


HEADERS, WHOLE = frames.headers(5, BLOCK), frames.data(5, frames.message(b"x"), flags=frames.END_STREAM)
OTHERS = {
    "a number that there was": (call(3, block=BLOCK), 3),
    "a number of ours": (call(6, block=BLOCK), 3),
    "no message": (frames.headers(5, BLOCK, flags=frames.END_STREAM) + call(7, block=BLOCK), 3),
    "a message that goes on": (HEADERS + frames.data(5, frames.message(b"x"), flags=0), 3),
    "a message with padding": (HEADERS + frames.data(5, b"\0" + frames.message(b"x"), flags=9), 3),
    "a call without a message, and data": (frames.headers(5, BLOCK, flags=frames.END_STREAM) + WHOLE, 3),
    "a block in two frames": (frames.frame(frames.CONTINUATION, frames.END_HEADERS, 5, BLOCK) + WHOLE, 3),
    "a message of another call": (HEADERS + frames.data(7, frames.message(b"x"), flags=frames.END_STREAM), 3),
    "a message that has not come whole": ((HEADERS + WHOLE)[:-1], 3),
    "a frame that is too large": (HEADERS + frames.data(5, bytes(ours.LENGTH + 1), flags=frames.END_STREAM), 3),
    "a reset": (HEADERS + frames.frame(frames.RESET, 0, 5, bytes(4)) + WHOLE, 3),
}


@pytest.mark.parametrize("name", OTHERS)
def test_no_run(name: str) -> None:
    data, seen = OTHERS[name]
    assert runs.read(data, 0, BLOCK, seen) == ([], 0, 0)


def test_the_next_call_after_a_run_has_to_have_a_new_number() -> None:
    made, heard = refusing()
    made.feed(b"".join(call(stream, block=BLOCK) for stream in (1, 3, 5)))
    assert (heard.gate.refused, heard.gate.asked) == (3, 1)
    with pytest.raises(Ended, match="the number of a stream"):
        made.feed(call(5, block=FREED))


def test_a_block_that_moves_the_table_is_read_each_time() -> None:
    """The second one means other fields by the same bytes: the entry that it names is what the first one has written."""
    made, heard = refusing()
    moving = BLOCK + frames.literal(b"x", b"y", kept=True)
    made.feed(call(1, block=moving) + call(3, block=moving) + call(5, block=FREED + frames.newest(1)))
    assert heard.gate.refused == 2
    assert len(made._decoder._table) == 2
    assert [path for path, _ in heard.calls] == [FREE]


def test_another_call_between_two_ends_the_run() -> None:
    """It may have moved the table, which the bytes of the next one refer to."""
    made, heard = refusing()
    last = frames.literal(b":path", FULL.encode(), kept=True)
    table = frames.opening(FULL).replace(frames.literal(b":path", FULL.encode()), last)
    again = frames.opening(FULL).replace(frames.literal(b":path", FULL.encode()), frames.newest(1))
    other = frames.opening(FREE).replace(frames.literal(b":path", FREE.encode()), frames.literal(b":path", FREE.encode(), kept=True))
    made.feed(call(1, block=table) + call(3, block=again) + call(5, block=again) + call(7, block=other) + call(9, block=again))
    assert heard.gate.refused == 3
    assert [path for path, _ in heard.calls] == [FREE, FREE]


def test_a_goodbye_of_the_client_ends_the_run() -> None:
    made, heard = refusing()
    made.feed(call(1, block=BLOCK) + frames.frame(frames.GOAWAY, 0, 0, bytes(8)) + call(3, block=BLOCK))
    assert heard.gate.refused == 1
    assert (ours.RESET, 0, 3, ours.REFUSED.to_bytes(4)) in told(made)


@pytest.mark.parametrize("seed", range(20))
def test_a_run_cut_anywhere_is_refused_like_calls_that_come_alone(seed: int) -> None:
    chance = random.Random(seed)
    calls = [call(stream, b"x" * chance.randrange(30), chance.choice((BLOCK, BLOCK, FREED))) for stream in range(1, 81, 2)]
    alone, heard_alone = refusing()
    for one in calls:
        alone.feed(one)
    together, heard = refusing()
    whole = b"".join(calls)
    at = sorted(chance.sample(range(len(whole)), seed % 4))
    for begin, end in zip([0, *at], [*at, len(whole)], strict=True):
        together.feed(whole[begin:end])
    ends = [[one for one in told(made) if one[0] == ours.HEADERS] for made in (alone, together)]
    assert ends[0] == ends[1] != []
    assert heard.calls == heard_alone.calls
    assert (heard.gate.refused, together._received, together._seen) == (heard_alone.gate.refused, alone._received, alone._seen)


def test_a_run_waits_until_it_was_said_that_no_table_is_used() -> None:
    """Which the next block of ours has to begin with, and those of a run do not."""
    made, heard = refusing()
    shrinks = frames.frame(frames.SETTINGS, 0, 0, b"\0\1" + (100).to_bytes(4))
    made.feed(call(1, block=BLOCK) + shrinks + call(3, block=BLOCK) + call(5, block=BLOCK))
    blocks = [(stream, payload) for kind, _, stream, payload in told(made) if kind == ours.HEADERS]
    assert blocks == [(1, ours.ANSWERED), (3, ours.NO_TABLE + ours.ANSWERED), (5, ours.ANSWERED)]
    assert heard.gate.refused == 3


@pytest.mark.parametrize("size", [1, 2, 127, 128, 255, 256, 300, 511, 512, 2047])
def test_blocks_of_any_size(size: int) -> None:
    block = bytes(range(1, 252)) * 9
    data = frames.headers(5, block[:size]) + frames.data(5, b"x", flags=1)
    assert runs.read(b"before" + data, 6, block[:size], 3) == ([5], 1, 6 + len(data))
    assert runs.read(data, 0, block[: size - 1] + b"\0", 3) == ([], 0, 0)
    blocks = [block[:size], b"a", block[: size - 1]]
    sent = b"".join(frames.headers(id_, one, flags=1) for id_, one in zip((1, 3, 5), blocks, strict=True))
    assert runs.refused((1, 3, 5), blocks) == sent


@pytest.mark.parametrize("size", [0, 1, 255, 256, 511, ours.LENGTH])
def test_messages_of_any_size(size: int) -> None:
    data = frames.headers(5, BLOCK) + frames.data(5, bytes(size), flags=1)
    assert runs.read(data, 0, BLOCK, 3) == ([5], size, len(data))
    assert runs.read(data * 2, 0, BLOCK, 3) == ([5], size, len(data))
    assert runs.read(data[:-1], 0, BLOCK, 3) == ([], 0, 0)


@pytest.mark.parametrize(("stream", "alike"), [((1 << 31) - 1, True), ((1 << 31) + 1, False)])
def test_the_last_number_that_there_is(stream: int, alike: bool) -> None:
    data = frames.headers(stream, BLOCK) + frames.data(stream, b"x", flags=1)
    assert runs.read(data, 0, BLOCK, 3) == (([stream], 1, len(data)) if alike else ([], 0, 0))


def test_a_frame_that_is_too_large_is_not_of_a_run() -> None:
    data = frames.headers(5, BLOCK) + frames.frame(frames.DATA, 1, 5, bytes(ours.LENGTH + 1))
    assert runs.read(data, 0, BLOCK, 3) == ([], 0, 0)


def test_none_of_nothing() -> None:
    assert runs.read(b"", 0, BLOCK, 3) == ([], 0, 0)
    assert runs.refused((), ()) == b""
    with pytest.raises(ValueError, match="shorter"):
        runs.refused((1, 3), (b"x",))
