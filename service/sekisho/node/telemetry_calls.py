"""Spans of calls: those of grpcio's listener by OpenTelemetry's own interceptor, those of the lean one as that would make them."""

from collections.abc import Callable
from typing import Any
from urllib.parse import unquote

import grpc
from opentelemetry import trace
from opentelemetry.propagate import extract
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.semconv._incubating.attributes.net_attributes import NET_PEER_IP, NET_PEER_NAME, NET_PEER_PORT
from opentelemetry.semconv._incubating.attributes.rpc_attributes import RPC_GRPC_STATUS_CODE, RPC_METHOD, RPC_SERVICE, RPC_SYSTEM

from sekisho.edges.grpc.handlers import Behaviour
from sekisho.edges.grpc.lean.answers import Aborted
from sekisho.memory.cold import Cold

FAULTS = frozenset(
    (
        grpc.StatusCode.UNKNOWN,
        grpc.StatusCode.DEADLINE_EXCEEDED,
        grpc.StatusCode.UNIMPLEMENTED,
        grpc.StatusCode.INTERNAL,
        grpc.StatusCode.UNAVAILABLE,
        grpc.StatusCode.DATA_LOSS,
    )
)
"""The statuses that are a server's fault, by OpenTelemetry's conventions; the others are answers."""

_CODES = {code.value[0]: code for code in grpc.StatusCode}


def traced(provider: TracerProvider) -> Callable[[str, Behaviour], Behaviour]:
    """What makes of an rpc's behaviour one whose calls have spans."""
    tracer = provider.get_tracer("sekisho.edges.grpc.lean")

    def told(path: str, behaviour: Behaviour) -> Behaviour:
        service, _, method = path.removeprefix("/").partition("/")
        fixed = {RPC_SYSTEM: "grpc", RPC_SERVICE: service, RPC_METHOD: method}

        def answer(body: bytes, context: Any) -> bytes:
            texts = {name: value for name, value in context.invocation_metadata() if isinstance(value, str)}
            attributes = {**fixed, **_peer(context.peer())}
            if "user-agent" in texts:
                attributes["rpc.user_agent"] = texts["user-agent"]
            span = tracer.start_span(path, extract(texts), trace.SpanKind.SERVER, attributes)
            code = 0
            with trace.use_span(span, record_exception=False, set_status_on_exception=False):
                try:
                    return behaviour(body, context)
                except Cold:  # a thread answers that may wait, with a span of its own; one that does not end is told to nobody
                    code = -1
                    raise
                except Aborted as aborted:
                    code = aborted.said.code
                    raise
                except Exception:
                    code = grpc.StatusCode.UNKNOWN.value[0]
                    raise
                finally:
                    if code >= 0:
                        _end(span, code)

        return answer

    return told


def _end(span: trace.Span, code: int) -> None:
    span.set_attribute(RPC_GRPC_STATUS_CODE, code)
    if _CODES.get(code) in FAULTS:
        span.set_status(trace.Status(trace.StatusCode.ERROR))
    span.end()


def _peer(said: str) -> dict[str, str]:
    """Where a call comes from; `said` is `ipv4:192.0.2.1:5000` or `ipv6:%5B::1%5D:5000`."""
    ip, _, port = said.partition(":")[2].rpartition(":")
    ip = unquote(ip)
    return {NET_PEER_IP: ip, NET_PEER_PORT: port, **({NET_PEER_NAME: "localhost"} if ip in ("[::1]", "127.0.0.1") else {})}


class Intercepted(grpc.ServerInterceptor):  # type: ignore[type-arg]  # generic in the stubs alone
    """The interceptor of OpenTelemetry, whose handlers run in the pools of those that they wrap: grpcio reads the pool off the function."""

    def __init__(self, interceptor: Any) -> None:
        self._interceptor = interceptor

    def intercept_service(self, continuation: Any, handler_call_details: Any) -> Any:
        """The handler of a call, traced."""
        handler = continuation(handler_call_details)
        if handler is None:
            return None
        kind = _kind(handler)
        behaviour = getattr(handler, kind)
        if getattr(behaviour, "experimental_non_blocking", False):  # a stream, which returns at once and lasts for hours: no span says that
            return handler
        told = handler._replace(**{kind: lambda request, context: behaviour(request, _Context(context))})
        wrapped = self._interceptor.intercept_service(lambda _: told, handler_call_details)
        pool = getattr(behaviour, "experimental_thread_pool", None)
        if pool is not None:
            getattr(wrapped, kind).experimental_thread_pool = pool
        return wrapped


def _kind(handler: Any) -> str:
    return ("stream" if handler.request_streaming else "unary") + "_" + ("stream" if handler.response_streaming else "unary")


class _Context:
    """The context of a call, whose span learns with which status the call was aborted; OpenTelemetry's own overlooks that."""

    def __init__(self, context: Any) -> None:
        self._context = context

    def __getattr__(self, name: str) -> Any:
        return getattr(self._context, name)

    def abort_with_status(self, status: Any) -> None:
        """End the call with this status."""
        span = trace.get_current_span()
        span.set_attribute("rpc.grpc.status_code", status.code.value[0])
        if status.code in FAULTS:
            span.set_status(trace.Status(trace.StatusCode.ERROR))
        self._context.abort_with_status(status)
