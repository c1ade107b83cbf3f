"""HTTP/2 frame by frame (RFC 9113), for callers that no library would be: half a message, headers without end."""

import socket
import struct
from collections.abc import Iterable
from types import TracebackType

PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
DATA, HEADERS, RESET, SETTINGS, PING, GOAWAY, WINDOW, CONTINUATION = 0, 1, 3, 4, 6, 7, 8, 9
END_STREAM, END_HEADERS, ACK = 1, 4, 1
MAX_FRAME = 16384
"""Bytes of a frame's payload, until the other side allows more."""
HEADER_TABLE_SIZE, MAX_CONCURRENT_STREAMS, INITIAL_WINDOW = 1, 3, 4


def frame(kind: int, flags: int, stream: int, payload: bytes = b"") -> bytes:
    """A frame as bytes."""
    return len(payload).to_bytes(3) + struct.pack(">BBI", kind, flags, stream) + payload


def number(value: int, bits: int, first: int = 0) -> bytes:
    """An integer of HPACK (RFC 7541, 5.1) whose first byte has this many bits for it."""
    most = (1 << bits) - 1
    if value < most:
        return bytes([first | value])
    out, value = [first | most], value - most
    while value >= 128:
        out.append(value % 128 + 128)
        value //= 128
    return bytes([*out, value])


def literal(name: bytes, value: bytes, *, kept: bool = False) -> bytes:
    """A header written out; `kept` puts it into the other side's table."""
    return (b"\x40" if kept else b"\x00") + number(len(name), 7) + name + number(len(value), 7) + value


def newest(times: int) -> bytes:
    """The header that was put into the table last, this many times, by a byte each."""
    return bytes([0x80 | 62]) * times


def opening(path: str, headers: Iterable[tuple[bytes, bytes]] = ()) -> bytes:
    """The header block of a gRPC call."""
    pairs = (
        (b":method", b"POST"),
        (b":scheme", b"http"),
        (b":path", path.encode()),
        (b":authority", b"localhost"),
        (b"te", b"trailers"),
        (b"content-type", b"application/grpc"),
        *headers,
    )
    return b"".join(literal(name, value) for name, value in pairs)


def headers(stream: int, block: bytes, *, flags: int = 0) -> bytes:
    """A header block in as many frames as it takes."""
    parts = [block[at : at + MAX_FRAME] for at in range(0, len(block), MAX_FRAME)] or [b""]
    last = len(parts) - 1
    return b"".join(
        frame(CONTINUATION if index else HEADERS, (0 if index else flags) | (END_HEADERS if index == last else 0), stream, part)
        for index, part in enumerate(parts)
    )


def message(body: bytes, *, length: int | None = None) -> bytes:
    """A message of gRPC; `length` is what it says it has, if that is not what it has."""
    return b"\0" + struct.pack(">I", len(body) if length is None else length) + body


def data(stream: int, payload: bytes, *, flags: int = 0) -> bytes:
    """Payload in as many frames as it takes."""
    parts = [payload[at : at + MAX_FRAME] for at in range(0, len(payload), MAX_FRAME)] or [b""]
    return b"".join(frame(DATA, flags if index == len(parts) - 1 else 0, stream, part) for index, part in enumerate(parts))


class Peer:
    """A connection that speaks frames; `source` is the address that it comes from. With `settles` it acknowledges the other side's settings
    when it reads them.
    """

    def __init__(self, endpoint: str, *, source: str = "127.0.0.1", timeout: float = 60, settles: bool = True) -> None:
        self._settles = settles
        host, _, port = endpoint.rpartition(":")
        self.socket = socket.create_connection((host, int(port)), timeout=timeout, source_address=(source, 0))
        self._reader = self.socket.makefile("rb")
        # No table of headers, so that each answer is spelt out, and a large window, so that none waits.
        self.socket.sendall(PREFACE + frame(SETTINGS, 0, 0, struct.pack(">HIHI", HEADER_TABLE_SIZE, 0, INITIAL_WINDOW, 1 << 30)))

    def __enter__(self) -> "Peer":
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._reader.close()
        self.socket.close()

    def send(self, *frames: bytes) -> None:
        """Send frames as they are."""
        self.socket.sendall(b"".join(frames))

    def receive(self) -> tuple[int, int, int, bytes]:
        """The next frame: kind, flags, stream, payload; EOFError when the other side has closed."""
        head = self._reader.read(9)
        if len(head) < 9:
            raise EOFError
        length, kind, flags, stream = int.from_bytes(head[:3]), head[3], head[4], int.from_bytes(head[5:])
        if kind == SETTINGS and not flags & ACK and self._settles:
            self.socket.sendall(frame(SETTINGS, ACK, 0))
        return kind, flags, stream, self._reader.read(length)

    def settings(self) -> dict[int, int]:
        """The settings that the other side announces: each identifier with its value."""
        while True:
            kind, flags, _, body = self.receive()
            if kind == SETTINGS and not flags & ACK:
                return dict(struct.iter_unpack(">HI", body))

    def ended(self, stream: int) -> bytes:
        """Wait until a stream is over; the header blocks that came for it, one after the other, `RESET` if it was reset without one."""
        said = b""
        while True:
            kind, flags, which, body = self.receive()
            if kind == GOAWAY:
                return said + b"GOAWAY" + body
            if which != stream:
                continue
            if kind == RESET:
                return said + b"RESET"
            if kind in (HEADERS, CONTINUATION):
                said += body
            if flags & END_STREAM and kind in (HEADERS, DATA):
                return said
