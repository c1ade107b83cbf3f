"""Milliseconds from the commit of a revocation to its refusal by another worker.

    python -m bench.revocation [--revocations 2000]

Workers are nodes of their own (database connections, cache, feed) in this process. Two that did not write are asked again and again, from
the moment at which the writer had its answer, until each has refused; so a figure contains the call that was refused. Where the caller
gives the revision (`at_least`) there is no such time: tests/calls/test_revocations.py.
"""

import argparse
import statistics
import time
from collections.abc import Sequence

from bench.freshness import database
from tests import revocations
from tests.harness import House
from tests.memory.test_new_enemy import together

PAUSE = 0.0005
"""Seconds between two questions."""


def main() -> int:
    """Print the figures."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--revocations", type=int, default=2000, help="of all kinds together, on each kind of database")
    run(parser.parse_args().revocations)
    return 0


def run(count: int = 2000) -> None:
    """So many revocations, the kinds one after the other, on both kinds of database."""
    each = -(-count // len(revocations.KINDS))
    print(f"{'':12}{'':32}{'observed':>10}{'median ms':>12}{'p99 ms':>10}{'longest ms':>12}")
    for kind in ("sqlite", "postgresql"):
        everything: list[float] = []
        with database(kind) as (url, folder), together(url, folder) as workers:
            for name in revocations.KINDS:
                found = [waited for _ in range(each) for waited in _waited(workers, name)]
                everything += found
                _print(kind, name.replace("_", " "), found)
        _print(kind, "all", everything)


def _waited(workers: list[House], name: str) -> list[float]:
    """Seconds until each worker that did not write has refused."""
    writer, *others = workers
    made = revocations.KINDS[name](writer)
    for other in others:
        limit = time.monotonic() + 60
        while not made.permitted(other, "" if name in revocations.WITHOUT_REVISION else writer.revision):
            if time.monotonic() > limit:
                raise RuntimeError(f"{name}: nothing was permitted that could be revoked")
            time.sleep(0.01)
    made.revoke()
    committed, left, waited = time.monotonic(), list(others), []
    while left:
        for other in list(left):
            if not made.permitted(other, ""):
                waited.append(time.monotonic() - committed)
                left.remove(other)
        time.sleep(PAUSE)
    return waited


def _print(kind: str, name: str, waited: Sequence[float]) -> None:
    times = sorted(waited)
    p99 = times[min(len(times) - 1, len(times) * 99 // 100)]
    shown = f"{statistics.median(times) * 1000:12.1f}{p99 * 1000:10.1f}{times[-1] * 1000:12.1f}"
    print(f"{kind:12}{name:32}{len(times):10}{shown}", flush=True)


if __name__ == "__main__":
    raise SystemExit(main())
