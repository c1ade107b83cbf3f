"""Header blocks against a second reader and writer of them, and those that are none."""

import contextlib
import random

import hpack
import pytest
from hpack.huffman import HuffmanEncoder
from hpack.huffman_constants import REQUEST_CODES, REQUEST_CODES_LENGTH
from hpack.table import HeaderTable

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


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (b"\xff\xff\xff\xff", "EOS within a text"),
        (b"\xff\xff\xff\xfc\x1f", "EOS within a text"),
        (b"\x00", "the padding is not the beginning of EOS"),
        (b"\x1f\xff\xff", "the padding is not the beginning of EOS"),
        (b"0" * 5 + b"\xfe", "the padding is not the beginning of EOS"),
    ],
)
def test_bits_that_are_no_text(data: bytes, said: str) -> None:
    with pytest.raises(HuffmanError, match=f"^{said}$"):
        decoded(data)


END = "index out of range"
BROKEN: dict[str, tuple[bytes, str]] = {
    "the entry 0": (b"\x80", "no entry 0"),
    "an entry that there is not": (b"\xbe", "no entry 62"),
    "an entry behind the table": (frames.literal(b"a", b"1", kept=True) + b"\xbf", "no entry 63"),
    "a name that there is not": (b"\x7e\x01x", "no entry 62"),
    "a large number": (b"\xff\x7f", "no entry 254"),
    "a larger number": (b"\xff\x80\x01", "no entry 255"),
    "a number of 28 bits": (b"\xff\xff\xff\xff\x7f", "no entry 268435582"),
    "a number of 22 bits": (b"\xff\x80\x80\x80\x01", "no entry 2097279"),
    "a number without an end": (b"\xff\xff", END),
    "a number of too many bits": (b"\xff\xff\xff\xff\xff\x00", "a number of more than 28 bits"),
    "a name that is cut off": (b"\x40\x05abc", "a text without an end"),
    "a value that is cut off": (b"\x00\x01a\x05abc", "a text without an end"),
    "a value that is cut off by one": (b"\x00\x01a\x04abc", "a text without an end"),
    "a text that says gigabytes": (b"\x40\x7f\xff\xff\xff\x7fx", "a text without an end"),
    "a literal without a value": (b"\x44", END),
    "a table that is too large": (b"\x3f\xe2\x1f", "a table of 4097 bytes"),
    "a table that is resized behind a field": (b"\x82\x20", "a table is resized before the fields of a block alone"),
    "broken Huffman": (b"\x00\x81\xff\x00", "the padding is not the beginning of EOS"),
    "nothing behind a literal's beginning": (b"\x00", END),
}


@pytest.mark.parametrize("case", BROKEN)
def test_blocks_that_are_none(case: str) -> None:
    block, said = BROKEN[case]
    with pytest.raises(HpackError, match=f"{said}$"):
        reader().read(block)


@pytest.mark.parametrize("size", [0, 126, 127, 128, 253, 254, 255, 256, 16_510, 16_511, 20_000])
def test_lengths_of_texts(size: int) -> None:
    field = ("a", "v" * size)
    for block in (literal(*field), frames.literal(b"a", b"v" * size), frames.literal(b"a", b"v" * size, kept=True)):
        assert reader().read(block) == (field,)
    assert literal(*field) == frames.literal(b"a", b"v" * size)


def test_all_entries_that_everybody_has() -> None:
    static = HeaderTable.STATIC_TABLE
    assert reader().read(bytes(range(0x81, 0xBE))) == tuple((name.decode(), value.decode()) for name, value in static)


def test_the_table_keeps_as_many_bytes_as_it_may_and_the_newest() -> None:
    """An entry is its name, its value and 32 bytes."""
    read = reader()
    half, newer, small = ("a", "x" * 2015), ("bbb", "y" * 2013), ("c", "")
    for name, value in (half, newer):
        read.read(frames.literal(name.encode(), value.encode(), kept=True))
    assert read.read(b"\xbe\xbf") == (newer, half)
    read.read(frames.literal(b"c", b"", kept=True))
    assert read.read(b"\xbe\xbf") == (small, newer)
    with pytest.raises(HpackError, match=r"^no entry 64$"):
        read.read(b"\xc0")
    fits = ("dd", "z" * 1981)
    read.read(frames.literal(b"dd", b"z" * 1981, kept=True))
    assert read.read(b"\xbe\xbf\xc0") == (fits, small, newer)


def test_an_entry_as_large_as_the_table_is_alone_in_it_and_a_larger_one_empties_it() -> None:
    read = reader()
    assert read.read(frames.literal(b"a", b"1", kept=True) + frames.literal(b"b", b"x" * 4063, kept=True) + b"\xbe")
    with pytest.raises(HpackError, match=r"^no entry 63$"):
        read.read(b"\xbf")
    read.read(frames.literal(b"c", b"x" * 4064, kept=True))
    with pytest.raises(HpackError, match=r"^no entry 62$"):
        read.read(b"\xbe")


def test_a_smaller_table_keeps_what_fits() -> None:
    """And may be as large again as all may take for granted, but not get back what it had."""
    read = reader()
    read.read(frames.literal(b"a", b"1", kept=True) + frames.literal(b"b", b"2", kept=True) + frames.literal(b"c", b"3", kept=True))
    assert read.read(frames.number(68, 5, 0x20) + b"\xbe\xbf") == (("c", "3"), ("b", "2"))
    with pytest.raises(HpackError, match=r"^no entry 64$"):
        read.read(b"\xc0")
    assert read.read(frames.number(67, 5, 0x20) + frames.number(4096, 5, 0x20) + b"\xbe") == (("c", "3"),)
    with pytest.raises(HpackError, match=r"^no entry 63$"):
        read.read(b"\xbf")


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


def test_a_block_is_read_once_until_the_table_moves() -> None:
    """And what it said is the same object, by which a connection knows that it means the same call."""
    read, moving = reader(), frames.literal(b"a", b"1", kept=True)
    blocks = [frames.literal(b"b", b"%d" % number) for number in range(5)]
    first = read.read(blocks[0])
    for block in blocks[1:4]:
        read.read(block)
    assert read.read(blocks[0]) is first
    assert [read.knows(block) for block in blocks] == [True] * 4 + [False]
    read.read(blocks[4])  # there is no place for a fifth
    assert [read.knows(block) for block in blocks] == [False] * 4 + [True]
    read.read(moving)
    assert [read.knows(block) for block in (blocks[4], moving)] == [False, False]


def test_a_large_block_is_not_remembered() -> None:
    read = reader()
    large = [frames.literal(b"a", b"x" * size) for size in (2042, 2043)]
    assert [len(block) for block in large] == [2048, 2049]
    for block in large:
        read.read(block)
    assert [read.knows(block) for block in large] == [True, False]


def test_a_list_has_as_many_bytes_as_it_may() -> None:
    """A name, a value and 32 bytes for each field."""
    fields = (("a", "x" * 10), ("bbb", "y" * 4))
    block = b"".join(literal(*one) for one in fields)
    assert reader(82).read(block) == fields
    assert reader(81).read(block) is None
    assert reader(81).read(block + literal("c", "")) is None
