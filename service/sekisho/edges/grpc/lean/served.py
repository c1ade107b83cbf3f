"""The lean listener of a worker: the unary operations of its node, and health, with the threads of the server beside it."""

import math
import socket
import ssl
import threading
import time
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any, Self

from google.protobuf.message import DecodeError
from grpc_health.v1 import health, health_pb2

from sekisho.calls.call import Node
from sekisho.calls.workloads import Workloads
from sekisho.edges import claims
from sekisho.edges.grpc import handlers
from sekisho.edges.grpc.lean import answers
from sekisho.edges.grpc.lean.answers import Aborted, Said
from sekisho.edges.grpc.lean.asked import Method
from sekisho.edges.grpc.lean.port import Port
from sekisho.edges.lanes import Lanes

HEALTH = f"/{health.SERVICE_NAME}/Check"
_END = 5.0
"""Seconds that its thread has to end, once all calls have."""


class Lean:
    """Listens from its making on, answers while it is entered; says NOT_SERVING before it stops. `grace` are the seconds that calls under
    way have then, `age` those that a connection lasts, a tenth more or less.
    """

    def __init__(
        self,
        node: Node,
        lanes: Lanes,
        bound: socket.socket,
        *,
        workloads: Workloads,
        tls: Callable[[], ssl.SSLContext] | None = None,
        grace: float,
        age: float,
    ) -> None:
        self._grace, self._stopping = grace, False
        self._ends = math.inf  # when calls under way are cut
        self._names = {operation.service.full_name for operation in node.operations}
        methods = {method.path: method for method in self._methods(node, lanes, workloads)}
        self._port = Port(bound, methods, partial(claims.of_metadata, node), tls=tls, age=age)

    def _methods(self, node: Node, lanes: Lanes, workloads: Workloads) -> Iterator[Method]:
        for operation, lane, behaviour, inline in handlers.unary(node, lanes, workloads):
            yield Method(operation.path, inline, behaviour, lane, operation.signed)
        yield Method(HEALTH, self._check, self._check, lanes.decide)

    @property
    def turned(self) -> float:
        """When its thread last looked around (monotonic), which it does each second."""
        return self._port.gate.turned

    def _check(self, body: bytes, _context: Any) -> bytes:
        """Health, of the whole or of a service. Source: https://github.com/grpc/grpc/blob/master/doc/health-checking.md"""
        try:
            service = health_pb2.HealthCheckRequest.FromString(body).service
        except DecodeError:
            raise Aborted(Said(answers.code("INTERNAL"), "not a HealthCheckRequest")) from None
        if service and service not in self._names:
            raise Aborted(Said(answers.code("NOT_FOUND"), "unknown service"))
        response = health_pb2.HealthCheckResponse
        status = response.NOT_SERVING if self._stopping else response.SERVING
        made: bytes = response(status=status).SerializeToString()
        return made

    def __enter__(self) -> Self:
        self._port.start()
        return self

    def stop(self, grace: float | None = None) -> threading.Event:
        """Take no more calls, and give those under way these seconds, or their grace; the event is when they have ended."""
        self._stopping = True
        given = self._grace if grace is None else grace
        self._ends = min(self._ends, time.monotonic() + given)
        return self._port.stop(given)

    def __exit__(self, *exc: object) -> None:
        if not self._stopping:
            self.stop()
        self._port.over.wait(max(0.0, self._ends - time.monotonic()) + _END)
