"""The end of a call of which there is too much: the same bytes as if it had been made anew, wherever its id stands."""

from binascii import b2a_base64
from typing import Any

import pytest

from sekisho.edges import request_ids
from sekisho.edges.grpc import status
from sekisho.edges.grpc.lean import answers
from sekisho.edges.grpc.lean.excess import ID, Excess
from sekisho.errors import Throttling

FIRST, SECOND = ("12345678" * 10)[: len(ID)], ("abcdefgh" * 10)[: len(ID)]


def block(given: Any) -> bytes:
    return answers.of_status(given).block


@pytest.mark.parametrize("words", ["x" * count for count in range(1, 13)])
def test_a_block_is_what_it_would_be(words: str) -> None:
    """Words of each length move the id within the groups of base64, before it and behind."""
    given: Any = status.of(Throttling(words), ID)
    made = Excess(given, block(given))
    for id_ in (FIRST, SECOND, FIRST):
        assert made.of(id_) == block(status.of(Throttling(words), id_))


def test_an_id_is_as_long_as_those_that_are_made() -> None:
    assert "0" * len(request_ids.new()) == ID


class Status:
    """A status whose details are these, behind other metadata."""

    def __init__(self, details: bytes) -> None:
        self.trailing_metadata = (("a", "b"), ("grpc-status-details-bin", details), ("sekisho-request-id", ID))


PLACE = ID.encode()


def text(details: bytes) -> bytes:
    return b2a_base64(details, newline=False).rstrip(b"=")


@pytest.mark.parametrize(
    ("details", "made"),
    [
        pytest.param(b"abc" + PLACE, b"nothing" + PLACE, id="without its details"),
        pytest.param(b"abc" + PLACE, text(b"abc" + PLACE) + b"nothing", id="without the id behind"),
        pytest.param(b"abc" + PLACE, PLACE + text(b"abc" + PLACE), id="with the id before"),
        pytest.param(PLACE + b"abc" + PLACE, text(PLACE + b"abc" + PLACE) + PLACE, id="with the id twice in its details"),
    ],
)
def test_a_block_of_another_form(details: bytes, made: bytes) -> None:
    with pytest.raises(ValueError, match=r"^the block has not the form of an excess$"):
        Excess(Status(details), made)


@pytest.mark.parametrize("behind", [b"", b"d", b"de", b"def", b"defg"])
@pytest.mark.parametrize("before", [b"", b"a", b"ab", b"abc", b"abcd"])
def test_details_of_any_length(before: bytes, behind: bytes) -> None:
    details = before + PLACE + behind
    made = Excess(Status(details), b"<" + text(details) + b">" + text(details) + b"|" + PLACE)
    id_ = FIRST.encode()
    assert made.of(FIRST) == b"<" + text(before + id_ + behind) + b">" + text(details) + b"|" + id_
