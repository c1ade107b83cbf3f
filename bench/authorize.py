"""Authorize over gRPC under load: server CPU, throughput and latency, beside Cerbos and a bare echo on grpcio, in one run.

    --svg=FILE      draw the bars there
    --json=FILE     keep every run
    --rounds=5
    --seconds=3     of one run of one server
    --quiet=20      seconds to wait at most for a machine on which nobody else works, before each run

The server has one core, the load another. Loads take turns through all servers, forwards and backwards, and the median counts. A run that
others disturbed is done again, twice at most; the last column says on how many cores others worked nevertheless.
"""

import argparse
import contextlib
import json
import os
import statistics
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path

from bench import arms, bars, h2load, measure, peers, summary
from bench.arms import Arm
from bench.h2load import NoLoad, Profile, Run
from bench.summary import Row, Summary

PROFILES = (Profile("100 in flight", 10, 10), Profile("2,000 a second", 10, 10, 200), Profile("one at a time", 1, 1))
BATCHES = Profile(f"batches of {arms.ITEMS}", 10, 1)
FOREIGN = 0.15
"""Cores of others from which on a run is done again."""
AGAIN = 2
PEER, ECHO = "cerbos", "echo"

OURS: dict[str, tuple[str, ...]] = {"sekisho": (), "sekisho on grpcio": ("--grpc-listener", "grpcio")}
"""The arguments of our servers, called on the lean listener and on that of grpcio."""

Figures = dict[tuple[str, str], list[Run]]
"""The runs, by load and server."""


def run() -> Summary:
    """Print a table for each load, and the ratios."""
    asked = _asked()
    if reason := h2load.missing():
        print(f"NOT MEASURED: {reason}")
        return Summary(absent={PEER: reason})
    found, absent = _measured(asked)
    for name, reason in absent.items():
        print(f"NOT MEASURED: {name}: {reason}")
    for profile in (*PROFILES, BATCHES):
        for line in _table(profile, found):
            print(line)
    made = Summary(_rows(found), absent)
    for line in _ratios(found):
        print(line)
    panels = [
        bars.Panel(title, {name: value(runs) for (load, name), runs in found.items() if load == profile.name})
        for title, profile, value in (
            ("100 in flight: µs of server CPU a call", PROFILES[0], _cpu),
            ("100 in flight: calls a second", PROFILES[0], _rate),
            ("2,000 a second: p99, µs", PROFILES[1], _p99),
            (f"batches of {arms.ITEMS}: µs of server CPU a batch", BATCHES, _cpu),
        )
    ]
    summary.chart("authorize", bars.drawn(panels), asked.svg)
    if asked.json:
        kept = [{"load": load, "server": name, **asdict(one)} for (load, name), runs in found.items() for one in runs]
        asked.json.write_text(json.dumps({"runs": kept, "absent": absent}, indent=1) + "\n")
    return made


def _asked() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m bench authorize")
    parser.add_argument("--svg", type=Path)
    parser.add_argument("--json", type=Path)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=3.0)
    parser.add_argument("--quiet", type=float, default=20.0)
    return parser.parse_known_args(sys.argv[1:])[0]


def _measured(asked: argparse.Namespace) -> tuple[Figures, dict[str, str]]:
    server, load = measure.cores()
    absent: dict[str, str] = {}
    found: Figures = {}
    with contextlib.ExitStack() as stack:
        running: list[Arm] = []
        for label, arguments in OURS.items():
            running += stack.enter_context(arms.sekisho(label, arguments, server))
        try:
            running += stack.enter_context(arms.peer(server))
        except peers.Absent as error:
            absent[PEER] = str(error)
        running += stack.enter_context(arms.echo(server))
        print(
            f"{len(running)} servers and callers; load average {' '.join(f'{one:.2f}' for one in os.getloadavg())}, {os.cpu_count()} cores"
        )
        if load is None:
            print("the machine has one core: server and load share it, and no figure here is worth much")
        sizes: dict[tuple[Profile, Arm], int] = {}
        for profile, arm in _turns(running):
            try:
                sizes[profile, arm] = _size(profile, arm, asked.seconds, load)
            except NoLoad as error:  # where each takes long, some of a hundred calls are refused
                absent[f"{arm.name}, {profile.name}"] = str(error)
        for turn in range(asked.rounds):
            print(f"round {turn + 1} of {asked.rounds}", file=sys.stderr, flush=True)
            for profile, arm in list(sizes)[:: 1 if turn % 2 == 0 else -1]:
                try:
                    one = _undisturbed(arm, profile, sizes[profile, arm], load, asked.quiet)
                except NoLoad as error:
                    absent[f"{arm.name}, {profile.name}"] = str(error)
                else:
                    found.setdefault((profile.name, arm.name), []).append(one)
    order = {arm.name: place for place, arm in enumerate(running)}
    return dict(sorted(found.items(), key=lambda item: order[item[0][1]])), absent


def _turns(running: Sequence[Arm]) -> Iterator[tuple[Profile, Arm]]:
    for profile in (*PROFILES, BATCHES):
        yield from ((profile, arm) for arm in running if profile is not BATCHES or arm.batches)


def _size(profile: Profile, arm: Arm, seconds: float, core: int | None) -> int:
    """The number of calls that take about so long; asking them warms the server."""
    count = arms.ITEMS if profile is BATCHES else 1
    few = max(2 * profile.connections * profile.streams, 2000 // count)
    rate = h2load.run(arm.target(count), profile, few, core=core).rate
    return int(max(few, (profile.rate * profile.connections or rate) * seconds))


def _undisturbed(arm: Arm, profile: Profile, calls: int, core: int | None, quiet: float) -> Run:
    """The run during which others worked least; once they worked little, it is not done again."""
    runs: list[Run] = []
    while not runs or (len(runs) <= AGAIN and min(one.foreign for one in runs) > FOREIGN and quiet):
        _wait(quiet)
        runs.append(h2load.run(arm.target(arms.ITEMS if profile is BATCHES else 1), profile, calls, core=core))
    return min(runs, key=lambda one: one.foreign)


def _wait(limit: float) -> None:
    """Until the machine is quiet, so many seconds at most."""
    ends = time.monotonic() + limit
    while time.monotonic() < ends:
        before = measure.busy_seconds()
        time.sleep(0.3)
        if (measure.busy_seconds() - before) / 0.3 < FOREIGN:
            return


def _table(profile: Profile, found: Figures) -> Iterator[str]:
    of_batch = profile is BATCHES
    yield f"\n{profile.name}: {profile.connections} connections, {profile.streams} calls at once on each"
    per = f"CPU µs a {'decision' if of_batch else 'call'}"
    yield f"| | {per} | {'batches' if of_batch else 'calls'}/s | p50 µs | p99 µs | others, cores |"
    yield "| --- | ---: | ---: | ---: | ---: | ---: |"
    for (load, name), runs in found.items():
        if load == profile.name:
            cpu = _cpu(runs) / (arms.ITEMS if of_batch else 1)
            foreign = statistics.median(one.foreign for one in runs)
            yield f"| {name} | {cpu:,.1f} | {_rate(runs):,.0f} | {_p50(runs):,.0f} | {_p99(runs):,.0f} | {foreign:.2f} |"


def _rows(found: Figures) -> list[Row]:
    """Ours on its lean listener, beside the peer."""
    made = []
    for what, unit, load, value, more in (
        ("100 in flight, server CPU a call", "µs", PROFILES[0], _cpu, False),
        ("100 in flight, throughput", "calls/s", PROFILES[0], _rate, True),
        ("2,000 a second, p99", "µs", PROFILES[1], _p99, False),
        (f"batches of {arms.ITEMS}, server CPU a batch", "µs", BATCHES, _cpu, False),
    ):
        of = {name: value(runs) for (found_load, name), runs in found.items() if found_load == load.name}
        ours, theirs = _named(of, "sekisho, bearer"), _named(of, PEER)
        if ours and theirs:
            made.append(Row(what, unit, ours, PEER, theirs, ours / theirs if more else theirs / ours))
    return made


def _ratios(found: Figures) -> Iterator[str]:
    """The ratios that have targets: each of ours by the peer, by the echo, and signing callers by bearers."""
    yield ""
    for profile in (*PROFILES, BATCHES):
        of = {name: runs for (load, name), runs in found.items() if load == profile.name}
        for name, runs in of.items():
            for other in of:
                if not name.startswith("sekisho") or not (other.startswith((PEER, ECHO)) or _signs_beside(name, other)):
                    continue
                cpu, rate, p99 = (value(runs) / value(of[other]) for value in (_cpu, _rate, _p99))
                yield f"{profile.name}: {name} / {other}: CPU {cpu:.2f} ×, throughput {rate:.2f} ×, p99 {p99:.2f} ×"


def _signs_beside(name: str, other: str) -> bool:
    return name.endswith(", SigV4") and other == name.replace(", SigV4", ", bearer")


def _named(figures: Mapping[str, float], name: str) -> float:
    return next((value for found, value in figures.items() if found.startswith(name)), 0.0)


def _cpu(runs: Sequence[Run]) -> float:
    return statistics.median(one.cpu for one in runs)


def _rate(runs: Sequence[Run]) -> float:
    return statistics.median(one.rate for one in runs)


def _p50(runs: Sequence[Run]) -> float:
    return statistics.median(one.p50 for one in runs)


def _p99(runs: Sequence[Run]) -> float:
    return statistics.median(one.p99 for one in runs)
