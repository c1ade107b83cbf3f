"""gRPC handlers, made by a loop over the registry: bytes in, bytes out, everything between is the pipeline's."""

import itertools
import secrets
import threading
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import Any, NoReturn

import grpc

from sekisho import pipeline
from sekisho.annotations import Access
from sekisho.authorize import authenticate
from sekisho.authorize.call import Node, Peer
from sekisho.errors import ResourceExhausted, SekishoError
from sekisho.operations import OPERATIONS, Operation
from sekisho.server import status

REVISION = "sekisho-revision"
REQUEST_ID = "sekisho-request-id"

_prefix = secrets.token_hex(10)
_numbers = itertools.count(1)


class Throttling(ResourceExhausted):
    """The worker has as many calls of this class as it can answer in time; nothing was done."""


class Lane(ThreadPoolExecutor):
    """The threads of one class of calls. When more than `waiting` calls queue for them, the oldest are refused at once:
    their callers have waited the longest, and will not wait for the answer."""

    def __init__(self, name: str, *, threads: int, waiting: int) -> None:
        super().__init__(max_workers=threads, thread_name_prefix=name)
        self._most = waiting
        self._waiting = 0
        self._count = threading.Lock()

    def submit(self, fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Any:
        """Queue a call; grpcio calls this."""
        with self._count:
            self._waiting += 1
        return super().submit(self._begin, fn, args, kwargs)

    def _begin(self, fn: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        # Counted here and not in `enter`: a call whose message never comes or is too large reaches no handler.
        with self._count:
            self._waiting -= 1
        return fn(*args, **kwargs)

    def enter(self) -> None:
        """A call has left the queue; Throttling when too many are behind it."""
        if self._waiting > self._most:
            raise Throttling("Rate exceeded")


class Lanes:
    """Decisions have threads of their own: a slow write never stands before one."""

    def __init__(self) -> None:
        self.decide = Lane("decide", threads=4, waiting=2000)
        self.control = Lane("control", threads=12, waiting=500)

    def of(self, operation: Operation) -> Lane:
        """The lane of an operation."""
        return self.decide if operation.access.level == Access.DECIDE else self.control

    def close(self) -> None:
        """Let the threads end."""
        for lane in (self.decide, self.control):
            lane.shutdown(wait=False, cancel_futures=True)


def request_id() -> str:
    """Unique over all workers and restarts, in the shape of a UUID; a random prefix and a counter cost less than uuid4."""
    text = f"{_prefix}{next(_numbers):012x}"
    return f"{text[:8]}-{text[8:12]}-{text[12:16]}-{text[16:20]}-{text[20:]}"


def generic(node: Node, lanes: Lanes) -> "list[grpc.GenericRpcHandler[bytes, bytes]]":
    """A generic handler for each service of the registry."""
    services: dict[str, dict[str, grpc.RpcMethodHandler[bytes, bytes]]] = {}
    for path, operation in OPERATIONS.items():
        _, service, method = path.split("/")
        behaviour = _behaviour(node, operation, lanes.of(operation))
        services.setdefault(service, {})[method] = grpc.unary_unary_rpc_method_handler(behaviour)
    return [grpc.method_handlers_generic_handler(service, methods) for service, methods in services.items()]


def _behaviour(node: Node, operation: Operation, lane: Lane) -> Callable[[bytes, grpc.ServicerContext], bytes]:
    def answer(body: bytes, context: grpc.ServicerContext) -> bytes:
        id_ = request_id()
        metadata = context.invocation_metadata()
        arrival = pipeline.Arrival(
            body=body,
            proof=lambda: authenticate.over_grpc(metadata, operation.path, body, node.audience),
            peer=peer(context, metadata),
            request_id=id_,
            seconds=context.time_remaining(),
        )
        try:
            lane.enter()
            reply = pipeline.run(node, operation, arrival)
        except SekishoError as error:
            context.set_trailing_metadata(((REQUEST_ID, id_),))
            _abort(context, error, id_)
        context.set_trailing_metadata(((REVISION, reply.revision), (REQUEST_ID, id_)))
        return reply.message.SerializeToString()

    # grpcio runs a behaviour in this pool instead of the server's own.
    answer.experimental_thread_pool = lane  # type: ignore[attr-defined]
    return answer


def _abort(context: grpc.ServicerContext, error: SekishoError, id_: str) -> NoReturn:
    context.abort_with_status(status.of(error, id_))
    raise AssertionError("abort_with_status raises")


def peer(context: Any, metadata: Any) -> Peer:
    """Where the call comes from: gRPC writes peers as `ipv4:192.0.2.1:5000`, `ipv6:%5B::1%5D:5000` or `unix:`."""
    kind, _, rest = context.peer().partition(":")
    host = rest.rpartition(":")[0].replace("%5B", "").replace("%5D", "").strip("[]") if kind in ("ipv4", "ipv6") else ""
    agent: Mapping[str, Any] = dict(metadata)
    user_agent = agent.get("user-agent", "")
    return Peer(
        source_ip=host,
        user_agent=user_agent if isinstance(user_agent, str) else "",
        secure="transport_security_type" in context.auth_context(),
    )
