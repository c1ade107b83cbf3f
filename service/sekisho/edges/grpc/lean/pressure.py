"""How many calls clients may have under way while there is no room for theirs: HTTP/2's own back-pressure (RFC 9113, 5.1.2).

What is sent and not read yet waits, whether it is refused then or not: each call as long as it takes to read all that clients have under
way. Libraries keep the rest with the client until one of its calls has ended. Who does not heed it is served as before.
"""

from collections.abc import Iterable

from sekisho.edges.grpc.lean.connection import Connection
from sekisho.edges.grpc.lean.outgoing import STREAMS

UNDER_WAY = 1_000
"""Calls that those clients may have under way together of whom some were refused."""
FEWEST = 5
"""Calls that each of them may have however many they are."""


class Pressure:
    """Over the connections of a listener, by whose calls were refused since the last look."""

    def __init__(self) -> None:
        self._pressed: set[Connection] = set()

    def press(self, connection: Connection) -> None:
        """Some of its calls were refused."""
        self._pressed.add(connection)
        if (each := max(FEWEST, UNDER_WAY // len(self._pressed))) < connection.allowed:
            connection.allow(each)

    def ease(self, connections: Iterable[Connection]) -> None:
        """Let those have twice as many, up to the usual number, of whom none was refused since the last look."""
        pressed, self._pressed = self._pressed, set()
        for one in connections:
            if one.allowed < STREAMS and one not in pressed:
                one.allow(min(STREAMS, 2 * one.allowed))
