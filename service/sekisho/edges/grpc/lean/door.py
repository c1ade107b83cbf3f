"""The door of the listener: the bound socket, and who comes through it."""

import errno
import select
import socket
import ssl
from collections.abc import Callable, Iterator

import structlog

from sekisho.edges import budgets
from sekisho.edges.grpc.lean.peers import Peer

EVENTS = 16
"""Sockets that are read, and clients that come in, before calls are answered."""
BACKLOG = 1024
"""Connections that wait to be taken in."""

_PASSING = (errno.ECONNABORTED, errno.EINTR)
log = structlog.get_logger(__name__)


class Door:
    """Listens from its making on. Clients last `age` seconds, a tenth more or less; `tls` makes the context of the next handshake."""

    def __init__(self, bound: socket.socket, poll: "select.epoll", tls: Callable[[], ssl.SSLContext] | None, age: float) -> None:
        self._bound, self._poll, self._tls, self._age = bound, poll, tls, age
        bound.setblocking(False)
        bound.listen(BACKLOG)
        self._polled = False
        self.open_again()

    def is_at(self, number: int) -> bool:
        """Whether a poll's number is the door's."""
        return self._polled and number == self._bound.fileno()

    def come(self, now: float) -> Iterator[Peer]:
        """Those who come in, some at a time. Where the system has no more files, say, nobody is looked for until `open_again`: the poll
        would tell of those who wait again and again.
        """
        for _ in range(EVENTS):
            try:
                connected, where = self._bound.accept()
            except BlockingIOError:
                return
            except OSError as error:
                if error.errno in _PASSING:
                    continue
                log.error("lean.accept", error=error.strerror)
                self._rest()
                return
            try:
                connected.setblocking(False)
                connected.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                if self._tls is not None:  # which refuses who has gone already, and has left something
                    connected = self._tls().wrap_socket(connected, server_side=True, do_handshake_on_connect=False)
            except (OSError, ValueError):
                connected.close()
                continue
            lasts = self._age * (0.9 + 0.2 * (hash(where) % 1000) / 1000)
            yield Peer(connected, where, budgets.holder(str(where[0])), now, now + lasts)

    def _rest(self) -> None:
        if self._polled:
            self._polled = False
            self._poll.unregister(self._bound.fileno())

    def open_again(self) -> None:
        """Look for clients."""
        if not self._polled and self._bound.fileno() >= 0:
            self._poll.register(self._bound.fileno(), select.EPOLLIN)
            self._polled = True

    def close(self) -> None:
        """Let nobody in any more."""
        self._rest()
        self._bound.close()
