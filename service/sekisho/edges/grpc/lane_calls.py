"""A call of the polling lane, as its thread and its handler see it, and how it ends. It knows private names, as `lane` does."""

import time
from collections.abc import Callable
from functools import lru_cache
from typing import Any

import grpc
import structlog
from grpc._cython import cygrpc  # type: ignore[attr-defined]  # compiled: no stubs

from sekisho.edges import budgets, request_ids
from sekisho.edges.budgets import Budget
from sekisho.edges.grpc import status
from sekisho.edges.grpc.arrivals import Arrivals, host
from sekisho.edges.grpc.sizes import MAX_MESSAGE
from sekisho.errors import Throttling

SOON = 0.25
"""Seconds in which a message has to come; then it is waited for like that of any call."""
APART = 0.05
"""Seconds after which a call whose message has not come has no place in the line."""
LONG = 0.5
"""Seconds that a call waits for room, while there are others of its address whose message comes soon."""
TRIES = 4
"""Calls that are looked at for one that there is room for."""

UNKNOWN, UNIMPLEMENTED, LATE = (getattr(grpc.StatusCode, name).value[0] for name in ("UNKNOWN", "UNIMPLEMENTED", "DEADLINE_EXCEEDED"))


class AbortedError(Exception):
    """The handler has ended its call with a status."""


class Method:
    """A method of the lane: its path, grpcio's handler for it, and the same for a thread that must not wait."""

    def __init__(self, path: str, handler: Any, answer: Callable[[bytes, Any], bytes]) -> None:
        self.path, self.handler, self.answer = path, handler, answer
        self.behaviour = handler.unary_unary
        self.pool: Arrivals = self.behaviour.experimental_thread_pool


class Polled:
    """One call: the tag of its batches, and the context of its handler, with as much of grpcio's as handlers here use."""

    __slots__ = (
        "account", "address", "adopted", "asked", "body", "came", "core", "details", "done", "entered", "event", "method", "room",
        "status", "trailing",
    )  # fmt: skip

    def __init__(self, method: Method, event: Any) -> None:
        self.method, self.event, self.core = method, event, event.call
        self.came = self.asked = time.monotonic()
        self.account = self.address = ""
        self.body: bytes | None = None  # the message, once it has come
        self.room = 0  # bytes of the budget that are taken for it
        self.adopted: Callable[[Any], Any] | None = None  # takes the message, where that is waited for elsewhere
        self.entered = False  # stands in the line
        self.done = False  # was answered, or is grpcio's own by now
        self.status, self.details = 0, b""
        self.trailing: Any = ()

    def take_room(self, budget: Budget) -> bool:
        """Take room for the largest message that there can be, or have it already; False where there is not as much."""
        if not self.room and budget.take(self.address, MAX_MESSAGE):
            self.room = MAX_MESSAGE
        return self.room > 0

    def keep(self, body: bytes | None, budget: Budget) -> None:
        """Keep the message that has come, and the room that it takes."""
        self.body = body
        self.give_back(budget, left=len(body or b""))

    def give_back(self, budget: Budget, *, left: int = 0) -> None:
        """Give back the room but for so many bytes; once, however often it is called."""
        if self.room > left:
            budget.give(self.address, self.room - left)
            self.room = left

    def invocation_metadata(self) -> Any:
        return self.event.invocation_metadata

    def time_remaining(self) -> float:
        left: float = self.event.call_details.deadline - time.time()
        return max(left, 0)

    def peer(self) -> str:
        name: str = self.core.peer().decode()
        return name

    def auth_context(self) -> dict[str, list[bytes]]:
        return {key.decode(): value for key, value in (cygrpc.auth_context(self.core) or {}).items()}

    def set_trailing_metadata(self, metadata: Any) -> None:
        self.trailing = metadata

    def abort_with_status(self, given: grpc.Status) -> None:
        self.said(given)
        raise AbortedError

    def said(self, given: Any) -> None:
        """Be ended with a status."""
        self.status, self.details, self.trailing = given.code.value[0], given.details.encode(), given.trailing_metadata


def start(core: Any, operations: tuple[Any, ...], tag: Any) -> None:
    """Hand a batch to core; RuntimeError, and no event, for one that core refuses."""
    if error := core.start_server_batch(operations, tag):
        raise RuntimeError(f"core refuses a batch: {error}")


def finish(call: Polled, message: tuple[Any, ...]) -> None:
    """Send all of an answer in one batch, whose end is the call's; raises, and cancels the call, where core takes none."""
    initial, close = cygrpc.SendInitialMetadataOperation(None, 0), cygrpc.ReceiveCloseOnServerOperation(0)
    try:
        said = cygrpc.SendStatusFromServerOperation(call.trailing, call.status, call.details, 0)
        start(call.core, (initial, *message, said, close), call)
    except Exception:
        log.exception("lane.unsaid")  # metadata that HTTP/2 cannot carry; up to 1.80 core minds what a refused batch began with
        try:
            said = cygrpc.SendStatusFromServerOperation(None, _INTERNAL, b"Failed to send response!", 0)
            start(call.core, (said, initial, close), call)
        except Exception:
            call.core.cancel()
            raise


def refuse(event: Any) -> None:
    """Answer a call that is too many, for as little as can be: four of five may be."""
    id_ = request_ids.new()
    trailing = tuple(
        (name, value.replace(_ID, id_) if isinstance(value, str) else value.replace(_ID_BYTES, id_.encode())) for name, value in _TOO_MANY
    )
    said = cygrpc.SendStatusFromServerOperation(trailing, _EXHAUSTED, _RATE, 0)
    start(event.call, (cygrpc.SendInitialMetadataOperation(None, 0), said, cygrpc.ReceiveCloseOnServerOperation(0)), REFUSED)


@lru_cache(maxsize=4096)
def holder(peer: str) -> str:
    """Who is charged for the bytes of a peer, which has a port of its own for each connection."""
    return budgets.holder(host(peer))


REFUSED = object()
"""The tag of an answer that refuses."""

_ID = "0" * len(request_ids.new())
_ID_BYTES, _RATE, _EXHAUSTED = _ID.encode(), b"Rate exceeded", grpc.StatusCode.RESOURCE_EXHAUSTED.value[0]
_TOO_MANY: Any = status.of(Throttling(_RATE.decode()), _ID).trailing_metadata  # with a place for the id
_INTERNAL = grpc.StatusCode.INTERNAL.value[0]
log = structlog.get_logger(__name__)
