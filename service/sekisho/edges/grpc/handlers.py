"""gRPC handlers, made by a loop over the registry: bytes in, bytes out, everything between is the pipeline's."""

from collections.abc import Callable, Mapping
from typing import Any, NoReturn

import grpc

from sekisho.calls import authenticate, pipeline
from sekisho.calls.call import Node, Peer, plain_address
from sekisho.calls.workloads import Workloads
from sekisho.edges import request_ids
from sekisho.edges.grpc import status
from sekisho.edges.grpc.arrivals import Arrivals
from sekisho.edges.lanes import Lane, Lanes
from sekisho.errors import SekishoError
from sekisho.operations import OPERATIONS, Operation

REVISION = "sekisho-revision"


def generic(node: Node, lanes: Lanes, workloads: Workloads) -> "list[grpc.GenericRpcHandler[bytes, bytes]]":
    """A generic handler for each service of the registry."""
    services: dict[str, dict[str, grpc.RpcMethodHandler[bytes, bytes]]] = {}
    pools = {lane: Arrivals(lane) for lane in (lanes.decide, lanes.control)}
    for path, operation in OPERATIONS.items():
        _, service, method = path.split("/")
        lane = lanes.of(operation)
        behaviour = _behaviour(node, operation, lane, pools[lane], workloads)
        services.setdefault(service, {})[method] = grpc.unary_unary_rpc_method_handler(behaviour)
    return [grpc.method_handlers_generic_handler(service, methods) for service, methods in services.items()]


def _behaviour(
    node: Node, operation: Operation, lane: Lane, pool: Arrivals, workloads: Workloads
) -> Callable[[bytes, grpc.ServicerContext], bytes]:
    def answer(body: bytes, context: grpc.ServicerContext) -> bytes:
        id_ = request_ids.new()
        metadata = context.invocation_metadata()
        arrival = pipeline.Arrival(
            body=body,
            proof=lambda: authenticate.over_grpc(metadata, operation.path, body, node.audience),
            peer=peer(context, metadata, workloads),
            request_id=id_,
            seconds=context.time_remaining(),
        )
        try:
            lane.enter()
            reply = pipeline.run(node, operation, arrival)
        except SekishoError as error:
            _abort(context, error, id_)
        context.set_trailing_metadata(((REVISION, reply.revision), (status.REQUEST_ID, id_)))
        return reply.message.SerializeToString()

    # grpcio runs a behaviour in this pool instead of the server's own.
    answer.experimental_thread_pool = pool  # type: ignore[attr-defined]
    return answer


def _abort(context: grpc.ServicerContext, error: SekishoError, id_: str) -> NoReturn:
    context.abort_with_status(status.of(error, id_))
    raise AssertionError("abort_with_status raises")


def peer(context: Any, metadata: Any, workloads: Workloads) -> Peer:
    """Where the call comes from: gRPC writes peers as `ipv4:192.0.2.1:5000`, `ipv6:%5B::1%5D:5000` or `unix:`."""
    kind, _, rest = context.peer().partition(":")
    host = rest.rpartition(":")[0].replace("%5B", "").replace("%5D", "").strip("[]") if kind in ("ipv4", "ipv6") else ""
    agent: Mapping[str, Any] = dict(metadata)
    user_agent = agent.get("user-agent", "")
    transport = context.auth_context()
    certificate = transport.get("x509_pem_cert")  # verified by gRPC, which asks for one only where it has authorities to verify with
    return Peer(
        source_ip=plain_address(host),
        user_agent=user_agent if isinstance(user_agent, str) else "",
        secure=transport.get("transport_security_type") in _ENCRYPTED,
        workload=workloads.of(certificate[0]) if certificate else None,
    )


_ENCRYPTED = ([b"ssl"], [b"tls"])  # plaintext has a type too, `insecure`
