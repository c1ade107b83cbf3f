"""One connection of HTTP/2 with a client of gRPC, as a pure machine: bytes in; calls, and bytes out.

A call is there when its stream has ended, for it has one message. Those that talk are told message by message, each when the one before
it is answered; so the client's window bounds what there is of them. What a client must not do ends the connection with GOAWAY (`Ended`), or
its stream with RST_STREAM, as RFC 9113 says; what it does too much of ends the connection too.
"""

from collections.abc import Callable, Container
from typing import Any

from sekisho.edges.grpc.lean import frames, runs, settings
from sekisho.edges.grpc.lean.cuts import Cuts
from sekisho.edges.grpc.lean.frames import frame
from sekisho.edges.grpc.lean.heads import UNREAD, Head, Malformed, head
from sekisho.edges.grpc.lean.hpack import Decoder, Fields, HpackError, literal
from sekisho.edges.grpc.lean.outgoing import CREDIT, FAREWELL, STREAMS, Outgoing
from sekisho.edges.grpc.lean.stream import MESSAGE, METADATA, PREFIX, ROOM, Ended, Receiver, Stream, unpadded

BLOCK = 24 * 1024
"""Bytes of a header block, compressed; a larger one ends the connection, for it has to be read whole."""
NOISE = 1_000
"""Frames that are no part of a call, beyond a few for each call and for each message of a stream, that a connection may send."""
OF_CALL = 2
"""Frames that go with a whole call: grpcio has the window of its stream grow, and takes it back where its deadline passes."""
CALMING = 2.0
"""Of them, how many a second are forgiven: a client that watches for days asks now and then whether there is still somebody."""
SAID = 16 * 1024
"""Bytes of a message of a call that talks."""


class Connection(Outgoing):
    """`owner` is whatever who answers keeps with it; calls of the paths in `talking` are told message by message."""

    def __init__(
        self,
        receiver: "Receiver[Connection]",
        owner: Any,
        *,
        most_bytes: int,
        most_entries: int,
        most_message: int,
        talking: Container[str] = (),
    ) -> None:
        super().__init__(receiver)
        self.owner, self._most, self._talking = owner, most_message, talking
        self._decoder = Decoder(most_bytes, most_entries)
        self._buffer = b""
        self._greeted = self.settled = False
        self._block: tuple[int, int, bytearray] | None = None  # stream, flags and what has come of a block that goes on
        self._heads: tuple[Fields, Head] | None = None  # of the last call: that of the next is mostly the same
        self._cuts = Cuts(receiver.gate)
        self.last = self._seen = 0  # the last stream that was looked at; the last that there was
        self._calm = 0.0  # when noise was forgiven last
        self.leaving = False
        self.moved = 0.0  # when the last frame came
        self.out.append(frames.settings({frames.STREAMS: STREAMS, frames.LIST: most_bytes}))

    def feed(self, data: bytes) -> None:
        """Take in what has come; Ended when that is the end."""
        try:
            self._feed(data)
        except Ended as ended:
            self.out.append(frames.goaway(self.last, ended.code, str(ended).encode()[:256]))
            raise

    def _feed(self, data: bytes) -> None:
        self._cuts.renew()
        buffer = self._buffer + data if self._buffer else data
        at, end = 0, len(buffer)
        if not self._greeted:
            if not buffer.startswith(frames.PREFACE[:end]):
                raise Ended(frames.PROTOCOL, "no preface of HTTP/2")
            if end < len(frames.PREFACE):
                self._buffer = buffer
                return
            self._greeted, at = True, len(frames.PREFACE)
        unpack = frames.HEADER.unpack_from
        while end - at >= 9:
            high, low, kind, flags, stream = unpack(buffer, at)
            size = high << 8 | low
            if size > frames.LENGTH:
                raise Ended(frames.SIZE, "a frame is too large")
            begins, at_end = at + 9, at + 9 + size
            if at_end > end:
                break
            at = at_end
            stream &= frames.MOST_WINDOW
            if self._block is not None and kind != frames.CONTINUATION:
                raise Ended(frames.PROTOCOL, "a header block is interrupted")
            if kind == frames.DATA:
                self._data(flags, stream, buffer[begins:at_end])
            elif kind == frames.HEADERS:
                at = self._headers(flags, stream, buffer, begins, at_end)
            elif kind < 10:
                if not self.settled and kind != frames.SETTINGS:
                    raise Ended(frames.PROTOCOL, "settings come first")
                self._other(kind, flags, stream, buffer[begins:at_end])
            else:
                self._noisy()
        self._buffer = buffer[at:]
        self.moved = self.now if at else self.moved

    # Calls.

    def _headers(self, flags: int, id_: int, buffer: bytes, begins: int, ends: int) -> int:
        """Take in a frame, and what else of a run is refused with it; where that ends."""
        if not self.settled:
            raise Ended(frames.PROTOCOL, "settings come first")
        if self._cuts.block and not self._first and (after := self._refuse_alike(buffer, begins - 9)):
            return after
        payload = buffer[begins:ends]
        if flags & (frames.PADDED | frames.PRIORITIZED):
            payload = unpadded(flags, payload, 5 if flags & frames.PRIORITIZED else 0)
        if flags & frames.END_HEADERS:
            self._begun(id_, flags, payload)
        else:
            self._block = (id_, flags, bytearray(payload))
        return ends

    def _refuse_alike(self, buffer: bytes, at: int) -> int:
        """Refuse the calls that begin here and are like the one before, which was; where they end, or 0."""
        ids, size, after = runs.read(buffer, at, self._cuts.block, self._seen)
        if not ids:
            return 0
        self._seen = self.last = ids[-1]
        self._noise = max(0, self._noise - len(ids))
        self._credit(size)
        self.out.append(runs.refused(ids, self._cuts.refusals(len(ids))))
        return after

    def _begun(self, id_: int, flags: int, block: bytes) -> None:
        self._cuts.block = b""
        try:
            fields = self._decoder.read(block)
        except HpackError as error:
            raise Ended(frames.COMPRESSION, str(error)) from None
        if id_ in self.streams:  # trailers, of which gRPC's clients send none
            raise Ended(frames.PROTOCOL, "a call has trailers")
        if not id_ & 1 or id_ <= self._seen:
            raise Ended(frames.PROTOCOL if not id_ & 1 else frames.CLOSED, "the number of a stream")
        self._seen = id_
        if self.leaving:
            self.out.append(frames.reset(id_, frames.REFUSED))
            return
        self.last = id_
        if len(self.streams) >= STREAMS:
            self._noisy()
            self.out.append(frames.reset(id_, frames.REFUSED))
            return
        try:
            given = self._head(fields) if fields is not None else None
        except Malformed:
            self._noisy()
            self.out.append(frames.reset(id_, frames.PROTOCOL))
            return
        ended = flags & frames.END_STREAM > 0
        if given is not None and not ended and (refusal := self._cuts.cut(self, id_, given)) is not None:
            self._noise -= self._noise > 0  # it is a call, which its client may take back now instead of sending the rest
            self.begin(id_, refusal, frames.END_STREAM)
            self._cuts.block = block if self._decoder.knows(block) else b""
            return
        stream = self.streams[id_] = Stream(id_, given or UNREAD, self._initial, self.now)
        stream.whole, stream.talks = ended, stream.head.path in self._talking
        if given is None:
            self._noisy()
            self._receiver.refused(self, stream, METADATA)
        elif given.http_status:
            self._noisy()
            self.answer_at_once(stream, literal(":status", given.http_status))
        elif ended:
            self._whole(stream, b"")

    def _head(self, fields: Fields) -> Head:
        if self._heads is None or self._heads[0] is not fields:
            self._heads = fields, head(fields)
        return self._heads[1]

    def _data(self, flags: int, id_: int, payload: bytes) -> None:
        size = len(payload)
        self._credit(size)
        stream = self.streams.get(id_)
        if stream is None or stream.whole:
            if id_ > self._seen or not id_:
                raise Ended(frames.PROTOCOL, "data of no stream")
            if (said := self._cuts.drop(id_, ended=flags & frames.END_STREAM > 0)) is None:
                self._noisy()  # of one that was reset, perhaps
            self.out.append(said or b"")
            return
        if flags & frames.PADDED:
            payload = unpadded(flags, payload, 0)
        if stream.talks:
            self._overhear(stream, payload, size, ended=flags & frames.END_STREAM > 0)
            return
        if flags & frames.END_STREAM:
            if stream.held:
                stream.body += payload
                self._whole(stream, bytes(stream.body))
            else:
                self._whole(stream, payload)
            return
        if not payload:
            self._noisy()
            return
        self._part(stream, payload, size)

    def _part(self, stream: Stream, payload: bytes, size: int) -> None:
        """Keep a part of a message, for which there has to be room."""
        held = stream.held + len(payload)
        if held > self._most + PREFIX or not self._receiver.take(self, len(payload)):
            self._noisy()
            self._receiver.refused(self, stream, MESSAGE if held > self._most + PREFIX else ROOM)
            return
        if not stream.held:
            stream.body = bytearray()
        stream.held = held
        stream.body += payload
        if int.from_bytes(stream.body[1:PREFIX], "big") > self._most:
            self._receiver.refused(self, stream, MESSAGE)  # before the rest has come
            return
        self.out.append(frames.window(stream.id, size))

    def _whole(self, stream: Stream, message: bytes) -> None:
        stream.whole, stream.body = True, b""
        self._noise = max(0, self._noise - OF_CALL)
        if stream.talks:
            self._next(stream)
        else:
            self._receiver.arrived(self, stream, message)

    # Calls that talk.

    def _overhear(self, stream: Stream, payload: bytes, size: int, *, ended: bool) -> None:
        """Keep what has come of a call that talks; the window is what it may send before it is answered."""
        stream.credit += size
        stream.whole = ended
        held = stream.held + len(payload)
        if stream.credit > frames.WINDOW_SIZE:
            raise Ended(frames.FLOW, "more than the window of a stream")
        if not payload and not ended:
            self._noisy()
        if not self._receiver.take(self, len(payload)):
            self._noisy()
            self._receiver.refused(self, stream, ROOM)
            return
        if not stream.held:
            stream.body = bytearray()
        stream.held = held
        stream.body += payload
        self._next(stream)

    def listen(self, stream: Stream) -> None:
        """Tell the next message of a call that talks, or that there is none: the one before it is answered."""
        stream.busy = False
        self._next(stream)

    def _next(self, stream: Stream) -> None:
        if stream.busy:
            return
        body = stream.body
        size = PREFIX + int.from_bytes(body[1:PREFIX], "big")
        if size > PREFIX + SAID:
            self._receiver.refused(self, stream, MESSAGE)
        elif size <= len(body):
            message, stream.body = bytes(body[:size]), body[size:]
            self._receiver.give(self, size)
            stream.held -= size
            if stream.credit > CREDIT and not stream.whole:
                self.out.append(frames.window(stream.id, stream.credit - stream.held))
                stream.credit = stream.held
            stream.busy = True
            self._receiver.heard(self, stream, message)
        elif stream.whole:
            self._receiver.silent(self, stream)

    @property
    def partial(self) -> bool:
        """Whether a frame or a header block has begun and not ended."""
        return self._block is not None or bool(self._buffer)

    # Everything else.

    def _other(self, kind: int, flags: int, id_: int, payload: bytes) -> None:
        if kind not in (frames.WINDOW, frames.CONTINUATION):
            self._noisy()
        if kind == frames.PUSH:
            raise Ended(frames.PROTOCOL, "a client does not push")
        _OTHERS[kind](self, flags, id_, payload)

    def _reset(self, _flags: int, id_: int, payload: bytes) -> None:
        if len(payload) != 4:
            raise Ended(frames.SIZE, "a reset of another size")
        if id_ > self._seen or not id_:
            raise Ended(frames.PROTOCOL, "a reset of no stream")
        self._cuts.forget(id_)
        stream = self.streams.get(id_)
        if stream is not None:
            self.forget(stream)
            self._receiver.gone(stream)

    def _ping(self, flags: int, id_: int, payload: bytes) -> None:
        if len(payload) != 8 or id_:
            raise Ended(frames.PROTOCOL if id_ else frames.SIZE, "a ping of another form")
        if not flags & frames.ACK:
            self.out.append(frame(frames.PING, frames.ACK, 0, payload))
        elif self.warned and payload == FAREWELL:
            self.part()

    def _goaway(self, _flags: int, id_: int, _payload: bytes) -> None:
        if id_:
            raise Ended(frames.PROTOCOL, "the end of a stream's connection")
        self._cuts.renew()
        self.leaving = True

    def _priority(self, _flags: int, id_: int, payload: bytes) -> None:
        if not id_ or len(payload) != 5:
            raise Ended(frames.SIZE if id_ else frames.PROTOCOL, "a priority of another form")

    def _continued(self, flags: int, id_: int, payload: bytes) -> None:
        if self._block is None or self._block[0] != id_:
            raise Ended(frames.PROTOCOL, "a continuation of nothing")
        if not payload:
            self._noisy()
        _, first, block = self._block
        block += payload
        if len(block) > BLOCK:
            raise Ended(frames.CALM, "a header block is too large")
        if flags & frames.END_HEADERS:
            self._block = None
            self._begun(id_, first, bytes(block))

    def _settings(self, flags: int, id_: int, payload: bytes) -> None:
        if id_:
            raise Ended(frames.PROTOCOL, "settings of a stream")
        if flags & frames.ACK:
            if payload:
                raise Ended(frames.SIZE, "an acknowledgement with settings")
            return
        for value in settings.windows(payload):
            self._resize(value)
        if settings.shrinks(payload):
            self._first = frames.NO_TABLE
        if not self.settled:
            self.settled, self._calm = True, self.now
        self.out.append(frame(frames.SETTINGS, frames.ACK, 0))
        self._pump_all()

    def _window_update(self, _flags: int, id_: int, payload: bytes) -> None:
        if len(payload) != 4:
            raise Ended(frames.SIZE, "an update of another size")
        more = frames.number(payload)
        if not more:
            raise Ended(frames.PROTOCOL, "a window grows by nothing")
        if not id_:
            self._window += more
            if self._window > frames.MOST_WINDOW:
                raise Ended(frames.FLOW, "a window is too large")
            self._pump_all()
            return
        stream = self.streams.get(id_)
        if stream is None:
            if id_ > self._seen:
                raise Ended(frames.PROTOCOL, "a window of no stream")
            return
        if stream.rest is None or more < frames.SIP:
            self._noisy()
        self._widen(stream, more)
        if stream.rest is not None:
            self._pump(stream)

    def part(self) -> None:
        """Take no further calls; those that are open are answered."""
        if not self.leaving:
            self._cuts.renew()
            self.warned = self.leaving = True
            self.out.append(frames.goaway(self.last, frames.NO_ERROR))

    def _noisy(self) -> None:
        self._noise += 1
        if self._noise <= NOISE:
            return
        self._noise -= min(NOISE, int((self.now - self._calm) * CALMING))
        self._calm = self.now
        if self._noise > NOISE:
            raise Ended(frames.CALM, "too many frames that are no calls")


_OTHERS: dict[int, Callable[[Connection, int, int, bytes], None]] = {
    frames.PRIORITY: Connection._priority,
    frames.RESET: Connection._reset,
    frames.SETTINGS: Connection._settings,
    frames.PING: Connection._ping,
    frames.GOAWAY: Connection._goaway,
    frames.WINDOW: Connection._window_update,
    frames.CONTINUATION: Connection._continued,
}
