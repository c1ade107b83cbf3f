"""Puts faults into the product and counts how many the tests notice: `python -m tests.policy.mutation --seed 1 --count 250`.

    --package=policy            the evaluator, in memory (`mutation_memory`); any other folder or module of the package, such as calls,
                                services/iam or arn.py, by runs of pytest (`mutation_processes`)
    --modules=budget,weights    only these of its modules
    --count=250                 faults to draw; --seconds=600 ends the sample at that time, whatever is left of it
    --seed=1 --processes=2

Each fault is made in the memory of a process of its own; the checkout is never written. A crash at import and a run past its time are
noticed too. Prints the rate and each survivor as `file:line operator`; exits 1 below the rate that is wanted. Faults that change nothing
anybody could notice are listed in docs/mutation.md, each with its reason, and not made.
"""

import argparse
import dataclasses
import random
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path

from tests import postgres, scratch
from tests.policy import mutants, mutation_memory, mutation_processes
from tests.policy.faulty import PACKAGE, ROOT
from tests.policy.mutants import Mutant

EXPLAINED = ROOT / "docs/mutation.md"
POLICY = "policy"
WANTED = 0.98
Row = tuple[str, str, str]  # file, text of the line, operator and which of such


def chosen(seed: int, count: int, package: str = POLICY, modules: Sequence[str] = ()) -> list[Mutant]:
    """Faults drawn by chance from all of the modules together, without the explained ones."""
    known = explained()
    every = [fault for path in files(package, modules) for row, fault in rows(path) if row not in known]
    return random.Random(seed).sample(every, min(count, len(every)))


def files(package: str, modules: Sequence[str] = ()) -> list[Path]:
    """The files of a folder, or the one module, that faults are made in; LookupError where there are none."""
    if package == POLICY:
        return [PACKAGE / POLICY / f"{module}.py" for module in modules or mutation_memory.MODULES]
    place = PACKAGE / package
    found = [place] if place.is_file() else sorted(place.rglob("*.py"))
    found = [path for path in found if not modules or path.stem in modules]
    if not found:
        raise LookupError(f"the package has no module `{package}`")
    return found


def rows(path: Path) -> Iterator[tuple[Row, Mutant]]:
    """All faults of a file with what stays the same when other lines change."""
    name = path.name if path.parent == PACKAGE / POLICY else path.relative_to(PACKAGE).as_posix()
    source = path.read_text()
    lines, times = source.splitlines(), Counter[tuple[str, str]]()
    for site in mutants.sites(source):
        text = lines[site.line - 1].strip()
        times[text, site.operator] += 1
        which = times[text, site.operator]
        operator = site.operator if which == 1 else f"{site.operator} #{which}"
        yield (name, text, operator), Mutant(path, name, dataclasses.replace(site, operator=operator))


def explained() -> set[Row]:
    """The rows of docs/mutation.md: module, line and operator of each fault that changes nothing."""
    rows = [row.strip("| ").split(" | ") for row in EXPLAINED.read_text().splitlines() if row.startswith("| `")]
    return {(module.strip("`"), line.strip("`").replace("\\|", "|"), operator.strip("`")) for module, line, operator, _ in rows}


def main() -> int:
    """Run, and say what survived."""
    options = _asked()
    faults = chosen(options.seed, options.count, options.package, options.modules)
    began = time.monotonic()
    if options.package == POLICY:
        cases = mutation_memory.Cases()
        passed = [stage for _, stage in mutation_memory.run([None], cases, 1)] == [""]
        return _counted(mutation_memory.run(faults, cases, options.processes), options, began) if passed else _failing()
    scratch.use()
    with tempfile.TemporaryDirectory(prefix="sekisho-faults-") as folder:
        shared = Path(folder) / "postgres"
        postgres.shared(shared)
        passed = mutation_processes.record(options.package, options.processes, shared)
        return (
            _counted(mutation_processes.run(options.package, faults, options.processes, shared), options, began) if passed else _failing()
        )


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
