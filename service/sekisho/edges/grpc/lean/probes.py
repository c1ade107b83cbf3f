"""Health and reflection: what anybody may ask, on the lean listener."""

import threading
from collections.abc import Callable, Iterator, Sequence
from typing import Any

from google.protobuf.message import DecodeError
from grpc_health.v1 import health, health_pb2
from grpc_reflection.v1alpha import reflection, reflection_pb2

from sekisho.edges.grpc.lean import answers
from sekisho.edges.grpc.lean.answers import Aborted, Said
from sekisho.edges.grpc.lean.asked import STREAMS, TALKS, Asked, Method
from sekisho.edges.grpc.lean.stream import ROOM
from sekisho.edges.grpc.streams import Places, Wire
from sekisho.edges.lanes import Lanes
from sekisho.errors import Throttling

_HEALTH = f"/{health.SERVICE_NAME}/"
_REFLECTION = tuple(f"/grpc.reflection.{version}.ServerReflection/ServerReflectionInfo" for version in ("v1", "v1alpha"))
"""Two names of the same messages: tools ask for the newer one first. Source: https://github.com/grpc/grpc-proto"""


class Probes:
    """Health of these services and of the whole, and reflection over their names."""

    def __init__(self, names: Sequence[str]) -> None:
        self._names = frozenset(("", *names))
        self._reflection: Any = reflection.ReflectionServicer((*names, health.SERVICE_NAME, reflection.SERVICE_NAME))
        self._lock = threading.Lock()
        self._stopping = False
        self._watches: dict[Wire, Callable[[], None]] = {}  # with what gives each its place back
        self._places = Places()

    def methods(self, lanes: Lanes) -> Iterator[Method]:
        """The rpcs, and who answers them."""
        yield Method(_HEALTH + "Check", self._check, self._check, lanes.decide)
        yield Method(_HEALTH + "List", self._list, self._list, lanes.decide)
        yield Method(_HEALTH + "Watch", None, self._watch, lanes.decide, signed=False, kind=STREAMS)
        for path in _REFLECTION:
            yield Method(path, None, self._reflect, lanes.pages, signed=False, kind=TALKS)

    def stop(self) -> None:
        """Say NOT_SERVING from now on, also to those who watch, whose streams end with that."""
        with self._lock:
            self._stopping = True
            watches = list(self._watches.items())
        for wire, gone in watches:
            _say_last(wire)
            gone()

    def _check(self, body: bytes, _context: Any) -> bytes:
        """Health, of the whole or of a service. Source: https://github.com/grpc/grpc/blob/master/doc/health-checking.md"""
        service = _read(health_pb2.HealthCheckRequest, body).service
        if service not in self._names:
            raise Aborted(Said(answers.code("NOT_FOUND"), "unknown service"))
        return self._said(service)

    def _list(self, body: bytes, _context: Any) -> bytes:
        _read(health_pb2.HealthListRequest, body)
        response = health_pb2.HealthCheckResponse
        status = response(status=response.NOT_SERVING if self._stopping else response.SERVING)
        made: bytes = health_pb2.HealthListResponse(statuses=dict.fromkeys(self._names, status)).SerializeToString()
        return made

    def _watch(self, body: bytes, asked: Asked) -> Any:
        """Say the health now, and when it changes, which it does at the end."""
        service, account = _read(health_pb2.HealthCheckRequest, body).service, asked.connection.owner.address
        wire: Wire = asked.flow
        try:
            self._places.take(account)
        except Throttling:
            raise Aborted(answers.of_excess(ROOM)) from None

        def gone() -> None:
            with self._lock:
                known = self._watches.pop(wire, None)
            if known is not None:
                self._places.give(account)

        with self._lock:
            self._watches[wire] = gone
            stopping = self._stopping
        if not wire.watch(gone):
            gone()
        elif stopping:
            _say_last(wire)
            gone()
        else:
            wire.send(self._said(service), _nothing)

    def _said(self, service: str) -> bytes:
        response = health_pb2.HealthCheckResponse
        known = response.NOT_SERVING if self._stopping else response.SERVING
        made: bytes = response(status=known if service in self._names else response.SERVICE_UNKNOWN).SerializeToString()
        return made

    def _reflect(self, body: bytes, _asked: Any) -> bytes:
        """The answer to one message of a reflection stream."""
        request = _read(reflection_pb2.ServerReflectionRequest, body)
        [answer] = self._reflection.ServerReflectionInfo(iter((request,)), None)
        made: bytes = answer.SerializeToString()
        return made


def _say_last(wire: Wire) -> None:
    response = health_pb2.HealthCheckResponse
    wire.send(response(status=response.NOT_SERVING).SerializeToString(), _nothing)
    wire.finish(())


def _nothing() -> None:
    """What follows a message of health: the next one comes when there is one."""


def _read(kind: Any, body: bytes) -> Any:
    try:
        return kind.FromString(body)
    except DecodeError:
        raise Aborted(Said(answers.code("INTERNAL"), f"not a {kind.DESCRIPTOR.name}")) from None
