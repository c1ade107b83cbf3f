"""The lean listener of a worker: the operations of its node, health and reflection, with the threads of the server beside it."""

import math
import socket
import ssl
import threading
import time
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any, Self

from sekisho.calls.call import Node
from sekisho.calls.workloads import Workloads
from sekisho.edges import claims
from sekisho.edges.grpc import handlers
from sekisho.edges.grpc.handlers import Behaviour
from sekisho.edges.grpc.lean.asked import STREAMS, Asked, Method
from sekisho.edges.grpc.lean.port import Port
from sekisho.edges.grpc.lean.probes import Probes
from sekisho.edges.grpc.lot import Lot
from sekisho.edges.grpc.streams import Places
from sekisho.edges.lanes import Lanes

_END = 5.0
"""Seconds that its thread has to end, once all calls have."""

Traced = Callable[[str, Behaviour], Behaviour]
"""Makes of what answers an rpc of this path one that is traced."""


class Lean:
    """Listens from its making on, answers while it is entered; says NOT_SERVING before it stops. `grace` are the seconds that calls under
    way have then, `age` those that a connection lasts, a tenth more or less; the lanes that are its own are `closing` with it.
    """

    def __init__(
        self,
        node: Node,
        lanes: Lanes,
        bound: socket.socket,
        *,
        workloads: Workloads,
        tls: Callable[[], ssl.SSLContext] | None = None,
        traced: Traced | None = None,
        closing: Lanes | None = None,
        grace: float,
        age: float,
    ) -> None:
        self._grace, self._traced, self._closing = grace, traced, closing
        self._ends = math.inf  # when calls under way are cut
        self._lot, self._places = Lot(node.world), Places()
        self._probes = Probes(sorted({operation.service.full_name for operation in node.operations}))
        methods = {method.path: method for method in self._methods(node, lanes, workloads)}
        rest = Method("", None, handlers.elsewhere, lanes.control) if node.services is not None else None
        self._port = Port(bound, methods, partial(claims.of_metadata, node), rest=rest, tls=tls, age=age)

    def _methods(self, node: Node, lanes: Lanes, workloads: Workloads) -> Iterator[Method]:
        for operation, lane, behaviour, inline in handlers.unary(node, lanes, workloads):
            here = self._told(operation.path, inline) if inline is not None else None
            yield Method(operation.path, here, self._told(operation.path, behaviour), lane, operation.signed)
        for operation, lane, start in handlers.streaming(node, lanes, workloads, self._lot, self._places):
            yield Method(operation.path, None, partial(_started, start), lane, operation.signed, STREAMS)
        yield from self._probes.methods(lanes)

    def _told(self, path: str, behaviour: Behaviour) -> Behaviour:
        return behaviour if self._traced is None else self._traced(path, behaviour)

    @property
    def turned(self) -> float:
        """When its thread last looked around (monotonic), which it does each second."""
        return self._port.turned

    def __enter__(self) -> Self:
        self._port.start()
        return self

    @property
    def streams(self) -> int:
        """The streams that callers have open."""
        return self._places.taken

    @property
    def over(self) -> threading.Event:
        """Set once all calls have ended."""
        return self._port.over

    def stop(self, grace: float | None = None) -> threading.Event:
        """Take no more calls, and give those under way these seconds, or their grace; the event is when they have ended."""
        given, first = self._grace if grace is None else grace, self._ends == math.inf
        self._ends = min(self._ends, time.monotonic() + given)
        if first:
            self._probes.stop()
        over = self._port.stop(given)
        if first:
            self._lot.close()  # streams have no end of their own, and would take all of the grace
        return over

    def __exit__(self, *exc: object) -> None:
        if self._ends == math.inf:
            self.stop()
        self._port.over.wait(max(0.0, self._ends - time.monotonic()) + _END)
        if self._closing is not None:
            self._closing.close()


def _started(start: handlers.Start, body: bytes, asked: Asked) -> Any:
    """Begin a stream; it has no answer of its own."""
    start(body, asked, asked.flow)
