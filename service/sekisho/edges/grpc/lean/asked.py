"""A call as handlers see it: with as much of grpcio's context as handlers here use."""

import math
import time
from collections.abc import Callable
from typing import Any, NamedTuple, NoReturn

import grpc

from sekisho.edges.grpc.lean import answers
from sekisho.edges.grpc.lean.answers import Aborted
from sekisho.edges.grpc.lean.connection import Connection
from sekisho.edges.grpc.lean.stream import Stream
from sekisho.edges.lanes import Lane

Behaviour = Callable[[bytes, Any], bytes]


class Method(NamedTuple):
    """A unary rpc: how a thread answers it that must not wait, None where none can, and how one of its class of calls does."""

    path: str
    answer: Behaviour | None
    behaviour: Behaviour
    lane: Lane


class Asked:
    """One call. `room` are the bytes that are taken for its message; `gone` is true once nobody waits for the answer."""

    __slots__ = ("account", "body", "connection", "deadline", "entered", "gone", "method", "name", "passed", "room", "stream", "trailing")

    def __init__(self, method: Method, connection: Connection, stream: Stream) -> None:
        self.method, self.connection, self.stream = method, connection, stream
        seconds = stream.head.seconds
        self.deadline = time.time() + seconds if seconds is not None else None
        self.account = ""
        self.entered = self.gone = self.passed = False
        self.body = b""
        self.room, stream.held = stream.held, 0
        self.trailing: Any = ()

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
