"""gRPC handlers, made by a loop over the registry: bytes in, bytes out, everything between is the pipeline's."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from functools import partial
from typing import Any, NoReturn, TypeVar

import grpc

from sekisho.calls import pipeline, proofs
from sekisho.calls.call import Node, Peer, plain_address
from sekisho.calls.workloads import Workloads
from sekisho.edges import claims, request_ids
from sekisho.edges.grpc import sizes, status
from sekisho.edges.grpc.arrivals import Arrivals, host
from sekisho.edges.grpc.receives import Receives
from sekisho.edges.lanes import Lane, Lanes
from sekisho.errors import SekishoError
from sekisho.journal.postponed import Postponed
from sekisho.memory.cold import Cold
from sekisho.operations import OPERATIONS, Operation

REVISION = "sekisho-revision"
INLINE = ("/sekisho.api.authorize.v1.AuthorizeService/Authorize",)
"""What the polling lane answers: one question. A batch takes as long as a hundred, and would stand before them all."""

B = TypeVar("B", bound=Callable[..., Any])


def generic(node: Node, lanes: Lanes, workloads: Workloads, receives: Receives) -> "list[grpc.GenericRpcHandler[bytes, bytes]]":
    """A generic handler for each service of the registry."""
    services: dict[str, dict[str, grpc.RpcMethodHandler[bytes, bytes]]] = {}
    pools = {lane: Arrivals(lane, partial(claims.of_metadata, node), receives) for lane in lanes}
    for operation in OPERATIONS.values():
        lane = lanes.of(operation)
        if operation.streams:
            handler = grpc.unary_stream_rpc_method_handler(_in_pool(_streaming(node, operation, lane, workloads), pools[lane]))
        else:
            handler = grpc.unary_unary_rpc_method_handler(_in_pool(_answering(node, operation, lane, workloads), pools[lane]))
        services.setdefault(operation.service.full_name, {})[operation.name] = handler
    return [grpc.method_handlers_generic_handler(service, methods) for service, methods in services.items()]


def inline(node: Node, lanes: Lanes, workloads: Workloads) -> "dict[str, Callable[[bytes, Any], bytes]]":
    """By path, the answers of the operations that a thread gives that must not wait; one that is Cold has left no note of its call."""
    postponed = Postponed(node.accesses, node.last_use)
    here = replace(node, accesses=postponed.accesses, last_use=postponed.last_use)
    operations = [operation for operation in OPERATIONS.values() if operation.path in INLINE]
    return {operation.path: _noted(postponed, _answering(here, operation, lanes.of(operation), workloads)) for operation in operations}


def _noted(postponed: Postponed, answer: Callable[[bytes, Any], bytes]) -> Callable[[bytes, Any], bytes]:
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


def _answering(node: Node, operation: Operation, lane: Lane, workloads: Workloads) -> Callable[[bytes, grpc.ServicerContext], bytes]:
    def answer(body: bytes, context: grpc.ServicerContext) -> bytes:
        arrival = _arrival(node, operation, workloads, body, context)
        try:
            lane.enter()
            sizes.check(operation, body)
            reply = pipeline.run(node, operation, arrival)
        except SekishoError as error:
            _abort(context, error, arrival.request_id)
        context.set_trailing_metadata(((REVISION, reply.revision), (status.REQUEST_ID, arrival.request_id)))
        return reply.message.SerializeToString()

    return answer


def _streaming(
    node: Node, operation: Operation, lane: Lane, workloads: Workloads
) -> Callable[[bytes, grpc.ServicerContext], Iterator[bytes]]:
    def answers(body: bytes, context: grpc.ServicerContext) -> Iterator[bytes]:
        arrival = _arrival(node, operation, workloads, body, context)
        try:
            sizes.check(operation, body)
            with lane.place():
                for message in pipeline.stream(node, operation, arrival):
                    yield message.SerializeToString()
        except SekishoError as error:
            _abort(context, error, arrival.request_id)
        context.set_trailing_metadata(((status.REQUEST_ID, arrival.request_id),))

    return answers


def _arrival(node: Node, operation: Operation, workloads: Workloads, body: bytes, context: grpc.ServicerContext) -> pipeline.Arrival:
    metadata = context.invocation_metadata()
    proof = proofs.of_metadata(metadata, operation.path, body, node.audience)
    transport: Any = context.auth_context()  # lists of bytes, whatever the stubs say
    certificate = transport.get("x509_pem_cert")  # verified by gRPC, which asks for one only where it has authorities for that
    if certificate:
        proof = proofs.Certified(proofs.Certificate(workloads.of(certificate[0])), proof)
    return pipeline.Arrival(
        read=partial(pipeline.parsed, operation.request, body),
        proof=proof,
        peer=peer(context, metadata, transport),
        request_id=request_ids.new(),
        seconds=context.time_remaining(),
    )


def _abort(context: grpc.ServicerContext, error: SekishoError, id_: str) -> NoReturn:
    context.abort_with_status(status.of(error, id_))
    raise AssertionError("abort_with_status raises")


def peer(context: Any, metadata: Any, transport: Mapping[str, Any]) -> Peer:
    """Where the call comes from; `transport` is what gRPC knows of the connection."""
    agent: Mapping[str, Any] = dict(metadata)
    user_agent = agent.get("user-agent", "")
    return Peer(
        source_ip=plain_address(host(context.peer())),
        user_agent=user_agent if isinstance(user_agent, str) else "",
        secure=transport.get("transport_security_type") in _ENCRYPTED,
    )


_ENCRYPTED = ([b"ssl"], [b"tls"])  # plaintext has a type too, `insecure`
