"""Workers are killed while they answer: each is replaced, callers who try again notice nothing, and the server ends when told to."""

import json
import os
import random
import signal
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import grpc
import pytest

from tests import commanded, started
from tests.harness import BY_NAME
from tests.served import OPTIONS, Served, serving, signed

pytestmark = pytest.mark.faults

KILLS = int(os.environ.get("KILLS", "3"))
"""`make campaign` takes more."""
PATIENCE = 120.0
"""Seconds after which something is given up that takes one when nothing else runs."""


def until(condition: Callable[[], Any], what: str) -> Any:
    """What the condition says once it says something."""
    limit = time.monotonic() + PATIENCE
    while not (found := condition()):
        assert time.monotonic() < limit, what
        time.sleep(0.01)
    return found


def serving_workers(log: Path) -> dict[int, int]:
    """The process that serves in each worker's place, the newest that the log names."""
    found = {}
    for line in log.read_text().splitlines():
        if '"server.worker_serves"' in line:
            event = json.loads(line)
            found[event["worker"]] = event["process"]
    return found


def replaced(log: Path, index: int, process: int) -> Callable[[], bool]:
    """Whether another process than this one serves in a worker's place."""
    return lambda: serving_workers(log).get(index, process) != process


def grown(answers: list[bool], before: int) -> Callable[[], bool]:
    """Whether there are more answers than before."""
    return lambda: len(answers) > before


def ask(served: Served, channel: grpc.Channel) -> bool:
    """Whether a call succeeds, of a caller who tries again when the worker is gone."""
    operation = BY_NAME["GetCallerIdentity"]
    method = channel.unary_unary(operation.path, request_serializer=None, response_deserializer=None)
    for _ in range(20):
        try:
            method(b"", metadata=signed(served.root, operation.path, b""), timeout=20.0)
        except grpc.RpcError as error:
            if error.code() is not grpc.StatusCode.UNAVAILABLE:
                raise
            time.sleep(0.1)
        else:
            return True
    return False


@contextmanager
def load(served: Served, threads: int = 2) -> Iterator[list[bool]]:
    """Callers who ask again and again; whether each of their calls was answered."""
    answers: list[bool] = []
    stop = threading.Event()

    def calls() -> None:
        while not stop.wait(0.02):
            with grpc.insecure_channel(served.endpoints["grpc"], (*OPTIONS, ("grpc.use_local_subchannel_pool", 1))) as channel:
                answers.extend(ask(served, channel) for _ in range(10) if not stop.wait(0.01))

    running = [threading.Thread(target=calls) for _ in range(threads)]
    for thread in running:
        thread.start()
    try:
        yield answers
    finally:
        stop.set()
        for thread in running:
            thread.join()


def test_each_worker_that_is_killed_is_replaced(tmp_path: Path) -> None:
    chance = random.Random(11)
    with serving(f"sqlite:///{tmp_path / 'sekisho.db'}", tmp_path, workers=2) as served:
        with load(served) as answers:
            for number in range(KILLS):
                now = until(lambda: serving_workers(served.log), "nobody serves")
                index = chance.choice(sorted(now))
                answered = len(answers)
                os.kill(now[index], signal.SIGKILL)
                until(replaced(served.log, index, now[index]), f"kill {number}: worker {index} was not replaced")
                until(grown(answers, answered), f"kill {number}: nobody answers")
        assert all(answers)
        assert served.stop() == 0


def test_all_workers_at_once(tmp_path: Path) -> None:
    with serving(f"sqlite:///{tmp_path / 'sekisho.db'}", tmp_path, workers=2) as served:
        for _ in range(min(3, KILLS - 1)):  # after three of which the server once did not end any more
            now = serving_workers(served.log)
            for process in now.values():
                os.kill(process, signal.SIGKILL)
            for index, process in now.items():
                until(replaced(served.log, index, process), f"worker {index} was not replaced")
        assert served.call("GetCallerIdentity").account == served.call("GetCallerIdentity").account
        assert served.stop() == 0


def test_a_stopped_worker_does_not_keep_the_server_from_ending(tmp_path: Path) -> None:
    with serving(f"sqlite:///{tmp_path / 'sekisho.db'}", tmp_path, workers=2) as served:
        process = serving_workers(served.log)[0]
        os.kill(process, signal.SIGSTOP)
        assert served.stop() == 0
        assert "server.worker_cut" in served.log.read_text()
        with pytest.raises(ProcessLookupError):
            os.kill(process, 0)


def test_workers_end_with_a_server_that_was_killed(tmp_path: Path) -> None:
    with serving(f"sqlite:///{tmp_path / 'sekisho.db'}", tmp_path, workers=2) as served:
        workers = serving_workers(served.log).values()
        served.process.kill()
        until(lambda: not any(map(alive, workers)), "a worker outlived its server")


def alive(process: int) -> bool:
    """Whether there is such a process; one that waits to be reaped by whoever takes over orphans has ended."""
    try:
        return (Path("/proc") / str(process) / "stat").read_text().rpartition(")")[2].split()[0] not in "ZX"
    except FileNotFoundError:
        return False


def test_a_worker_that_cannot_start_fails_the_server(tmp_path: Path) -> None:
    (tmp_path / "data" / "spool" / "1.db").mkdir(parents=True)  # where worker 1 wants a file
    (tmp_path / "data").chmod(0o700)
    process = commanded.started(tmp_path / "data", tmp_path / "log", "--workers", "2")
    assert process.wait(PATIENCE) == 1
    assert "sekisho: worker 1 did not start; its log says why" in (tmp_path / "log").read_text().splitlines()
    assert not (tmp_path / "data" / "endpoints.json").exists()


STUCK = """
import sys, threading, time
from pathlib import Path
from sekisho.node.options import Options
from sekisho.node.run import serve
def ready(_):
    threading.Thread(target=time.sleep, args=(3600,)).start()  # as a computation that nobody can end
sys.exit(serve(Options(data_dir=Path(sys.argv[1]), grpc="127.0.0.1:0", http="127.0.0.1:0"), ready))
"""


def test_a_server_of_one_worker_ends_although_something_in_it_does_not(tmp_path: Path) -> None:
    (tmp_path / "log").touch()
    process = started.forked(STUCK, [str(tmp_path / "data")], os.environ, tmp_path / "log")
    try:
        until((tmp_path / "data" / "endpoints.json").exists, "the server did not start")
        process.send_signal(signal.SIGTERM)
        assert process.wait(PATIENCE) == 0
    finally:
        process.kill()
    assert '"server.cut"' in (tmp_path / "log").read_text()
    assert not (tmp_path / "data" / "endpoints.json").exists()
