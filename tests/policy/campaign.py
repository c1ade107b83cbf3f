"""Holds the evaluator against the oracle over seeded worlds: `python -m tests.policy.campaign --cases 10000000 --seed 1`.

Prints the seeds that it used and, for a disagreement, the seed, the case made small, and both answers; exits 1 when there was one.
"""

import argparse
import functools
import json
import multiprocessing
import sys
import time
from collections.abc import Iterator
from typing import Any

from tests.policy import bridge, gen_shrink, generator, oracle

CASES_A_WORLD = 50
WORLDS_A_TASK = 40


def difference(case: Any, programs: bridge.Programs | None = None) -> str:
    """What the two disagree on, `""` for nothing.

    Outcome and deciding layer must be the same. The statements that the evaluator calls determining must match in the oracle's eyes too:
    all Denies and no others for an explicit deny, Allows only for an allow.
    """
    reply, answer = bridge.reply(case, programs), oracle.decide(case)
    if reply.error:
        return f"the evaluator failed: {reply.error}"
    if reply.outcome != answer.outcome:
        return f"evaluator {reply.outcome} by {sorted(reply.determining)}; oracle {answer.outcome}, matching {sorted(answer.matched)}"
    if reply.layer != blamed(case, answer):
        return f"{reply.outcome} by layer `{reply.layer}` for the evaluator, by `{blamed(case, answer)}` for the oracle"
    if not reply.determining <= answer.matched:
        return f"the evaluator names {sorted(reply.determining - answer.matched)}, which the oracle does not match"
    if reply.outcome == "ExplicitlyDenied" and reply.determining != answer.denies:
        return f"the evaluator names {sorted(reply.determining)}, the oracle's denies are {sorted(answer.denies)}"
    if reply.outcome == "Allowed" and not reply.allows:
        return f"an allow determined by a deny: {sorted(reply.determining)}"
    return ""


def blamed(case: Any, answer: oracle.Answer) -> str:
    """The layer as the evaluator names it: where a call would become a role, its resource policy is the trust policy."""
    request = case["request"]
    action = request["action"].lower()
    as_root = action == "sts:assumerole" and request["principal_type"] == "root" and not answer.denies  # no trust suffices for it
    becoming = action.startswith("sts:") and ":role/" in request["resource"]
    return "trust" if answer.layer == "resource" and (becoming or as_root) else answer.layer


def disagreements(seed: int, size: int = CASES_A_WORLD) -> Iterator[str]:
    """A report on every case of a world on which the two differ."""
    programs = bridge.Programs()
    for index, case in enumerate(generator.world(seed, size).cases):
        found = difference(case, programs)
        if found:
            yield report(seed, index, case, found)


def report(seed: int, index: int, case: Any, found: str) -> str:
    """Seed, case and both answers, and the same for the smallest case that still differs."""
    small = gen_shrink.shrink(case, lambda smaller: difference(smaller) != "")
    return f"seed {seed}, case {index}: {found}\nmade small: {difference(small)}\n{json.dumps(small, ensure_ascii=False)}"


def run(first: int, worlds: int) -> list[str]:
    """The reports of a range of seeds, at most three."""
    reports: list[str] = []
    for seed in range(first, first + worlds):
        reports.extend(disagreements(seed))
        if len(reports) > 3:
            break
    return reports[:3]


def main() -> int:
    """Run the campaign on all processors."""
    parser = argparse.ArgumentParser(description="Hold the policy evaluator against the oracle.")
    parser.add_argument("--cases", type=int, default=10_000_000)
    parser.add_argument("--seed", type=int, default=1, help="the seed of the first world; the others follow it")
    parser.add_argument("--processes", type=int, default=multiprocessing.cpu_count())
    options = parser.parse_args()
    worlds = -(-options.cases // CASES_A_WORLD)
    starts = range(options.seed, options.seed + worlds, WORLDS_A_TASK)
    sys.stdout.write(f"{worlds * CASES_A_WORLD} cases, seeds {options.seed} to {options.seed + worlds - 1}\n")
    began, done, failed = time.monotonic(), 0, 0
    with multiprocessing.get_context("spawn").Pool(options.processes) as pool:
        for reports in pool.imap_unordered(functools.partial(run, worlds=WORLDS_A_TASK), starts):
            done += 1
            failed += len(reports)
            for text in reports:
                sys.stdout.write(f"\n{text}\n")
            if sys.stderr.isatty():
                sys.stderr.write(f"\r{done * 100 // len(starts)} %, {failed} disagreements")
            if failed > 20:
                pool.terminate()
                break
    sys.stdout.write(f"{failed} disagreements in {time.monotonic() - began:.0f} s\n")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
