"""The listener and its thread: sockets, calls in the order of their accounts, and their answers.

    bytes come → a call is whole → there is a place for its account → its turn → answered → sent with the others of its connection

The thread must not wait: what would have to is `Cold` before it has an effect, and goes to the threads of its class of calls. So do all
calls but decisions. Sockets, connections and calls are this thread's alone.
"""

import os
import select
import socket
import ssl
import threading
import time
from collections import Counter, deque
from collections.abc import Callable, Mapping
from typing import Any

import structlog

from sekisho.edges import budgets
from sekisho.edges.budgets import Budget
from sekisho.edges.grpc.lean import ages, answers
from sekisho.edges.grpc.lean.answers import Aborted
from sekisho.edges.grpc.lean.asked import Asked, Method
from sekisho.edges.grpc.lean.bell import Bell
from sekisho.edges.grpc.lean.connection import Connection
from sekisho.edges.grpc.lean.counts import Counts
from sekisho.edges.grpc.lean.door import BACKLOG, EVENTS, Door
from sekisho.edges.grpc.lean.line import INLINE, Line
from sekisho.edges.grpc.lean.peers import INSECURE, UNSENT, Gone, Peer
from sekisho.edges.grpc.lean.stream import ROOM, Ended, Stream
from sekisho.edges.grpc.sizes import MAX_MESSAGE, METADATA, MOST_ENTRIES
from sekisho.edges.lanes import Claim
from sekisho.memory import cold

SUPPORTED = hasattr(select, "epoll") and hasattr(os, "eventfd")  # which Linux has
SLICE = 0.01
"""Seconds for which calls are answered before sockets are looked at again."""
SHARE = 1.0
"""How many times as long as a client was read calls are answered, if more came than may wait: who refuses all that comes answers nobody."""
LULL = 0.05
"""Seconds after a fault of our own, and between two looks while it stops."""
CONNECTIONS, OF_ADDRESS = 10_000, 5_000
"""Connections of a worker, and those of one address, which a proxy is, too; a further one is closed as soon as it comes."""
SHAKES = 2
"""Steps of handshakes, a millisecond each, before calls are answered: who opens connections does not hold up who has one."""
ROUND = 1.0
"""Seconds between two looks at who is late."""

_SMALL = {"most_bytes": METADATA, "most_entries": MOST_ENTRIES, "most_message": MAX_MESSAGE}
log = structlog.get_logger(__name__)


class Port:
    """Holds a bound socket from its making on, answers from `start` on. `claimed` reads whose a call says it is, `tls` makes the context of
    the next handshake; connections last `age` seconds, a tenth more or less."""

    def __init__(
        self,
        bound: socket.socket,
        methods: Mapping[str, Method],
        claimed: Callable[[Any], Claim],
        *,
        tls: Callable[[], ssl.SSLContext] | None = None,
        age: float,
    ) -> None:
        self._methods, self._claimed = methods, claimed
        self._poll = select.epoll()
        self._door = Door(bound, self._poll, tls, age)
        self._bell = Bell()
        self._poll.register(self._bell.number, select.EPOLLIN)
        self._peers: dict[int, Peer] = {}
        self._of_address: Counter[str] = Counter()
        self._unsent: dict[Peer, None] = {}  # who may have something to be sent
        self._more: dict[Peer, None] = {}  # whose TLS has bytes that no poll tells of
        self._answered: deque[tuple[Asked, Any]] = deque()  # by other threads
        self._line: Line[Asked] = Line()
        self._budget = Budget()
        self._answers = Budget(2 * budgets.TOTAL, 2 * budgets.SHARE)  # that clients have not taken yet
        self._counts = Counts()
        self._ends = 0.0  # when all has to be over, once it was told to stop
        self._looked = 0.0
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
        waits = 0.0 if self._line.ready or self._more or self._answered else turn
        events = self._poll.poll(waits, EVENTS)
        now, shakes = time.monotonic(), 0
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
        if self._line.ready:
            self._answer_some(SLICE)
        unsent, self._unsent = self._unsent, {}
        for peer in unsent:
            self._guarded(peer, self._send, now)
        if now - self._looked >= turn:
            self._looked = now
            self._look_around(now)

    def _guarded(self, peer: Peer, act: Callable[[Peer, float], None], now: float) -> None:
        """Act on a client; what goes wrong ends it, and nobody else."""
        if self._peers.get(peer.number) is not peer:
            return
        try:
            act(peer, now)
        except Gone:
            self._close(peer)
        except Exception:
            log.exception("lean.fault", peer=peer.name)
            self._close(peer)

    def _safely(self, act: Callable[..., None], asked: Asked, *said: Any) -> None:
        """Act on a call; what goes wrong ends its connection."""
        try:
            act(asked, *said)
        except Exception:
            log.exception("lean.fault", peer=asked.peer())
            self._close(asked.connection.owner)

    # Clients.

    def _accept(self, now: float) -> bool:
        """Take in who is at the door; False once nobody is."""
        peer = None
        for peer in self._door.come(now):
            if len(self._peers) >= CONNECTIONS or self._of_address[peer.address] >= OF_ADDRESS:
                peer.close()
                self._counts.ends["connection"] += 1
                continue
            peer.mask = select.EPOLLIN
            self._poll.register(peer.number, peer.mask)
            peer.connection = Connection(self, peer, **_SMALL)
            self._peers[peer.number] = peer
            self._of_address[peer.address] += 1
            self._unsent[peer] = None
        return peer is not None

    def _shut(self) -> None:
        """Close the door behind those who are at it already, who would lose their calls."""
        for _ in range(BACKLOG // EVENTS):
            if not self._accept(time.monotonic()):
                break
        self._door.close()

    def _read(self, peer: Peer, now: float) -> None:
        self._unsent[peer] = None
        if peer.shaking:
            peer.shake()
            if peer.shaking:
                return
        data = peer.read()
        if not data or peer.parted:
            return
        if peer.auth is not INSECURE and peer.has_more:
            self._more[peer] = None
        peer.connection.now, began = now, time.perf_counter()
        try:
            peer.connection.feed(data)
        except Ended as ended:
            log.info("lean.ended", peer=peer.name, reason=str(ended))
            peer.send(now)
            raise Gone from None
        if self._line.waiting >= self._line.most:
            self._answer_some(SHARE * (time.perf_counter() - began))

    def _send(self, peer: Peer, now: float) -> None:
        if peer.shaking:
            return
        peer.send(now)
        waiting = len(peer.unsent)
        if (held := waiting + peer.connection.held) != peer.held:
            self._hold(peer, held)
        mask = (select.EPOLLOUT if waiting else 0) | (select.EPOLLIN if waiting < UNSENT else 0)
        if mask != peer.mask:
            peer.mask = mask
            self._poll.modify(peer.number, mask)

    def _hold(self, peer: Peer, held: int) -> None:
        """Have so many bytes of answers wait for a client; Gone where its address has too many."""
        if held > peer.held and not self._answers.take(peer.address, held - peer.held):
            log.info("lean.ended", peer=peer.name, reason="answers that are not taken")
            raise Gone
        if held < peer.held:
            self._answers.give(peer.address, peer.held - held)
        peer.held = held

    def _close(self, peer: Peer) -> None:
        if self._peers.get(peer.number) is not peer:
            return
        del self._peers[peer.number]
        self._hold(peer, 0)
        self._poll.unregister(peer.number)
        self._of_address[peer.address] -= 1
        if not self._of_address[peer.address]:
            del self._of_address[peer.address]
        for stream in list(peer.connection.streams.values()):
            peer.connection.forget(stream)
            self.gone(stream)
        peer.close()

    def _look_around(self, now: float) -> None:
        """End what has had its time."""
        self._door.open_again()
        for peer in list(self._peers.values()):
            self._guarded(peer, self._age_of, now)
        self._counts.publish(len(self._peers))

    def _age_of(self, peer: Peer, now: float) -> None:
        for late in ages.look(peer, now, stopping=self._ends > 0):
            self._end(peer.connection, late, answers.LATE)
        self._unsent[peer] = None

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
        self._end(of, stream, answers.of_excess(of_what))

    def gone(self, stream: Stream) -> None:
        """A call that nobody waits for any more; one that a thread is at keeps its room until that is done."""
        asked: Asked | None = stream.call
        if asked is not None:
            asked.gone, stream.call = True, None
            self._leave(asked)
            if not asked.passed:
                self._give_back(asked)

    def arrived(self, of: Connection, stream: Stream, message: bytes) -> None:
        """A whole call: it is refused, or stands in its account's line, or is for other threads."""
        method = self._methods.get(stream.head.path)
        if method is None:
            self._end(of, stream, answers.NOT_FOUND)
            return
        asked = stream.call = Asked(method, of, stream)
        try:
            here = asked.receive(message, INLINE)
        except Aborted as aborted:
            self._finish(asked, aborted.said)
            return
        if not here:
            self._pass_on(asked)
            return
        # Who claims no account has the share of an address. Who comes alone waits for nobody, whoever it is.
        line, address = self._line, of.owner.address
        asked.account = (self._claimed(stream.head.metadata).account or address) if line.waiting else address
        if line.enter(asked.account):
            asked.entered = True
            line.put(asked.account, asked)
        else:
            self._counts.ends["refused"] += 1
            self._finish(asked, answers.of_excess(ROOM))

    def _answer_some(self, seconds: float) -> None:
        until = time.perf_counter() + seconds
        while (taken := self._line.take()) is not None:
            account, asked, expected = taken
            began = time.thread_time()
            if not asked.gone:
                self._safely(self._answer, asked)
            self._line.settle(account, expected=expected, spent=time.thread_time() - began)
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
        if asked.gone or stream.call is not asked:
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

    def _leave(self, asked: Asked) -> None:
        if asked.entered:
            asked.entered = False
            self._line.leave(asked.account)

    def _give_back(self, asked: Asked) -> None:
        if asked.room:
            self._budget.give(asked.connection.owner.address, asked.room)
            asked.room = 0
