"""How the benchmarks measure: the CPU time of other processes, medians over interleaved rounds, ratios within one run."""

import os
import statistics
import time
from collections.abc import Callable, Mapping
from pathlib import Path

_TICKS = os.sysconf("SC_CLK_TCK")


def cpu_seconds(pid: int) -> float:
    """User and system time that a process and its reaped children have used."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return sum(int(field) for field in fields[11:15]) / _TICKS


def interleaved(arms: Mapping[str, Callable[[], float]], rounds: int) -> dict[str, float]:
    """The median figure of each arm; the arms take turns, so that a machine that drifts drifts for all."""
    figures: dict[str, list[float]] = {name: [] for name in arms}
    for _ in range(rounds):
        for name, arm in arms.items():
            figures[name].append(arm())
    return {name: statistics.median(found) for name, found in figures.items()}


def per_call(function: Callable[[], object], calls: int) -> float:
    """Microseconds of this process's CPU for one call."""
    began = time.process_time()
    for _ in range(calls):
        function()
    return (time.process_time() - began) / calls * 1e6
