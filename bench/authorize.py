"""Authorize over gRPC: server CPU per request and latency, beside a bare grpcio echo with the same options, in one run.

The echo is the floor: what grpcio itself costs for a message of the same size. One connection, closed loop, requests signed once.
"""

import contextlib
import json
import multiprocessing
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from multiprocessing.connection import Connection
from pathlib import Path

import grpc

from bench import measure
from sekisho import sigv4
from sekisho.api.authorize.v1 import decisions_pb2
from sekisho.client import credentials as profiles
from sekisho.edges.grpc.server import OPTIONS

PATH = "/sekisho.api.authorize.v1.AuthorizeService/Authorize"
CALLS = 2000
ROUNDS = 5


def run() -> None:
    """Print medians of the rounds, and the ratio to the echo."""
    body = decisions_pb2.AuthorizeRequest(action="orders:ShipOrder", resource="arn:aws:orders:eu-west-1::order/1").SerializeToString()
    with _sekisho() as (pid, endpoint, keys), _echo() as (echo_pid, echo_endpoint):
        metadata = sigv4.sign_call(keys, PATH, body, "sekisho", datetime.now(UTC))
        latencies: dict[str, list[float]] = {"sekisho": [], "echo": []}
        arms = {
            "sekisho": lambda: _round(endpoint, pid, body, metadata, latencies["sekisho"]),
            "echo": lambda: _round(echo_endpoint, echo_pid, body, metadata, latencies["echo"]),
        }
        medians = measure.interleaved(arms, ROUNDS)
    for name, cpu in medians.items():
        spread = statistics.quantiles(latencies[name], n=100)
        print(f"{name:8} server CPU {cpu:7.1f} µs a request   latency p50 {spread[49]:6.0f} µs  p99 {spread[98]:6.0f} µs")
    print(f"ratio    {medians['sekisho'] / medians['echo']:.2f} × the CPU of the echo ({CALLS} calls, {ROUNDS} rounds, medians)")


def _round(endpoint: str, pid: int, body: bytes, metadata: tuple[tuple[str, str], ...], latencies: list[float]) -> float:
    with grpc.insecure_channel(endpoint) as channel:
        call = channel.unary_unary(PATH, request_serializer=None, response_deserializer=None)
        for _ in range(100):
            call(body, metadata=metadata)
        before = measure.cpu_seconds(pid)
        for _ in range(CALLS):
            began = time.perf_counter()
            call(body, metadata=metadata)
            latencies.append((time.perf_counter() - began) * 1e6)
        return (measure.cpu_seconds(pid) - before) / CALLS * 1e6


@contextlib.contextmanager
def _sekisho() -> Iterator[tuple[int, str, sigv4.Credentials]]:
    with tempfile.TemporaryDirectory() as folder:
        command = [sys.executable, "-m", "sekisho.cli", "serve", "--data-dir", folder, "--grpc", "127.0.0.1:0", "--http", "127.0.0.1:0"]
        process = subprocess.Popen(command, stdout=subprocess.DEVNULL)
        try:
            ready = Path(folder) / "endpoints.json"
            while not ready.exists():
                if process.poll() is not None:
                    raise RuntimeError("the server did not start")
                time.sleep(0.05)
            yield process.pid, json.loads(ready.read_text())["grpc"], profiles.from_file(Path(folder) / "credentials", "root")
        finally:
            process.terminate()
            process.wait(20)


@contextlib.contextmanager
def _echo() -> Iterator[tuple[int, str]]:
    here, there = multiprocessing.get_context("spawn").Pipe()
    process = multiprocessing.get_context("spawn").Process(target=_serve_echo, args=(there,), daemon=True)
    process.start()
    assert process.pid is not None
    try:
        yield process.pid, f"127.0.0.1:{here.recv()}"
    finally:
        process.terminate()
        process.join(10)


def _serve_echo(pipe: Connection) -> None:
    server = grpc.server(ThreadPoolExecutor(4), options=OPTIONS)
    handler = grpc.unary_unary_rpc_method_handler(lambda body, _: body)
    service, method = PATH.strip("/").split("/")
    server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler(service, {method: handler}),))
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    pipe.send(port)
    server.wait_for_termination()
