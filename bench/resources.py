"""Authorize about registered resources in an account that grows to many, on PostgreSQL: cold ones and warm ones, and what memory takes.

    --resources=100000    of the account at the greatest; it begins with a hundredth, and grows by tens. 10,000,000 take some 10 GB of disk
    --cold=1000           decisions about resources that nobody has asked about
    --json=FILE

Every resource has two tags and every tenth a policy of its own. A server that has just started is asked, one call at a time: first about
resources that are not in its memory, then again, then about ARNs that nobody has registered.
"""

import argparse
import json
import os
import statistics
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from rich.console import Console
from rich.progress import Progress
from sqlalchemy import text

from bench import measure
from sekisho import sigv4
from sekisho.api.authorize.v1 import decisions_pb2 as pb
from sekisho.credentials import accounts
from sekisho.credentials.key_ring import KeyRing
from sekisho.store import db, schema
from tests import postgres, served

CHUNK = 20_000
WARM = 3
"""Times that each resource is asked about again."""
SETTINGS = {"shared_buffers": "512MB", "max_wal_size": "4GB", "maintenance_work_mem": "256MB"}

Figures = dict[str, float]

_POLICY = '{"Version":"2012-10-17","Statement":[{"Effect":"Deny","Principal":"*","Action":"orders:Burn","Resource":"*"}]}'
_FILL = (
    r"""
    INSERT INTO resources (id, account_id, arn, service, type, policy, created_at, updated_at)
    SELECT arn, CAST(:account AS text), arn, 'orders', 'order', CASE WHEN n % 10 = 0 THEN CAST(:policy AS text) END, now(), now()
    FROM (
        SELECT n, 'arn:aws:orders:eu-west-1:' || CAST(:account AS text) || '\:order/' || n AS arn
        FROM generate_series(CAST(:first AS bigint), CAST(:last AS bigint)) AS n
    ) AS made
    """,
    r"""
    INSERT INTO resource_tags (resource_id, key_key, account_id, key, value)
    SELECT 'arn:aws:orders:eu-west-1:' || CAST(:account AS text) || '\:order/' || n, lower(key), CAST(:account AS text), key,
           CASE key WHEN 'Team' THEN 'team-' || n % 100 ELSE 'prod' END
    FROM generate_series(CAST(:first AS bigint), CAST(:last AS bigint)) AS n, (VALUES ('Env'), ('Team')) AS keys (key)
    """,
    "UPDATE resource_counts SET held = CAST(:last AS bigint) + 1 WHERE account_id = :account",
)


def run() -> None:
    """Print the figures of each size."""
    parser = argparse.ArgumentParser(prog="python -m bench resources")
    parser.add_argument("--resources", type=int, default=100_000)
    parser.add_argument("--cold", type=int, default=1_000)
    parser.add_argument("--json", type=Path)
    asked = parser.parse_known_args(sys.argv[1:])[0]
    print(f"load average {' '.join(f'{one:.2f}' for one in os.getloadavg())}, {os.cpu_count()} cores")
    with tempfile.TemporaryDirectory() as name, postgres.running(postgres.binaries(), SETTINGS) as server:
        server.execute("CREATE DATABASE resources")
        found = dict(_sizes(server.url("resources"), Path(name), asked))
    if asked.json:
        asked.json.write_text(json.dumps({"resources": found, "load": os.getloadavg()}, indent=1) + "\n")


def _sizes(url: str, folder: Path, asked: argparse.Namespace) -> Iterator[tuple[int, Figures]]:
    (folder / "data").mkdir()
    ring = KeyRing.create(folder / "data" / "keyring.json")
    with db.Database(url) as database:
        schema.upgrade(database)
        account = accounts.create(database, ring)
        accounts.set_quota(database, account.account_id, "ResourcesQuota", asked.resources + 1)
        root = sigv4.Credentials(account.access_key_id, account.secret_access_key)
        with served.serving(url, folder, root=root) as server:  # the first comes by the operation, as all others of a team would
            server.call("PutResource", resource_arn=_arn(account.account_id, 0), tags=[{"key": "Env", "value": "prod"}])
            server.stop()
        held = 0
        for share in (100, 10, 1):
            size = max(asked.cold * 3, asked.resources // share)
            if size > held:
                _fill(database, account.account_id, held + 1, size)
                held = size
                figures = _asked(url, folder, account, root, size, asked.cold)
                figures["GB"] = _gigabytes(database)
                shown = "  ".join(f"{name} {value:,.2f}" for name, value in figures.items())
                print(f"{size:,} resources: {shown}", flush=True)
                yield size, figures


def _fill(database: db.Database, account: str, first: int, last: int) -> None:
    """Resources whom no server hears of; nobody has asked about them."""
    with Progress(console=Console(stderr=True), transient=True, disable=not sys.stderr.isatty()) as progress:
        task = progress.add_task(f"{last:,} resources", total=last - first + 1)
        for begins in range(first, last + 1, CHUNK):
            ends = min(last, begins + CHUNK - 1)
            with database.write((account,), deadline=time.monotonic() + 600) as session:
                for statement in _FILL:
                    values = {"account": account, "policy": _POLICY, "first": begins, "last": ends}
                    session.execute(text(statement), {name: value for name, value in values.items() if f":{name}" in statement})
            progress.advance(task, ends - begins + 1)
    with database.write((), deadline=time.monotonic() + 600) as session:
        session.execute(text("ANALYZE"))


def _asked(url: str, folder: Path, account: accounts.NewAccount, root: sigv4.Credentials, size: int, cold: int) -> Figures:
    chosen = range(1, size, max(1, size // cold))
    figures: Figures = {}
    with served.serving(url, folder, root=root) as server:
        _milliseconds(server, account.account_id, 0)  # the caller and the account are not in memory, either
        for name, times, offset in (("cold", 1, 0), ("warm", WARM, 0), ("unregistered", 1, 10 * size)):
            before = measure.tree_cpu_seconds(server.process.pid)
            found = [_milliseconds(server, account.account_id, offset + number) for _ in range(times) for number in chosen]
            cpu = measure.tree_cpu_seconds(server.process.pid) - before
            hundredths = statistics.quantiles(found, n=100)
            figures |= {f"{name} p50": hundredths[49], f"{name} p99": hundredths[98], f"{name} CPU": cpu / len(found) * 1e3}
        server.stop()
    return figures


def _milliseconds(server: served.Served, account: str, number: int) -> float:
    """The time of a question by the ARN alone, which must be allowed."""
    began = time.perf_counter()
    outcome = server.call("Authorize", action="orders:Ship", resource=_arn(account, number)).outcome
    took = time.perf_counter() - began
    assert outcome == pb.OUTCOME_ALLOWED
    return took * 1e3


def _arn(account: str, number: int) -> str:
    return f"arn:aws:orders:eu-west-1:{account}:order/{number}"


def _gigabytes(database: db.Database) -> float:
    with database.read() as session:
        return float(session.execute(text("SELECT pg_database_size(current_database())")).scalar_one()) / 1e9
