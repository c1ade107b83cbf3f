"""The faults of a package: all of them, those that nobody could notice, and a sample of the others."""

import dataclasses
import random
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path

from tests.mutation import evaluator, mutants
from tests.mutation.faulty import PACKAGE, ROOT
from tests.mutation.mutants import Mutant

EXPLAINED = ROOT / "docs/mutation.md"
POLICY = "policy"
Row = tuple[str, str, str]  # file, text of the line, operator and which of such


def chosen(seed: int, count: int, package: str = POLICY, modules: Sequence[str] = ()) -> list[Mutant]:
    """Faults drawn by chance from all of the modules together, without the explained ones."""
    known = explained()
    every = [fault for path in files(package, modules) for row, fault in rows(path) if row not in known]
    return random.Random(seed).sample(every, min(count, len(every)))


def files(package: str, modules: Sequence[str] = ()) -> list[Path]:
    """The files of a folder, or the one module, that faults are made in; LookupError where there are none."""
    if package == POLICY:
        return [PACKAGE / POLICY / f"{module}.py" for module in modules or evaluator.MODULES]
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
