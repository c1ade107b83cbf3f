"""How calls end: the bytes behind and in the place of a message. Source: https://github.com/grpc/grpc/blob/master/doc/PROTOCOL-HTTP2.md"""

import base64
import struct
import zlib
from collections.abc import Iterable
from typing import Any, Self, cast

import grpc

from sekisho.edges import request_ids
from sekisho.edges.grpc import status
from sekisho.edges.grpc.lean import frames, stream
from sekisho.edges.grpc.lean.excess import ID, Excess
from sekisho.edges.grpc.lean.hpack import literal
from sekisho.edges.grpc.lean.stream import PREFIX
from sekisho.edges.grpc.sizes import MAX_MESSAGE, METADATA, MOST_ENTRIES, MessageTooLarge, MetadataTooLarge
from sekisho.errors import Throttling

_FRAME = struct.Struct(">BL")
_OK = literal("grpc-status", "0")
MAX_ANSWER = 4 * 1024 * 1024
"""Bytes of an answer."""
_PACKED = ("gzip", "deflate")
_UNPACKS = (("grpc-accept-encoding", "identity,deflate,gzip"),)

Trailing = Iterable[tuple[str, str | bytes]]


class Said:
    """The end of a call that has no message: a header block."""

    __slots__ = ("block", "code")

    def __init__(self, code: int, details: str, trailing: Trailing = ()) -> None:
        self.code = code
        said = literal("grpc-message", _encoded(details)) if details else b""
        self.block = frames.ANSWERED + literal("grpc-status", str(code)) + said + b"".join(map(_field, trailing))

    @classmethod
    def made(cls, code: int, block: bytes) -> Self:
        """Of a block that is made already."""
        said = cls.__new__(cls)
        said.code, said.block = code, block
        return said


class Aborted(Exception):  # noqa: N818  # what a handler has done
    """The call has ended with a status."""

    def __init__(self, said: Said) -> None:
        super().__init__()
        self.said = said


def framed(message: bytes) -> bytes:
    """A message as gRPC sends it; Aborted where it is too large for that."""
    if len(message) > MAX_ANSWER:
        raise Aborted(Said(code("RESOURCE_EXHAUSTED"), f"the answer has {len(message)} bytes; at most {MAX_ANSWER} are sent"))
    return _FRAME.pack(0, len(message)) + message


def trailer(trailing: Trailing) -> bytes:
    """The header block behind a message."""
    return _OK + b"".join(map(_field, trailing))


def well(trailing: Trailing) -> Said:
    """The end of a call that went well and whose messages were sent before, if it has any."""
    return Said(0, "", trailing)


def of_status(given: Any) -> Said:
    """The end that a handler's status is."""
    return Said(given.code.value[0], given.details, given.trailing_metadata)


def of_excess(what: str) -> Said:
    """The end of a call of which there is too much, before a handler has seen it; it costs little, since there may be any number."""
    code, excess = _EXCESS[what]
    return Said.made(code, excess.of(request_ids.new()))


def blocks_of_excess(what: str, count: int) -> list[bytes]:
    """The same of so many, as header blocks."""
    of, new = _EXCESS[what][1].of, request_ids.new
    return [of(new()) for _ in range(count)]


def unknown(error: Exception) -> Said:
    """The end of a call whose handler has failed, as grpcio says it."""
    return Said(code("UNKNOWN"), f"Exception calling application: {error}")


def one(path: str, encoding: str, message: bytes) -> tuple[bytes, bool]:
    """The one message that a call is, and whether it is packed still; Aborted where there is none, or none that anybody unpacks."""
    size = len(message) - PREFIX
    if size != int.from_bytes(message[1:PREFIX], "big"):
        raise Aborted(Said(code("UNIMPLEMENTED"), f'"{path}" requires exactly one request message.'))
    if not message[0]:
        return message[PREFIX:], False
    if message[0] > 1 or not encoding or encoding == "identity":
        raise Aborted(Said(code("INTERNAL"), "Compression bit set but no encoding configured"))
    if encoding not in _PACKED:
        raise Aborted(Said(code("UNIMPLEMENTED"), f"nobody here unpacks `{encoding}`", _UNPACKS))
    return message[PREFIX:], True


def unpacked(packed: bytes) -> bytes:
    """A message that was packed; Aborted where it cannot be read, or is too large. It may take milliseconds."""
    if (found := few_unpacked(packed, MAX_MESSAGE)) is None:
        raise Aborted(Said(code("RESOURCE_EXHAUSTED"), f"a message has at most {MAX_MESSAGE} bytes"))
    return found


def few_unpacked(packed: bytes, most: int) -> bytes | None:
    """A message that was packed, None where it has more bytes than this, of which no more are unpacked; Aborted where it cannot be read."""
    opened = zlib.decompressobj(32 + zlib.MAX_WBITS)  # of either encoding, by its first bytes
    try:
        found = opened.decompress(packed, most + 1)
    except zlib.error:
        raise Aborted(Said(code("INTERNAL"), "the message cannot be unpacked")) from None
    if len(found) > most:
        return None
    if not opened.eof or opened.unused_data:
        raise Aborted(Said(code("INTERNAL"), "the message cannot be unpacked"))
    return found


def _field(entry: tuple[str, str | bytes]) -> bytes:
    name, value = entry
    if isinstance(value, bytes):
        return literal(name, base64.b64encode(value).decode().rstrip("="))
    if not value.isprintable():
        raise ValueError(f"`{name}` has a value that HTTP/2 cannot carry")
    return literal(name, value)


def _encoded(details: str) -> str:
    return "".join(chr(one) if 32 <= one < 127 and one != 37 else f"%{one:02X}" for one in details.encode(errors="replace"))


def code(name: str) -> int:
    """The number of a status."""
    number: int = grpc.StatusCode[name].value[0]
    return number


NOT_FOUND = Said(code("UNIMPLEMENTED"), "Method not found!")
UNSAID = Said(code("INTERNAL"), "Failed to send response!")
LATE = Said(code("DEADLINE_EXCEEDED"), "Deadline Exceeded")
STOPPING = Said(code("UNAVAILABLE"), "The server stops.")
TOO_MANY = Said(code("RESOURCE_EXHAUSTED"), "too many messages; go on with another call")
UNFINISHED = Said(code("INTERNAL"), "The last message is not whole.")
_EXCESS: dict[str, tuple[int, Excess]] = {
    what: (given.code.value[0], Excess(given, of_status(given).block))
    for what, given in (
        (what, cast(Any, status.of(error, ID)))
        for what, error in (
            (stream.METADATA, MetadataTooLarge(f"the metadata of a call has at most {MOST_ENTRIES} entries and {METADATA} bytes")),
            (stream.MESSAGE, MessageTooLarge(f"a message has at most {MAX_MESSAGE} bytes")),
            (stream.ROOM, Throttling("Rate exceeded")),
        )
    )
}
"""The ends of calls of which there is too much, by what."""
