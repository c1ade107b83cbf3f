"""Header blocks against a second reader and writer of them, and those that are none."""

import contextlib
import random

import hpack
import pytest
from hpack.huffman import HuffmanEncoder
from hpack.huffman_constants import REQUEST_CODES, REQUEST_CODES_LENGTH

from sekisho.edges.grpc.lean.hpack import MAX_TABLE, Decoder, HpackError, literal
from sekisho.edges.grpc.lean.huffman import HuffmanError, decoded
from tests.edges.grpc import frames

NAMES = ("authorization", "grpc-timeout", "user-agent", "x", ":path", "sekisho-date", "cookie")


def reader(most: int = 1 << 20, entries: int = 10_000) -> Decoder:
    return Decoder(most, entries)


def some(chance: random.Random) -> list[tuple[str, str]]:
    """Fields, some of them those of before."""
    letters = "".join(map(chr, range(32, 127)))
    return [
        (chance.choice(NAMES), "".join(chance.choices(letters, k=chance.choice((0, 3, 30, 600)))) if chance.random() < 0.5 else "again")
        for _ in range(chance.randrange(12))
    ]


@pytest.mark.parametrize("huffman", [True, False])
@pytest.mark.parametrize("seed", range(20))
def test_what_another_writes(seed: int, huffman: bool) -> None:
    """Blocks of one connection, whose table fills up, and is resized now and then."""
    chance, writer, read = random.Random(seed), hpack.Encoder(), reader()
    for turn in range(60):
        if turn % 17 == 16:
            writer.header_table_size = chance.choice((0, 64, 300, MAX_TABLE))
        fields = some(chance)
        written = [hpack.NeverIndexedHeaderTuple(*one) if chance.random() < 0.2 else one for one in fields]
        assert read.read(writer.encode(written, huffman=huffman)) == tuple(fields)


def test_all_bytes_in_huffmans_code() -> None:
    text = bytes(range(256)) * 3
    assert decoded(HuffmanEncoder(REQUEST_CODES, REQUEST_CODES_LENGTH).encode(text)) == text


def test_what_another_reads() -> None:
    fields = [("grpc-status", "0"), ("grpc-message", "x" * 126), ("a", "y" * 127), ("b-bin", "z" * 20_000), ("", "")]
    block = b"".join(literal(*one) for one in fields)
    read = hpack.Decoder(max_header_list_size=1 << 20)
    assert [(str(name), str(value)) for name, value in read.decode(block)] == fields


@pytest.mark.parametrize("data", [b"\xff\xff\xff\xff", b"\x00", b"\x1f\xff\xff", b"0" * 5 + b"\xfe"])
def test_bits_that_are_no_text(data: bytes) -> None:
    with pytest.raises(HuffmanError):
        decoded(data)


BROKEN = {
    "the entry 0": b"\x80",
    "an entry that there is not": b"\xbe",
    "a name that there is not": b"\x7e\x01x",
    "a number without an end": b"\xff\xff",
    "a number of too many bits": b"\xff" + b"\xff" * 10,
    "a text that is cut off": b"\x40\x05abc",
    "a text that says gigabytes": b"\x40\x7f\xff\xff\xff\x7fx",
    "a literal without a value": b"\x44",
    "a table that is too large": b"\x3f\xe2\x1f",
    "a table that is resized behind a field": b"\x82\x20",
    "broken Huffman": b"\x00\x81\xff\x00",
    "nothing behind a literal's beginning": b"\x00",
}


@pytest.mark.parametrize("case", BROKEN)
def test_blocks_that_are_none(case: str) -> None:
    with pytest.raises(HpackError):
        reader().read(BROKEN[case])


def test_any_bytes_are_read_or_refused() -> None:
    chance = random.Random(7)
    for _ in range(20_000):
        block = chance.randbytes(chance.randrange(40))
        with contextlib.suppress(HpackError):
            reader().read(block)


def test_a_list_that_is_too_large_keeps_the_table_right() -> None:
    """One field of 4 KB in the table, named 4,000 times in as many bytes: 16 MB, of which nothing is made."""
    read = reader(16 * 1024, 64)
    bomb = frames.literal(b"bomb", b"x" * 4000, kept=True)
    assert read.read(bomb + frames.newest(4000)) is None
    assert read.read(frames.newest(2)) == (("bomb", "x" * 4000),) * 2
    assert read.read(frames.newest(65)) is None
    assert read.read(b"\x82" * 64) == ((":method", "GET"),) * 64
    assert read.read(b"\x82" * 65) is None


def test_what_is_remembered_of_a_block_ends_with_the_table() -> None:
    read = reader()
    assert read.read(frames.literal(b"a", b"1", kept=True)) == (("a", "1"),)
    assert read.read(frames.newest(1)) == (("a", "1"),)
    assert read.read(frames.newest(1)) == (("a", "1"),)
    read.read(frames.literal(b"a", b"2", kept=True))
    assert read.read(frames.newest(1)) == (("a", "2"),)
    read.read(b"\x20")  # no table at all
    with pytest.raises(HpackError):
        read.read(frames.newest(1))


def test_what_is_remembered_is_bounded() -> None:
    read = reader()
    for number in range(1000):
        read.read(frames.literal(b"a", b"%d" % number + b"x" * 1000))
        read.read(frames.literal(b"a", b"%d" % number + b"x" * 3000))
    assert sum(map(len, read._known)) < 10_000
