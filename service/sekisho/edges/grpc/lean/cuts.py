"""Calls that are refused by their heads alone: there is no room for them, and what their messages say is not looked at."""

from typing import Any, Protocol

from sekisho.edges.grpc.lean import frames
from sekisho.edges.grpc.lean.heads import Head

MOST = 100
"""Refused calls of a connection whose messages are still to come; what is refused beyond that is first read."""


class Refuser(Protocol):
    """Who says for which calls there is no room."""

    def refuses(self, connection: Any, given: Head) -> bool:
        """True of a call with this head, as long as nothing is answered."""

    def refusals(self, count: int) -> list[bytes]:
        """Count so many that were refused; the header blocks that end them."""


class Cuts:
    """The refused calls of one connection. `gate` tells for which there is no room; `head` is the one that was refused last, of which the
    next are refused without being asked about: whoever reads forgets it, since there may be room by then. `block` is how its client
    wrote it, where the last call that there was is that one, and to read it again would change nothing.
    """

    __slots__ = ("_gate", "_ids", "block", "head")

    def __init__(self, gate: Refuser) -> None:
        self._gate = gate
        self._ids: set[int] = set()
        self.head: Head | None = None
        self.block = b""

    def renew(self) -> None:
        """Ask anew about the next call."""
        self.head, self.block = None, b""

    def refusals(self, count: int) -> list[bytes]:
        """The header blocks that end so many calls more, which have come whole."""
        return self._gate.refusals(count)

    def cut(self, connection: Any, id_: int, given: Head) -> bytes | None:
        """The header block that ends a call which has a message; None where there is room for it."""
        if given is not self.head:
            if given.http_status or not self._gate.refuses(connection, given):
                return None
            self.head = given
        if len(self._ids) >= MOST:
            return None
        self._ids.add(id_)
        return self._gate.refusals(1)[0]

    def drop(self, id_: int, *, ended: bool) -> bytes | None:
        """What is to be sent when a part of the message of a call comes; None where the call is not one that was refused. What is not over
        with this part is not to go on.
        """
        if id_ not in self._ids:
            return None
        self._ids.discard(id_)
        return b"" if ended else frames.reset(id_, frames.NO_ERROR)

    def forget(self, id_: int) -> None:
        """The client has given a call up, which may make room."""
        self._ids.discard(id_)
        self.renew()
