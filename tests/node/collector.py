"""A collector of OpenTelemetry: takes what is exported over OTLP, and keeps it."""

import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any, TypeVar

import grpc
from opentelemetry.proto.collector.logs.v1 import logs_service_pb2 as logs
from opentelemetry.proto.collector.metrics.v1 import metrics_service_pb2 as metrics
from opentelemetry.proto.collector.trace.v1 import trace_service_pb2 as traces

SERVICES: dict[str, tuple[Any, Any]] = {
    "opentelemetry.proto.collector.trace.v1.TraceService": (traces.ExportTraceServiceRequest, traces.ExportTraceServiceResponse),
    "opentelemetry.proto.collector.metrics.v1.MetricsService": (metrics.ExportMetricsServiceRequest, metrics.ExportMetricsServiceResponse),
    "opentelemetry.proto.collector.logs.v1.LogsService": (logs.ExportLogsServiceRequest, logs.ExportLogsServiceResponse),
}
PATIENCE = 120.0
T = TypeVar("T")


class Collector:
    """What has come; `endpoint` is where it listens."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._taken: list[Any] = []
        self.endpoint = ""
        self.stop: Callable[[], object] = lambda: None
        """Ends the collector before its block does."""

    def take(self, request: Any) -> None:
        """Keep what was exported."""
        with self._lock:
            self._taken.append(request)

    @property
    def text(self) -> str:
        """All that has come, as text."""
        with self._lock:
            return "\n".join(map(str, self._taken))

    def spans(self) -> list[Any]:
        """The spans that have come."""
        return [span for part in self._of("resource_spans") for scope in part.scope_spans for span in scope.spans]

    def metrics(self) -> dict[str, Any]:
        """The newest of each metric that has come."""
        return {one.name: one for part in self._of("resource_metrics") for scope in part.scope_metrics for one in scope.metrics}

    def records(self) -> list[Any]:
        """The log records that have come."""
        return [one for part in self._of("resource_logs") for scope in part.scope_logs for one in scope.log_records]

    def _of(self, name: str) -> list[Any]:
        with self._lock:
            return [part for request in self._taken for part in getattr(request, name, ())]


@contextmanager
def collecting(port: int = 0) -> Iterator[Collector]:
    """A collector on loopback, while the block runs; on a port of its own, or one where a collector was before."""
    made = Collector()
    server = grpc.server(ThreadPoolExecutor(2))
    for service, (request, response) in SERVICES.items():

        def export(body: Any, _: Any, answer: Any = response) -> Any:
            made.take(body)
            return answer()

        handler = grpc.unary_unary_rpc_method_handler(export, request.FromString, response.SerializeToString)
        server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler(service, {"Export": handler}),))
    made.endpoint = f"http://127.0.0.1:{server.add_insecure_port(f'127.0.0.1:{port}')}"
    made.stop = lambda: server.stop(0).wait()
    server.start()
    try:
        yield made
    finally:
        server.stop(0).wait()


def until(found: Callable[[], T | None], what: str) -> T:
    """What a look finds, once it finds something."""
    limit = time.monotonic() + PATIENCE
    while not (seen := found()):
        assert time.monotonic() < limit, what
        time.sleep(0.05)
    return seen
