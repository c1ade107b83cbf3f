"""A load for gRPC servers that costs a client little: calls that are all alike, as frames, over some connections, by one thread.

Closed: each connection keeps so many calls under way. Open: so many calls a second, whether or not the answers come, as far as a connection
may have streams. Headers stand in the table of the other side after the first call, as a library's do (RFC 7541).
"""

import contextlib
import selectors
import socket
import statistics
import struct
import time
from collections import Counter, deque
from dataclasses import dataclass, field

PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
DATA, HEADERS, RESET, SETTINGS, PING, GOAWAY, WINDOW = 0, 1, 3, 4, 6, 7, 8
END_STREAM, END_HEADERS, ACK = 1, 4, 1
STREAMS = 100
"""Calls of one connection at once, which is what the server admits."""
_LAST_STREAM = 2_000_000
"""After which a connection is made anew in effect: none of the loads here comes that far."""


@dataclass(slots=True)
class Seen:
    """The ends of calls: by gRPC status as a text, `reset` and `lost` beside; seconds that those took that ended with 0, or else."""

    ends: Counter[str] = field(default_factory=Counter)
    good: list[float] = field(default_factory=list)
    bad: list[float] = field(default_factory=list)
    late: int = 0
    """Good ones that came after their deadline."""
    unsent: int = 0
    """Of an open load, that found no stream."""
    seconds: float = 0.0

    def quantile(self, part: float, *, bad: bool = False) -> float:
        """Milliseconds of the good calls, or of the others; not a number where there are none."""
        times = sorted(self.bad if bad else self.good)
        return times[min(len(times) - 1, int(len(times) * part))] * 1e3 if times else float("nan")

    @property
    def rate(self) -> float:
        """Good calls a second."""
        return len(self.good) / self.seconds if self.seconds else 0.0

    @property
    def mean(self) -> float:
        """Milliseconds of a good call."""
        return statistics.fmean(self.good) * 1e3 if self.good else float("nan")


class Load:
    """Calls of one method with one message and one set of metadata; `deadline` in seconds, sent with each call."""

    def __init__(
        self,
        endpoint: str,
        path: str,
        body: bytes,
        metadata: tuple[tuple[str, str], ...],
        *,
        connections: int,
        deadline: float | None = None,
    ) -> None:
        host, _, port = endpoint.rpartition(":")
        pairs = [
            (":method", "POST"), (":scheme", "http"), (":path", path), (":authority", "localhost"), ("te", "trailers"),
            ("content-type", "application/grpc"), *metadata,
        ]  # fmt: skip
        if deadline is not None:
            pairs.append(("grpc-timeout", f"{int(deadline * 1000)}m"))
        message = b"\0" + struct.pack(">I", len(body)) + body
        first = b"".join(b"\x40" + _text(name) + _text(value) for name, value in pairs)
        again = b"".join(_number(62 + len(pairs) - 1 - at, 7, 0x80) for at in range(len(pairs)))
        self._deadline = deadline
        self._frames = [(_frame(HEADERS, END_HEADERS, block), _frame(DATA, END_STREAM, message)) for block in (first, again)]
        self._selector = selectors.DefaultSelector()
        self._connections = [_Connection((host, int(port))) for _ in range(connections)]
        for one in self._connections:
            self._selector.register(one.socket, selectors.EVENT_READ, one)

    def closed(self, *, streams: int, seconds: float, seen: Seen | None = None) -> Seen:
        """Keep `streams` calls of each connection under way for so long, or until all connections are closed; `seen` grows meanwhile."""
        seen, began = seen or Seen(), time.perf_counter()
        for one in self._connections:
            for _ in range(streams):
                self._send(one)
            one.flush()
        while (now := time.perf_counter()) - began < seconds and any(one.open for one in self._connections):
            for key, _ in self._selector.select(0.05):
                ended = self._receive(key.data, seen)
                for _ in range(ended):
                    self._send(key.data)
            for one in self._connections:
                one.flush()
        seen.seconds = now - began
        self._finish(Seen())
        return seen

    def open(self, *, rate: float, seconds: float) -> Seen:
        """Send so many calls a second for so long, over the connections in turn."""
        seen, began, sent = Seen(), time.perf_counter(), 0
        turn = deque(self._connections)
        while (now := time.perf_counter()) - began < seconds:
            for _ in range(int((now - began) * rate) - sent):
                sent += 1
                turn.rotate(1)
                if len(turn[0].sent) < STREAMS:
                    self._send(turn[0])
                else:
                    seen.unsent += 1
            for key, _ in self._selector.select(0.0005):
                self._receive(key.data, seen)
            for one in self._connections:
                one.flush()
        seen.seconds = now - began
        self._finish(seen)
        return seen

    def close(self) -> None:
        """Close the connections."""
        for one in self._connections:
            one.socket.close()
        self._selector.close()

    def _send(self, one: "_Connection") -> None:
        headers, data = self._frames[one.stream > 1]
        stream = struct.pack(">I", one.stream)
        one.out += headers[:5] + stream + headers[9:] + data[:5] + stream + data[9:]
        one.sent[one.stream] = time.perf_counter()
        one.stream += 2

    def _receive(self, one: "_Connection", seen: Seen) -> int:
        """Take what has come; how many calls have ended."""
        count = 0
        for stream, status in one.read():
            began = one.sent.pop(stream, None)
            if began is None:
                continue
            count += 1
            took = time.perf_counter() - began
            seen.ends[status] += 1
            (seen.good if status == "0" else seen.bad).append(took)
            seen.late += status == "0" and self._deadline is not None and took > self._deadline + 0.01
        return count

    def _finish(self, seen: Seen) -> None:
        limit = time.perf_counter() + 20
        while any(one.sent for one in self._connections) and time.perf_counter() < limit:
            for key, _ in self._selector.select(0.1):
                self._receive(key.data, seen)
                key.data.flush()
        seen.ends["lost"] += sum(len(one.sent) for one in self._connections)
        for one in self._connections:
            one.sent.clear()


class _Connection:
    def __init__(self, address: tuple[str, int]) -> None:
        self.socket = socket.create_connection(address, timeout=20)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        settings = struct.pack(">HIHI", 1, 0, 4, 1 << 30)  # no table, so that each answer is spelt out; a window in which none waits
        window = struct.pack(">I", (1 << 30))
        self.socket.sendall(PREFACE + _frame(SETTINGS, 0, settings) + _frame(WINDOW, 0, window))
        self.socket.setblocking(False)
        self.stream, self.sent, self.out, self._in, self.open = 1, dict[int, float](), bytearray(), b"", True

    def flush(self) -> None:
        """Send as much as goes now: who waited for one connection would not read the others."""
        if self.out and self.open:
            with contextlib.suppress(OSError):  # full, or closed, of which `read` tells
                del self.out[: self.socket.send(self.out)]

    def read(self) -> list[tuple[int, str]]:
        """The calls that have ended, each with its status."""
        try:
            got = self.socket.recv(1 << 18)
        except BlockingIOError:
            return []
        except OSError:
            got = b""
        if not got:
            self.open = False
            return [(stream, "closed") for stream in list(self.sent)]
        data, at, ended = self._in + got, 0, []
        while len(data) - at >= 9:
            end = at + 9 + int.from_bytes(data[at : at + 3])
            if end > len(data):
                break
            kind, flags = data[at + 3], data[at + 4]
            stream = int.from_bytes(data[at + 5 : at + 9])
            if kind == HEADERS and flags & END_STREAM:
                ended.append((stream, _status(data[at + 9 : end])))
            elif kind == RESET:
                ended.append((stream, "reset"))
            elif kind == PING and not flags & ACK:
                self.out += _frame(PING, ACK, data[at + 9 : end])
            elif kind == SETTINGS and not flags & ACK:
                self.out += _frame(SETTINGS, ACK, b"")
            at = end
        self._in = data[at:]
        return ended


def _status(block: bytes) -> str:
    at = block.find(b"grpc-status") + 11
    return block[at + 1 : at + 1 + block[at]].decode() if at > 10 else "none"


def _frame(kind: int, flags: int, payload: bytes, stream: int = 0) -> bytes:
    return len(payload).to_bytes(3) + struct.pack(">BBI", kind, flags, stream) + payload


def _text(value: str) -> bytes:
    return _number(len(value), 7, 0) + value.encode()


def _number(value: int, bits: int, first: int) -> bytes:
    most = (1 << bits) - 1
    if value < most:
        return bytes([first | value])
    out, value = [first | most], value - most
    while value >= 128:
        out.append(value % 128 + 128)
        value //= 128
    return bytes([*out, value])
