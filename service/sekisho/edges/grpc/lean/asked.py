"""A call as handlers see it: with as much of grpcio's context as handlers here use."""

import math
import time
from collections.abc import Callable
from typing import Any, NamedTuple, NoReturn

import grpc

from sekisho.edges.grpc.handlers import Behaviour
from sekisho.edges.grpc.lean import answers
from sekisho.edges.grpc.lean.answers import Aborted
from sekisho.edges.grpc.lean.connection import Connection
from sekisho.edges.grpc.lean.stream import Stream
from sekisho.edges.lanes import Claim, Lane

ONCE, STREAMS, TALKS = "once", "streams", "talks"
"""Kinds of rpcs: those that answer once, those whose handler begins a stream on the `flow` of its call and returns at once, and those that
answer each message of a client.
"""


class Method(NamedTuple):
    """An rpc: how a thread answers it that must not wait, None where none can, and how one of its class of calls does. Calls that are
    not `signed` claim nothing: those of one address share.
    """

    path: str
    answer: Behaviour | None
    behaviour: Behaviour
    lane: Lane
    signed: bool = True
    kind: str = ONCE


class Asked:
    """One call. `body` is its message, which a thread of its class has yet to unpack where it is `packed`; `room` are the bytes that are
    taken for it; `gone` is true once nobody waits for the answer.
    """

    __slots__ = (
        "account",
        "body",
        "connection",
        "deadline",
        "entered",
        "flow",
        "gone",
        "messages",
        "method",
        "packed",
        "part",
        "passed",
        "room",
        "stream",
        "trailing",
    )

    def __init__(self, method: Method, connection: Connection, stream: Stream) -> None:
        self.method, self.connection, self.stream = method, connection, stream
        seconds = stream.head.seconds
        self.deadline = time.time() + seconds if seconds is not None else None
        self.account = self.part = ""
        self.entered = self.gone = self.passed = self.packed = False
        self.body = b""
        self.room, stream.held = stream.held, 0
        self.trailing: Any = ()
        self.flow: Any = None  # of a call that has several messages
        self.messages = 0  # that it has sent, of a call that talks

    def receive(self, message: bytes, most: int) -> bool:
        """Take the message in; False where it is for a thread of the call's class, as those with more bytes than this are. Of one that is
        packed no more is unpacked here. Aborted where there is none that can be read.
        """
        self.body, self.packed = answers.one(self.method.path, self.stream.head.encoding, message)
        if self.method.answer is None or len(self.body) > most:
            return False
        if self.packed and (found := answers.few_unpacked(self.body, most)) is not None:
            self.body, self.packed = found, False
        return not self.packed

    def claim(self, claimed: Callable[[Any], Claim]) -> Claim:
        """Whose it says it is; where calls claim nothing, those of one address share."""
        return claimed(self.stream.head.metadata) if self.method.signed else Claim(self.connection.owner.address)

    @property
    def late(self) -> bool:
        """True once the deadline has passed."""
        return self.deadline is not None and self.deadline <= time.time()

    def invocation_metadata(self) -> Any:
        """The metadata of the call."""
        return self.stream.head.metadata

    def time_remaining(self) -> float:
        """Seconds until the deadline, of which there is no end where there is none."""
        return max(0.0, self.deadline - time.time()) if self.deadline is not None else math.inf

    def peer(self) -> str:
        """Whence it comes, as gRPC writes it."""
        name: str = self.connection.owner.name
        return name

    def auth_context(self) -> Any:
        """What TLS says of the client."""
        return self.connection.owner.auth

    def set_trailing_metadata(self, metadata: Any) -> None:
        """Have metadata sent behind the answer."""
        self.trailing = metadata

    def abort_with_status(self, given: grpc.Status) -> NoReturn:
        """End the call."""
        raise Aborted(answers.of_status(given))
