"""Which servers can have a polling lane. It knows private names, as `lane` does."""

from collections.abc import Callable, Mapping
from typing import Any

import grpc
import structlog
from grpc import _server as _untyped

from sekisho.edges.grpc.lane import PollingLane
from sekisho.edges.grpc.lane_calls import Method
from sekisho.edges.grpc.receives import Receives

TESTED = ((1, 85), (1, 85))
"""The first and the last minor release of grpcio that the lane's tests run on; pyproject.toml bounds the server's by it."""

_server: Any = _untyped
log = structlog.get_logger(__name__)


def attach(
    server: Any, answers: Mapping[str, Callable[[bytes, Any], bytes]], claimed: Callable[[Any], str], receives: Receives
) -> PollingLane | None:
    """A lane for these methods, by path, of a server that has their handlers and has not started; None, and a line in the log, where
    grpcio is not one that this is known of.
    """
    try:
        release = tuple(map(int, grpc.__version__.split(".")[:2]))
        if not TESTED[0] <= release <= TESTED[1]:
            raise RuntimeError("this release is not tested")
        if server._state.interceptor_pipeline is not None:
            raise RuntimeError("the server has interceptors, which the lane would go past")
        methods = []
        for path, answer in answers.items():
            details = _server._HandlerCallDetails(path, ())
            found = [handler for generic in server._state.generic_handlers if (handler := generic.service(details)) is not None]
            methods.append(Method(path, found[0], answer))
        return PollingLane(server, methods, claimed, receives)
    except Exception as error:
        log.warning("lane.unsupported", grpcio=grpc.__version__, error=f"{type(error).__name__}: {error}")
        return None
