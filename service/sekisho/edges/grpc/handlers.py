"""gRPC handlers, made by a loop over the registry: bytes in, bytes out, everything between is the pipeline's."""

import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from functools import lru_cache, partial
from typing import Any, NamedTuple, NoReturn, TypeVar

import grpc

from sekisho.calls import pipeline, proofs
from sekisho.calls.call import Node, Peer, plain_address
from sekisho.calls.waits import Wait
from sekisho.calls.workloads import Workloads
from sekisho.edges import claims, request_ids
from sekisho.edges.answers import Answers
from sekisho.edges.grpc import sizes, status, wires
from sekisho.edges.grpc.arrivals import Arrivals, host
from sekisho.edges.grpc.lot import Lot
from sekisho.edges.grpc.receives import Receives
from sekisho.edges.grpc.streams import Places, Stream, Wire
from sekisho.edges.lanes import Lane, Lanes
from sekisho.errors import SekishoError, Unimplemented
from sekisho.journal.postponed import Postponed
from sekisho.memory.cold import Cold
from sekisho.operations import Operation

REVISION = "sekisho-revision"
OURS = "/sekisho.api."
"""What the paths of all our services begin with."""

AUTHORIZE = "/sekisho.api.authorize.v1.AuthorizeService/Authorize"
"""What the lean listener's own thread answers: one question. A batch takes as long as a hundred, and would stand before them all."""

EDGE = "grpc"
"""The edge in metrics."""
B = TypeVar("B", bound=Callable[..., Any])
Behaviour = Callable[[bytes, Any], bytes]
"""What answers a message, within the context of its call."""
Start = Callable[[bytes, Any, Wire], None]
"""What begins a stream, and returns."""


def generic(
    node: Node, lanes: Lanes, workloads: Workloads, receives: Receives, lot: Lot, places: Places
) -> "list[grpc.GenericRpcHandler[bytes, bytes]]":
    """A generic handler for each service of the node, and one for calls to services of ours that its role does not have."""
    services: dict[str, dict[str, grpc.RpcMethodHandler[bytes, bytes]]] = {}
    claimed = partial(claims.of_metadata, node)
    pools = {lane: Arrivals(lane, claimed if lane is not lanes.unsigned else None, receives) for lane in lanes}
    for operation in node.operations:
        lane = lanes.of(operation)
        if operation.streams and wires.SUPPORTED:
            starting = _on_grpcio(_starting(node, operation, lane, workloads, lot, places))
            handler = grpc.unary_stream_rpc_method_handler(_in_pool(starting, pools[lane]))
        elif operation.streams:
            handler = grpc.unary_stream_rpc_method_handler(_in_pool(_streaming(node, operation, lane, workloads), pools[lane]))
        else:
            handler = grpc.unary_unary_rpc_method_handler(_in_pool(_answering(node, operation, lane, workloads), pools[lane]))
        services.setdefault(operation.service.full_name, {})[operation.name] = handler
    served = [grpc.method_handlers_generic_handler(service, methods) for service, methods in services.items()]
    return served if node.services is None else [*served, Elsewhere(pools[lanes.control])]


class NotServed(Unimplemented):
    """The rpc is not one of this node's: of a service that its role does not have, or of none at all."""


class Elsewhere(grpc.GenericRpcHandler):  # type: ignore[type-arg]  # generic in the stubs alone
    """Answers calls to services of ours that this node does not have with more than `Method not found!`; asked last."""

    def __init__(self, pool: Arrivals) -> None:
        self._handler = grpc.unary_unary_rpc_method_handler(_in_pool(elsewhere, pool))

    def service(self, handler_call_details: grpc.HandlerCallDetails) -> "grpc.RpcMethodHandler[bytes, bytes] | None":
        """The handler of a call, None for one to another's service."""
        return self._handler if handler_call_details.method.startswith(OURS) else None


def elsewhere(_body: bytes, context: grpc.ServicerContext) -> bytes:
    """Answer a call to a service of ours that this node does not have."""
    error = NotServed("This node does not have the operation: nodes of role `data` decide and issue, those of role `control` do the rest.")
    _abort(context, error, request_ids.new())


class Unary(NamedTuple):
    """An operation that answers once, with the threads of its class of calls, and what those do; and what a thread does that must not wait,
    None where none can.
    """

    operation: Operation
    lane: Lane
    behaviour: Behaviour
    inline: Behaviour | None


class Streaming(NamedTuple):
    """An operation that answers with a stream, with the threads that make its messages, and what begins one."""

    operation: Operation
    lane: Lane
    start: Start


def streaming(node: Node, lanes: Lanes, workloads: Workloads, lot: Lot, places: Places) -> Iterator[Streaming]:
    """The operations of a node that answer with a stream."""
    for operation in node.operations:
        if operation.streams:
            lane = lanes.of(operation)
            yield Streaming(operation, lane, _starting(node, operation, lane, workloads, lot, places))


def unary(node: Node, lanes: Lanes, workloads: Workloads) -> Iterator[Unary]:
    """The operations of a node that answer once."""
    for operation in node.operations:
        if not operation.streams:
            lane = lanes.of(operation)
            inline = _inline(node, operation, lane, workloads) if operation.path == AUTHORIZE else None
            yield Unary(operation, lane, _answering(node, operation, lane, workloads), inline)


def _inline(node: Node, operation: Operation, lane: Lane, workloads: Workloads) -> Behaviour:
    """The answer that a thread gives that must not wait: where it is Cold, it has left no note of its call."""
    postponed = Postponed(node.accesses, node.last_use)
    answer = _answering(replace(node, accesses=postponed.accesses, last_use=postponed.last_use), operation, lane, workloads)

    def noted(body: bytes, context: Any) -> bytes:
        try:
            return answer(body, context)
        except Cold:
            postponed.forget()
            raise
        finally:
            postponed.settle()

    return noted


def _in_pool(behaviour: B, pool: Arrivals) -> B:
    """The behaviour, which grpcio runs in this pool instead of the server's own."""
    behaviour.experimental_thread_pool = pool  # type: ignore[attr-defined]
    return behaviour


def _answering(node: Node, operation: Operation, lane: Lane, workloads: Workloads) -> Behaviour:
    answers = Answers(EDGE, operation)

    def answer(body: bytes, context: grpc.ServicerContext) -> bytes:
        began = time.perf_counter()
        arrival = _arrival(node, operation, workloads, body, context)
        try:
            lane.enter()
            sizes.check(operation, body)
            reply = pipeline.run(node, operation, arrival)
        except SekishoError as error:
            answers.count(error.grpc, began)
            _abort(context, error, arrival.request_id)
        context.set_trailing_metadata(((REVISION, reply.revision), (status.REQUEST_ID, arrival.request_id)))
        made = reply.message.SerializeToString()
        answers.count("OK", began)
        return made

    return answer


def _on_grpcio(starting: Start) -> Callable[[bytes, grpc.ServicerContext], Iterator[bytes]]:
    """What begins a stream, as grpcio calls it."""

    def start(body: bytes, context: grpc.ServicerContext, _send: Callable[[bytes], None]) -> None:
        starting(body, context, wires.Wire(context))

    start.experimental_non_blocking = True  # type: ignore[attr-defined]  # grpcio takes it from the function: it returns at once
    return start  # type: ignore[return-value]  # and answers nothing itself


def _starting(node: Node, operation: Operation, lane: Lane, workloads: Workloads, lot: Lot, places: Places) -> Start:
    counted = Answers(EDGE, operation)

    def start(body: bytes, context: grpc.ServicerContext, wire: Wire) -> None:
        began = time.perf_counter()
        arrival = _arrival(node, operation, workloads, body, context)
        account = claims.of_metadata(node, context.invocation_metadata()).account
        try:
            lane.enter()
            sizes.check(operation, body)
            places.take(account)
        except SekishoError as error:
            counted.count(error.grpc, began)
            _abort(context, error, arrival.request_id)
        items = (item if isinstance(item, Wait) else item.SerializeToString() for item in pipeline.stream(node, operation, arrival))

        def ended(code: str) -> None:
            places.give(account)
            counted.count(code, began)

        Stream(wire, items, account, lane, lot, arrival.request_id, ended).start()

    return start


def _streaming(
    node: Node, operation: Operation, lane: Lane, workloads: Workloads
) -> Callable[[bytes, grpc.ServicerContext], Iterator[bytes]]:
    """A stream that takes a thread, where grpcio's `Wire` is not supported."""
    counted = Answers(EDGE, operation)

    def answers(body: bytes, context: grpc.ServicerContext) -> Iterator[bytes]:
        began = time.perf_counter()
        arrival = _arrival(node, operation, workloads, body, context)
        try:
            sizes.check(operation, body)
            with lane.place():
                for item in pipeline.stream(node, operation, arrival):
                    if not isinstance(item, Wait):
                        yield item.SerializeToString()
                    else:
                        _block(item, context)
        except SekishoError as error:
            counted.count(error.grpc, began)
            _abort(context, error, arrival.request_id)
        counted.count("OK", began)
        context.set_trailing_metadata(((status.REQUEST_ID, arrival.request_id),))

    return answers


def _block(wait: Wait, context: grpc.ServicerContext) -> None:
    """Wait on the stream's own thread."""
    while not wait.due() and (left := wait.until - time.monotonic()) > 0 and context.is_active():
        time.sleep(min(left, 0.05))


def _arrival(node: Node, operation: Operation, workloads: Workloads, body: bytes, context: grpc.ServicerContext) -> pipeline.Arrival:
    metadata = context.invocation_metadata()
    proof = proofs.of_metadata(metadata, operation.path, body, node.audience)
    transport: Any = context.auth_context()  # lists of bytes, whatever the stubs say; asked once, since it is copied each time
    certificate = transport.get("x509_pem_cert")  # verified by gRPC, which asks for one only where it has authorities for that
    if certificate:
        proof = proofs.Certified(proofs.Certificate(workloads.of(certificate[0])), proof)
    return pipeline.Arrival(
        read=partial(pipeline.parsed, operation.request, body),
        proof=proof,
        peer=peer(context.peer(), metadata, transport),
        request_id=request_ids.new(),
        seconds=context.time_remaining(),
    )


def _abort(context: grpc.ServicerContext, error: SekishoError, id_: str) -> NoReturn:
    context.abort_with_status(status.of(error, id_))
    raise AssertionError("abort_with_status raises")


def peer(said: str, metadata: Any, transport: Mapping[str, Any]) -> Peer:
    """Where a call comes from: from what gRPC calls its peer, its metadata and its authentication context."""
    user_agent = ""
    for name, value in metadata:
        if name == "user-agent":
            user_agent = value if isinstance(value, str) else ""
    return Peer(_address(said), user_agent, transport.get("transport_security_type") in _ENCRYPTED)


@lru_cache(maxsize=1024)  # one for each connection
def _address(said: str) -> str:
    return plain_address(host(said))


_ENCRYPTED = ([b"ssl"], [b"tls"])  # plaintext has a type too, `insecure`
