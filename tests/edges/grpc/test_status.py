"""Errors as gRPC says them, and what of them fits into trailers."""

from typing import Any

import pytest
from google.rpc import error_details_pb2, status_pb2

from sekisho.edges.grpc import status
from sekisho.errors import AccessDenied, SekishoError, Throttling


def said(error: SekishoError) -> tuple[Any, status_pb2.Status, error_details_pb2.ErrorInfo]:
    """The status, what stands in its trailers, and the detail of that."""
    made: Any = status.of(error, "r-1")
    trailing = dict(made.trailing_metadata)
    found, info = status_pb2.Status.FromString(trailing["grpc-status-details-bin"]), error_details_pb2.ErrorInfo()
    assert trailing[status.REQUEST_ID] == "r-1"
    assert list(trailing) == ["grpc-status-details-bin", "sekisho-request-id"]
    assert found.details[0].Unpack(info)
    return made, found, info


def test_an_error_is_a_status_with_its_reason() -> None:
    made, found, info = said(AccessDenied("not you"))
    assert (made.code.name, made.details) == ("PERMISSION_DENIED", "not you")
    assert (found.code, found.message, len(found.details)) == (7, "not you", 1)
    assert (info.reason, info.domain) == (AccessDenied("").reason, "sekisho")
    assert dict(info.metadata) == {"code": "AccessDenied", "request_id": "r-1"}


def test_an_error_without_words_says_its_code_and_its_members_are_told() -> None:
    class Busy(Throttling):
        """Says when to come again."""

        @property
        def members(self) -> dict[str, str]:
            return {"retry": "later"}

    error = Busy("")
    made, found, info = said(error)
    assert made.details == found.message == error.code
    assert dict(info.metadata) == {"code": error.code, "request_id": "r-1", "retry": "later"}


def in_trailers(text: str) -> int:
    """Bytes of a message percent-encoded, and in base64."""
    data = text.encode()
    return sum(1 if 32 <= byte <= 126 and byte != ord("%") else 3 for byte in data) + len(data) * 4 // 3


@pytest.mark.parametrize("letter", ["a", "%", "\x1f", " ", "~", "\x7f", "é", "漢", "😀"])
def test_a_message_is_cut_to_what_fits(letter: str) -> None:
    assert status._size(letter * 30) == in_trailers(letter * 30)
    text = letter * 7000
    cut = status._fitting(text)
    assert cut[-1] == "…"
    assert text.startswith(cut[:-1])
    assert 6_400 < in_trailers(cut) <= 6_500


def test_a_message_that_fits_is_whole() -> None:
    longest = 6_500 * 3 // 7 + 1
    whole = "a" * longest
    assert in_trailers(whole) <= 6_500 < in_trailers(whole + "a")
    assert status._fitting(whole) == whole
    assert status._fitting(whole + "a")[-1] == "…"
    assert said(AccessDenied("漢" * 9000))[1].message[-1] == "…"
