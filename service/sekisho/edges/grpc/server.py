"""The gRPC server of a worker: the operations of the registry, health and reflection, on a port that other workers share."""

import threading
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import grpc
from grpc_health.v1 import health_pb2

from sekisho.calls.call import Node
from sekisho.calls.workloads import Workloads
from sekisho.edges.budgets import Budget
from sekisho.edges.grpc import handlers
from sekisho.edges.grpc.lot import Lot
from sekisho.edges.grpc.probes import Probes
from sekisho.edges.grpc.receives import Receives
from sekisho.edges.grpc.sizes import MAX_MESSAGE, METADATA
from sekisho.edges.grpc.streams import Places
from sekisho.edges.lanes import Lanes

LOOKAHEAD = 16 * 1024
"""Bytes of a message that come before it is asked for, of each call; most messages are smaller."""

SETTLED = 5_000
"""Milliseconds in which a connection has to acknowledge our settings. Until it does, gRPC bounds the metadata of its calls by HTTP/2's own
default of 16 MiB for each, not by ours.
"""
CONNECTIONS = 10_000
"""Connections of a worker; a further one is closed as soon as it comes. An idle one takes about 20 KiB."""

AGE = 60.0
"""Seconds that a connection lasts, a tenth more or less; then its client makes its next calls over another one. So no worker keeps callers
for ever, and one that is replaced has none left after a while.
"""

PENDING = 500
"""Calls that wait in core until they are asked for: the more of them, the likelier is a further one cancelled; at twice as many it always
is. By core's own 1,000 each call waited for a second when more came than could be answered, which is as long as callers wait.
"""

OPTIONS = (
    ("grpc.max_receive_message_length", MAX_MESSAGE),
    ("grpc.max_send_message_length", 4 * 1024 * 1024),
    ("grpc.max_metadata_size", METADATA),
    ("grpc.absolute_max_metadata_size", METADATA),
    ("grpc.http2.settings_timeout", SETTLED),
    ("grpc.max_allowed_incoming_connections", CONNECTIONS),
    ("grpc.server.max_pending_requests", PENDING),
    ("grpc.server.max_pending_requests_hard_limit", 2 * PENDING),
    ("grpc.max_concurrent_streams", 100),  # of one connection; without a limit, four that reset their calls at once ended everybody's
    ("grpc.http2.lookahead_bytes", LOOKAHEAD),
    ("grpc.http2.bdp_probe", 0),  # it would let the windows grow with whatever a caller manages to send
    ("grpc.so_reuseport", 1),
    ("grpc.keepalive_time_ms", 60_000),
    ("grpc.http2.min_ping_interval_without_data_ms", 10_000),
)


class Server:
    """Listens from its making on, answers while it is entered; says NOT_SERVING before it stops, and closes its lanes.

    `grace` are the seconds that calls under way have then, `age` those that a connection lasts. Without `credentials` there is no TLS.
    """

    def __init__(
        self,
        node: Node,
        lanes: Lanes,
        listener: str,
        *,
        workloads: Workloads,
        credentials: grpc.ServerCredentials | None = None,
        interceptors: "Sequence[grpc.ServerInterceptor[Any, Any]]" = (),
        grace: float,
        age: float = AGE,
    ) -> None:
        self._lanes, self._grace = lanes, grace
        self._ended: threading.Event | None = None
        options = (*OPTIONS, ("grpc.max_connection_age_ms", int(age * 1000)))
        pool = ThreadPoolExecutor(max_workers=1, thread_name_prefix="grpc")  # each method has its own
        self._server = grpc.server(pool, interceptors=list(interceptors), options=options)
        self._receives = Receives(Budget())
        self._lot, self._places = Lot(node.world), Places()
        generic = handlers.generic(node, lanes, workloads, self._receives, self._lot, self._places)
        self._server.add_generic_rpc_handlers(tuple(generic))

        self._names = sorted({operation.service.full_name for operation in node.operations})
        self._probes = Probes(self._names, self._server)
        if credentials is not None:
            self.port = self._server.add_secure_port(listener, credentials)
        else:
            self.port = self._server.add_insecure_port(listener)

    def __enter__(self) -> "Server":
        self._server.start()
        for name in ("", *self._names):
            self._probes.health.set(name, health_pb2.HealthCheckResponse.SERVING)
        return self

    @property
    def streams(self) -> int:
        """The streams that callers have open."""
        return self._places.taken

    def stop(self, grace: float | None = None) -> threading.Event:
        """Take no more calls, and give those under way these seconds, or their grace; the event is when they have ended."""
        if self._ended is None:
            self._probes.health.enter_graceful_shutdown()
            self._ended = self._server.stop(self._grace if grace is None else grace)
            self._lot.close()  # streams have no end of their own, and would take all of the grace
        return self._ended

    def __exit__(self, *exc: object) -> None:
        self.stop().wait()
        self._receives.close()
        self._probes.close()
        self._lanes.close()
