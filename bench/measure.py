"""Measures of the benchmarks: the CPU time of other processes, medians over interleaved rounds, ratios within one run."""

import contextlib
import os
import statistics
import time
from collections.abc import Callable, Iterator, Mapping
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


def tree_cpu_seconds(pid: int) -> float:
    """User and system time of a process and all that it has started, by the kernel's clock of each: nanoseconds, not ticks."""
    total = 0.0
    for one in tree(pid):
        with contextlib.suppress(OSError):  # it has just ended
            total += time.clock_gettime((~one << 3) | 2)
    return total


def busy_seconds() -> float:
    """The time that all cores of the machine have been busy."""
    user, nice, system, _idle, _wait, irq, softirq = map(int, Path("/proc/stat").read_text().split(maxsplit=8)[1:8])
    return (user + nice + system + irq + softirq) / _TICKS


def on_core(core: int | None) -> Callable[[], None]:
    """For `preexec_fn`: keeps the process that is started on a core; on any, where there is none."""
    return lambda: os.sched_setaffinity(0, {core}) if core is not None else None


def cores() -> tuple[int | None, int | None]:
    """A core for the server and another for its load; none where the machine has only one."""
    allowed = sorted(os.sched_getaffinity(0))
    return (allowed[0], allowed[1]) if len(allowed) > 1 else (None, None)


def tree(pid: int) -> Iterator[int]:
    """A process and all that it has started."""
    yield pid
    with contextlib.suppress(OSError):
        for task in Path(f"/proc/{pid}/task").iterdir():
            for child in (task / "children").read_text().split():
                yield from tree(int(child))
