"""Authorize on the lean listener and on that of grpcio: the cost of a call, and what is left when more comes than can be answered.

Two real servers of one worker on loopback, one on each listener, on one core each in turn with the load on another. First
closed, 100 calls under way over 10 connections, interleaved: CPU of the server for a call, calls a second, p99. Then open, at the rate that
was reached and at five times it: the part of the peak that is still answered, the p99 of what is, how soon the rest is refused, and whether
anything came after its deadline. Last, a probe beside idle connections.
"""

import contextlib
import json
import os
import resource
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from bench.calls import Load, Seen
from sekisho import sigv4
from sekisho.api.authorize.v1 import decisions_pb2
from sekisho.client import credentials as profiles
from sekisho.sigv4 import bearer

PATH = "/sekisho.api.authorize.v1.AuthorizeService/Authorize"
WAYS: dict[str, tuple[str, ...]] = {"grpcio": ("--grpc-listener", "grpcio"), "lean": ()}
CONNECTIONS, STREAMS = 10, 10
ROUNDS, SECONDS = 5, 2.0
FLOODS = 50
"""Connections of an overload, so that it finds streams."""
DEADLINE = 1.0
"""Seconds that each call of an overload has."""
IDLE = 10_000


@dataclass(slots=True)
class Server:
    """A running server of one way."""

    way: str
    pid: int
    endpoint: str
    keys: sigv4.Credentials

    @property
    def cpu(self) -> float:
        """Seconds of CPU that the process has used: the kernel's own clock of it."""
        return time.clock_gettime((~self.pid << 3) | 2)

    def load(self, connections: int, deadline: float | None = None) -> Load:
        """A load of bearer calls, each about the caller itself."""
        question = decisions_pb2.AuthorizeRequest(action="orders:ShipOrder", resource="arn:aws:orders:eu-west-1::order/1")
        token = bearer.make(self.keys, "sekisho", datetime.now(UTC))
        metadata = (("authorization", token),)
        return Load(self.endpoint, PATH, question.SerializeToString(), metadata, connections=connections, deadline=deadline)


def run() -> None:
    """Print the three tables."""
    cores = sorted(os.sched_getaffinity(0))
    os.sched_setaffinity(0, {cores[-1]})
    print(f"load average before: {' '.join(f'{one:.2f}' for one in os.getloadavg())}; {len(cores)} cores\n")
    with contextlib.ExitStack() as stack:
        servers = [stack.enter_context(_serving(way, cores[0])) for way in WAYS]
        peaks = _closed(servers)
        for server in servers:
            _open(server, peaks[server.way])
        for server in servers:
            _idle(server)
    print(f"\nload average after: {' '.join(f'{one:.2f}' for one in os.getloadavg())}")


def _closed(servers: list[Server]) -> dict[str, float]:
    """The table of a closed load; the calls a second of each way."""
    found: dict[str, list[tuple[float, Seen]]] = {server.way: [] for server in servers}
    for _ in range(ROUNDS):
        for server in servers:
            with contextlib.closing(server.load(CONNECTIONS)) as load:
                load.closed(streams=STREAMS, seconds=SECONDS / 4)
                before = server.cpu
                seen = load.closed(streams=STREAMS, seconds=SECONDS)
                found[server.way].append(((server.cpu - before) / max(1, sum(seen.ends.values())) * 1e6, seen))
    print("| listener | CPU µs a call | calls/s | p50 ms | p99 ms | not answered |\n|---|--:|--:|--:|--:|--:|")
    for way, rounds in found.items():
        others = sum(sum(seen.ends.values()) - seen.ends["0"] for _, seen in rounds)
        figures = [[cpu, seen.rate, seen.quantile(0.5), seen.quantile(0.99)] for cpu, seen in rounds]
        cpu, rate, p50, p99 = (statistics.median(column) for column in zip(*figures, strict=True))
        print(f"| {way} | {cpu:.0f} | {rate:.0f} | {p50:.1f} | {p99:.1f} | {others} |", flush=True)
    return {way: statistics.median(seen.rate for _, seen in rounds) for way, rounds in found.items()}


def _open(server: Server, peak: float) -> None:
    """Rows of an open load: at half of the peak, at the peak, at five times it."""
    print(f"\n{server.way}, peak {peak:.0f} a second\n")
    print("| sent | answered, of the peak | p50, p99 ms | refused | p50, p99 ms | late | other ends | no stream |")
    print("|--:|--:|--:|--:|--:|--:|---|--:|")
    for times in (1.0, 5.0):
        with contextlib.closing(server.load(FLOODS, DEADLINE)) as load:
            seen = load.open(rate=peak * times, seconds=4 * SECONDS)
        others = {end: count for end, count in seen.ends.items() if end not in ("0", "8") and count}
        print(
            f"| {times:.1f} × | {seen.rate / peak:.0%} | {seen.quantile(0.5):.1f}, {seen.quantile(0.99):.1f} | {seen.ends['8']} "
            f"| {seen.quantile(0.5, bad=True):.1f}, {seen.quantile(0.99, bad=True):.1f} | {seen.late} | {others or ''} | {seen.unsent} |",
            flush=True,
        )
        time.sleep(1)


def _idle(server: Server) -> None:
    """A probe that asks one call after another, before and beside as many idle connections as the limit of open files allows."""
    with contextlib.ExitStack() as stack, contextlib.closing(server.load(1)) as load:
        load.closed(streams=1, seconds=SECONDS / 2)
        quiet = load.closed(streams=1, seconds=SECONDS)
        host, _, port = server.endpoint.rpartition(":")
        limit = min(resource.getrlimit(resource.RLIMIT_NOFILE)[0], IDLE + 100) - 100
        opened = 0
        for number in range(limit):
            with contextlib.suppress(OSError):
                source = (f"127.0.{number // 5000 + 1}.1", 0)
                stack.enter_context(socket.create_connection((host, int(port)), timeout=5, source_address=source))
                opened += 1
        beside = load.closed(streams=1, seconds=SECONDS)
    print(f"\n{server.way} beside {opened} idle connections: p99 {quiet.quantile(0.99):.2f} → {beside.quantile(0.99):.2f} ms")


@contextlib.contextmanager
def _serving(way: str, core: int) -> Iterator[Server]:
    with tempfile.TemporaryDirectory() as folder:
        arguments = ["--data-dir", folder, "--grpc", "127.0.0.1:0", "--http", "127.0.0.1:0", "--no-pin", *WAYS[way]]
        process = subprocess.Popen(
            [sys.executable, "-m", "sekisho.cli", "serve", *arguments, "--log-level", "error"],
            stdout=subprocess.DEVNULL,
            preexec_fn=lambda: os.sched_setaffinity(0, {core}),
        )
        try:
            ready = Path(folder) / "endpoints.json"
            while not ready.exists():
                if process.poll() is not None:
                    raise RuntimeError("the server did not start")
                time.sleep(0.05)
            keys = profiles.from_file(Path(folder) / "credentials", "root")
            where = json.loads(ready.read_text())
            yield Server(way, process.pid, where["grpc"], keys)
        finally:
            process.terminate()
            process.wait(20)
