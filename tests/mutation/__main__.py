"""Puts faults into the product and counts how many the tests notice: `python -m tests.mutation --seed 1 --count 250`.

    --package=policy            the evaluator, in memory (`evaluator`); any other folder or module of the package, such as calls,
                                services/iam or arn.py, by runs of pytest (`processes`)
    --modules=budget,weights    only these of its modules
    --count=250                 faults to draw; --seconds=600 ends the sample at that time, whatever is left of it
    --seed=1 --processes=2

Each fault is made in the memory of a process of its own; the checkout is never written. A crash at import and a run past its time are
noticed too. Prints the rate and each survivor as `file:line operator`; exits 1 below the rate that is wanted. Faults that change nothing
anybody could notice are listed in docs/mutation.md, each with its reason, and not made.
"""

import argparse
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

from tests import postgres, scratch
from tests.mutation import evaluator, processes
from tests.mutation.catalog import POLICY, chosen
from tests.mutation.mutants import Mutant

WANTED = 0.98


def main() -> int:
    """Run, and say what survived."""
    options = _asked()
    faults = chosen(options.seed, options.count, options.package, options.modules)
    began = time.monotonic()
    if options.package == POLICY:
        cases = evaluator.Cases()
        passed = [stage for _, stage in evaluator.run([None], cases, 1)] == [""]
        return _counted(evaluator.run(faults, cases, options.processes), options, began) if passed else _failing()
    scratch.use()
    with tempfile.TemporaryDirectory(prefix="sekisho-faults-") as folder:
        shared = Path(folder) / "postgres"
        postgres.shared(shared)
        passed = processes.record(options.package, options.processes, shared)
        return _counted(processes.run(options.package, faults, options.processes, shared), options, began) if passed else _failing()


def _failing() -> int:
    sys.stdout.write("the tests fail without any fault\n")
    return 2


def _asked() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="Put faults into a package and see whether the tests notice.")
    parser.add_argument("--package", default=POLICY)
    parser.add_argument("--modules", type=lambda text: text.split(","), default=())
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--count", type=int, default=250)
    parser.add_argument("--seconds", type=float, default=float("inf"))
    parser.add_argument("--processes", type=int, default=2)
    return parser.parse_args()


def _counted(noticed: Iterator[tuple[Mutant | None, str]], options: argparse.Namespace, began: float) -> int:
    took, until = time.monotonic() - began, time.monotonic() + options.seconds
    sys.stdout.write(f"faults in {options.package}, seed {options.seed}; the tests took {took:.0f} s without one\n")
    by: Counter[str] = Counter()
    survivors = []
    for fault, stage in noticed:
        by[stage or "survived"] += 1
        if by.total() % 10 == 0:
            sys.stdout.write(f"{by.total()} done\n")
        if not stage:
            survivors.append(str(fault))
            sys.stdout.write(f"survived: {fault}\n")
        sys.stdout.flush()
        if time.monotonic() > until:
            break
    total = by.total()
    killed = total - len(survivors)
    counts = ", ".join(f"{number} by {name}" for name, number in by.most_common() if name != "survived")
    sys.stdout.write(f"{killed} of {total} noticed: {killed / max(total, 1):.1%} ({counts})\n")
    sys.stdout.write("".join(f"    {survivor}\n" for survivor in sorted(survivors)))
    return 0 if killed >= WANTED * total else 1


if __name__ == "__main__":
    sys.exit(main())
