"""IAM over HTTP: requests a second and server CPU, on SQLite and on PostgreSQL, beside moto's server in the same run.

One process each, four kept connections, the same bytes to all. moto holds everything in memory and verifies no signature; Sekisho
verifies each, authorizes it, and answers a write only after it is durable with its audit record.
"""

import contextlib
import itertools
import json
import shutil
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from urllib.parse import urlencode

from bench import load, measure
from bench.summary import Row, Summary
from sekisho import sigv4
from sekisho.client import credentials as profiles
from tests import postgres

READS = 400
WRITES = 200
ROUNDS = 5
USERS = 100
IAM, STS = ("iam", "2010-05-08"), ("sts", "2011-06-15")

CALLS: dict[str, tuple[tuple[str, str], dict[str, str], int]] = {
    "GetCallerIdentity": (STS, {}, READS),
    "GetUser": (IAM, {"UserName": "user-7"}, READS),
    "ListUsers": (IAM, {"MaxItems": "100"}, READS // 2),
    "CreateUser": (IAM, {}, WRITES),
}
"""The service, the parameters, and how many calls a round has."""

_names = itertools.count()


@dataclass(slots=True)
class Server:
    """A server under load; figures by operation: requests a second, and microseconds of server CPU for one."""

    name: str
    pid: int
    address: tuple[str, int]
    keys: sigv4.Credentials
    figures: dict[str, list[tuple[float, float]]] = field(default_factory=dict)

    def request(self, action: str, service: tuple[str, str], members: dict[str, str]) -> bytes:
        """A signed request as bytes."""
        body = urlencode({"Action": action, "Version": service[1], **members}).encode()
        headers = self._headers(body)
        signed = sigv4.sign_http(self.keys, sigv4.HttpRequest("POST", "/", "", headers, body), "us-east-1", service[0], datetime.now(UTC))
        return _written(signed.headers, body)

    def unsigned(self, action: str, service: tuple[str, str], members: dict[str, str]) -> bytes:
        """The request of somebody without credentials."""
        body = urlencode({"Action": action, "Version": service[1], **members}).encode()
        return _written(self._headers(body), body)

    def _headers(self, body: bytes) -> tuple[tuple[str, str], ...]:
        return (
            ("Host", f"{self.address[0]}:{self.address[1]}"),
            ("Content-Type", "application/x-www-form-urlencoded; charset=utf-8"),
            ("Content-Length", str(len(body))),
        )

    def requests(self, action: str) -> Sequence[bytes]:
        """The requests that one round sends."""
        service, members, count = CALLS[action]
        if action == "CreateUser":
            return [self.request(action, service, {"UserName": f"made-{next(_names)}"}) for _ in range(count)]
        return [self.request(action, service, members)] * count

    def round(self, action: str) -> None:
        """One round of one operation."""
        requests = self.requests(action)
        before = measure.cpu_seconds(self.pid)
        rate = load.send(self.address, requests)
        self.figures.setdefault(action, []).append((rate, (measure.cpu_seconds(self.pid) - before) / len(requests) * 1e6))

    def median(self, action: str) -> tuple[float, float]:
        """Of all rounds."""
        rates, costs = zip(*self.figures[action], strict=True)
        return statistics.median(rates), statistics.median(costs)


def _written(headers: Iterable[tuple[str, str]], body: bytes) -> bytes:
    return b"".join((b"POST / HTTP/1.1\r\n", *(f"{name}: {value}\r\n".encode() for name, value in headers), b"\r\n", body))


def run() -> Summary:
    """Print medians of the rounds, and how many times moto's throughput that is."""
    with contextlib.ExitStack() as stack:
        servers = [stack.enter_context(sekisho_server("SQLite", ""))]
        database = stack.enter_context(postgres.running(postgres.binaries()))
        servers.append(stack.enter_context(sekisho_server("PostgreSQL", stack.enter_context(database.database()))))
        peer = stack.enter_context(moto_server())
        if peer is not None:
            servers.append(peer)
        for server in servers:
            load.send(server.address, [server.request("CreateUser", IAM, {"UserName": f"user-{n}"}) for n in range(USERS)])
        for number, action in itertools.product(range(ROUNDS + 1), CALLS):
            for server in servers:
                server.round(action)
            if number == 0:  # warms up
                for server in servers:
                    server.figures.clear()
    print(f"{'':18}{'':12}{'requests/s':>12}{'× moto':>9}{'server CPU µs':>15}")
    for action in CALLS:
        for server in servers:
            rate, cost = server.median(action)
            ratio = f"{rate / peer.median(action)[0]:9.1f}" if peer is not None else f"{'':9}"
            print(f"{action:18}{server.name:12}{rate:12.0f}{ratio}{cost:15.0f}")
    print(f"{ROUNDS} rounds that take turns, medians, {load.CONNECTIONS} connections")
    if peer is None:
        print("moto is not installed: pip install 'moto[server]'")
        return Summary(absent={"moto": "it is not installed: make .venv/.bench"})
    rows = [
        Row(f"{action}, {server.name}", "requests/s", server.median(action)[0], "moto", peer.median(action)[0], times)
        for action in CALLS
        for server in servers
        if server is not peer and (times := server.median(action)[0] / peer.median(action)[0])
    ]
    return Summary(rows)


@contextlib.contextmanager
def sekisho_server(name: str, database: str, *options: str) -> Iterator[Server]:
    with tempfile.TemporaryDirectory() as folder:
        command = [sys.executable, "-m", "sekisho.cli", "serve", "--data-dir", folder, "--grpc", "127.0.0.1:0", "--http", "127.0.0.1:0"]
        command += [*(("--database", database) if database else ()), *options]
        with _process(command) as process:
            ready = Path(folder) / "endpoints.json"
            while not ready.exists():
                if process.poll() is not None:
                    raise RuntimeError("the server did not start")
                time.sleep(0.05)
            host, _, port = json.loads(ready.read_text())["http"].rpartition(":")
            yield Server(name, process.pid, (host, int(port)), profiles.from_file(Path(folder) / "credentials", "root"))


@contextlib.contextmanager
def moto_server() -> Iterator[Server | None]:
    program = shutil.which("moto_server", path=str(Path(sys.executable).parent))
    if program is None:
        yield None
        return
    port = postgres.free_port()
    with _process([program, "-H", "127.0.0.1", "-p", str(port)]) as process:
        while process.poll() is None:
            with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port)):
                break
            time.sleep(0.05)
        yield Server("moto", process.pid, ("127.0.0.1", port), sigv4.Credentials("AKIAIOSFODNN7EXAMPLE", "bench"))


@contextlib.contextmanager
def _process(command: Sequence[str]) -> "Iterator[subprocess.Popen[bytes]]":
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        yield process
    finally:
        process.terminate()
        process.wait(20)
