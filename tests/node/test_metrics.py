"""What a running server's /metrics shows, of all workers together, over every edge."""

import json
import os
import signal
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from urllib.error import HTTPError
from urllib.request import Request, urlopen

import grpc
import pytest

from sekisho import sigv4
from sekisho.store import changes
from tests import scraped
from tests.harness import BY_NAME
from tests.scraped import Sample, values
from tests.served import OPTIONS, PROGRAM, Served, serving, signed

PATIENCE = 120.0
GATEWAY = "from sekisho.edges import aws, issuers" + PROGRAM.replace(
    "argv[3])))", "argv[3])), edges=(issuers.application, aws.application))"
)
"""The server with the edge of AWS's protocols."""


def until(condition: Callable[[], bool], what: str) -> None:
    """Wait for a condition."""
    limit = time.monotonic() + PATIENCE
    while not condition():
        assert time.monotonic() < limit, what
        time.sleep(0.02)


def answered(served: Served, worker: int, process: int = 0) -> int:
    """The newest process that serves in a worker's place, once it is not this one."""
    found = process

    def another() -> bool:
        nonlocal found
        for line in served.log.read_text().splitlines():
            if '"server.worker_serves"' in line and (event := json.loads(line))["worker"] == worker:
                found = event["process"]
        return found != process

    until(another, f"worker {worker} does not serve")
    return found


def ask(served: Served, count: int, name: str = "Authorize", **fields: str) -> None:
    """Ask over a connection of its own, which the system gives to any of the workers."""
    operation = BY_NAME[name]
    body = operation.request(**fields).SerializeToString()
    for _ in range(count):
        with grpc.insecure_channel(served.endpoints["grpc"], (*OPTIONS, ("grpc.use_local_subchannel_pool", 1))) as channel:
            method = channel.unary_unary(operation.path, request_serializer=None, response_deserializer=None)
            for left in reversed(range(50)):
                try:
                    method(body, metadata=signed(served.root, operation.path, body), timeout=20.0)
                    break
                except grpc.RpcError as error:
                    if error.code() is not grpc.StatusCode.UNAVAILABLE or not left:
                        raise
                    time.sleep(0.1)


def counted(served: Served, name: str, **labels: str) -> float:
    """The sum of these samples of the server."""
    return sum(values(scraped.server(served.endpoints["http"]), name, **labels))


def test_two_workers_count_together_also_when_one_has_died(tmp_path: Path) -> None:
    with serving(f"sqlite:///{tmp_path / 'sekisho.db'}", tmp_path, workers=2) as served:
        processes = [answered(served, 0), answered(served, 1)]
        ask(served, 20, action="orders:Ship", resource="*")
        for worker in (0, 1):
            assert counted(served, "sekisho_decisions_total", outcome="Allowed") == 20.0
            os.kill(processes[worker], signal.SIGKILL)
            answered(served, worker, processes[worker])
        ask(served, 5, action="orders:Ship", resource="*")
        for _ in range(6):  # whichever worker answers
            samples = scraped.server(served.endpoints["http"])
            assert sum(values(samples, "sekisho_decisions_total")) == 25.0
            call = {"edge": "grpc", "service": "authorize", "rpc": "Authorize"}
            assert list(values(samples, "sekisho_calls_total", **call, code="OK")) == [25.0]
            assert list(values(samples, "sekisho_call_seconds_count", **call)) == [25.0]
            assert len(list(values(samples, "sekisho_worker_uptime_seconds"))) == 2
        assert served.stop() == 0


def everything(served: Served) -> list[Sample]:
    """What a server shows that has answered, refused and failed over both edges."""
    ask(served, 2, action="orders:Ship", resource="*")
    served.call("CreateUser", user_name="ann")
    key = served.call("CreateAccessKey", user_name="ann").access_key
    ann = sigv4.Credentials(key.access_key_id, key.secret_access_key)
    body = b""
    path = BY_NAME["ListUsers"].path
    assert served.send(path, body, signed(ann, path, body)).status is grpc.StatusCode.PERMISSION_DENIED
    served.call("Authorize", action="orders:Ship", resource="*", principal_arn=served.call("GetUser", user_name="ann").user.arn)
    assert served.send(BY_NAME["Authorize"].path, b"").status is grpc.StatusCode.UNAUTHENTICATED
    address = f"http://{served.endpoints['http']}/"
    form = b"Action=GetCallerIdentity&Version=2011-06-15"
    headers = (("Host", served.endpoints["http"]), ("Content-Type", "application/x-www-form-urlencoded"))
    request = sigv4.sign_http(served.root, sigv4.HttpRequest("POST", "/", "", headers, form), "us-east-1", "sts", datetime.now(UTC))
    with urlopen(Request(address, form, dict(request.headers)), timeout=60) as answer:  # of a server of our own
        assert answer.status == 200
    with pytest.raises(HTTPError, match="403"):
        urlopen(Request(address, form), timeout=60)  # likewise
    return scraped.server(served.endpoints["http"])


def test_what_a_server_shows(tmp_path: Path) -> None:
    with serving(f"sqlite:///{tmp_path / 'sekisho.db'}", tmp_path, program=GATEWAY) as served:
        revision = float(changes.parse(served.write("CreateGroup", group_name="crew")).number)
        samples = everything(served)

        def one(name: str, **labels: str) -> float:
            [found] = values(samples, name, **labels)
            return found

        assert one("sekisho_decisions_total", outcome="Allowed", layer="identity") == 2.0, "the account's root user"
        assert one("sekisho_decisions_total", outcome="ImplicitlyDenied", layer="identity") == 1.0
        assert one("sekisho_calls_total", edge="grpc", rpc="ListUsers", code="PERMISSION_DENIED") == 1.0
        assert one("sekisho_calls_total", edge="grpc", rpc="Authorize", code="UNAUTHENTICATED") == 1.0
        assert one("sekisho_calls_total", edge="http", service="sts", rpc="GetCallerIdentity", code="200") == 1.0
        assert one("sekisho_calls_total", edge="http", service="sts", rpc="GetCallerIdentity", code="403") == 1.0
        assert one("sekisho_call_seconds_count", edge="grpc", rpc="Authorize") == 4.0
        assert one("sekisho_authentication_failures_total", code="MissingAuthenticationToken") == 2.0
        assert one("sekisho_cache_hits_total", cache="records") > 0
        assert one("sekisho_cache_misses_total", cache="records") > 0
        assert one("sekisho_cache_hits_total", cache="names") >= 0.0
        assert one("sekisho_sheds_total", lane="grpc-decide", reason="queue") == 0.0
        assert one("sekisho_lane_waiting", lane="grpc-decide", worker="0") == 0.0
        assert one("sekisho_feed_lag_revisions") == 0.0
        assert one("sekisho_feed_lag_seconds") < PATIENCE
        assert one("sekisho_worker_cpu_seconds") > 0

        def applied() -> bool:
            return next(values(scraped.server(served.endpoints["http"]), "sekisho_feed_revision"), 0.0) >= revision

        until(applied, "the revision does not move")
        until(lambda: counted(served, "sekisho_cache_bytes", cache="records") > 0, "the cache is not weighed")
        until(lambda: counted(served, "sekisho_cache_misses_total", cache="findings") > 0, "findings are not counted")
        until(lambda: counted(served, "sekisho_spool_entries") == 0.0, "the spool is not drained")


def test_labels_are_nobodys_names_and_no_secrets(tmp_path: Path) -> None:
    with serving(f"sqlite:///{tmp_path / 'sekisho.db'}", tmp_path, program=GATEWAY) as served:
        account = served.call("GetCallerIdentity").account
        texts = {text for _, labels, _ in everything(served) for text in labels.values()}
        assert not [text for text in texts if account in text or "arn:" in text or served.root.access_key_id in text]
        assert not [text for text in texts if text == "ann" or served.root.secret_access_key in text]
