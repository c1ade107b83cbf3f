"""The cost of every test file, in seconds of CPU and of the clock: `--costs` prints the dearest after a run.

CPU is that of the test's process and of the processes that it has waited for, or that were forked for it (tests/started.py) and have ended;
a PostgreSQL that all share is not in it. Unlike seconds of the clock, it says the same on a loaded machine.
"""

import contextlib
import os
import resource
import time
from collections.abc import Generator
from multiprocessing import forkserver
from pathlib import Path

import pytest

SHOWN = 25
"""Files that are printed."""
COST = "cost"


def add_option(parser: pytest.Parser) -> None:
    """`--costs`."""
    parser.addoption("--costs", action="store_true", help="print which test files cost most CPU")


@pytest.hookimpl(wrapper=True)
def pytest_runtest_protocol(item: pytest.Item) -> Generator[None, object, object]:
    """Note what the test cost with its fixtures; the report of its tear-down carries it, from other processes, too."""
    began, cpu = time.monotonic(), used()
    item.stash[START] = began, cpu
    return (yield)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item, call: pytest.CallInfo[None]) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Add the cost to the last report of a test."""
    report = yield
    if call.when == "teardown":
        began, cpu = item.stash[START]
        report.user_properties.append((COST, (used() - cpu, time.monotonic() - began)))
    return report


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    """Print the dearest files."""
    if not config.getoption("costs"):
        return
    files: dict[str, list[float]] = {}
    for reports in terminalreporter.stats.values():
        for report in reports:
            for name, value in getattr(report, "user_properties", ()):
                if name == COST:
                    sums = files.setdefault(report.nodeid.partition("::")[0], [0, 0.0, 0.0])
                    sums[:] = sums[0] + 1, sums[1] + value[0], sums[2] + value[1]
    terminalreporter.section(f"costs: {sum(cpu for _, cpu, _ in files.values()):.0f} s of CPU")
    terminalreporter.write_line("     CPU    clock  tests  file")
    for file, (tests, cpu, clock) in sorted(files.items(), key=lambda row: -row[1][1])[:SHOWN]:
        terminalreporter.write_line(f"{cpu:8.1f} {clock:8.1f} {tests:6.0f}  {file}")


def used() -> float:
    """Seconds of CPU that this process and its ended children have used."""
    mine, theirs = resource.getrusage(resource.RUSAGE_SELF), resource.getrusage(resource.RUSAGE_CHILDREN)
    return mine.ru_utime + mine.ru_stime + theirs.ru_utime + theirs.ru_stime + forked()


def forked() -> float:
    """Seconds of CPU of the ended children of the process that forks for this one."""
    with contextlib.suppress(OSError):
        pid: int | None = getattr(vars(forkserver)["_forkserver"], "_forkserver_pid", None)
        if pid is not None:
            ended = (Path("/proc") / str(pid) / "stat").read_text().rpartition(")")[2].split()[13:15]  # cutime, cstime: proc(5)
            return sum(map(int, ended)) / os.sysconf("SC_CLK_TCK")
    return 0.0


START = pytest.StashKey[tuple[float, float]]()
