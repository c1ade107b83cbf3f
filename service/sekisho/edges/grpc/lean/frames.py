"""Frames of HTTP/2: their numbers, and the bytes of those that we write. Source: RFC 9113, 4, 6 and 7."""

import struct

from sekisho.edges.grpc.lean.hpack import literal

PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
DATA, HEADERS, PRIORITY, RESET, SETTINGS, PUSH, PING, GOAWAY, WINDOW, CONTINUATION = range(10)
END_STREAM = ACK = 1
END_HEADERS, PADDED, PRIORITIZED = 4, 8, 32

NO_ERROR, PROTOCOL, INTERNAL, FLOW, _, CLOSED, SIZE, REFUSED, CANCEL, COMPRESSION, _, CALM = range(12)
"""Error codes; CALM is ENHANCE_YOUR_CALM."""
TABLE, ENABLE_PUSH, STREAMS, INITIAL, FRAME, LIST = range(1, 7)
"""Settings."""

LENGTH = 16_384
"""Bytes of a frame at most, which nobody may exceed who was not told otherwise."""
WINDOW_SIZE = 65_535
"""Bytes that may be under way before any update of a window, of a stream and of a connection."""
MOST_WINDOW = 2**31 - 1
SIP = 1024
"""Bytes of an answer; who has a window grow by fewer makes noise."""

HEADER = struct.Struct(">HBBBL")
"""Of a frame: 16 and 8 bits of its length, its type, its flags, its stream."""
_NUMBER = struct.Struct(">L")
_SETTING = struct.Struct(">HL")


def frame(kind: int, flags: int, stream: int, payload: bytes = b"") -> bytes:
    """One frame."""
    size = len(payload)
    return HEADER.pack(size >> 8, size & 255, kind, flags, stream) + payload


def settings(values: dict[int, int]) -> bytes:
    """Our settings."""
    return frame(SETTINGS, 0, 0, b"".join(_SETTING.pack(*one) for one in values.items()))


def read_settings(payload: bytes) -> list[tuple[int, int]]:
    """The settings of the other side, in their order."""
    return [(name, value) for name, value in _SETTING.iter_unpack(payload)]


def window(stream: int, size: int) -> bytes:
    """So many bytes more may come."""
    return frame(WINDOW, 0, stream, _NUMBER.pack(size))


def reset(stream: int, code: int) -> bytes:
    """The end of a stream."""
    return frame(RESET, 0, stream, _NUMBER.pack(code))


def goaway(last: int, code: int, said: bytes = b"") -> bytes:
    """The end of a connection; streams beyond the last are not looked at."""
    return frame(GOAWAY, 0, 0, _NUMBER.pack(last) + _NUMBER.pack(code) + said)


def block(stream: int, fields: bytes, flags: int = 0) -> bytes:
    """A header block, in as many frames as it takes."""
    if len(fields) <= LENGTH:
        return frame(HEADERS, flags | END_HEADERS, stream, fields)
    parts = [fields[at : at + LENGTH] for at in range(0, len(fields), LENGTH)]
    last = len(parts) - 1
    rest = (frame(CONTINUATION, END_HEADERS if at == last else 0, stream, part) for at, part in enumerate(parts) if at)
    return frame(HEADERS, flags, stream, parts[0]) + b"".join(rest)


def number(payload: bytes) -> int:
    """A number of 31 bits."""
    return int.from_bytes(payload, "big") & MOST_WINDOW


TABLE_SIZE, NO_TABLE = 4096, b"\x20"
"""Bytes of a table of header fields until somebody says otherwise; and what begins the next header block for who wants fewer, that none of
them is used (RFC 7541, 4.2): some clients end the connection where it is missing.
"""
ANSWERED = b"\x88" + literal("content-type", "application/grpc")
"""The header block of every answer over gRPC: `:status` 200, entry 8 of the static table."""
