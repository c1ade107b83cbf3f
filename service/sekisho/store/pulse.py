"""Whether a PostgreSQL that was asked something is alive: one that hangs neither answers nor keeps the time limits that it was given.

A connection that is lent for long may wait for a lock, which takes as long as its caller's deadline, or for a server that will never say
anything. Any connection that comes back says that the server lives; when none does, a new connection is tried. After a second of silence
whoever waits has the socket shut, which ends the wait with an error, and nobody else begins to wait until the server answers again.
"""

import socket
import threading
from collections.abc import Callable
from contextlib import suppress

TICK = 0.2
"""Seconds between two looks at what is lent. Silence is counted in looks, so that a process that was itself stopped blames nobody."""

_ASKED = 2  # looks after which a silent server is asked
_SILENT = 5  # looks after which it is given up


class Pulse:
    """The connections of one engine that are lent, and when the server was last heard of. `ask` returns when the server has answered
    anything, be it an error, and raises TimeoutError when it has not.
    """

    def __init__(self, ask: Callable[[], None]) -> None:
        self._ask = ask
        self._lent: dict[int, tuple[socket.socket, int]] = {}  # by the connection's id: its socket, and at which look it was lent
        self._lock = threading.Lock()
        self._look = self._heard = 0
        self._asking = False
        self._stop = threading.Event()
        self._thread: threading.Thread | None = None
        self.silent = False
        """Whether the server was given up and has not been heard of since."""

    def lent(self, connection: object, wire: socket.socket) -> None:
        """A connection was lent, whose socket this is."""
        with self._lock:
            self._lent[id(connection)] = (wire, self._look)
            if self._thread is None:
                self._stop = threading.Event()
                self._thread = threading.Thread(target=self._run, args=(self._stop,), name="pulse", daemon=True)
                self._thread.start()

    def returned(self, connection: object) -> None:
        """A connection came back, or is about to be closed."""
        with self._lock:
            if self._lent.pop(id(connection), None) is not None:
                self._heard = self._look

    def close(self) -> None:
        """Look no more, until something is lent again; till then nobody would learn that the server answers."""
        with self._lock:
            self._stop.set()
            self._thread, self.silent = None, False
            self._lent.clear()

    def _run(self, stop: threading.Event) -> None:
        while not stop.wait(TICK):
            with suppress(RuntimeError):  # a process that has no thread left to ask with, just now
                self.look()

    def look(self) -> None:
        """Ask a server that is silent to whoever waits for it; give it up after a while, until it answers."""
        with self._lock:
            self._look += 1
            since = [max(self._heard, lent) for _, lent in self._lent.values()]
            quiet = self._look - min(since) if since else 0
            ask = not self._asking and (quiet >= _ASKED or self.silent)
            if quiet >= _SILENT:
                self.silent = True
                for id_, (wire, lent) in list(self._lent.items()):
                    if self._look - max(self._heard, lent) >= _SILENT:
                        del self._lent[id_]  # so that its return is not taken for an answer
                        with suppress(OSError):
                            wire.shutdown(socket.SHUT_RDWR)
            if ask:
                threading.Thread(target=self._answered, name="pulse-ask", daemon=True).start()
                self._asking = True  # in its thread: what follows waits for the lock

    def _answered(self) -> None:
        answered = False
        try:
            with suppress(TimeoutError):
                self._ask()
                answered = True
        finally:  # whatever it raises: a server that is never asked again would be given up for ever
            with self._lock:
                self._asking = False
                if answered:
                    self._heard, self.silent = self._look, False
