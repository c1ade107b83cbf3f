"""Floods and a bystander: the latency of one account's Authorize while somebody else misbehaves, over a quiet baseline just before.

    --only=TEXT     the floods whose name has it

A real server of one worker on loopback; the flood comes from a process of its own, the bystander asks in a closed loop. Each phase ends
after `CALLS` of the bystander or after `SECONDS`, whichever is first. Floods and bystander come over the listener of grpcio, then over
the lean one, which has a second port here (`--lean`).

Flood and bystander stand for other machines: where there are two cores, they have one that is not the worker's, and there the flood gives
way to the bystander.

The first rows are the machine's part: neighbours that burn processors and never call, since a flood takes one for itself.
"""

import argparse
import contextlib
import json
import multiprocessing
import os
import socket
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from itertools import count
from multiprocessing.synchronize import Event
from pathlib import Path

import grpc

from bench import measure
from sekisho import sigv4
from sekisho.client import credentials as profiles
from sekisho.credentials import key_ids

AUTHORIZE = "/sekisho.api.authorize.v1.AuthorizeService/Authorize"
BATCH = "/sekisho.api.authorize.v1.AuthorizeService/AuthorizeBatch"
SIMULATE = "/sekisho.api.iam.v1.IamService/SimulateCustomPolicy"
CALLS = 400
SECONDS = 8.0
CONNECTIONS = 8
"""Of a flood; each waits for its answer before it sends again."""
IDLE = 1000
"""Connections that say nothing, half of them to each listener; as many as the limit of open files lets one process have."""

Calls = Iterator[tuple[str, bytes, sigv4.Credentials]]
"""Paths, bodies, and with whose keys they are signed."""


@dataclass(frozen=True, slots=True)
class Target:
    """The server, and the keys of the account that floods it."""

    grpc: str
    lean: str
    http: str
    keys: sigv4.Credentials
    account: str
    core: int | None
    """That of whoever calls."""


@dataclass(frozen=True, slots=True)
class Latency:
    """Of a phase of the bystander, in milliseconds; `failed` were not answered with a decision."""

    p50: float
    p99: float
    answered: int
    failed: int


def run() -> None:
    """Print a row for each flood, as a table of Markdown."""
    parser = argparse.ArgumentParser(prog="python -m bench hostile")
    parser.add_argument("--only", default="")
    only = parser.parse_known_args(sys.argv[1:])[0].only
    print(f"load average before: {' '.join(f'{one:.2f}' for one in os.getloadavg())}; {os.cpu_count()} cores\n")
    print("| Flood | over | its calls | bystander: answered | p50 quiet → flood | p99 quiet → flood | p99 ratio |")
    print("|---|---|--:|--:|--:|--:|--:|")
    with _sekisho() as (target, root):
        for listener, address in (("grpcio", target.grpc), ("lean", target.lean)):
            _floods(listener, replace(target, grpc=address), root, [name for name in FLOODS if only in name])
    print(f"\nload average after: {' '.join(f'{one:.2f}' for one in os.getloadavg())}")


def _floods(listener: str, target: Target, root: sigv4.Credentials, names: Sequence[str]) -> None:
    measure.on_core(target.core)()
    with grpc.insecure_channel(target.grpc) as channel:
        ask = channel.unary_unary(AUTHORIZE, request_serializer=None, response_deserializer=None)
        _phase(ask, root)  # warms it
        for name in names:
            quiet = _phase(ask, root)
            with _flood(name, target) as answers:
                under = _phase(ask, root)
            print(
                f"| {name} | {listener} | {answers()} | {under.answered} of {under.answered + under.failed}"
                f" | {quiet.p50:.1f} → {under.p50:.1f} ms | {quiet.p99:.1f} → {under.p99:.1f} ms | {under.p99 / quiet.p99:.1f} |",
                flush=True,
            )


def _phase(ask: Callable[..., bytes], keys: sigv4.Credentials) -> Latency:
    body = _question("orders:ShipOrder")
    metadata = sigv4.sign_call(keys, AUTHORIZE, body, "sekisho", datetime.now(UTC))
    taken, failed, ends = [], 0, time.perf_counter() + SECONDS
    for _ in range(CALLS):
        began = time.perf_counter()
        if began >= ends:
            break
        try:
            ask(body, metadata=metadata, timeout=SECONDS)
        except grpc.RpcError:
            failed += 1
        taken.append((time.perf_counter() - began) * 1e3)
    spread = statistics.quantiles(taken, n=100) if len(taken) > 1 else taken * 99
    return Latency(spread[49], spread[98], len(taken) - failed, failed)


@contextlib.contextmanager
def _flood(name: str, target: Target) -> Iterator[Callable[[], int]]:
    """A flood from another process for as long as the block runs; how many of its calls ended, or how many connections it has."""
    context = multiprocessing.get_context("spawn")
    stop, flowing, answers = context.Event(), context.Event(), context.Value("q", 0)
    arguments = (name, target, stop, flowing, answers)
    processes = [context.Process(target=_flow, args=arguments, daemon=True) for _ in range(NEIGHBOURS.get(name, 1))]
    for process in processes:
        process.start()
    try:
        if not flowing.wait(60):
            raise RuntimeError(f"{name} did not begin")
        yield lambda: 0 if name in NEIGHBOURS else int(answers.value)
    finally:
        stop.set()
        for process in processes:
            process.join(20)
            if process.is_alive():
                process.kill()
                process.join()


def _flow(name: str, target: Target, stop: Event, flowing: Event, answers: "multiprocessing.sharedctypes.Synchronized[int]") -> None:
    flood = FLOODS[name]
    _give_way()
    if name in NEIGHBOURS:
        flowing.set()
        while not stop.is_set():
            answers.value += 1
        return
    if flood is None:
        with contextlib.ExitStack() as stack:
            for number in range(IDLE):
                host, port = (target.grpc, target.http)[number % 2].removeprefix("http://").rsplit(":", 1)
                with contextlib.suppress(OSError):
                    stack.enter_context(socket.create_connection((host, int(port)), timeout=5))
                    answers.value += 1
            flowing.set()
            stop.wait()
        return
    lock = threading.Lock()

    def worker(number: int) -> None:
        calls = flood(target, number)
        with grpc.insecure_channel(target.grpc, (("grpc.use_local_subchannel_pool", 1),)) as channel:
            while not stop.is_set():
                path, body, keys = next(calls)
                method = channel.unary_unary(path, request_serializer=None, response_deserializer=None)
                with contextlib.suppress(grpc.RpcError):
                    method(body, metadata=sigv4.sign_call(keys, path, body, "sekisho", datetime.now(UTC)), timeout=SECONDS)
                flowing.set()
                with lock, answers.get_lock():
                    answers.value += 1

    with ThreadPoolExecutor(CONNECTIONS) as pool:
        list(pool.map(worker, range(CONNECTIONS)))


def _give_way() -> None:
    """Let the bystander have the core whenever it wants it, as if that were another machine's."""
    os.nice(10)


def _unknown_keys(target: Target, _: int) -> Calls:
    body = _question("orders:ShipOrder")
    while True:
        yield AUTHORIZE, body, replace(target.keys, access_key_id=key_ids.long_term(target.account))


def _authorize(target: Target, _: int) -> Calls:
    for asked in count():
        yield AUTHORIZE, _question(f"orders:Ship{asked}"), target.keys


def _batches(target: Target, number: int) -> Calls:
    """Each with as many policies that nobody has seen as a batch may have."""
    from sekisho.api.authorize.v1 import decisions_pb2 as pb

    for batch in count():
        policies = [_document(f"{number}-{batch}-{item}", 380, principal=True) for item in range(12)]
        questions = [pb.AuthorizeRequest(action="orders:Ship", resource="*", resource_policy=text) for text in policies]
        yield BATCH, pb.AuthorizeBatchRequest(requests=questions).SerializeToString(), target.keys


def _alike(target: Target, _number: int) -> Calls:
    """Fifty questions each about the caller itself, as a service asks that filters a list."""
    from sekisho.api.authorize.v1 import decisions_pb2 as pb

    questions = [pb.AuthorizeRequest(action="orders:ShipOrder", resource=f"arn:aws:orders:eu-west-1::order/{item}") for item in range(50)]
    while True:
        yield BATCH, pb.AuthorizeBatchRequest(requests=questions).SerializeToString(), target.keys


def _simulations(target: Target, number: int) -> Calls:
    from sekisho.api.iam.v1 import simulations_pb2 as pb

    resources = [f"arn:aws:s3:::bucket/{item}" for item in range(1000)]
    for call in count():
        text = _document(f"{number}-{call}", 2000)
        request = pb.SimulateCustomPolicyRequest(policy_input_list=[text], action_names=["s3:GetObject"], resource_arns=resources)
        yield SIMULATE, request.SerializeToString(), target.keys


NEIGHBOURS = {"a neighbour that never calls": 1, "two neighbours that never call": 2}
FLOODS: dict[str, Callable[[Target, int], Calls] | None] = {
    **dict.fromkeys(NEIGHBOURS),
    "unknown keys": _unknown_keys,
    "Authorize of another account": _authorize,
    "AuthorizeBatch, twelve new policies each": _batches,
    "AuthorizeBatch, fifty questions each": _alike,
    "SimulateCustomPolicy, 1,000 resources": _simulations,
    "idle connections, 1,000": None,
}


def _question(action: str) -> bytes:
    from sekisho.api.authorize.v1 import decisions_pb2 as pb

    return pb.AuthorizeRequest(action=action, resource="arn:aws:orders:eu-west-1::order/1").SerializeToString()


def _document(name: str, statements: int, *, principal: bool = False) -> str:
    """A policy that no other call has: 50 characters a statement."""
    first = {"Effect": "Allow", "Action": f"a:*{name}*", "Resource": "*"}
    rest = {"Effect": "Allow", "Action": "*", "Resource": "*"}
    made: Sequence[dict[str, str]] = [first, *[rest] * (statements - 1)]
    if principal:
        made = [{**one, "Principal": "*"} for one in made[: statements * 3 // 4]]
    return json.dumps({"Version": "2012-10-17", "Statement": made}, separators=(",", ":"))


def _other_core(server: int) -> int | None:
    """A core that is not the worker's, which keeps to one; None where there is no other."""
    allowed = os.sched_getaffinity(0)
    kept = [os.sched_getaffinity(one) for one in measure.tree(server)]
    other = sorted(allowed - set().union(*(one for one in kept if len(one) == 1)))
    return other[0] if other else None


@contextlib.contextmanager
def _sekisho() -> Iterator[tuple[Target, sigv4.Credentials]]:
    with tempfile.TemporaryDirectory() as folder:
        program = [sys.executable, "-m", "sekisho.cli"]
        anywhere = [word for listener in ("--grpc", "--lean", "--http") for word in (listener, "127.0.0.1:0")]
        serve = [*program, "serve", "--data-dir", folder, *anywhere, "--grpc-listener", "grpcio"]
        process = subprocess.Popen(serve, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        try:
            ready = Path(folder) / "endpoints.json"
            while not ready.exists():
                if process.poll() is not None:
                    raise RuntimeError("the server did not start")
                time.sleep(0.05)
            made = json.loads(subprocess.check_output([*program, "account", "create", "--data-dir", folder]))
            keys = sigv4.Credentials(made["access_key_id"], made["secret_access_key"])
            where = json.loads(ready.read_text())
            target = Target(where["grpc"], where["lean"], where["http"], keys, made["account_id"], _other_core(process.pid))
            yield target, profiles.from_file(Path(folder) / "credentials", "root")
        finally:
            process.terminate()
            try:
                process.wait(20)
            except subprocess.TimeoutExpired:
                process.kill()
