"""Holds the solver against small universes: `python -m tests.analysis.solver.campaign --pairs 50000 --seed 1`.

Pairs of even seeds are worlds as people write them (`pairs`), those of odd ones are at the edges of the language (`near_pairs`). Of every
pair: where the answer is yes, the oracle, which shares no code with the evaluator, has to say so of the witness; where it is no, no
request of the pair's universe may be granted anew (`probes`, all combinations of what the pair writes and nearly writes, `SIZE` at most;
of even seeds `--requests` drawn ones beside them, and of one `no` in a thousand a hundred thousand). One seed in five is also asked
whether a policy is public, where no stranger may be let in that is not told (`strangers`), and about external access, where no outsider
may (`trusting`), what plainly shows is what the search finds, and about callers by their ids and names (`user_ids`). With cvc5
installed, one pair in two hundred has a second opinion. Then come `--inside` worlds of access from within (`insiders_held`). Prints what
differs with its seed, how many answers were unknown and why; exits 1 where something differs.
"""

import argparse
import functools
import multiprocessing
import os
import sys
import time
from collections.abc import Iterator

from sekisho.analysis.solver import Answer, Witness, new_access
from tests.analysis.solver import insiders_held, near_pairs, pairs, probes, strangers, trusting, user_ids
from tests.analysis.solver.findings import Found

REQUESTS = 100
SIZE = 500
MANY = int(os.environ.get("REQUESTS", "100000"))
MILLISECONDS = 5_000
OPINION = 1_000  # milliseconds of cvc5
TASK = 100


def drawn(seed: int) -> pairs.Pair:
    """The pair of a seed."""
    return near_pairs.pair(seed) if seed % 2 else pairs.pair(seed)


def universe(made: pairs.Pair, seed: int, requests: int) -> Iterator[Witness]:
    """The requests of a pair: `requests` that are drawn where the pair has a world, and the small product."""
    if made.scene is not None:
        yield from pairs.Universe(made, seed).requests(requests)
    yield from probes.Universe(made, seed, SIZE).requests()


def difference(seed: int, requests: int = REQUESTS, found: Found | None = None) -> str:
    """What is wrong with the answer to the pair of a seed, `""` for nothing."""
    made = drawn(seed)
    verdict = new_access(made.existing, made.new, made.kind, milliseconds=MILLISECONDS)
    if found is not None:
        found.answers[verdict.answer.value] += 1
        found.reasons[verdict.reason.partition("`")[0]] += 1
    if verdict.answer is Answer.YES:
        assert verdict.witness is not None
        if not pairs.oracle_says_more(made, verdict.witness):
            return f"seed {seed}: the oracle does not see that {verdict.witness} is granted anew"
        return "" if verdict.statements else f"seed {seed}: no statement grants {verdict.witness}"
    if verdict.answer is Answer.NO:
        for request in universe(made, seed, requests):
            if pairs.grants_more(made, request):
                return f"seed {seed}: no more access, it says, but {request} is granted anew\n{made.existing}\n{made.new}"
    return ""


def second_opinion(seed: int) -> str:
    """What cvc5 says otherwise of the pair of a seed, `""` where it agrees, does not know, or is not there."""
    from tests.analysis.solver import strings

    made = drawn(seed)
    verdict = new_access(made.existing, made.new, made.kind, milliseconds=MILLISECONDS)
    other = strings.by_cvc5(strings.of_pair(made), OPINION)
    if other in ("sat", "unsat") and verdict.answer is not Answer.UNKNOWN and (other == "sat") is not (verdict.answer is Answer.YES):
        return f"seed {seed}: {verdict.answer} for us, {other} for cvc5\n{made.existing}\n{made.new}"
    return ""


def run(first: int, requests: int, *, opinions: bool) -> Found:
    """The pairs of some seeds."""
    found, began = Found(), time.process_time()
    for seed in range(first, first + TASK):
        wrong = difference(seed, MANY if seed % 1000 == 0 else requests, found)
        if not wrong and seed % 5 == 0:
            wrong = strangers.difference(seed) or trusting.difference(seed) or user_ids.difference(seed)
        if not wrong and opinions and seed % 200 == 0:
            wrong = second_opinion(seed)
        if wrong:
            found.wrong.append(wrong)
    found.cpu = time.process_time() - began
    return found


def main() -> int:
    """Run the campaign."""
    parser = argparse.ArgumentParser(description="Hold the solver against small universes.")
    parser.add_argument("--pairs", type=int, default=50_000)
    parser.add_argument("--inside", type=int, default=20_000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--requests", type=int, default=REQUESTS)
    parser.add_argument("--processes", type=int, default=multiprocessing.cpu_count())
    options = parser.parse_args()
    opinions, seed = _has_cvc5(), options.seed
    sys.stdout.write(f"cvc5 {'beside' if opinions else 'not installed'}\n")
    of_pairs = functools.partial(run, requests=options.requests, opinions=opinions)
    with multiprocessing.get_context("spawn").Pool(options.processes) as pool:
        wrong = _told("pairs", pool.imap_unordered(of_pairs, range(seed, seed + options.pairs, TASK)))
        wrong += _told("worlds", pool.imap_unordered(insiders_held.run, range(seed, seed + options.inside, insiders_held.TASK)))
    return 1 if wrong else 0


def _told(name: str, tasks: Iterator[Found]) -> int:
    """Print what tasks come to; how much of it is wrong."""
    total, began, done = Found(), time.monotonic(), 0
    for found in tasks:
        total.answers += found.answers
        total.reasons += found.reasons
        total.wrong += found.wrong
        total.cpu += found.cpu
        done += TASK
        sys.stdout.write("".join(f"{wrong}\n" for wrong in found.wrong))
        if done % 1000 == 0:
            sys.stdout.write(f"{done} {name}, {len(total.wrong)} wrong\n")
        sys.stdout.flush()
    total.reasons.pop("", None)
    sys.stdout.write(f"{done} {name} in {time.monotonic() - began:.0f} s, {total.cpu:.0f} s of CPU\n")
    sys.stdout.write(f"{dict(total.answers)}; {len(total.wrong)} wrong\n")
    sys.stdout.write("".join(f"    {count} {reason}\n" for reason, count in total.reasons.most_common()))
    return len(total.wrong)


def _has_cvc5() -> bool:
    try:
        import cvc5  # noqa: F401
    except ImportError:
        return False
    return True


if __name__ == "__main__":
    sys.exit(main())
