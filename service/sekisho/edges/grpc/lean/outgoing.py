"""What a connection sends: answers, as far as its client's windows go."""

from typing import Any

from sekisho.edges.grpc.lean import frames
from sekisho.edges.grpc.lean.frames import frame
from sekisho.edges.grpc.lean.stream import Ended, Receiver, Stream

STREAMS = 100
"""Calls of a connection at once."""
CREDIT = frames.WINDOW_SIZE // 2
"""Bytes that have come before the window of the connection is filled up again."""
UNSENT = 32 * 1024 * 1024
"""Bytes of answers that wait for a client's window, of a connection."""
FORGIVEN = 4
"""Frames that clients send for each message that they take: updates of two windows, and a ping that measures them."""
FAREWELL, _SIGN = b"farewell", b"are you?"
"""Pings behind the word that the client is to go, and to learn whether it is there."""


class Outgoing:
    """The side of a connection that is ours: `out` is to be sent, `held` are bytes of answers that wait, each until all of it was sent;
    `now` is the time, which it is told.
    """

    def __init__(self, receiver: "Receiver[Any]") -> None:
        self._receiver = receiver
        self.streams: dict[int, Stream] = {}
        self._window = self._initial = frames.WINDOW_SIZE  # what we may send
        self._unsent = self.held = 0
        self._received = 0  # bytes that the client was not credited for
        self._first = b""  # what the next header block begins with
        self._noise = 0  # frames of the client that are no part of a call
        self.now = 0.0
        self.warned = False
        self.out: list[bytes] = []

    def forget(self, stream: Stream) -> None:
        """The stream is over."""
        if stream.held:
            self._receiver.give(self, stream.held)
            stream.held, stream.body = 0, b""
        if stream.rest is not None:
            self._unsent -= len(stream.rest)
            self.held -= stream.size
            stream.rest = None
        self.streams.pop(stream.id, None)

    def answer(self, stream: Stream, message: bytes, trailer: bytes) -> None:
        """Send the message of an answer, with its frame's five bytes, and the header block that ends it."""
        id_, size, pack = stream.id, len(message), frames.HEADER.pack
        if size <= self._window and size <= stream.window and size <= frames.LENGTH and not self._first:
            self._window -= size
            length = len(trailer)
            self.out.append(
                pack(0, _ANSWERED, frames.HEADERS, frames.END_HEADERS, id_)
                + frames.ANSWERED
                + pack(size >> 8, size & 255, frames.DATA, 0, id_)
                + message
                + pack(length >> 8, length & 255, frames.HEADERS, frames.END_HEADERS | frames.END_STREAM, id_)
                + trailer
            )
            del self.streams[id_]
            return
        if self._unsent + size > UNSENT:
            self.out.append(frames.reset(id_, frames.CALM))
            self.forget(stream)
            return
        self._begin(stream)
        stream.trailer = trailer
        self._wait(stream, message)

    def say(self, stream: Stream, message: bytes) -> None:
        """Send a message of an answer that has several, with its frame's five bytes; the receiver is told when it is `taken`."""
        if self._unsent + len(message) > UNSENT:
            self.abandon(stream)
            return
        self._noise = max(0, self._noise - FORGIVEN)
        if not stream.spoken:
            self._begin(stream)
        self._wait(stream, message if stream.rest is None else bytes(stream.rest) + message)

    def finish(self, stream: Stream, block: bytes) -> None:
        """Send the header block that ends an answer, behind what waits of it."""
        if stream.rest is None:
            self.answer_at_once(stream, block)
        else:
            stream.trailer = block

    def answer_at_once(self, stream: Stream, block: bytes) -> None:
        """Send an answer that is a header block alone, as that of an error is; what else comes of the call is not looked at. Where messages
        were sent before it, it ends them, and does not say again that there is an answer.
        """
        self.begin(stream.id, block.removeprefix(frames.ANSWERED) if stream.spoken else block, frames.END_STREAM)
        if not stream.whole:
            self.out.append(frames.reset(stream.id, frames.NO_ERROR))
        self.forget(stream)

    def begin(self, id_: int, block: bytes, flags: int = 0) -> None:
        """Send a header block, behind what the first one has to say for all."""
        self.out.append(frames.block(id_, self._first + block, flags))
        self._first = b""

    def _begin(self, stream: Stream) -> None:
        stream.spoken = True
        self.begin(stream.id, frames.ANSWERED)

    def _wait(self, stream: Stream, message: bytes) -> None:
        """Have a message wait, all of it or what the client has no window for."""
        if stream.rest is not None:
            self._unsent -= len(stream.rest)
            self.held -= stream.size
        stream.rest, stream.size, stream.began = memoryview(message), len(message), self.now
        self._unsent += stream.size
        self.held += stream.size
        self._pump(stream)

    def _pump(self, stream: Stream) -> None:
        rest = stream.rest
        while rest:
            size = min(len(rest), self._window, stream.window, frames.LENGTH)
            if size <= 0:
                stream.rest = rest
                return
            self.out.append(frame(frames.DATA, 0, stream.id, bytes(rest[:size])))
            rest = rest[size:]
            self._window -= size
            stream.window -= size
            self._unsent -= size
        stream.rest = None
        self.held -= stream.size
        if stream.trailer:
            self.answer_at_once(stream, stream.trailer)
        else:
            self._receiver.taken(self, stream)

    def _credit(self, size: int) -> None:
        """Have the window of the connection filled up, now and then."""
        self._received += size
        if self._received > CREDIT:
            self.out.append(frames.window(0, self._received))
            self._received = 0

    def leave(self) -> None:
        """Tell the client to make its next calls elsewhere; those on their way are taken, until it answers a ping behind the word."""
        if not self.warned:
            self.warned = True
            self.out.append(frames.goaway(frames.MOST_WINDOW, frames.NO_ERROR) + frame(frames.PING, 0, 0, FAREWELL))

    def ping(self) -> None:
        """Ask the client for a sign."""
        self.out.append(frame(frames.PING, 0, 0, _SIGN))

    def abandon(self, stream: Stream) -> None:
        """Give up an answer that is not taken."""
        self.out.append(frames.reset(stream.id, frames.CANCEL))
        self.forget(stream)
        self._receiver.gone(stream)

    def _resize(self, initial: int) -> None:
        """Have the windows of all streams, those that are open too, begin with so many bytes."""
        more, self._initial = initial - self._initial, initial
        for stream in self.streams.values():
            self._widen(stream, more)

    def _widen(self, stream: Stream, more: int) -> None:
        stream.window += more
        if stream.window > frames.MOST_WINDOW:
            raise Ended(frames.FLOW, "a window is too large")

    def _pump_all(self) -> None:
        if self._unsent:
            for stream in [one for one in self.streams.values() if one.rest is not None]:
                self._pump(stream)


_ANSWERED = len(frames.ANSWERED)
