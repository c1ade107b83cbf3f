"""Durable writes a second: eight processes create users at once, each with its audit record and revision, on SQLite."""

import multiprocessing
import statistics
import tempfile
import time
from pathlib import Path
from typing import Any

from sekisho.credentials import accounts

PROCESSES = 8
SECONDS = 5.0


def run() -> None:
    """Print the commits a second of all processes together, and how evenly they came."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        from tests import harness  # the same house as the tests'; imported here, so that the children import it for themselves

        with harness.house(f"sqlite:///{folder / 'sekisho.db'}", folder) as house:
            account = accounts.NewAccount(house.account_id, house.root.access_key_id, house.root.secret_access_key)
        context = multiprocessing.get_context("spawn")
        queue: Any = context.Queue()
        workers = [context.Process(target=_write, args=(folder, index, account, queue)) for index in range(PROCESSES)]
        for worker in workers:
            worker.start()
        counts = [queue.get(timeout=120) for _ in workers]
        for worker in workers:
            worker.join(30)
    total, slowest = sum(count for count, _ in counts), max(wait for _, wait in counts)
    shares = [count for count, _ in counts]
    spread = statistics.pstdev(shares) / statistics.mean(shares)
    print(f"{total / SECONDS:7.0f} commits/s by {PROCESSES} processes; shares differ by {spread:.0%} (σ); slowest {slowest * 1000:.0f} ms")


def _write(folder: Path, index: int, account: accounts.NewAccount, queue: Any) -> None:
    from sekisho.credentials.key_ring import KeyRing
    from sekisho.node import assembly
    from sekisho.store import db
    from tests import harness

    ring = KeyRing.open(folder / "keyring.json")
    with (
        db.Database(f"sqlite:///{folder / 'sekisho.db'}") as database,
        assembly.opened(database, ring, folder / f"spool-{index}.db", audience="sekisho") as made,
    ):
        house = harness.House(made, account)
        end, count, slowest = time.monotonic() + SECONDS, 0, 0.0
        while time.monotonic() < end:
            began = time.monotonic()
            house.call("CreateUser", user_name=f"user-{index}-{count}")
            slowest, count = max(slowest, time.monotonic() - began), count + 1
    queue.put((count, slowest))
