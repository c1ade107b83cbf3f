"""Spans of the calls that the lean listener answers, as OpenTelemetry's interceptor makes them of grpcio's."""

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
from sekisho.node.telemetry import FAULTS

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
