"""What the protocols have in common: a route leads from a request to an operation, whose codec reads the one and writes the answer."""

from collections.abc import Callable
from dataclasses import dataclass, field

from google.protobuf.message import Message

from sekisho.errors import SekishoError
from sekisho.operations import Operation, Service
from sekisho.sigv4 import HttpRequest

Headers = tuple[tuple[bytes, bytes], ...]


@dataclass(frozen=True, slots=True)
class Answer:
    """What goes back: status, content type, body, and headers of the operation's own."""

    status: int
    kind: bytes
    body: bytes
    headers: Headers = ()


@dataclass(frozen=True, slots=True)
class Codec:
    """One operation in one protocol. `read` raises InvalidArgument or NotImplemented; `write` gets the request id as well."""

    read: Callable[[HttpRequest], Message]
    write: Callable[[Message, str], Answer]


Fail = Callable[[SekishoError, str], Answer]
"""How a service says an error, with the request id."""


@dataclass(frozen=True, slots=True)
class Route:
    """An operation that AWS's service has; `answered` is None where we have no function for it. `fail` is how its service says errors."""

    service: Service
    fail: Fail
    name: str
    answered: tuple[Operation, Codec] | None = field(default=None)
