"""Cost against size: decisions in a world that grows to a million principals, on PostgreSQL; CreateUser in an account that grows, on both.

    --principals=1000000  of the greatest world; it begins with a hundredth, and grows by tens
    --accounts=1000       of it; --policies=100000 likewise
    --users=100,1000,10000,50000   sizes of the account in which users are created
    --cold=1000           decisions about principals that nobody has asked about
    --seconds=4           of creating, at each size
    --svg=FILE --json=FILE

Each world is asked by a server that has just started, one call at a time: first about principals that are not in its memory, then again.
"""

import argparse
import contextlib
import json
import os
import statistics
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from pathlib import Path

from sqlalchemy import insert, text

from bench import chart, measure, principals, summary
from bench.principals import Account
from sekisho import sigv4
from sekisho.api.authorize.v1 import decisions_pb2 as pb
from sekisho.credentials import accounts, key_ids
from sekisho.credentials.key_ring import KeyRing
from sekisho.store import db, schema
from sekisho.store.tables import Base
from tests import postgres, served

TARGET = 20.0
"""Milliseconds of the 99th percentile of decisions about principals that are not in memory."""

WRITERS = 8
WARM = 3
"""Times that each principal is asked about again."""

SETTINGS = {"shared_buffers": "512MB", "max_wal_size": "4GB", "maintenance_work_mem": "256MB"}

Figures = dict[str, float]

_ENTITIES, _USERS = (Base.metadata.tables[name] for name in ("entities", "users"))


def run() -> None:
    """Print the figures of each size, and draw them."""
    asked = _asked()
    print(f"load average {' '.join(f'{one:.2f}' for one in os.getloadavg())}, {os.cpu_count()} cores")
    with tempfile.TemporaryDirectory() as name, postgres.running(postgres.binaries(), SETTINGS) as server:
        server.execute("CREATE DATABASE scale")
        url, folder = server.url("scale"), Path(name)
        deciding = dict(_deciding(url, folder, asked))
        creating = {"PostgreSQL": dict(_creating(url, folder, asked))}
    with tempfile.TemporaryDirectory() as name:
        creating["SQLite"] = dict(_creating(f"sqlite:///{name}/sekisho.db", Path(name), asked))
    if asked.json:
        found = {"deciding": deciding, "creating": creating, "load": os.getloadavg()}
        asked.json.write_text(json.dumps(found, indent=1) + "\n")
    summary.chart("scale", _drawn(deciding, creating), asked.svg)
    worst = max(figures["cold p99"] for figures in deciding.values())
    print(f"cold decisions, greatest p99: {worst:.1f} ms; ≤ {TARGET:g}: {'met' if worst <= TARGET else 'MISSED'}")


def _asked() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m bench scale")
    parser.add_argument("--principals", type=int, default=1_000_000)
    parser.add_argument("--accounts", type=int)
    parser.add_argument("--policies", type=int)
    parser.add_argument("--users", type=lambda text: [int(one) for one in text.split(",")], default=[100, 1_000, 10_000, 50_000])
    parser.add_argument("--cold", type=int, default=1_000)
    parser.add_argument("--seconds", type=float, default=4.0)
    parser.add_argument("--svg", type=Path)
    parser.add_argument("--json", type=Path)
    asked = parser.parse_known_args(sys.argv[1:])[0]
    asked.accounts = asked.accounts or max(1, asked.principals // 1_000)
    asked.policies = asked.policies or max(asked.accounts * 4, asked.principals // 10)
    return asked


# Decisions.


def _deciding(url: str, folder: Path, asked: argparse.Namespace) -> Iterator[tuple[int, Figures]]:
    """The figures of each size of the world, by principals."""
    ring = _ring(folder)
    with db.Database(url) as database:
        schema.upgrade(database)
        operator = accounts.create(database, ring)
    each, policies = asked.principals // asked.accounts, asked.policies // asked.accounts
    world: list[Account] = []
    for share in (100, 10, 1):
        numbers = range(len(world), max(1, asked.accounts // share))
        if numbers:
            added = principals.accounts(numbers, principals=each, policies=policies)
            principals.write(url, ring, added)
            world += added
            figures = _decided(url, folder, operator, world, asked.cold)
            print(_line(f"{len(world) * each:,} principals in {len(world):,} accounts, {len(world) * policies:,} policies", figures))
            yield len(world) * each, figures


def _decided(url: str, folder: Path, operator: accounts.NewAccount, world: Sequence[Account], cold: int) -> Figures:
    root = sigv4.Credentials(operator.access_key_id, operator.secret_access_key)
    chosen = world[:: max(1, len(world) // 40)]
    asking = [(account, n) for n in _spread(chosen[0].principals, max(1, cold // len(chosen))) for account in chosen]
    with served.serving(url, folder, root=root) as server:
        firsts = [_milliseconds(server, account, chosen[0].principals - 1) for account in chosen]  # the caller is not in memory, either
        figures = {"first of an account": statistics.median(firsts)}
        for name, times in (("cold", 1), ("warm", WARM)):
            before = measure.tree_cpu_seconds(server.process.pid)
            found = [_milliseconds(server, account, n) for _ in range(times) for account, n in asking]
            cpu = measure.tree_cpu_seconds(server.process.pid) - before
            hundredths = statistics.quantiles(found, n=100)
            figures |= {f"{name} p50": hundredths[49], f"{name} p99": hundredths[98], f"{name} CPU": cpu / len(found) * 1e3}
        server.stop()
    return figures


def _spread(many: int, count: int) -> range:
    """So many numbers from below a number, evenly; not the last one, about whom the first question of an account is."""
    return range(0, many - 1, max(1, (many - 1) // count))


def _milliseconds(server: served.Served, account: Account, principal: int) -> float:
    """The time of a question, which must be allowed."""
    question = account.question(principal)
    began = time.perf_counter()
    outcome = server.call("Authorize", account.gate, **question).outcome
    took = time.perf_counter() - began
    assert outcome == pb.OUTCOME_ALLOWED, question
    return took * 1e3


# Creating.


def _creating(url: str, folder: Path, asked: argparse.Namespace) -> Iterator[tuple[int, Figures]]:
    """The figures of each size of one account, by its users."""
    ring = _ring(folder)
    with contextlib.ExitStack() as stack:
        database = stack.enter_context(db.Database(url))
        schema.upgrade(database)
        account = accounts.create(database, ring)
        accounts.set_quota(database, account.account_id, "UsersQuota", 1_000_000)
        root = sigv4.Credentials(account.access_key_id, account.secret_access_key)
        server = stack.enter_context(served.serving(url, folder, root=root))
        pool = stack.enter_context(ThreadPoolExecutor(WRITERS))
        held = 0
        for size in asked.users:
            _add_users(database, account.account_id, size - held)
            before = measure.tree_cpu_seconds(server.process.pid)
            made = sum(pool.map(lambda writer, size=size: _create(server, f"{size}-{writer}", asked.seconds), range(WRITERS)))
            cpu = measure.tree_cpu_seconds(server.process.pid) - before
            held = size + made
            figures = {"a second": made / asked.seconds, "milliseconds": asked.seconds / made * 1e3, "CPU": cpu / made * 1e3}
            print(_line(f"{database.engine.dialect.name}: CreateUser by {WRITERS} callers in an account of {size:,} users", figures))
            yield size, figures


def _create(server: served.Served, name: str, seconds: float) -> int:
    """Users made in so many seconds."""
    ends, made = time.monotonic() + seconds, 0
    while time.monotonic() < ends:
        server.call("CreateUser", user_name=f"{name}-{made}")
        made += 1
    return made


def _add_users(database: db.Database, account: str, count: int) -> None:
    """Users whom no server hears of; nobody has asked about them."""
    now = datetime.now(UTC)
    ids = [key_ids.unique_id("user") for _ in range(count)]
    rows = [
        {"id": id_, "account_id": account, "kind": "user", "name": id_, "name_key": id_.lower(), "path": "/", "created_at": now}
        for id_ in ids
    ]
    if rows:
        with database.write((account,)) as session:
            session.execute(insert(_ENTITIES), rows)
            session.execute(insert(_USERS), [{"id": id_} for id_ in ids])
    if not database.sqlite:  # a server keeps the plans of small tables until autovacuum has looked, a minute later
        with database.write(()) as session:
            session.execute(text("ANALYZE"))


# Both.


def _ring(folder: Path) -> KeyRing:
    """The key ring of the server that keeps its data there."""
    path = folder / "data" / "keyring.json"
    path.parent.mkdir(exist_ok=True)
    return KeyRing.open(path) if path.exists() else KeyRing.create(path)


def _line(what: str, figures: Figures) -> str:
    return f"{what}: " + ", ".join(f"{name} {value:,.2f}" for name, value in figures.items())


def _drawn(deciding: dict[int, Figures], creating: dict[str, dict[int, Figures]]) -> str:
    """Milliseconds against size: of decisions, and of users that are created."""
    names = ("cold p99", "cold p50", "warm p99", "warm p50")
    panels = [
        chart.Panel("a decision, by principals in all", {name: [(n, figures[name]) for n, figures in deciding.items()] for name in names}),
        chart.Panel(
            f"CreateUser by {WRITERS} callers, by users of the account",
            {name: [(n, figures["milliseconds"]) for n, figures in sizes.items()] for name, sizes in creating.items()},
        ),
    ]
    return chart.drawn(panels, x_label="principals, users", y_label="milliseconds")
