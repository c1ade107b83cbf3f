"""Puts faults into the evaluator and counts how many the tests notice: `python -m tests.policy.mutation --seed 1 --count 250`.

Each fault is made in the memory of a process of its own, through an import hook; the checkout is never written. The tests run from the
cheapest to the dearest and stop at the first that fails:

    documented   the documented rules
    corpus       the worlds of tests/corpus
    oracle       worlds from seeds, before the evaluator (as it is, and without its indexes) and before the oracle
    isolated     each statement of such worlds alone
    unit         the named tests of the package

A crash at import and a run past its time are noticed too. Prints the rate and each survivor as `file:line operator`; exits 1 below the
rate that is wanted. Faults that change nothing anybody could notice are listed in docs/mutation.md, each with its reason, and not made.
"""

import argparse
import ast
import contextlib
import dataclasses
import importlib.machinery
import json
import multiprocessing
import os
import random
import resource
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from multiprocessing import connection
from pathlib import Path
from types import CodeType
from typing import Any

import pytest

from tests.policy import corpus, generator, mutants, oracle

ROOT = Path(__file__).parents[2]
PACKAGE = ROOT / "service/sekisho/policy"
EXPLAINED = ROOT / "docs/mutation.md"
MODULES = (
    "budget",
    "weights",
    "patterns",
    "comparisons",
    "anchors",
    "operators",
    "conditions",
    "operands",
    "variables",
    "rules",
    "index",
    "compile",
    "evaluate",
    "layers",
    "decide",
    "reasons",
    "standing",
    "principals",
    "keys",
)
UNIT = (
    "mutants",
    "mutants_values",
    "mutants_decisions",
    "patterns",
    "conditions",
    "variables",
    "compile",
    "evaluate",
    "keys",
    "weights",
    "budget",
    "decide",
    "standing",
    "explain",
)
WORLDS = 100  # of 50 cases
ISOLATED = 12
CPU_SECONDS, SECONDS = 120, 1200  # that one fault may take; without a fault the tests take some 5 of CPU
WANTED = 0.98


@dataclass(frozen=True, slots=True)
class Mutant:
    """One fault in one module."""

    module: str
    site: mutants.Site

    def __str__(self) -> str:
        return f"{self.module}.py:{self.site.line} {self.site.operator}"


@dataclass(slots=True)
class _Running:
    mutant: Mutant | None
    process: Any
    until: float


def chosen(seed: int, count: int, modules: Sequence[str]) -> list[Mutant]:
    """Faults drawn by chance from all of the modules together, without the explained ones."""
    known = explained()
    every = [fault for module in modules for row, fault in rows(module) if row not in known]
    return random.Random(seed).sample(every, min(count, len(every)))


def rows(module: str) -> Iterator[tuple[tuple[str, str, str], Mutant]]:
    """All faults of a module with what stays the same when other lines change: module, text of the line, operator and which of such."""
    source = (PACKAGE / f"{module}.py").read_text()
    lines, times = source.splitlines(), Counter[tuple[str, str]]()
    for site in mutants.sites(source):
        text = lines[site.line - 1].strip()
        times[text, site.operator] += 1
        which = times[text, site.operator]
        operator = site.operator if which == 1 else f"{site.operator} #{which}"
        yield (f"{module}.py", text, operator), Mutant(module, dataclasses.replace(site, operator=operator))


def explained() -> set[tuple[str, str, str]]:
    """The rows of docs/mutation.md: module, line and operator of each fault that changes nothing."""
    rows = [row.strip("| ").split(" | ") for row in EXPLAINED.read_text().splitlines() if row.startswith("| `")]
    return {(module.strip("`"), line.strip("`").replace("\\|", "|"), operator.strip("`")) for module, line, operator, _ in rows}


def main() -> int:
    """Run, and say what survived."""
    parser = argparse.ArgumentParser(description="Put faults into the policy evaluator and see whether the tests notice.")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--count", type=int, default=250)
    parser.add_argument("--modules", type=lambda text: text.split(","), default=MODULES)
    parser.add_argument("--processes", type=int, default=2)
    options = parser.parse_args()
    faults = chosen(options.seed, options.count, options.modules)
    cases = _Cases()
    began = time.monotonic()
    baseline = [noticed for _, noticed in _run([None], cases, 1)]
    if baseline != [""]:
        sys.stdout.write(f"the tests fail without any fault: {baseline}\n")
        return 2
    sys.stdout.write(f"{len(faults)} faults, seed {options.seed}; the tests take {time.monotonic() - began:.0f} s without one\n")
    by: Counter[str] = Counter()
    survivors = []
    for fault, noticed in _run(faults, cases, options.processes):
        by[noticed or "survived"] += 1
        if by.total() % 50 == 0:
            sys.stdout.write(f"{by.total()} done\n")
            sys.stdout.flush()
        if not noticed:
            survivors.append(str(fault))
            sys.stdout.write(f"survived: {fault}\n")
            sys.stdout.flush()
    killed = len(faults) - len(survivors)
    counts = ", ".join(f"{number} by {name}" for name, number in by.most_common() if name != "survived")
    sys.stdout.write(f"{killed} of {len(faults)} noticed: {killed / len(faults):.1%} ({counts})\n")
    sys.stdout.write("".join(f"    {survivor}\n" for survivor in sorted(survivors)))
    return 0 if killed / len(faults) >= WANTED else 1


class _Cases:
    """What no fault changes, made once before the processes fork: cases and the oracle's answers."""

    def __init__(self) -> None:
        self.documented = (Path(__file__).parent / "documented-rules.jsonl").read_text().splitlines()
        self.corpus = corpus.load()
        self.worlds = [generator.world(seed) for seed in range(900_000, 900_000 + WORLDS)]
        answers = {id(case): oracle.decide(case) for world in self.worlds for case in world.cases}
        ask = oracle.decide
        oracle.decide = lambda case: answers.get(id(case)) or ask(case)
        assert "sekisho.policy" not in sys.modules, "the evaluator must be imported after a fault was made"


def _run(faults: Sequence[Mutant | None], cases: _Cases, processes: int) -> Iterator[tuple[Mutant | None, str]]:
    """Each fault and which tests noticed it, as they are done."""
    context = multiprocessing.get_context("fork")
    waiting = list(reversed(faults))
    running: list[_Running] = []
    while waiting or running:
        while waiting and len(running) < processes:
            fault = waiting.pop()
            process = context.Process(target=_child, args=(fault, cases))
            process.start()
            running.append(_Running(fault, process, time.monotonic() + SECONDS))
        connection.wait([run.process.sentinel for run in running], timeout=1)
        for run in [run for run in running if not run.process.is_alive() or time.monotonic() > run.until]:
            late = run.process.is_alive()
            if late:
                run.process.kill()
            run.process.join()
            running.remove(run)
            code = run.process.exitcode
            yield run.mutant, "time" if late or code < 0 else STAGES[code - 1][0] if code else ""


def _child(fault: Mutant | None, cases: _Cases) -> None:
    """Exit with the number of the stage that noticed, 0 for none."""
    resource.setrlimit(resource.RLIMIT_AS, (4 << 30, 4 << 30))
    resource.setrlimit(resource.RLIMIT_CPU, (CPU_SECONDS, CPU_SECONDS))
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, 1)
    os.dup2(nowhere, 2)
    if fault is not None:
        sys.meta_path.insert(0, _Finder(fault))
    for number, (_, stage) in enumerate(STAGES, start=1):
        try:
            fine = stage(cases)
        except BaseException:  # whatever it is, it was noticed
            fine = False
        if not fine:
            os._exit(number)
    os._exit(0)


class _Finder:
    """Finds one module of the package with a fault in it."""

    def __init__(self, fault: Mutant) -> None:
        self._fault = fault

    def find_spec(self, name: str, path: Sequence[str] | None, target: Any = None) -> importlib.machinery.ModuleSpec | None:
        if name != f"sekisho.policy.{self._fault.module}":
            return None
        spec = importlib.machinery.PathFinder.find_spec(name, path, target)
        assert spec is not None
        spec.loader = _Loader(name, str(PACKAGE / f"{self._fault.module}.py"), self._fault.site.index)
        return spec


class _Loader(importlib.machinery.SourceFileLoader):
    def __init__(self, name: str, path: str, index: int) -> None:
        super().__init__(name, path)
        self._index = index

    def get_code(self, fullname: str) -> CodeType:
        tree: ast.Module = mutants.mutated(Path(self.path).read_text(), self._index)
        return compile(tree, self.path, "exec")


def _imported(_cases: _Cases) -> bool:
    importlib.import_module("sekisho.policy")
    return True


def _documented(cases: _Cases) -> bool:
    from sekisho import policy
    from sekisho.policy import cases as reading

    for line in cases.documented:
        case = reading.read(line)
        decision = policy.decide(case.request, case.layers)
        if decision.error or reading.to_json(case, decision)["decision"] != json.loads(line)["expected"]:
            return False
    return True


def _corpus(cases: _Cases) -> bool:
    from tests.policy import bridge

    for case in cases.corpus.values():
        reply = bridge.reply(case)
        if (reply.outcome, reply.error) != (case["expected"], ""):
            return False
    return True


def _oracle(cases: _Cases) -> bool:
    from tests.policy import bridge, campaign

    for world in cases.worlds:
        indexed, linear = bridge.Programs(), bridge.Programs(indexed=False)
        for case in world.cases:
            if campaign.difference(case, indexed) or campaign.difference(case, linear):
                return False
    return True


def _isolated(cases: _Cases) -> bool:
    from tests.policy import bridge, gen_isolate

    for world in cases.worlds[:ISOLATED]:
        programs = bridge.Programs()
        for case in world.cases:
            action, kind = case["request"]["action"].lower(), case["request"]["principal_type"]
            silent = action == "sts:getcalleridentity" or (action, kind) == ("sts:assumerole", "root")
            if not silent and gen_isolate.matched(case, programs) != oracle.decide(case).matched:
                return False
    return True


def _tested(names: Sequence[str]) -> bool:
    options = ["-x", "-q", "--noconftest", "-p", "no:xdist", "-p", "no:cacheprovider", f"--rootdir={ROOT}"]
    with contextlib.chdir(ROOT):
        return pytest.main([*options, *(f"tests/policy/test_{name}.py" for name in names)]) == 0


STAGES: Sequence[tuple[str, Callable[[_Cases], bool]]] = (
    ("import", _imported),
    ("documented", _documented),
    ("corpus", _corpus),
    ("oracle", _oracle),
    ("isolated", _isolated),
    ("unit", lambda _: _tested(UNIT)),
)

if __name__ == "__main__":
    sys.exit(main())
