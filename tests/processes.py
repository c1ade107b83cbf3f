"""Nodes in processes of their own, on one database: each runs a piece of work and hands back what came of it.

The processes are forked from a server that has imported the house already, and so start in milliseconds.
"""

import multiprocessing
import random
import time
from collections.abc import Callable, Sequence
from multiprocessing.connection import Connection
from multiprocessing.synchronize import Barrier
from pathlib import Path
from typing import Any, TypeVar

from sekisho.calls import pipeline
from sekisho.credentials import accounts
from sekisho.credentials.key_ring import KeyRing
from sekisho.errors import SekishoError
from sekisho.node import assembly
from sekisho.store import db
from tests import clock
from tests.harness import House

CONTEXT = multiprocessing.get_context("forkserver")
CONTEXT.set_forkserver_preload(["pytest", "tests.processes", "tests.started"])
PATIENCE = 300.0
"""Seconds that a process may take for its work, and a call that waits for others: far more than either needs on a busy machine."""
R = TypeVar("R")
Work = Callable[[Sequence[House], int], R]
"""A piece of work: a house for each account, all on this process's node, and the number of the process."""


def run(url: str, folder: Path, known: Sequence[accounts.NewAccount], work: Work[R], *, processes: int = 8) -> list[R]:
    """What each of the processes made of the work; they start it at the same moment. The key ring is the one in `folder`."""
    barrier = CONTEXT.Barrier(processes)
    running = []
    for number in range(processes):
        ours, theirs = CONTEXT.Pipe(duplex=False)
        process = CONTEXT.Process(target=_body, args=(url, folder, tuple(known), work, number, barrier, theirs))
        process.start()
        theirs.close()
        running.append((process, ours))
    results: list[R] = []
    try:
        for number, (process, ours) in enumerate(running):
            if not ours.poll(PATIENCE):
                raise AssertionError(f"process {number} did not answer")
            kind, value = ours.recv()
            if kind == "failed":
                raise AssertionError(f"process {number}: {value}")
            results.append(value)
            process.join(20)
    finally:
        for process, _ in running:
            if process.is_alive():
                process.kill()
    return results


def _body(
    url: str, folder: Path, known: Sequence[accounts.NewAccount], work: Work[Any], number: int, barrier: Barrier, answer: Connection
) -> None:
    try:
        with (
            db.Database(url, pool_size=4) as database,
            assembly.opened(database, KeyRing.open(folder / "keyring.json"), folder / f"spool-{number}.db", audience="sekisho") as made,
        ):
            houses = [House(made, account) for account in known]
            House.seconds = pipeline.DEFAULT_SECONDS = PATIENCE  # of a process that ends with its work
            barrier.wait(PATIENCE)
            with clock.stopped():
                result = work(houses, number)
        answer.send(("done", result))
    except BaseException as error:
        answer.send(("failed", repr(error)))
        raise


def outcome(house: House, name: str, **fields: Any) -> str:
    """The code of the error that a call ends with, `ok` when with none."""
    try:
        house.call(name, **fields)
    except SekishoError as error:
        return error.code
    return "ok"


def pause(seed: int) -> None:
    """A moment, so that processes meet in other places each time."""
    time.sleep(random.Random(seed).random() * 0.004)
