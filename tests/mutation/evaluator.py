"""Faults in the policy evaluator, noticed within one process: the fast way, in which a fault costs the tests some seconds.

The tests run from the cheapest to the dearest and stop at the first that fails:

    documented   the documented rules
    corpus       the worlds of tests/corpus
    oracle       worlds from seeds, before the evaluator (as it is, and without its indexes) and before the oracle
    isolated     each statement of such worlds alone
    unit         the named tests of the package
"""

import contextlib
import importlib
import json
import multiprocessing
import os
import resource
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from multiprocessing import connection
from typing import Any

import pytest

from tests.mutation import faulty
from tests.mutation.faulty import ROOT
from tests.mutation.mutants import Mutant
from tests.policy import corpus, generator, oracle

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
    "mutants_weights",
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


@dataclass(slots=True)
class _Running:
    mutant: Mutant | None
    process: Any
    until: float


class Cases:
    """What no fault changes, made once before the processes fork: cases and the oracle's answers."""

    def __init__(self) -> None:
        self.documented = (ROOT / "tests/policy/documented-rules.jsonl").read_text().splitlines()
        self.corpus = corpus.load()
        self.worlds = [generator.world(seed) for seed in range(900_000, 900_000 + WORLDS)]
        answers = {id(case): oracle.decide(case) for world in self.worlds for case in world.cases}
        ask = oracle.decide
        oracle.decide = lambda case: answers.get(id(case)) or ask(case)
        assert "sekisho.policy" not in sys.modules, "the evaluator must be imported after a fault was made"


def run(faults: Sequence[Mutant | None], cases: Cases, processes: int) -> Iterator[tuple[Mutant | None, str]]:
    """Each fault and which tests noticed it, as they are done; abandoned by the caller, it ends what it started."""
    context = multiprocessing.get_context("fork")
    waiting = list(reversed(faults))
    running: list[_Running] = []
    try:
        while waiting or running:
            while waiting and len(running) < processes:
                fault = waiting.pop()
                process = context.Process(target=_child, args=(fault, cases))
                process.start()
                running.append(_Running(fault, process, time.monotonic() + SECONDS))
            connection.wait([one.process.sentinel for one in running], timeout=1)
            for one in [one for one in running if not one.process.is_alive() or time.monotonic() > one.until]:
                late = one.process.is_alive()
                if late:
                    one.process.kill()
                one.process.join()
                running.remove(one)
                code = one.process.exitcode
                yield one.mutant, "time" if late or code < 0 else STAGES[code - 1][0] if code else ""
    finally:
        for one in running:
            one.process.kill()
            one.process.join()


def _child(fault: Mutant | None, cases: Cases) -> None:
    """Exit with the number of the stage that noticed, 0 for none."""
    resource.setrlimit(resource.RLIMIT_AS, (4 << 30, 4 << 30))
    resource.setrlimit(resource.RLIMIT_CPU, (CPU_SECONDS, CPU_SECONDS))
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, 1)
    os.dup2(nowhere, 2)
    if fault is not None:
        faulty.make(faulty.dotted(fault.path), fault.site.index)
    for number, (_, stage) in enumerate(STAGES, start=1):
        try:
            fine = stage(cases)
        except BaseException:  # whatever it is, it was noticed
            fine = False
        if not fine:
            os._exit(number)
    os._exit(0)


def _imported(_cases: Cases) -> bool:
    importlib.import_module("sekisho.policy")
    return True


def _documented(cases: Cases) -> bool:
    from sekisho import policy
    from sekisho.policy import cases as reading

    for line in cases.documented:
        case = reading.read(line)
        decision = policy.decide(case.request, case.layers)
        if decision.error or reading.to_json(case, decision)["decision"] != json.loads(line)["expected"]:
            return False
    return True


def _corpus(cases: Cases) -> bool:
    from tests.policy import bridge

    for case in cases.corpus.values():
        reply = bridge.reply(case)
        if (reply.outcome, reply.error) != (case["expected"], ""):
            return False
    return True


def _oracle(cases: Cases) -> bool:
    from tests.policy import bridge, campaign

    for world in cases.worlds:
        indexed, linear = bridge.Programs(), bridge.Programs(indexed=False)
        for case in world.cases:
            if campaign.difference(case, indexed) or campaign.difference(case, linear):
                return False
    return True


def _isolated(cases: Cases) -> bool:
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


STAGES: Sequence[tuple[str, Callable[[Cases], bool]]] = (
    ("import", _imported),
    ("documented", _documented),
    ("corpus", _corpus),
    ("oracle", _oracle),
    ("isolated", _isolated),
    ("unit", lambda _: _tested(UNIT)),
)
