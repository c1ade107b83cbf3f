"""OpenTelemetry, for a server that is told to: a span for each call, in the trace of its caller, and the worker's metrics, over OTLP.

What is imported here is the extra `otel`; a server that is not told to loads none of it. `OTEL_…` variables are read as everywhere:
the endpoint, headers, TLS and sampler, `OTEL_TRACES_EXPORTER=none`, `OTEL_SDK_DISABLED=true`.
"""

import os
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import datetime
from typing import TYPE_CHECKING, Any

import grpc

import sekisho
from sekisho.edges.grpc.handlers import Behaviour
from sekisho.errors import FailedPrecondition
from sekisho.journal.decision_log import Entry, Sink
from sekisho.node.options import Options

if TYPE_CHECKING:
    from opentelemetry.sdk.resources import Resource
    from opentelemetry.sdk.trace import TracerProvider

ENDPOINTS = ("OTEL_EXPORTER_OTLP_ENDPOINT", "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "OTEL_EXPORTER_OTLP_METRICS_ENDPOINT")
"""The variables that ask for it, as the option does."""
ENDING = 3.0
"""Seconds in which the last spans have to leave."""
_SCOPES = {"decision": "sekisho.decisions", "audit": "sekisho.audit"}
PAGES = "healthz,readyz,metrics"
"""What is no call."""

Wrap = Callable[[Any], Any]
"""Makes of an ASGI application one that is traced."""
Tell = Callable[[str, Behaviour], Behaviour]
"""Makes of what answers an rpc of this path on the lean listener one that is traced."""


class TelemetryMissing(FailedPrecondition):
    """OpenTelemetry is asked for and not installed."""


def asked(options: Options, environment: Mapping[str, str] = os.environ) -> bool:
    """Whether the options or the environment ask for it."""
    if environment.get("OTEL_SDK_DISABLED", "").lower() == "true":
        return False
    return bool(options.otel_endpoint or any(environment.get(name) for name in ENDPOINTS))


def refuse_missing(options: Options) -> None:
    """Raise TelemetryMissing where it is asked for and cannot be had."""
    if asked(options):
        try:
            import opentelemetry.exporter.otlp.proto.grpc
            import opentelemetry.instrumentation.asgi
            import opentelemetry.instrumentation.grpc
            import opentelemetry.sdk  # noqa: F401
        except ImportError as error:
            said = f"OpenTelemetry is asked for, but {error.name} is not installed: pip install 'sekisho[server,otel]'"
            raise TelemetryMissing(said) from None


class Telemetry:
    """The exporters of one worker; of one that is not asked for any, all is empty."""

    def __init__(self, interceptors: "Sequence[grpc.ServerInterceptor[Any, Any]]", wrap: Wrap, tell: Tell | None) -> None:
        self.interceptors, self.wrap, self.tell = interceptors, wrap, tell


OFF = Telemetry((), lambda application: application, None)


@contextmanager
def running(options: Options, index: int) -> Iterator[Telemetry]:
    """What worker number `index` traces with, while the block runs; what is left to export then has a moment to leave."""
    if not asked(options):
        yield OFF
        return
    resource = _resource(index)
    providers: list[Any] = []
    made = OFF
    if os.environ.get("OTEL_TRACES_EXPORTER") != "none":
        tracer = _tracer(options, resource)
        providers.append(tracer)
        made = _traced(tracer)
    if os.environ.get("OTEL_METRICS_EXPORTER") != "none":
        from sekisho.node import telemetry_metrics

        providers.append(telemetry_metrics.provider(options.otel_endpoint or None, resource, str(index)))
    try:
        yield made
    finally:
        ending = threading.Thread(target=_end, args=(providers,), name="telemetry", daemon=True)
        ending.start()
        ending.join(ENDING)


def sink(options: Options, index: int, *, of: str = "decision", at: str = "time") -> Sink:
    """A sink that exports log records, as many at once as it is given, and raises when they are not taken: of decisions, or of something
    else, each at the time that its member `at` says.
    """
    from opentelemetry._logs import LogRecord, SeverityNumber
    from opentelemetry.exporter.otlp.proto.grpc._log_exporter import OTLPLogExporter
    from opentelemetry.sdk._logs import ReadableLogRecord
    from opentelemetry.sdk._logs.export import LogRecordExportResult
    from opentelemetry.sdk.util.instrumentation import InstrumentationScope

    exporter, resource = OTLPLogExporter(endpoint=options.otel_endpoint or None), _resource(index)
    scope = InstrumentationScope(_SCOPES[of], sekisho.__version__)

    def export(entries: Sequence[Entry]) -> None:
        records = [
            ReadableLogRecord(
                LogRecord(
                    timestamp=round(datetime.fromisoformat(entry[at]).timestamp() * 1e9),
                    severity_number=SeverityNumber.INFO,
                    body=entry,
                    event_name=f"sekisho.{of}",
                ),
                resource,
                scope,
            )
            for entry in entries
        ]
        if exporter.export(records) is not LogRecordExportResult.SUCCESS:
            raise OSError("the collector did not take the entries")

    return export


def _resource(index: int) -> "Resource":
    """The worker in the terms of OpenTelemetry; its service has the name of the environment, or ours."""
    from opentelemetry.sdk.resources import Resource

    named = "OTEL_SERVICE_NAME" in os.environ or "service.name=" in os.environ.get("OTEL_RESOURCE_ATTRIBUTES", "")
    name = {} if named else {"service.name": "sekisho"}
    return Resource.create({**name, "service.version": sekisho.__version__, "sekisho.worker": index})


def _tracer(options: Options, resource: "Resource") -> "TracerProvider":
    from opentelemetry.exporter.otlp.proto.grpc.trace_exporter import OTLPSpanExporter
    from opentelemetry.sdk.trace import TracerProvider
    from opentelemetry.sdk.trace.export import BatchSpanProcessor

    provider = TracerProvider(resource=resource, shutdown_on_exit=False)
    provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter(endpoint=options.otel_endpoint or None)))
    return provider


def _traced(provider: "TracerProvider") -> Telemetry:
    from opentelemetry.instrumentation.asgi import OpenTelemetryMiddleware
    from opentelemetry.instrumentation.grpc import server_interceptor
    from opentelemetry.util.http import parse_excluded_urls

    from sekisho.node import telemetry_calls

    interceptor: Any = server_interceptor(tracer_provider=provider)  # type: ignore[no-untyped-call]
    excluded = parse_excluded_urls(PAGES)

    def wrap(application: Any) -> Any:
        return OpenTelemetryMiddleware(
            application,
            excluded_urls=excluded,
            server_request_hook=_forget_query,
            tracer_provider=provider,
            exclude_spans=["receive", "send"],
        )

    return Telemetry((telemetry_calls.Intercepted(interceptor),), wrap, telemetry_calls.traced(provider))


def _forget_query(span: Any, scope: Any) -> None:
    """A presigned request carries its signature and its session token in the query, which no trace may show."""
    if scope.get("query_string"):
        for name in ("http.url", "url.full", "http.target", "url.query"):
            value = (span.attributes or {}).get(name)
            if value is not None:
                span.set_attribute(name, "" if name == "url.query" else str(value).partition("?")[0])


def _end(providers: Sequence[Any]) -> None:
    for provider in providers:
        provider.shutdown()
