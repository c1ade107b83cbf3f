"""A call within its connection, who answers it, and the end of a connection."""

import math
from typing import Any, Protocol, TypeVar

from sekisho.edges.grpc.lean import frames
from sekisho.edges.grpc.lean.heads import Head

PREFIX = 5
"""Bytes before a message: is it compressed, and how long it is."""


class Ended(Exception):  # noqa: N818  # what has happened
    """The connection is over, for this reason; the bytes to send before it is closed are in `out`."""

    def __init__(self, code: int, said: str) -> None:
        super().__init__(said)
        self.code = code


C = TypeVar("C", contravariant=True)
"""The connection, which stands above its streams."""


class Receiver(Protocol[C]):
    """Who answers the calls of a connection. All that a stream has taken of its room, it gives back."""

    gate: Any
    """Tells for which calls there is no room, by their heads (`cuts.Refuser`)."""

    def arrived(self, connection: C, stream: "Stream", message: bytes) -> None:
        """Take a call that has come whole; its room is the receiver's own from here on."""

    def gone(self, stream: "Stream") -> None:
        """Drop a call that its caller has taken back; its answer is not sent."""

    def refused(self, connection: C, stream: "Stream", excess: str) -> None:
        """Answer a call of which there is too much: METADATA, MESSAGE, or ROOM that nobody has for it."""

    def heard(self, connection: C, stream: "Stream", message: bytes) -> None:
        """Take one message of a call that talks; the next one is told when this one is answered (`Connection.listen`)."""

    def silent(self, connection: C, stream: "Stream") -> None:
        """A call that talks has said all, and all of it is answered."""

    def taken(self, connection: C, stream: "Stream") -> None:
        """The message of a stream has gone, as far as the client's windows are concerned."""

    def take(self, connection: C, size: int) -> bool:
        """Take so many bytes of room for the part of a message; False where there are none."""

    def give(self, connection: C, size: int) -> None:
        """Give room back."""


METADATA, MESSAGE, ROOM = "metadata", "message", "room"
"""What there can be too much of."""


class Stream:
    """One call: its head, what has come of its message, and what of its answer waits for the client's window. It `talks` where its messages
    are told one by one; `spoken` is true once its answer has begun; at `ends` it is over, if it is not before.
    """

    __slots__ = (
        "began",
        "body",
        "busy",
        "call",
        "credit",
        "ends",
        "head",
        "held",
        "id",
        "rest",
        "size",
        "spoken",
        "talks",
        "trailer",
        "whole",
        "window",
    )

    def __init__(self, id_: int, given: Head, window: int, began: float) -> None:
        self.id, self.head, self.window, self.began = id_, given, window, began
        self.body: bytes | bytearray = b""
        self.held = 0  # bytes of room, until all has come
        self.whole = False  # all of it has come
        self.rest: memoryview | None = None
        self.trailer, self.size = b"", 0  # of an answer that waits
        self.call: Any = None  # whatever who answers keeps with it
        self.spoken = self.talks = self.busy = False
        self.credit = 0  # bytes of a call that talks for which its window was not filled up again
        self.ends = math.inf


def unpadded(flags: int, payload: bytes, skipped: int) -> bytes:
    """The payload of a frame without its padding, and without so many bytes before it; Ended where there is less."""
    begin, end = 0, len(payload)
    if flags & frames.PADDED:
        if not payload or payload[0] >= end:
            raise Ended(frames.PROTOCOL, "more padding than payload")
        begin, end = 1, end - payload[0]
    begin += skipped
    if begin > end:
        raise Ended(frames.PROTOCOL, "less payload than there must be")
    return payload[begin:end]
