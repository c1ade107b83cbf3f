"""Looking events up against the size of the trail, on PostgreSQL; and what the indexes of the trail cost a write.

    --rows=1000000   of the greatest trail; it begins with a hundredth, and grows by tens. Ten million take 12 GB and a quarter of an hour
    --asked=400      look-ups of each kind at each size
    --users=200      CreateUser in each arm, in turns of ten
    --svg=FILE --json=FILE

A tenth of all records is of the account that asks. Its users have as many each, but for one who has a tenth of them. Each look-up is a call
of LookupEvents through the whole pipeline but for the network: the newest page of a user whom nobody has asked about yet.
"""

import argparse
import json
import os
import random
import statistics
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, closing
from pathlib import Path
from typing import Any

import psycopg
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn
from sqlalchemy import Dialect
from sqlalchemy.dialects import postgresql
from sqlalchemy.schema import CreateIndex, DropIndex

from bench import chart, summary
from sekisho.store.tables import AuditRecord
from tests import harness, postgres

TARGET = 50.0
"""Milliseconds of the 99th percentile of look-ups by user."""
USERS = 1_000
"""Of the account that asks."""
ACCOUNTS = 10
BLOCK = 10_000
"""Rows that are handed over at once."""
TURN = 10
DAYS = 80
"""Over which the records are spread, the last of them now."""

SETTINGS = {"shared_buffers": "512MB", "max_wal_size": "4GB", "maintenance_work_mem": "512MB"}
COLUMNS = (
    "id, account_id, at, spooled, event_source, event_name, read_only, principal_id, principal_arn, access_key_id, source_ip, user_agent, "
    "request, response, category, event_type, region, username, identity, resources, tls"
)
ADDED = ("_username_at", "_event_name_at", "_event_source_at", "_access_key_id_at", "_spooled", "_placeless")
"""Endings of the names of indexes that the trail has brought to records."""

DIALECT: Dialect = postgresql.dialect()  # type: ignore[no-untyped-call]  # SQLAlchemy says nothing of it

Figures = dict[str, float]


def run() -> None:
    """Print the figures of each size, draw them, and say what a write costs."""
    asked = _asked()
    print(f"load average {' '.join(f'{one:.2f}' for one in os.getloadavg())}, {os.cpu_count()} cores")
    with ExitStack() as stack:
        server = stack.enter_context(postgres.running(postgres.binaries(), SETTINGS))
        house, url = _house(stack, server)
        sizes: dict[int, Figures] = {}
        for share in (100, 10, 1):
            size = max(BLOCK, asked.rows // share)
            if size not in sizes:
                _grow(url, house, max(sizes, default=0), size)
                sizes[size] = _looked_up(house, asked.asked)
                print(f"{size:,} records: " + ", ".join(f"{name} {value:.2f} ms" for name, value in sizes[size].items()))
        created = _created(stack, server, asked.users)
    print("CreateUser: {:.2f} ms with the trail's indexes, {:.2f} without: {:.3f} times".format(*created.values()))
    if asked.json:
        asked.json.write_text(json.dumps({"looking up": sizes, "creating": created, "load": os.getloadavg()}, indent=1) + "\n")
    summary.chart("trail", _drawn(sizes), asked.svg)
    worst = max(figures["by user p99"] for figures in sizes.values())
    print(f"look-ups by user, greatest p99: {worst:.1f} ms; ≤ {TARGET:g}: {'met' if worst <= TARGET else 'MISSED'}")


def _asked() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m bench trail")
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--asked", type=int, default=400)
    parser.add_argument("--users", type=int, default=200)
    parser.add_argument("--svg", type=Path)
    parser.add_argument("--json", type=Path)
    return parser.parse_known_args(sys.argv[1:])[0]


def _house(stack: ExitStack, server: postgres.Server) -> tuple[harness.House, str]:
    url = stack.enter_context(server.database())
    return stack.enter_context(harness.house(url, Path(stack.enter_context(tempfile.TemporaryDirectory())))), url


# The trail.


def _grow(url: str, house: harness.House, held: int, size: int) -> None:
    """Add records up to a size, by COPY, with a bar of their progress. Their indexes are made afterwards, which is faster."""
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn(), TimeRemainingColumn())
    with closing(psycopg.connect(url.replace("+psycopg", ""))) as connection, Progress(*columns) as progress:
        # The sealer passes these by: it would link them meanwhile, and what is asked here does not need that.
        connection.execute("DELETE FROM trail_cursors WHERE name = 'sealer.spooled'")
        connection.execute("INSERT INTO trail_cursors (name, position) VALUES ('sealer.spooled', %s)", [1_000_000_000])
        connection.commit()
        _indexed(url, DropIndex)
        bar = progress.add_task(f"{size:,} records", total=size - held)
        with connection.cursor().copy(f"COPY audit_records ({COLUMNS}) FROM STDIN") as copy:
            for begin in range(held, size, BLOCK):
                rows = range(begin, min(size, begin + BLOCK))
                copy.write("".join(_rows(house.account_id, rows)))
                progress.advance(bar, len(rows))
        connection.commit()
        bar = progress.add_task("indexes", total=None)
        _indexed(url, CreateIndex)
        connection.autocommit = True
        connection.execute("VACUUM ANALYZE audit_records")  # as autovacuum does a little later
        progress.update(bar, total=1, completed=1)


def _indexed(url: str, change: type[CreateIndex] | type[DropIndex], endings: tuple[str, ...] = ("",)) -> None:
    """Make the indexes of records whose names end so, or drop them; without the time limit that a server's connections have."""
    with closing(psycopg.connect(url.replace("+psycopg", ""), autocommit=True)) as connection:
        for index in AuditRecord.metadata.tables["audit_records"].indexes:
            if str(index.name).endswith(endings):
                connection.execute(str(change(index).compile(dialect=DIALECT)).encode())


def _rows(account: str, numbers: range) -> Iterator[str]:
    """Records as lines of COPY, of these numbers: reads for the most part. Their places are below those that the node gives meanwhile."""
    now, chance = time.time(), random.Random(numbers.start)
    for number in numbers:
        owner = account if number % ACCOUNTS == 0 else f"{100_000_000_000 + number % ACCOUNTS}"
        user = f"u{0 if chance.random() < 0.1 else chance.randrange(USERS)}"
        arn = f"arn:aws:iam::{owner}:user/{user}"
        name = chance.choice(("GetUser", "ListUsers", "GetRole", "GetPolicy", "ListRoles", "CreateUser", "AttachUserPolicy"))
        identity = f'{{"type": "IAMUser", "principalId": "AIDA{user}", "arn": "{arn}", "accountId": "{owner}", "userName": "{user}"}}'
        resources = f'[{{"ARN": "{arn}", "accountId": "{owner}", "type": "AWS::IAM::User"}}]'
        at = time.strftime("%Y-%m-%d %H:%M:%S+00", time.gmtime(now - DAYS * 86_400 * chance.random()))
        reads = "f" if name in ("CreateUser", "AttachUserPolicy") else "t"
        yield (
            f"b{number}\t{owner}\t{at}\t{-1 - number}\tiam.amazonaws.com\t{name}\t{reads}\tAIDA{user}\t{arn}"
            f'\tAKIA{user}\t192.0.2.7\taws-cli/2.23\t{{"userName": "{user}"}}\t{{}}\tManagement\tAwsApiCall\tus-east-1\t{user}'
            f"\t{identity}\t{resources}\t{{}}\n"
        )


# Looking up.


def _looked_up(house: harness.House, count: int) -> Figures:
    """Milliseconds of look-ups: of users in an order that no cache foresees, of the user who has done most, and of all that was done."""
    users = random.Random(7).sample(range(1, USERS), min(count, USERS - 1))
    questions = {
        "by user": [_by("Username", f"u{user}") for user in users],
        "by the busiest user": [_by("Username", "u0")] * 50,
        "by name": [_by("EventName", name) for name in ("CreateUser", "GetRole", "AttachUserPolicy")] * 20,
        "by key": [_by("AccessKeyId", f"AKIAu{user}") for user in users[:100]],
        "of writes": [_by("ReadOnly", "false")] * 50,
        "of nobody": [_by("Username", "nobody")] * 50,
    }
    figures: Figures = {}
    for name, asked in questions.items():
        times = []
        for fields in asked:
            began = time.perf_counter()
            found = house.call("LookupEvents", **fields).events
            times.append((time.perf_counter() - began) * 1e3)
            assert found or name != "by the busiest user", "no event was found"
        hundredths = statistics.quantiles(times, n=100)
        figures |= {f"{name} p50": hundredths[49], f"{name} p99": hundredths[98]}
    return figures


def _by(key: str, value: str) -> dict[str, Any]:
    return {"lookup_attributes": [{"attribute_key": key, "attribute_value": value}]}


# Writing.


def _created(stack: ExitStack, server: postgres.Server, count: int) -> Figures:
    """Milliseconds of CreateUser with and without the indexes that the trail has brought, in turns."""
    houses = {}
    for arm in ("with", "without"):
        houses[arm], url = _house(stack, server)
        if arm == "without":
            _indexed(url, DropIndex, ADDED)
    times: dict[str, list[float]] = {arm: [] for arm in houses}
    turns: list[float] = []
    for turn in range(count // TURN):
        order = list(houses)[:: 1 if turn % 2 else -1]
        means = {}
        for arm in order:
            taken = [_create(houses[arm], f"{turn}-{number}") for number in range(TURN)]
            times[arm] += taken
            means[arm] = statistics.median(taken)
        turns.append(means["with"] / means["without"])
    return {arm: statistics.median(found) for arm, found in times.items()} | {"ratio": statistics.median(turns)}


def _create(house: harness.House, name: str) -> float:
    began = time.perf_counter()
    house.call("CreateUser", user_name=name)
    return (time.perf_counter() - began) * 1e3


def _drawn(sizes: dict[int, Figures]) -> str:
    """Milliseconds against size."""
    kinds = ("by user", "by the busiest user", "by name", "by key", "of writes", "of nobody")
    panels = [
        chart.Panel(part, {kind: [(size, figures[f"{kind} {part}"]) for size, figures in sizes.items()] for kind in kinds})
        for part in ("p50", "p99")
    ]
    return chart.drawn(panels, x_label="records of the trail", y_label="milliseconds")
