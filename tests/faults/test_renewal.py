"""Workers are replaced while they answer, and no caller notices: for other certificates, and because one has grown too large.

Callers do not try again: every single call must be answered. gRPC itself sends a call that never left its connection over the next one.
"""

import json
import os
import signal
import sys
import threading
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import grpc
import pytest

from sekisho import sigv4
from sekisho.cli import connection
from tests import commanded, served
from tests.certificates import Authority
from tests.faults.test_workers import until
from tests.harness import BY_NAME
from tests.node.test_certificates import until_shown
from tests.started import Process, forked

pytestmark = pytest.mark.faults

ALONE = (("grpc.use_local_subchannel_pool", 1),)
"""A channel has its own connection; else it is as everybody's."""
IDENTITY = BY_NAME["GetCallerIdentity"].path


def events(log: Path, name: str) -> list[dict[str, object]]:
    """What the server has logged of this name."""
    return [json.loads(line) for line in log.read_text().splitlines() if f'"event": "{name}"' in line]


@contextmanager
def asking(endpoint: str, root: sigv4.Credentials, trust: bytes | None = None) -> Iterator[tuple[list[int], list[str]]]:
    """Callers who ask all the time, half of them over connections that last, half over one for every ten calls: how many calls each has
    had answered, and what went wrong.
    """
    answered, wrong, stop = [0] * 4, list[str](), threading.Event()

    def opened() -> grpc.Channel:
        if trust is None:
            return grpc.insecure_channel(endpoint, ALONE)
        return grpc.secure_channel(endpoint, grpc.ssl_channel_credentials(trust), ALONE)

    def calls(number: int) -> None:
        while not stop.is_set():
            with opened() as channel:
                method = channel.unary_unary(IDENTITY, request_serializer=None, response_deserializer=None)
                for _ in range(10 if number % 2 else 1_000_000):
                    if stop.wait(0.02):  # faster, they would take the processor from who is to replace a worker
                        return
                    try:
                        method(b"", metadata=served.signed(root, IDENTITY, b""), timeout=60)
                        answered[number] += 1
                    except grpc.RpcError as error:
                        wrong.append(f"{error.code()}: {error.details()}")

    threads = [threading.Thread(target=calls, args=(number,)) for number in range(len(answered))]
    for thread in threads:
        thread.start()
    try:
        yield answered, wrong
    finally:
        stop.set()
        for thread in threads:
            thread.join()


def more(answered: list[int], wrong: list[str]) -> None:
    """Wait until each caller has had ten more answers, or something went wrong."""
    before = list(answered)
    until(lambda: wrong or all(now >= then + 10 for now, then in zip(answered, before, strict=True)), "nobody answers")


@contextmanager
def serving(folder: Path, **options: object) -> Iterator[tuple[Process, Path, Path]]:
    """A server of two workers whose connections last three seconds, its data directory, and its log."""
    data, log = folder / "data", folder / "log"
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(entry for entry in sys.path if entry)}
    log.touch()
    process = forked(PROGRAM, (str(data), json.dumps(options)), environment, log)
    try:
        served.endpoints(process, data, log)
        yield process, data, log
        process.send_signal(signal.SIGTERM)
        assert process.wait(60) == 0
    finally:
        if process.poll() is None:
            process.kill()
            process.wait()


PROGRAM = """
import json, sys
from pathlib import Path
from sekisho.node.options import Options
from sekisho.node.run import serve
from tests.faults import greedy
further = {name: Path(value) if name.startswith("tls") else value for name, value in json.loads(sys.argv[2]).items()}
options = Options(data_dir=Path(sys.argv[1]), grpc="127.0.0.1:0", http="127.0.0.1:0", workers=2, connection_age=3.0, **further)
if __name__ == "__main__":
    sys.exit(serve(options, edges=(greedy.edge,)))
"""


def gone(pids: set[object]) -> bool:
    """Whether all these processes have ended."""
    return not any(Path(f"/proc/{pid}").exists() for pid in pids)


@pytest.mark.parametrize("listener", ["grpcio", "lean"])
def test_all_workers_are_replaced_for_other_certificates(tmp_path: Path, listener: str) -> None:
    authority = Authority()
    certificate, key = authority.server().write(tmp_path, "own")
    options = {"grpc_listener": listener, "lean": "127.0.0.1:0", "tls_cert": str(certificate), "tls_key": str(key)}
    with serving(tmp_path, **options) as (process, data, log):
        endpoints, root = connection.endpoints(data), served.credentials(data)
        with asking(endpoints["grpc"], root, authority.certificate) as (answered, wrong):
            more(answered, wrong)
            new = authority.server()
            new.write(tmp_path, "own")
            process.send_signal(signal.SIGHUP)
            until(lambda: len(events(log, "server.worker_replaced")) == 2, "not all workers were replaced")
            for endpoint in endpoints.values():
                until_shown(endpoint, new.certificate)
            first, second = [{event["process"] for event in events(log, "server.worker_serves")[at : at + 2]} for at in (0, 2)]
            assert {event["process"] for event in events(log, "server.worker_replaced")} == first
            assert first.isdisjoint(second)
            until(lambda: gone(first), "who was replaced stays")
            more(answered, wrong)
        assert wrong == []
        assert [event["reason"] for event in events(log, "server.worker_replaced")] == ["told to reload"] * 2
        assert events(log, "server.worker_cut") == events(log, "server.worker_died") == []


def test_calls_on_connections_of_their_own_while_workers_are_replaced(tmp_path: Path) -> None:
    """On the lean listener, without TLS and tries: each call comes over a connection that may have been at the door of who leaves."""
    with serving(tmp_path, grpc_listener="lean") as (process, data, log):
        endpoints, root = connection.endpoints(data), served.credentials(data)
        with asking(endpoints["grpc"], root) as (answered, wrong):
            more(answered, wrong)
            for round_ in (1, 2):
                process.send_signal(signal.SIGHUP)
                until(lambda: len(events(log, "server.worker_replaced")) == 2 * round_, "not all workers were replaced")  # noqa: B023
                before = {event["process"] for event in events(log, "server.worker_replaced")}
                until(lambda: gone(before), "who was replaced stays")  # noqa: B023
                more(answered, wrong)
        assert wrong == []


def test_a_successor_that_does_not_come_up_leaves_who_there_is(tmp_path: Path) -> None:
    certificate, key = Authority().server().write(tmp_path, "own")
    before = certificate.read_bytes()
    with commanded.server("--tls-cert", str(certificate), "--tls-key", str(key), "--workers", "2") as server:
        log = server.data_dir.parent / "log"
        key.write_bytes(b"")
        os.kill(int((server.data_dir / "server.lock").read_text()), signal.SIGHUP)
        until(lambda: events(log, "server.worker_not_replaced"), "a successor came up")
        for endpoint in connection.endpoints(server.data_dir).values():
            until_shown(endpoint, before)
        assert len(events(log, "server.worker_not_replaced")) == 1
        assert events(log, "server.worker_replaced") == events(log, "server.worker_died") == []


def test_a_worker_that_grows_too_large_is_replaced(tmp_path: Path) -> None:
    with serving(tmp_path, worker_memory=512) as (_, data, log):
        endpoints, root = connection.endpoints(data), served.credentials(data)
        with asking(endpoints["grpc"], root) as (answered, wrong):
            more(answered, wrong)
            with urllib.request.urlopen(f"http://{endpoints['http']}/hold/600", timeout=60) as answer:
                grown = int(answer.read())
            until(lambda: events(log, "server.worker_replaced"), "the worker was not replaced")
            until(lambda: gone({grown}), "who was replaced stays")
            more(answered, wrong)
        assert wrong == []
        assert [(event["process"], event["reason"]) for event in events(log, "server.worker_replaced")] == [(grown, "too large")]


def test_a_server_that_is_told_to_stop_ends_those_who_leave_and_those_who_come(tmp_path: Path) -> None:
    with served.serving(f"sqlite:///{tmp_path / 'sekisho.db'}", tmp_path, workers=2) as server:
        server.process.send_signal(signal.SIGHUP)
        until(lambda: events(server.log, "server.worker_replaced"), "no worker was replaced")
        started = time.monotonic()
        assert server.stop() == 0
        assert time.monotonic() - started < 60
        processes = {event["process"] for event in events(server.log, "server.worker_serves")}
        assert not [pid for pid in processes if Path(f"/proc/{pid}").exists()]
