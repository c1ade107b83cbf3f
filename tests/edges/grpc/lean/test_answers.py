"""The ends of calls, byte by byte."""

import base64
import gzip
import zlib
from typing import Any

import grpc
import pytest
from google.rpc import status_pb2

from sekisho.edges import request_ids
from sekisho.edges.grpc.lean import answers, excess
from sekisho.edges.grpc.lean import frames as ours
from sekisho.edges.grpc.lean import stream as streams
from sekisho.edges.grpc.lean.answers import MAX_ANSWER, Aborted, Said
from sekisho.edges.grpc.lean.hpack import Decoder
from sekisho.edges.grpc.sizes import MAX_MESSAGE, METADATA, MOST_ENTRIES
from tests.edges.grpc.frames import literal, message
from tests.edges.grpc.ways import told

PATH = "/test.Ways/Polled"
UNREADABLE = "13 the message cannot be unpacked"


def aborted(act: Any, *given: Any) -> str:
    """The status that an act ends with, and its message."""
    with pytest.raises(Aborted) as caught:
        act(*given)
    assert told(caught.value.said.block).startswith(f"{caught.value.said.code} ")
    return told(caught.value.said.block)


def test_an_end_is_a_header_block() -> None:
    said = Said(5, "nobody", (("a", "b"), ("c-bin", b"\xff\xfe")))
    fields = literal(b"grpc-status", b"5") + literal(b"grpc-message", b"nobody") + literal(b"a", b"b") + literal(b"c-bin", b"//4")
    assert (said.code, said.block) == (5, ours.ANSWERED + fields)


def test_an_end_without_words_has_no_message() -> None:
    assert Said(14, "").block == ours.ANSWERED + literal(b"grpc-status", b"14")
    assert answers.well((("a", "b"),)).block == ours.ANSWERED + literal(b"grpc-status", b"0") + literal(b"a", b"b")
    assert (answers.well(()).code, answers.well(()).block) == (0, ours.ANSWERED + literal(b"grpc-status", b"0"))


@pytest.mark.parametrize(
    ("details", "encoded"),
    [
        (" !~$&", b" !~$&"),
        ("100 %", b"100 %25"),
        ("a\nb\x1f\x7f", b"a%0Ab%1F%7F"),
        ("é€", b"%C3%A9%E2%82%AC"),
        ("\ud800", b"?"),
    ],
    ids=["as it is", "percent", "control", "UTF-8", "no text"],
)
def test_words_are_percent_encoded(details: str, encoded: bytes) -> None:
    assert Said(3, details).block == ours.ANSWERED + literal(b"grpc-status", b"3") + literal(b"grpc-message", encoded)


def test_an_end_of_a_block_that_is_made() -> None:
    said = Said.made(7, b"block")
    assert (type(said), said.code, said.block) == (Said, 7, b"block")


def test_an_end_that_was_aborted_has_no_words_in_logs() -> None:
    assert (str(Aborted(answers.LATE)), Aborted(answers.LATE).said) == ("", answers.LATE)


def test_a_message_has_a_prefix() -> None:
    assert [answers.framed(body) for body in (b"", b"hello")] == [b"\0\0\0\0\0", b"\0\0\0\0\x05hello"]


def test_a_message_that_is_too_large_is_not_sent() -> None:
    most = bytes(MAX_ANSWER)
    assert answers.framed(most) == b"\0\0\x40\0\0" + most
    assert aborted(answers.framed, most + b"x") == "8 the answer has 4194305 bytes; at most 4194304 are sent"


def test_a_trailer_says_that_all_is_well() -> None:
    assert answers.trailer(()) == literal(b"grpc-status", b"0")
    assert answers.trailer((("a", "b"), ("c-bin", b"\0\1"))) == literal(b"grpc-status", b"0") + literal(b"a", b"b") + literal(
        b"c-bin", b"AAE"
    )


@pytest.mark.parametrize("value", ["a\nb", "a\0", "\x7f"])
def test_a_field_that_no_block_carries(value: str) -> None:
    with pytest.raises(ValueError, match="`name` has a value that HTTP/2 cannot carry"):
        answers.trailer((("name", value),))


class Given:
    """A status as grpcio's handlers give it."""

    code = grpc.StatusCode.NOT_FOUND
    details = "nobody"
    trailing_metadata = (("a", "b"),)


def test_the_end_that_a_handler_gives() -> None:
    said = answers.of_status(Given)
    assert (said.code, said.block) == (5, Said(5, "nobody", (("a", "b"),)).block)
    assert answers.code("NOT_FOUND") == 5


def test_the_end_of_a_handler_that_failed() -> None:
    said = answers.unknown(ValueError("boom"))
    assert (said.code, told(said.block)) == (2, "2 Exception calling application: boom")


ENDS = {
    answers.NOT_FOUND: "12 Method not found!",
    answers.UNSAID: "13 Failed to send response!",
    answers.LATE: "4 Deadline Exceeded",
    answers.STOPPING: "14 The server stops.",
    answers.TOO_MANY: "8 too many messages; go on with another call",
    answers.UNFINISHED: "13 The last message is not whole.",
}


def test_other_ends() -> None:
    assert {said: told(said.block) for said in ENDS} == ENDS
    assert [str(said.code) for said in ENDS] == [words.partition(" ")[0] for words in ENDS.values()]


TOO_MUCH = {
    streams.METADATA: (8, f"the metadata of a call has at most {MOST_ENTRIES} entries and {METADATA} bytes"),
    streams.MESSAGE: (8, f"a message has at most {MAX_MESSAGE} bytes"),
    streams.ROOM: (8, "Rate exceeded"),
}


@pytest.mark.parametrize("what", TOO_MUCH)
def test_the_ends_of_calls_of_which_there_is_too_much(what: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each with an id of its own."""
    ids = iter(range(10, 20))
    monkeypatch.setattr(request_ids, "new", lambda: f"{next(ids):0{len(excess.ID)}}")
    code, words = TOO_MUCH[what]
    said = answers.of_excess(what)
    assert (said.code, told(said.block)) == (code, f"{code} {words}")
    blocks = [said.block, *answers.blocks_of_excess(what, 3)]
    assert len({len(block) for block in blocks}) == 1
    for number, block in enumerate(blocks, 10):
        assert block.startswith(ours.ANSWERED)
        assert block.endswith(literal(b"sekisho-request-id", f"{number:0{len(excess.ID)}}".encode()))


@pytest.mark.parametrize("encoding", ["", "identity", "gzip", "snappy"])
def test_a_message_that_is_not_packed(encoding: str) -> None:
    for body in (b"", b"hello", bytes(70_000)):
        assert answers.one(PATH, encoding, message(body)) == (body, False)


@pytest.mark.parametrize("encoding", ["gzip", "deflate"])
def test_a_message_that_is_packed(encoding: str) -> None:
    assert answers.one(PATH, encoding, b"\1" + message(b"packed")[1:]) == (b"packed", True)


NO_MESSAGE = f'12 "{PATH}" requires exactly one request message.'
UNSET = "13 Compression bit set but no encoding configured"
NONE: dict[str, tuple[str, bytes, str]] = {
    "nothing": ("", b"", NO_MESSAGE),
    "half a prefix": ("", b"\0\0\0\0", NO_MESSAGE),
    "less than it says": ("", message(b"hell", length=5), NO_MESSAGE),
    "more than it says": ("", message(b"hello!", length=5), NO_MESSAGE),
    "two": ("", message(b"a") + message(b"b"), NO_MESSAGE),
    "a size that is said in its first bytes": ("", message(b"", length=0x1000000), NO_MESSAGE),
    "packed without an encoding": ("", b"\1" + message(b"x")[1:], UNSET),
    "packed as it is": ("identity", b"\1" + message(b"x")[1:], UNSET),
    "another flag": ("gzip", b"\2" + message(b"x")[1:], UNSET),
    "an encoding that nobody knows": ("snappy", b"\1" + message(b"x")[1:], "12 nobody here unpacks `snappy`"),
}


@pytest.mark.parametrize("name", NONE)
def test_no_message(name: str) -> None:
    encoding, sent, expected = NONE[name]
    assert aborted(answers.one, PATH, encoding, sent) == expected


def test_who_packs_in_an_unknown_way_is_told_the_known_ones() -> None:
    with pytest.raises(Aborted) as caught:
        answers.one(PATH, "snappy", b"\1" + message(b"x")[1:])
    assert caught.value.said.block.endswith(literal(b"grpc-accept-encoding", b"identity,deflate,gzip"))


@pytest.mark.parametrize("pack", [gzip.compress, zlib.compress])
def test_what_is_unpacked(pack: Any) -> None:
    for body in (b"", b"hello" * 100):
        assert answers.unpacked(pack(body)) == body
        assert answers.few_unpacked(pack(body), len(body)) == body
    assert answers.few_unpacked(pack(b"hello"), 4) is None


PACKED = gzip.compress(b"hello" * 100)
UNPACKED: dict[str, bytes] = {
    "nothing": b"",
    "another form": b"hello",
    "cut": PACKED[:-1],
    "more behind": PACKED + b"x",
    "two": PACKED * 2,
    "broken": PACKED[:-8] + b"12345678",
}


@pytest.mark.parametrize("name", UNPACKED)
def test_what_cannot_be_unpacked(name: str) -> None:
    assert aborted(answers.unpacked, UNPACKED[name]) == UNREADABLE


def test_no_more_is_unpacked_than_a_message_has() -> None:
    assert len(answers.unpacked(gzip.compress(bytes(MAX_MESSAGE)))) == MAX_MESSAGE
    assert aborted(answers.unpacked, gzip.compress(bytes(MAX_MESSAGE + 1))) == f"8 a message has at most {MAX_MESSAGE} bytes"


def test_no_more_is_made_than_may_be(monkeypatch: pytest.MonkeyPatch) -> None:
    """One byte more, which tells that there are more."""
    asked, real = list[int](), zlib.decompressobj

    class Opened:
        def __init__(self, bits: int) -> None:
            self._opened = real(bits)

        def decompress(self, data: bytes, most: int) -> bytes:
            asked.append(most)
            return self._opened.decompress(data, most)

    monkeypatch.setattr(zlib, "decompressobj", Opened)
    assert answers.few_unpacked(PACKED, 100) is None
    assert asked == [101]


def test_the_details_of_an_excess_have_its_id() -> None:
    """As one that was made for the call alone."""
    fields = dict(Decoder(16_384, 64).read(answers.of_excess(streams.ROOM).block) or ())
    details = fields["grpc-status-details-bin"]
    found = status_pb2.Status.FromString(base64.b64decode(details + "=" * (-len(details) % 4)))
    assert found.message == "Rate exceeded"
    assert fields["sekisho-request-id"].encode() in found.details[0].value
