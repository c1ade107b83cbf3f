"""The largest message and metadata, to the byte."""

from types import SimpleNamespace
from typing import Any

import pytest

from sekisho.api.authorize.v1 import decisions_pb2
from sekisho.edges.grpc import sizes
from sekisho.edges.grpc.sizes import BODY, KIB, MAX_MESSAGE, METADATA, MOST, MessageTooLarge, MetadataTooLarge

AUTHORIZE = "/sekisho.api.authorize.v1.AuthorizeService/Authorize"


def test_the_sizes_that_there_are() -> None:
    assert (KIB, BODY, MAX_MESSAGE, METADATA, sizes.MOST_ENTRIES) == (1024, 1 << 20, 5 << 18, 1 << 14, 64)
    assert {AUTHORIZE: 1 << 18, AUTHORIZE + "Batch": 5 << 18, AUTHORIZE.replace("/Authorize", "/Explain"): 5 << 18} == MOST


@pytest.mark.parametrize(
    ("metadata", "fits"),
    [
        ([("a", "b")] * 64, True),
        ([("a", "b")] * 65, False),
        ([("n" * 100, "v" * (METADATA - 132))], True),
        ([("n" * 100, "v" * (METADATA - 131))], False),
        ([("n", b"v" * 8000), ("m", "v" * (METADATA - 8000 - 2 * 33))], True),
        ([("n", b"v" * 8000), ("m", "v" * (METADATA - 8000 - 2 * 33 + 1))], False),
        ([], True),
    ],
)
def test_the_metadata_of_a_call(metadata: Any, fits: bool) -> None:
    if fits:
        sizes.check_metadata(metadata)
    else:
        with pytest.raises(MetadataTooLarge, match="the metadata of a call has at most 64 entries and 16384 bytes"):
            sizes.check_metadata(metadata)


def varint(value: int) -> bytes:
    """A number as protobuf writes it."""
    found = bytearray()
    while value > 127:
        found.append(value & 127 | 128)
        value >>= 7
    return bytes((*found, value))


def field(number: int, data: bytes, *, length: int | None = None, wire: int = 2) -> bytes:
    return varint(number << 3 | wire) + varint(len(data) if length is None else length) + data


BODIES = {
    "the_first": (field(2, b"x" * 300), 300),
    "the_second": (field(1, b"subject") + field(2, b"x" * 300) + field(3, b"more"), 300),
    "the_fourth": (3 * field(1, b"a" * 200) + field(2, b"x" * 20_000), 20_000),
    "the_fifth": (4 * field(1, b"a") + field(2, b"x" * 300), 0),
    "of_a_large_number": (field(1 << 20, b"a") + field(2, b"x"), 1),
    "shorter_than_it_says": (field(2, b"x" * 300, length=301), 300),
    "empty": (field(2, b""), 0),
    "none": (field(1, b"a") + field(3, b"b"), 0),
    "behind_a_number": (varint(1 << 3) + varint(5) + field(2, b"x"), 0),
    "no_field": (b"", 0),
    "a_number_without_an_end": (b"\xff" * 30 + field(2, b"x"), 0),
    "a_length_without_an_end": (b"\x12" + b"\xff" * 30, 0),
    "a_tag_of_ten_bytes": (bytes((0x80 | 0x12, *[0x80] * 8, 0)) + varint(3) + b"xyz", 3),
    "a_tag_of_eleven_bytes": (bytes((0x80 | 0x12, *[0x80] * 9, 0)) + varint(3) + b"xyz", 0),
    "another_field_of_that_length": (field(3, b"x" * 300), 0),
    "of_another_kind": (field(2, b"x" * 300, wire=3), 0),
}


@pytest.mark.parametrize("name", BODIES)
def test_the_bytes_of_a_signed_request(name: str) -> None:
    body, size = BODIES[name]
    assert sizes.signed_request(body) == size


def test_a_signed_request_is_found_in_what_protobuf_writes() -> None:
    made = decisions_pb2.AuthorizeRequest(signed_request=decisions_pb2.SignedRequest(body=b"x" * 1000), action="a:B", resource="*")
    assert sizes.signed_request(made.SerializeToString()) == made.signed_request.ByteSize()


@pytest.mark.parametrize(
    ("path", "size", "signed", "fits"),
    [
        (AUTHORIZE, 1 << 18, 0, True),
        (AUTHORIZE, (1 << 18) + 1, 0, False),
        (AUTHORIZE, (1 << 18) - 4, 1 << 20, True),
        (AUTHORIZE, (1 << 18) - 3, 1 << 20, False),
        (AUTHORIZE + "Batch", MAX_MESSAGE, 0, True),
        (AUTHORIZE + "Batch", MAX_MESSAGE + 1, 0, False),
        ("/sekisho.api.iam.v1.IamService/GetUser", BODY, 0, True),
        ("/sekisho.api.iam.v1.IamService/GetUser", BODY + 1, 0, False),
        ("/sekisho.api.iam.v1.IamService/GetUser", 1000, BODY, False),
    ],
)
def test_a_message_by_its_rpc(path: str, size: int, signed: int, fits: bool) -> None:
    """Beside the signed body, where it takes one."""
    operation: Any = SimpleNamespace(path=path, name="Name")
    body = (field(2, b"x" * signed) if signed else b"") + b"\0" * size
    if fits:
        sizes.check(operation, body)
    else:
        with pytest.raises(MessageTooLarge, match=f"a message of Name has at most {MOST.get(path, BODY)} bytes"):
            sizes.check(operation, body)
