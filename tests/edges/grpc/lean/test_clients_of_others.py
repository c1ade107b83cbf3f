"""The machine of a connection beside hyper-h2, a client that others wrote, which is driven by chance and finds fault with no frame."""

import os
import random
from dataclasses import dataclass, field

import pytest
from h2.config import H2Configuration
from h2.connection import H2Connection
from h2.events import DataReceived, Event, SettingsAcknowledged, StreamEnded, StreamReset, TrailersReceived
from h2.exceptions import NoAvailableStreamIDError
from h2.settings import SettingCodes

from sekisho.edges.grpc.lean import frames as ours
from sekisho.edges.grpc.lean.connection import Connection
from sekisho.edges.grpc.lean.hpack import literal
from sekisho.edges.grpc.lean.stream import Stream
from tests.edges.grpc.frames import message
from tests.edges.grpc.lean.test_connection import Gate, Heard

STORMS = int(os.environ.get("STORMS", "30"))
STEPS = 400
UNARY, TALK, FULL, NOWHERE = "/test.Ways/Unary", "/test.Ways/Talk", "/test.Ways/Full", "/test.Ways/" + "n" * 600
ROOM = 1 << 20
TRAILER, ERROR = literal("grpc-status", "0"), ours.ANSWERED + literal("grpc-status", "7")
OPEN = 1 << 28
"""Bytes of a window in which nothing waits."""


@dataclass
class Call:
    """What the client knows of one of its calls."""

    path: str
    unsent: bytes
    sent: int = 0
    ended: bool = False
    got: bytearray = field(default_factory=bytearray)
    over: str = ""


class Answering(Heard):
    """Whoever answers, and keeps no room for a call that has come whole."""

    def arrived(self, of: Connection, stream: Stream, message: bytes) -> None:
        super().arrived(of, stream, message)
        self.give(of, stream.held)
        stream.held = 0


class Storm:
    """A client and the machine, between which bytes go in pieces."""

    def __init__(self, seed: int) -> None:
        self.chance = random.Random(seed)
        self.heard = Answering(room=ROOM, gate=Gate(frozenset((FULL,))))
        self.machine = Connection(self.heard, None, most_bytes=16 * 1024, most_entries=64, most_message=100_000, talking={TALK})
        self.client = H2Connection(H2Configuration(client_side=True, header_encoding="utf-8"))
        self.client.initiate_connection()
        self.setting = True
        self.calls: dict[int, Call] = {}
        self.answered: dict[int, bytes] = {}
        self.talking: dict[int, Stream] = {}
        self.learnt = 0  # of the streams that the machine has told of

    def run(self) -> None:
        """Do whatever comes to somebody's mind, for so many steps; then let everything come to its end."""
        acts = (
            (self._open, 6), (self._send, 12), (self._cross, 12), (self._answer, 8), (self._talk, 8), (self._take, 6), (self._reset, 1),
            (self._ping, 1), (self._settings, 1),
        )  # fmt: skip
        for _ in range(STEPS):
            self.chance.choices([act for act, _ in acts], [weight for _, weight in acts])[0]()
        self._settle()

    # What the client does.

    def _open(self) -> None:
        if self.client.open_outbound_streams >= self.client.remote_settings.max_concurrent_streams:
            return
        path = self.chance.choice((UNARY, UNARY, UNARY, TALK, FULL, NOWHERE))
        body = message(self.chance.randbytes(self.chance.choice((0, 5, 5, 300, 20_000, 90_000, 120_000))))
        if path == TALK:
            body = b"".join(message(self.chance.randbytes(self.chance.randrange(2_000))) for _ in range(self.chance.randrange(5)))
        try:
            id_ = self.client.get_next_available_stream_id()
        except NoAvailableStreamIDError:
            return
        extra = [(f"x-{number}", "v" * self.chance.randrange(200)) for number in range(self.chance.randrange(4))]
        if self.chance.random() < 0.02:
            extra.append(("x-large", "v" * 20_000))  # over two frames, and more metadata than may be
        fields = [(":method", "POST"), (":scheme", "http"), (":path", path), (":authority", "here"), ("te", "trailers")]
        self.client.send_headers(id_, [*fields, ("content-type", "application/grpc"), *extra])
        self.calls[id_] = Call(path, body)

    def _send(self, much: bool = False) -> None:
        pending = [id_ for id_, call in self.calls.items() if not call.ended and not call.over]
        if not pending:
            return
        id_ = self.chance.choice(pending)
        call = self.calls[id_]
        room = min(self.client.local_flow_control_window(id_), self.client.max_outbound_frame_size)
        part = call.unsent[: room if much else self.chance.randrange(room + 1)]
        padding = self.chance.randrange(20) if len(part) + 21 < room and self.chance.random() < 0.1 else None
        call.unsent = call.unsent[len(part) :]
        call.ended = not call.unsent and (much or self.chance.random() < 0.7)
        if part or call.ended:
            self.client.send_data(id_, part, end_stream=call.ended, pad_length=padding)

    def _reset(self) -> None:
        open_ = [id_ for id_, call in self.calls.items() if not call.over]
        if open_:
            id_ = self.chance.choice(open_)
            self.client.reset_stream(id_, 8)
            self.calls[id_].over = "taken back"

    def _ping(self) -> None:
        self.client.ping(self.chance.randbytes(8))

    def _settings(self) -> None:
        if self.setting:  # the library takes the first acknowledgement for that of all
            return
        self.setting = True
        self.client.update_settings({
            SettingCodes.INITIAL_WINDOW_SIZE: self.chance.choice((0, 1, 100, 65_535, 200_000)),
            SettingCodes.HEADER_TABLE_SIZE: self.chance.choice((0, 4096)),
            SettingCodes.MAX_FRAME_SIZE: self.chance.choice((16_384, 1 << 20)),
        })  # fmt: skip

    def _take(self) -> None:
        """Have some window grow."""
        open_ = [id_ for id_, call in self.calls.items() if not call.over]
        more = self.chance.choice((1, 100, 5_000, 100_000))
        self.client.increment_flow_control_window(more, self.chance.choice([None, *open_]))

    def _cross(self, whole: bool = False) -> None:
        """What the client has written goes over, in pieces or in part; and what was written for it comes back."""
        sent = self.client.data_to_send()
        while sent:
            piece = len(sent) if whole else self.chance.randrange(1, len(sent) + 1)
            self.machine.feed(sent[:piece])
            sent = sent[piece:]
        self._learn()
        written = b"".join(self.machine.out)
        self.machine.out.clear()
        while written:
            piece = len(written) if whole else self.chance.randrange(1, len(written) + 1)
            for event in self.client.receive_data(written[:piece]):
                self._event(event)
            written = written[piece:]

    def _event(self, event: Event) -> None:
        if isinstance(event, SettingsAcknowledged):
            self.setting = False
        call = self.calls.get(getattr(event, "stream_id", None) or 0)
        if call is None:
            return
        if isinstance(event, DataReceived):
            call.got += event.data
        elif isinstance(event, TrailersReceived):
            assert ("grpc-status", "0") in {(str(name), str(value)) for name, value in event.headers}
        elif isinstance(event, StreamEnded):
            call.over = call.over or "answered"
        elif isinstance(event, StreamReset):
            call.over = call.over or "reset"

    # What who answers does.

    def _learn(self) -> None:
        """Take note of the calls that talk."""
        heard = self.heard
        for stream in heard.streams[self.learnt :]:
            if stream.head.path == TALK:
                self.talking[stream.id] = stream
        self.learnt = len(heard.streams)

    def _answer(self) -> None:
        waiting = [one for one in self.heard.streams if one.head.path != TALK and self._is_open(one) and one.id not in self.answered]
        if not waiting:
            return
        stream = self.chance.choice(waiting)
        if self.chance.random() < 0.2:
            self.answered[stream.id] = b""
            self.machine.answer_at_once(stream, ERROR)
            return
        said = message(self.chance.randbytes(self.chance.choice((0, 10, 10, 1_000, 50_000, 300_000))))
        self.answered[stream.id] = said
        self.machine.answer(stream, said, TRAILER)

    def _talk(self) -> None:
        waiting = [one for one in self.talking.values() if self._is_open(one) and one.busy and one.rest is None]
        if not waiting:
            return
        stream = self.chance.choice(waiting)
        said = message(self.chance.randbytes(self.chance.choice((0, 10, 1_000, 30_000))))
        self.answered[stream.id] = self.answered.get(stream.id, b"") + said
        self.machine.say(stream, said)
        self.machine.listen(stream)
        self._quiet()

    def _quiet(self) -> None:
        """A call that has said all ends."""
        for id_ in self.heard.silences:
            if (stream := self.machine.streams.get(id_)) is not None and not stream.trailer:
                self.machine.finish(stream, (ours.ANSWERED if not stream.spoken else b"") + TRAILER)

    def _is_open(self, stream: Stream) -> bool:
        return self.machine.streams.get(stream.id) is stream

    def _settle(self) -> None:
        """Windows that are large enough, and time."""
        for _ in range(2_000):
            self._cross(whole=True)
            for id_ in [None, *(id_ for id_, call in self.calls.items() if not call.over)]:
                stream = self.client.streams.get(id_) if id_ is not None else None
                have = self.client.inbound_flow_control_window if stream is None else stream.inbound_flow_control_window
                if have < OPEN:
                    self.client.increment_flow_control_window(OPEN, id_)
            self._send(much=True)
            self._answer()
            self._talk()
            self._quiet()
            if all(call.over for call in self.calls.values()):
                break
        self._cross(whole=True)


@pytest.mark.parametrize("seed", range(STORMS))
def test_no_frame_is_at_fault_and_each_answer_comes_whole(seed: int) -> None:
    storm = Storm(seed)
    storm.run()
    for id_, call in storm.calls.items():
        if call.over == "answered" and id_ in storm.answered:
            assert bytes(call.got) == storm.answered[id_]
        else:
            assert storm.answered.get(id_, b"").startswith(bytes(call.got))
    assert [call.path for call in storm.calls.values() if not call.over] == []
    assert storm.machine.streams == {}
    assert storm.heard.room == ROOM
    assert storm.machine.held == 0


def test_storms_go_where_they_should() -> None:
    """Most calls are answered whole, some are taken back, some refused by their heads."""
    ends, refused = dict[str, int](), 0
    for seed in range(20):
        storm = Storm(seed)
        storm.run()
        for call in storm.calls.values():
            ends[call.over] = ends.get(call.over, 0) + 1
        refused += storm.heard.gate.refused
    assert ends["answered"] > 200
    assert refused > 20
    assert ends["taken back"] > 20
