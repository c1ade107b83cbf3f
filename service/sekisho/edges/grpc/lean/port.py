"""The listener and its thread: sockets, calls in the order of their accounts, and their answers.

    bytes come → a call is whole → there is a place for its account → its turn → answered → sent with the others of its connection

The thread must not wait: what would have to is `Cold` before it has an effect, and goes to the threads of its class of calls. So do all
calls but decisions. Sockets, connections and calls are this thread's alone.
"""

import math
import os
import select
import socket
import ssl
import threading
import time
from collections import deque
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

import structlog

from sekisho.calls import rests
from sekisho.edges import doubts
from sekisho.edges.budgets import Budget
from sekisho.edges.grpc.handlers import OURS
from sekisho.edges.grpc.lean import answers
from sekisho.edges.grpc.lean.answers import Aborted
from sekisho.edges.grpc.lean.asked import STREAMS, TALKS, Asked, Method
from sekisho.edges.grpc.lean.bell import Bell
from sekisho.edges.grpc.lean.clients import Clients
from sekisho.edges.grpc.lean.connection import Connection
from sekisho.edges.grpc.lean.door import EVENTS
from sekisho.edges.grpc.lean.flows import Flow, Flows
from sekisho.edges.grpc.lean.gate import Gate
from sekisho.edges.grpc.lean.line import INLINE, Line
from sekisho.edges.grpc.lean.peers import Peer
from sekisho.edges.grpc.lean.stream import ROOM, Stream
from sekisho.edges.grpc.sizes import MAX_MESSAGE, METADATA, MOST_ENTRIES
from sekisho.edges.lanes import Claim
from sekisho.errors import Throttling
from sekisho.memory import cold

SUPPORTED = hasattr(select, "epoll") and hasattr(os, "eventfd")  # which Linux has
SLICE = 0.01
"""Seconds for which calls are answered before sockets are looked at again."""
FLOODED = 0.002
"""The same, once all has been read and some of it refused: what is admitted is to be as young as it was when it came."""
SENDING = 0.004
"""Seconds after which what was answered is sent, while there is more to read."""
SHARE = 3.0
"""Times as long as a client was read and told, for which calls are answered, if more came than may wait: else nobody is answered."""
LULL = 0.05
"""Seconds after a fault of our own, and between two looks while it stops."""
LONGEST, MESSAGES = 60.0, 1_000
"""Seconds that a call has that talks, and messages; tools ask what they want to know at once."""
SHAKES = 2
"""Steps of handshakes, a millisecond each, before calls are answered: who opens connections does not hold up who has one."""
ROUND = 1.0
"""Seconds between two looks at who is late."""

_SMALL = {"most_bytes": METADATA, "most_entries": MOST_ENTRIES, "most_message": MAX_MESSAGE}
log = structlog.get_logger(__name__)


class Port(Clients):
    """Holds a bound socket from its making on, answers from `start` on. `claimed` reads whose a call says it is, `rest` answers calls to
    services of ours that are in no method, `tls` makes the context of the next handshake; connections last `age` seconds, a tenth more or
    less.
    """

    def __init__(
        self,
        bound: socket.socket,
        methods: Mapping[str, Method],
        claimed: Callable[[Any], Claim],
        *,
        rest: Method | None = None,
        tls: Callable[[], ssl.SSLContext] | None = None,
        age: float,
    ) -> None:
        super().__init__(bound, tls, age)
        self._methods, self._rest, self._claimed = methods, rest, claimed
        self._bell = Bell()
        self._poll.register(self._bell.number, select.EPOLLIN)
        self._answered: deque[tuple[Asked, Any]] = deque()  # by other threads
        self._line: Line[Asked] = Line()
        self._budget = Budget()
        self.gate = Gate(self._line, methods, claimed, self._counts)
        self._flows = Flows(self._bell, self._cut, self._touch)
        self._talking = frozenset(path for path, method in methods.items() if method.kind == TALKS)
        self._looked = self._sent = 0.0
        self.over = threading.Event()

    def start(self) -> None:
        """Begin to answer."""
        threading.Thread(target=self._run, name="grpc-lean", daemon=True).start()

    def stop(self, grace: float) -> threading.Event:
        """Take no more calls, and give those under way these seconds; the event is when they have ended."""
        ends = time.monotonic() + grace
        self._ends = min(self._ends or ends, ends)
        self._bell.ring()
        return self.over

    def _run(self) -> None:
        try:
            with cold.unwaiting():
                while not self._ends:
                    self._stepped()
                self._shut()
                while self._peers and time.monotonic() < self._ends:
                    self._stepped()
        finally:
            for peer in list(self._peers.values()):
                self._close(peer)
            self._counts.publish(0)
            self._door.close()
            self._poll.close()
            self._bell.close()
            self.over.set()

    def _stepped(self) -> None:
        """A step, whose faults end nothing: everybody's calls go through this thread."""
        try:
            self._step()
        except Exception:
            log.exception("lean.fault")
            time.sleep(LULL)

    def _step(self) -> None:
        """Read what has come, answer who is next, send."""
        turn = LULL if self._ends else ROUND
        waits = 0.0 if self._line.ready or self._more or self._answered or self._flows.ready or self._unsent else turn
        events = self._poll.poll(waits, EVENTS)
        now, shakes, refused = time.monotonic(), 0, self.gate.refused
        for number, mask in events:
            if (peer := self._peers.get(number)) is not None:
                shakes += peer.shaking
                self._unsent[peer] = None
                if shakes <= SHAKES if peer.shaking else mask & ~select.EPOLLOUT:  # the poll tells of the others again
                    self._guarded(peer, self._read, now)
            elif number == self._bell.number:
                self._bell.hear()
            elif self._door.is_at(number):
                self._accept(now)
        more, self._more = self._more, {}
        for peer in more:
            self._guarded(peer, self._read, now)
        while self._answered:
            self._safely(self._finish, *self._answered.popleft())
        self._flows.go()
        flooded = self.gate.refused != refused
        if self._line.ready and not (flooded and len(events) == EVENTS):
            self._answer_some(FLOODED if flooded else SLICE)
        self._send_all(now)
        if now - self._looked >= turn:
            before, self._looked = self._looked, now
            self._look_around(now, before)

    def _send_all(self, now: float) -> None:
        self._sent = time.perf_counter()
        unsent, self._unsent = self._unsent, {}
        for peer in unsent:
            self._guarded(peer, self._send, now)

    def _safely(self, act: Callable[..., None], asked: Asked, *said: Any) -> None:
        """Act on a call; what goes wrong ends its connection."""
        try:
            act(asked, *said)
        except Exception:
            log.exception("lean.fault", peer=asked.peer())
            self._close(asked.connection.owner)

    def _connected(self, peer: Peer) -> Connection:
        return Connection(self, peer, **_SMALL, talking=self._talking)

    def _was_read(self, peer: Peer, began: float) -> None:
        if self._line.waiting < self._line.most:
            return
        if peer.connection.out:  # who is refused hears so before others are answered
            self._send(peer, peer.connection.now)
        self._answer_some(SHARE * (time.perf_counter() - began))
        if began - self._sent > SENDING:
            self._send_all(peer.connection.now)

    # Calls, of which connections tell.

    def take(self, of: Connection, size: int) -> bool:
        """Room for a part of a message."""
        return self._budget.take(of.owner.address, size)

    def give(self, of: Connection, size: int) -> None:
        """Room that is free again."""
        self._budget.give(of.owner.address, size)

    def refused(self, of: Connection, stream: Stream, of_what: str) -> None:
        """A call that is too large, or for which there is no room."""
        self._counts.ends["refused"] += 1
        self.gone(stream)
        self._end(of, stream, answers.of_excess(of_what))

    def gone(self, stream: Stream) -> None:
        """A call that nobody waits for any more; one that a thread is at keeps its room until that is done."""
        asked: Asked | None = stream.call
        if asked is not None:
            asked.gone, stream.call = True, None
            self._leave(asked)
            if asked.flow is not None and (told := asked.flow.cut()) is not None:
                self._elsewhere(asked, told)
            if not asked.passed:
                self._give_back(asked)

    def arrived(self, of: Connection, stream: Stream, message: bytes) -> None:
        """A whole call: it is refused, or stands in its account's line, or is for other threads."""
        method = self._methods.get(stream.head.path)
        if method is None:
            if self._rest is None or not stream.head.path.startswith(OURS):
                self._end(of, stream, answers.NOT_FOUND)
                return
            method = self._rest
        asked = stream.call = Asked(method, of, stream)
        if method.kind == STREAMS:
            asked.flow = Flow(self._flows, of, stream)
            stream.ends = of.now + (math.inf if stream.head.seconds is None else stream.head.seconds)
        try:
            here = asked.receive(message, INLINE)
        except Aborted as aborted:
            self._finish(asked, aborted.said)
            return
        if not here:
            self._pass_on(asked)
            return
        if not self.gate.admit(asked):
            self._finish(asked, answers.of_excess(ROOM))

    def _answer_some(self, seconds: float) -> None:
        until = time.perf_counter() + seconds
        began = time.thread_time()
        while (taken := self._line.take()) is not None:
            account, asked, expected = taken
            if not asked.gone:
                self._safely(self._answer, asked)
            ended = time.thread_time()
            self._line.settle(account, expected=expected, spent=ended - began)
            began = ended
            if time.perf_counter() > until:
                return

    def _answer(self, asked: Asked) -> None:
        answer = asked.method.answer
        if asked.late:  # nobody hears the answer: it is for others that there is time
            self._finish(asked, answers.LATE)
            return
        try:
            said: Any = answer(asked.body, asked) if answer is not None else answers.NOT_FOUND
        except cold.Cold:
            self._leave(asked)
            self._pass_on(asked)
            return
        except Aborted as aborted:
            said = aborted.said
        except Exception as error:
            log.exception("lean.handler")
            said = answers.unknown(error)
        if rests.settle():  # it could not be authenticated
            doubts.here.note(asked.claim(self._claimed).account, asked.connection.owner.address)
        self._counts.ends["inline"] += 1
        self._finish(asked, said)

    def _pass_on(self, asked: Asked) -> None:
        """Have a thread of the call's class answer it."""
        self._counts.ends["passed"] += 1
        asked.passed = True
        try:
            asked.method.lane.submit_claimed(asked.claim(self._claimed), asked.connection.owner.address, self._work, asked)
        except RuntimeError:  # the lane is closed
            self._finish(asked, answers.STOPPING)

    def _work(self, asked: Asked) -> None:
        said: Any = answers.LATE
        try:
            if not (asked.gone or asked.late):
                said = asked.method.behaviour(answers.unpacked(asked.body) if asked.packed else asked.body, asked)
        except Aborted as aborted:
            said = aborted.said
        except Exception as error:
            log.exception("lean.handler")
            said = answers.unknown(error)
        self._answered.append((asked, said))
        self._bell.ring()

    def _finish(self, asked: Asked, said: Any) -> None:
        """Send an answer: a message, or how else the call ends."""
        self._leave(asked)
        self._give_back(asked)
        stream, of = asked.stream, asked.connection
        if stream.call is not asked or said is None:  # it has gone, or a stream has begun
            return
        stream.call = None
        if said.__class__ is bytes:
            try:
                message, trailer = answers.framed(said), answers.trailer(asked.trailing)
            except Aborted as aborted:
                said = aborted.said
            except ValueError:
                log.exception("lean.unsaid")
                said = answers.UNSAID
            else:
                self._unsent[of.owner] = None
                of.answer(stream, message, trailer)
                return
        self._end(of, stream, said)

    def _end(self, of: Connection, stream: Stream, said: answers.Said) -> None:
        of.answer_at_once(stream, said.block)
        self._unsent[of.owner] = None

    # Calls that have several messages.

    def heard(self, of: Connection, stream: Stream, message: bytes) -> None:
        """A message of a call that talks: a thread of its class answers it."""
        method, asked = self._methods[stream.head.path], stream.call
        if asked is None:
            held = stream.held  # of messages to come, which stay the connection's
            asked = stream.call = Asked(method, of, stream)
            stream.held, asked.room = held, 0
            asked.flow = Flow(self._flows, of, stream)
            stream.ends = of.now + min(LONGEST, LONGEST if stream.head.seconds is None else stream.head.seconds)
        asked.messages += 1
        try:
            if asked.messages > MESSAGES:
                raise Aborted(answers.TOO_MANY)
            body, packed = answers.one(method.path, stream.head.encoding, message)
        except Aborted as aborted:
            self._cut(of, stream, aborted.said)
            return
        self._counts.ends["passed"] += 1
        try:
            method.lane.submit_for(of.owner.address, self._reply, asked, body, packed)
        except RuntimeError:  # the lane is closed
            self._cut(of, stream, answers.STOPPING)

    def silent(self, of: Connection, stream: Stream) -> None:
        """A call that talks has said all."""
        self._cut(of, stream, answers.UNFINISHED if stream.held else answers.well(()))

    def taken(self, of: Connection, stream: Stream) -> None:
        """The message of a stream has gone into what is sent next; the one after it is made when that was sent."""
        if stream.call is not None:
            of.owner.taken.append(stream.call.flow)

    def _reply(self, asked: Asked, body: bytes, packed: bool) -> None:
        if asked.gone:
            return
        try:
            asked.method.lane.enter()
            said = asked.method.behaviour(answers.unpacked(body) if packed else body, asked)
        except Aborted as aborted:
            end = aborted.said
        except Throttling:
            end = answers.of_excess(ROOM)
        except Exception as error:
            log.exception("lean.handler")
            end = answers.unknown(error)
        else:
            asked.flow.send(said, partial(asked.connection.listen, asked.stream))
            return
        self._flows.tell(self._cut, asked.connection, asked.stream, end)

    def _cut(self, of: Connection, stream: Stream, said: answers.Said) -> None:
        """End a call, and what makes its messages."""
        if of.streams.get(stream.id) is stream:
            self.gone(stream)
            self._end(of, stream, said)

    def _touch(self, of: Connection) -> None:
        self._unsent[of.owner] = None

    def _elsewhere(self, asked: Asked, told: Callable[[], None]) -> None:
        """Have a thread of the call's class close what made its messages: that is not for the polling thread to wait for."""
        try:
            asked.method.lane.submit(told)
        except RuntimeError:  # the lane is closed
            told()

    def _leave(self, asked: Asked) -> None:
        if asked.entered:
            asked.entered = False
            self._line.leave(asked.account, asked.part)

    def _give_back(self, asked: Asked) -> None:
        if asked.room:
            self._budget.give(asked.connection.owner.address, asked.room)
            asked.room = 0
