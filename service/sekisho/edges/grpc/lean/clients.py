"""The clients of the listener: their sockets, what they send, what is sent to them, and the time that they have for it."""

import select
import socket
import ssl
import time
from abc import ABC, abstractmethod
from collections import Counter
from collections.abc import Callable

import structlog

from sekisho.edges import budgets
from sekisho.edges.budgets import Budget
from sekisho.edges.grpc.lean import ages
from sekisho.edges.grpc.lean.answers import LATE, STOPPING, Said
from sekisho.edges.grpc.lean.connection import Connection
from sekisho.edges.grpc.lean.counts import Counts
from sekisho.edges.grpc.lean.door import BACKLOG, EVENTS, Door
from sekisho.edges.grpc.lean.peers import INSECURE, UNSENT, Gone, Peer
from sekisho.edges.grpc.lean.stream import Ended, Stream

CONNECTIONS, OF_ADDRESS = 10_000, 5_000
"""Connections of a worker, and those of one address, which a proxy is, too; a further one is closed as soon as it comes."""

log = structlog.get_logger(__name__)


class Clients(ABC):
    """Those who are connected. What becomes of their calls is said by who inherits this."""

    def __init__(self, bound: socket.socket, tls: Callable[[], ssl.SSLContext] | None, age: float) -> None:
        self._poll = select.epoll()
        self._door = Door(bound, self._poll, tls, age)
        self._peers: dict[int, Peer] = {}
        self._of_address: Counter[str] = Counter()
        self._unsent: dict[Peer, None] = {}  # who may have something to be sent
        self._more: dict[Peer, None] = {}  # whose TLS has bytes that no poll tells of
        self._answers = Budget(2 * budgets.TOTAL, 2 * budgets.SHARE)  # that clients have not taken yet
        self._counts = Counts()
        self._ends = 0.0  # when all has to be over, once it was told to stop

    @property
    def turned(self) -> float:
        """When the thread last looked around (monotonic), which it does each second."""
        return self._counts.turned

    @abstractmethod
    def gone(self, stream: Stream) -> None:
        """Drop the call of a stream that has ended."""

    @abstractmethod
    def _connected(self, peer: Peer) -> Connection:
        """Make the connection of a client that has come."""

    @abstractmethod
    def _was_read(self, peer: Peer, began: float) -> None:
        """Called when something of a client was read, which began then (`perf_counter`)."""

    @abstractmethod
    def _end(self, of: Connection, stream: Stream, said: Said) -> None:
        """Answer a call with its end."""

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
            peer.connection = self._connected(peer)
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
        began = time.perf_counter()
        data = peer.read()
        if not data or peer.parted:
            return
        if peer.auth is not INSECURE and peer.has_more:
            self._more[peer] = None
        peer.connection.now = now
        try:
            peer.connection.feed(data)
        except Ended as ended:
            log.info("lean.ended", peer=peer.name, reason=str(ended))
            peer.send(now)
            raise Gone from None
        self._was_read(peer, began)

    def _send(self, peer: Peer, now: float) -> None:
        if peer.shaking:
            return
        peer.send(now)
        if peer.taken and len(peer.unsent) < UNSENT:
            taken, peer.taken = peer.taken, []
            for flow in taken:
                flow.go_on()
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

    def _look_around(self, now: float, before: float) -> None:
        """End what has had its time; `before` is when the last look was."""
        self._door.open_again()
        for peer in list(self._peers.values()) if now - before <= ages.STILL else ():
            self._guarded(peer, self._age_of, now)
        self._counts.publish(len(self._peers))

    def _age_of(self, peer: Peer, now: float) -> None:
        for late in ages.look(peer, now, stopping=self._ends > 0):
            self.gone(late)
            self._end(peer.connection, late, STOPPING if late.talks and self._ends else LATE)
        self._unsent[peer] = None
