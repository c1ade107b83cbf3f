"""A load for gRPC servers, by h2load of nghttp2: one frame sent over and over, in a closed loop or at a fixed rate.

h2load does not look at the status of a gRPC call, so an answer counts by its size, which is taken from one that was looked at.
"""

import os
import re
import shutil
import subprocess
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from bench import measure

PROGRAM = "h2load"
LIMIT = 300.0
"""Seconds for one run."""


class NoLoad(Exception):  # noqa: N818  # says what is the matter
    """There is no h2load, or what it says cannot be used."""


@dataclass(frozen=True, slots=True)
class Profile:
    """A load: connections, calls at once on each, and calls a second on each, 0 for as many as are answered."""

    name: str
    connections: int
    streams: int
    rate: int = 0


@dataclass(frozen=True, slots=True)
class Target:
    """A server under load: its process, where it is, what is sent and how large a right answer is, its frame of five bytes included."""

    pid: int
    port: int
    path: str
    message: bytes
    metadata: Mapping[str, str]
    answer: int


@dataclass(frozen=True, slots=True)
class Run:
    """Figures of one run: calls a second, µs of the server's CPU a call, latencies in µs, and the cores that others used meanwhile."""

    rate: float
    cpu: float
    p50: float
    p99: float
    foreign: float


def missing() -> str:
    """The reason for which there can be no load; nothing when there can."""
    return "" if shutil.which(PROGRAM) else f"{PROGRAM} is not installed: it is in Debian's nghttp2-client"


def run(target: Target, profile: Profile, calls: int, *, core: int | None) -> Run:
    """One run; NoLoad when a call failed or an answer was not the right one."""
    calls = max(profile.connections * profile.streams, calls // profile.connections * profile.connections)
    with tempfile.TemporaryDirectory() as folder:
        frame, log = Path(folder) / "frame", Path(folder) / "log"
        frame.write_bytes(b"\0" + len(target.message).to_bytes(4, "big") + target.message)
        command = [
            *(("taskset", "-c", str(core)) if core is not None else ()),  # not by a function after a fork, which threads of gRPC may break
            PROGRAM,
            *("-n", str(calls), "-c", str(profile.connections), "-m", str(profile.streams), "-t", "1"),
            *("-d", str(frame), "--log-file", str(log), "-H", "content-type: application/grpc", "-H", "te: trailers"),
            *(f"--header={name}: {value}" for name, value in target.metadata.items()),
            *(("--rps", str(profile.rate)) if profile.rate else ()),
            f"http://127.0.0.1:{target.port}{target.path}",
        ]
        machine, mine, began = measure.busy_seconds(), os.times(), measure.tree_cpu_seconds(target.pid)
        done = subprocess.run(
            command,
            capture_output=True,
            text=True,
            timeout=LIMIT,
            check=False,
        )
        ended, mine_after, machine_after = measure.tree_cpu_seconds(target.pid), os.times(), measure.busy_seconds()
        if done.returncode:
            raise NoLoad(f"{PROGRAM} failed: {done.stderr.strip() or done.stdout.strip()}")
        latencies = sorted(int(line.split("\t")[2]) for line in log.read_text().splitlines())
    succeeded, rate, seconds, size = _read(done.stdout)
    if succeeded != calls or abs(size / calls - target.answer) > 2:
        raise NoLoad(f"{succeeded} of {calls} calls were answered, with {size / calls:.0f} bytes each where {target.answer} are right")
    load = mine_after.children_user + mine_after.children_system - mine.children_user - mine.children_system
    foreign = max(0.0, (machine_after - machine) - (ended - began) - load) / seconds
    return Run(rate, (ended - began) / calls * 1e6, _quantile(latencies, 0.5), _quantile(latencies, 0.99), foreign)


def _read(text: str) -> tuple[int, float, float, int]:
    """Calls that succeeded, calls a second, seconds, and bytes of the answers' data."""
    succeeded = re.search(r"(\d+) succeeded", text)
    finished = re.search(r"finished in ([\d.]+)(us|ms|s|m), ([\d.]+) req/s", text)
    data = re.search(r"\((\d+)\) data", text)
    if succeeded is None or finished is None or data is None:
        raise NoLoad(f"{PROGRAM} says: {text}")
    seconds = float(finished[1]) * {"us": 1e-6, "ms": 1e-3, "s": 1.0, "m": 60.0}[finished[2]]
    return int(succeeded[1]), float(finished[3]), seconds, int(data[1])


def _quantile(values: list[int], share: float) -> float:
    return float(values[min(len(values) - 1, int(len(values) * share))])
