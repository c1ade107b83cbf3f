"""Health and reflection, each in a pool of its own.

A reflection stream holds a thread for as long as its caller wants, and health must answer all the same.
"""

import threading
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import grpc
from grpc_health.v1 import health, health_pb2_grpc
from grpc_reflection.v1alpha import reflection, reflection_pb2_grpc

from sekisho.edges.budgets import Budget
from sekisho.edges.grpc.arrivals import Arrivals
from sekisho.edges.grpc.receives import Receives
from sekisho.edges.grpc.sizes import MAX_MESSAGE
from sekisho.edges.lanes import Claim, Lane

THREADS = 4
"""Threads of each of the two; further reflection streams wait."""
LONGEST = 60.0
"""Seconds that a reflection stream has; tools ask what they want to know at once, and whoever comes next needs the thread."""
UNFINISHED = 8
"""Messages to health that may be unfinished at once, half of them from one address; no other call takes their room."""


class Probes:
    """Health, and reflection over these names, added to a server."""

    def __init__(self, names: Sequence[str], server: grpc.Server, *, longest: float = LONGEST) -> None:
        self.health = health.HealthServicer()
        self._lane = Lane("grpc-health", threads=THREADS, waiting=500)
        self._receives = Receives(Budget(UNFINISHED * MAX_MESSAGE, UNFINISHED // 2 * MAX_MESSAGE))
        self._reflection = ThreadPoolExecutor(THREADS, thread_name_prefix="grpc-reflection")
        asked = Arrivals(self._lane, lambda _: Claim(), self._receives)
        served: Any = _Served()
        served.Check = _in_pool(self.health.Check, asked)
        served.List = _in_pool(self.health.List, asked)
        served.Watch = _in_pool(self.health.Watch, asked)
        served.Watch.experimental_non_blocking = True  # a stream without a thread
        all_names = (*names, health.SERVICE_NAME, reflection.SERVICE_NAME)
        asked_about = _bounded(reflection.ReflectionServicer(all_names).ServerReflectionInfo, longest)
        served.ServerReflectionInfo = _in_pool(asked_about, self._reflection)
        health_pb2_grpc.add_HealthServicer_to_server(served, server)
        reflection_pb2_grpc.add_ServerReflectionServicer_to_server(served, server)

    def close(self) -> None:
        """Let the threads end."""
        self._receives.close()
        self._lane.shutdown(cancel_futures=True)
        self._reflection.shutdown(wait=False, cancel_futures=True)


class _Served:
    """The methods as grpcio looks them up."""


def _in_pool(method: Any, pool: ThreadPoolExecutor) -> Any:
    """The method, which grpcio runs in this pool; attributes of the method itself would be those of all servers of the process."""

    def behaviour(*arguments: Any) -> Any:
        return method(*arguments)

    behaviour.experimental_thread_pool = pool  # type: ignore[attr-defined]
    return behaviour


def _bounded(stream: Any, seconds: float) -> Any:
    """The stream, which is cancelled when it has lasted so long: its caller may never send anything, and hold the thread that waits."""

    def behaviour(requests: Any, context: grpc.ServicerContext) -> Iterator[Any]:
        ending = threading.Timer(seconds, context.cancel)
        ending.daemon = True
        ending.start()
        try:
            yield from stream(requests, context)
        finally:
            ending.cancel()

    return behaviour
