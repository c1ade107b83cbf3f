"""OpenTelemetry: spans in the trace of the caller, metrics and decisions at a collector; and nothing at all of it where nobody asks."""

import json
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from urllib.parse import urlencode
from urllib.request import urlopen

import grpc
import pytest

from sekisho import sigv4
from sekisho.errors import FailedPrecondition, InvalidArgument
from sekisho.node import logbook, telemetry, telemetry_calls
from sekisho.node.options import Options
from tests.harness import BY_NAME
from tests.node import collector
from tests.node.collector import until
from tests.served import PROGRAM, serving, signed

SERVER = 2
"""The kind of a span that answers, in OTLP."""
TRACE, PARENT = "4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7"
GATEWAY = "from sekisho.edges import aws" + PROGRAM.replace("argv[3])))", 'argv[3]), decision_log="otlp"), edges=(aws.application,))')
SOON = {"OTEL_BSP_SCHEDULE_DELAY": "100", "OTEL_METRIC_EXPORT_INTERVAL": "300"}


def attributes(span: object) -> dict[str, str | int]:
    """The attributes of a span."""
    return {one.key: one.value.string_value or one.value.int_value for one in span.attributes}  # type: ignore[attr-defined]


@pytest.mark.parametrize("listener", ["grpcio", "lean"])
def test_spans_metrics_and_decisions_arrive(tmp_path: Path, listener: str) -> None:
    with collector.collecting() as collected:
        environment = {**SOON, "OTEL_EXPORTER_OTLP_ENDPOINT": collected.endpoint}
        url = f"sqlite:///{tmp_path / 'sekisho.db'}"
        with serving(url, tmp_path, environment=environment, program=GATEWAY, listener=listener) as served:
            path = BY_NAME["Authorize"].path
            body = BY_NAME["Authorize"].request(action="orders:Ship", resource="order/1").SerializeToString()
            context = (("traceparent", f"00-{TRACE}-{PARENT}-01"),)
            assert served.send(path, body, (*signed(served.root, path, body), *context)).status is grpc.StatusCode.OK
            assert served.send(path, b"").status is grpc.StatusCode.UNAUTHENTICATED
            query = presigned(served.root, served.endpoints["http"])
            with urlopen(f"http://{served.endpoints['http']}/?{query}", timeout=60) as answer:  # of a server of our own
                assert answer.status == 200
            urlopen(f"http://{served.endpoints['http']}/healthz", timeout=60).close()  # likewise
            spans = until(lambda: found if len(found := collected.spans()) >= 3 else [], "spans did not come")
            until(lambda: decided(collected), "the decision was not told")
            [record] = until(collected.records, "the decision log did not come")
            assert served.stop() == 0

        allowed, refused = [span for span in spans if span.name == path]
        assert (allowed.trace_id.hex(), allowed.parent_span_id.hex()) == (TRACE, PARENT)
        assert allowed.kind == SERVER
        own = attributes(allowed)
        assert (own["rpc.system"], own["rpc.service"], own["rpc.method"]) == (
            "grpc",
            "sekisho.api.authorize.v1.AuthorizeService",
            "Authorize",
        )
        assert (own["net.peer.ip"], own["net.peer.name"]) == ("127.0.0.1", "localhost")
        assert str(own["rpc.user_agent"]).startswith("grpc-python/")
        assert attributes(allowed)["rpc.grpc.status_code"] == 0
        assert attributes(refused)["rpc.grpc.status_code"] == grpc.StatusCode.UNAUTHENTICATED.value[0]
        assert refused.trace_id.hex() != TRACE
        [over_http] = [span for span in spans if span.name != path]
        assert attributes(over_http)["http.method"] == "GET"
        assert decided(collected) == [({"outcome": "Allowed", "layer": "identity"}, 1.0)]
        entry = {one.key: one.value.string_value for one in record.body.kvlist_value.values}
        assert (entry["action"], entry["resource"], entry["outcome"]) == ("orders:Ship", "order/1", "Allowed")
        for secret in ("X-Amz-Signature", query.rpartition("=")[2], served.root.access_key_id, "healthz"):
            assert secret not in collected.text


def decided(collected: collector.Collector) -> list[tuple[dict[str, str], float]]:
    """The decisions that the metrics have, by their labels."""
    found = collected.metrics().get("sekisho_decisions")
    points = found.sum.data_points if found is not None else ()
    return [({one.key: one.value.string_value for one in point.attributes}, point.as_double) for point in points if point.as_double]


def presigned(credentials: sigv4.Credentials, host: str) -> str:
    """The query of a GET that carries its signature."""
    request = sigv4.HttpRequest("GET", "/", urlencode({"Action": "GetCallerIdentity", "Version": "2011-06-15"}), (("Host", host),))
    return sigv4.presign_http(credentials, request, "us-east-1", "sts", datetime.now(UTC), expires=60).query


STARTED = """
import json, sys
from pathlib import Path
from sekisho.node.options import Options
from sekisho.node.run import serve
import os, signal
def ready(_):
    print(json.dumps(sorted(name for name in sys.modules if name.startswith("opentelemetry"))), flush=True)
    os.kill(os.getpid(), signal.SIGTERM)
sys.exit(serve(Options(data_dir=Path(sys.argv[1]), grpc="127.0.0.1:0", http="127.0.0.1:0"), ready))
"""


def test_a_server_that_is_not_asked_loads_none_of_it(tmp_path: Path) -> None:
    done = subprocess.run([sys.executable, "-c", STARTED, tmp_path / "data"], capture_output=True, text=True, check=False, timeout=120)
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout) == []


class Doubled(grpc.ServerInterceptor):  # type: ignore[type-arg]  # generic in the stubs alone
    """An interceptor that makes a function of its own of each behaviour, as OpenTelemetry's does."""

    def intercept_service(self, continuation: Any, handler_call_details: Any) -> Any:
        handler = continuation(handler_call_details)
        kind = telemetry_calls._kind(handler)
        behaviour = getattr(handler, kind)
        return handler._replace(**{kind: lambda request, context: behaviour(request * 2, context)})


def test_a_stream_that_holds_no_thread_is_not_traced() -> None:
    """It returns before its first message is read, and grpcio reads off the function that it will."""

    def behaviour(request: bytes, context: Any, send: Any) -> None:
        return None

    behaviour.experimental_non_blocking = True  # type: ignore[attr-defined]
    handler: Any = grpc.unary_stream_rpc_method_handler(behaviour)
    assert telemetry_calls.Intercepted(Doubled()).intercept_service(lambda _: handler, None) is handler


@pytest.mark.parametrize("kind", ["unary_unary", "unary_stream"])
def test_a_traced_handler_runs_in_the_pool_of_its_own(kind: str) -> None:
    def behaviour(request: bytes, _: Any) -> bytes:
        return request

    behaviour.experimental_thread_pool = pool = object()  # type: ignore[attr-defined]
    handler = getattr(grpc, f"{kind}_rpc_method_handler")(behaviour)
    traced = telemetry_calls.Intercepted(Doubled()).intercept_service(lambda _: handler, None)
    assert getattr(traced, kind).experimental_thread_pool is pool
    assert getattr(traced, kind)(b"ab", None) == b"abab"
    assert telemetry_calls.Intercepted(Doubled()).intercept_service(lambda _: None, None) is None


@pytest.mark.parametrize(
    ("endpoint", "environment", "expected"),
    [
        ("", {}, False),
        ("http://127.0.0.1:4317", {}, True),
        ("", {"OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:4317"}, True),
        ("", {"OTEL_EXPORTER_OTLP_TRACES_ENDPOINT": "http://127.0.0.1:4317"}, True),
        ("", {"OTEL_EXPORTER_OTLP_ENDPOINT": ""}, False),
        ("http://127.0.0.1:4317", {"OTEL_SDK_DISABLED": "TRUE"}, False),
        ("", {"OTEL_SERVICE_NAME": "ours"}, False),
    ],
)
def test_who_asks_for_it(tmp_path: Path, endpoint: str, environment: dict[str, str], expected: bool) -> None:
    assert telemetry.asked(Options(data_dir=tmp_path, otel_endpoint=endpoint), environment) is expected


def test_what_is_not_installed_is_said_at_the_start(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "opentelemetry.instrumentation.asgi", None)
    with pytest.raises(FailedPrecondition, match=r"asgi is not installed: pip install 'sekisho\[server,otel\]'"):
        telemetry.refuse_missing(Options(data_dir=tmp_path, otel_endpoint="http://127.0.0.1:4317"))


def test_a_decision_log_for_a_collector_needs_one(tmp_path: Path) -> None:
    with pytest.raises(InvalidArgument, match="--decision-log otlp needs a collector; give --otel-endpoint"):
        logbook.refuse_unusable(Options(data_dir=tmp_path, decision_log="otlp"))
