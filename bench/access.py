"""Verdicts on what policies grant: 100 pairs of managed policies, `--seed=N` draws others, beside sampling and solvers of strings.

Half of the pairs are two managed policies that stand beside each other by name, half are one and what somebody made of it: an action wider
or gone, a resource narrower, a condition more, a Deny. Each pair is asked once, by each of:

    Sekisho       `analysis.solver.new_access`: yes with a request, no with a proof
    sampling      requests drawn from the pair's own words until one is granted anew, 1,000 at most: never a proof
    z3 strings    the same formulas as SMT-LIB with regular expressions, a second at most
    cvc5          likewise, where it is installed

Wrong is a `yes` whose request the oracle of the tests does not see granted anew, a `no` against which 5,000 sampled requests find one, and
an answer that another solver contradicts. Times are of the clock, documents parsed beforehand.
"""

import copy
import json
import statistics
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from random import Random
from typing import Any

from bench.summary import Row, Summary
from sekisho import policy
from sekisho.analysis.solver import Answer, PolicyType, Witness, new_access, questions
from sekisho.services.iam import managed_policies
from tests.analysis.solver import pairs, strings

PAIRS = 100
SAMPLED, CHECKED = 1_000, 5_000  # requests
MILLISECONDS = 10_000
PATIENCE = 1_000  # milliseconds of solvers of strings
_USER = policy.Principal("user", "arn:aws:iam::111122223333:user/alice", "111122223333", unique_id="AIDAEXAMPLE")


@dataclass(frozen=True, slots=True)
class Named:
    """A pair, and what it is called."""

    name: str
    pair: pairs.Pair


def run() -> Summary:
    """Print what each took and how it answered."""
    seed = next((int(one.partition("=")[2]) for one in sys.argv if one.startswith("--seed=")), 1)
    listed = list(_pairs(Random(seed)))
    for one in listed:
        for text in (one.pair.existing, one.pair.new):
            questions.read(text, PolicyType.IDENTITY)
    new_access(listed[0].pair.existing, listed[0].pair.new, PolicyType.IDENTITY, milliseconds=MILLISECONDS)  # loads z3
    ours, wrong = [], []
    verdicts = []
    for one in listed:
        took, verdict = _timed(lambda one=one: new_access(one.pair.existing, one.pair.new, PolicyType.IDENTITY, milliseconds=MILLISECONDS))  # type: ignore[misc]
        ours.append(took)
        verdicts.append(verdict)
        more = verdict.answer is Answer.YES and pairs.oracle_says_more(one.pair, verdict.witness)
        found = verdict.answer is Answer.NO and _sampled(one.pair, CHECKED)
        if (verdict.answer is Answer.YES and not more) or found:
            wrong.append(one.name)
    answers = Counter(verdict.answer.value for verdict in verdicts)
    print(f"{PAIRS} pairs, seed {seed}: {dict(answers)}; documents of up to {max(len(one.pair.new) for one in listed):,} characters")
    print("| who | median | 99 % | slowest | known | wrong or missed |\n|---|--:|--:|--:|--:|--:|")
    summary = Summary()
    truth = [verdict.answer.value for verdict in verdicts]
    sampling: list[tuple[float, str]] = []
    for one in listed:
        took, found = _timed(lambda one=one: _sampled(one.pair, SAMPLED))  # type: ignore[misc]
        sampling.append((took, "yes" if found else "no"))
    missed = sum(said != right for (_, said), right in zip(sampling, truth, strict=True) if right != "unknown")
    theirs = [took for took, _ in sampling]
    others = {"sampling": (theirs, PAIRS, missed)}
    for name, ask in _solvers(summary):
        asked = [_timed(lambda one=one, ask=ask: ask(strings.of_pair(one.pair), PATIENCE)) for one in listed]  # type: ignore[misc]
        said = [{"sat": "yes", "unsat": "no"}.get(answer, "unknown") for _, answer in asked]
        against = [
            one.name for one, told, right in zip(listed, said, truth, strict=True) if "unknown" not in (told, right) and told != right
        ]
        wrong += against
        others[name] = ([took for took, _ in asked], PAIRS - said.count("unknown"), len(against))
    _print("Sekisho", ours, PAIRS - answers["unknown"], len(set(wrong)))
    for name, (times, known, bad) in others.items():
        _print(name, times, known, bad)
        summary.rows.append(_row(name, ours, times))
    for name in dict.fromkeys(wrong):
        print(f"WRONG: {name}")
    return summary


def _print(name: str, times: list[float], known: int, wrong: int) -> None:
    cuts = statistics.quantiles(times, n=100, method="inclusive")
    print(f"| {name} | {statistics.median(times):.1f} ms | {cuts[98]:.1f} ms | {max(times):.1f} ms | {known} | {wrong} |", flush=True)


def _row(peer: str, ours: list[float], theirs: list[float]) -> Row:
    mine, other = statistics.median(ours), statistics.median(theirs)
    return Row("a verdict on two managed policies, median", "ms", mine, peer, other, other / mine)


def _timed(ask: Callable[[], Any]) -> tuple[float, Any]:
    """Milliseconds, and what was answered."""
    began = time.perf_counter()
    answer = ask()
    return (time.perf_counter() - began) * 1e3, answer


def _solvers(summary: Summary) -> Iterator[tuple[str, Callable[[str | None, int], str]]]:
    yield "z3 strings", strings.by_z3
    try:
        import cvc5  # noqa: F401
    except ImportError:
        summary.absent["cvc5"] = "it is not installed: make .venv/.campaign"
    else:
        yield "cvc5", strings.by_cvc5


def _pairs(rng: Random) -> Iterator[Named]:
    told = sorted(
        (one for one in managed_policies.built_in() if "NothingThatIsNotAllowedAnyway" not in one.document), key=lambda one: one.name
    )
    for at in rng.sample(range(len(told) - 1), PAIRS // 2):
        old, new = rng.sample(told[at : at + 2], 2)
        yield Named(f"{old.name} -> {new.name}", pairs.Pair(old.document, new.document, PolicyType.IDENTITY))
    for one in rng.sample(told, PAIRS - PAIRS // 2):
        text = json.dumps(_edited(json.loads(one.document), rng), indent=2)
        old_text, new_text = rng.sample((one.document, text), 2)
        yield Named(f"{one.name}, edited", pairs.Pair(old_text, new_text, PolicyType.IDENTITY))


def _edited(document: dict[str, Any], rng: Random) -> dict[str, Any]:
    """The document with one edit, such as somebody makes by hand."""
    edited = copy.deepcopy(document)
    one = rng.choice(edited["Statement"])
    actions = one["Action"] if isinstance(one.get("Action"), list) else [one.get("Action", "*")]
    edits: list[Callable[[], object]] = [
        lambda: one.update(Action=[*actions[:-1], _widened(actions[-1], rng)]),
        lambda: one.update(Action=actions[1:] or ["s3:GetObject"]),
        lambda: one.update(Resource=["arn:aws:s3:::team-${aws:PrincipalTag/team}/*", "arn:aws:sqs:*:111122223333:*"]),
        lambda: one.setdefault("Condition", {}).update({"IpAddress": {"aws:SourceIp": ["10.0.0.0/8", "192.168.0.0/16"]}}),
        lambda: edited["Statement"].append({"Effect": "Deny", "Action": actions[0], "Resource": "*"}),
        lambda: edited["Statement"].append({"Effect": "Allow", "Action": "iam:PassRole", "Resource": "arn:aws:iam::*:role/service-*"}),
    ]
    for edit in rng.sample(edits[: 6 if "Action" in one else 0] or edits[3:], rng.choice((1, 1, 2))):
        edit()
    return edited


def _widened(action: str, rng: Random) -> str:
    service, colon, name = action.partition(":")
    return f"{service}:{name.rstrip('*')[: rng.randrange(6)]}*" if colon else action


def _sampled(made: pairs.Pair, count: int) -> bool:
    """Tell by sampling: true where one of so many requests is granted anew."""
    rng = Random(1)
    statements = [rule.statement for text in (made.existing, made.new) for rule in questions.read(text, made.kind).rules]
    actions = [pattern for one in statements for pattern in one.actions]
    resources = ["*", "arn:aws:s3:::bucket/key", *(text for one in statements for text in one.resources or ())]
    wanted = [(condition.key.lower(), value) for one in statements for condition in one.conditions for value in condition.values]
    for _ in range(count):
        action, resource = rng.choice(actions), rng.choice(resources)
        context = {key: _filled(value, rng) for key, value in rng.sample(wanted, len(wanted)) if rng.random() < 0.6}
        action = _filled(action if ":" in action else "s3:GetObject", rng)
        if pairs.grants_more(made, Witness(_USER, action, _filled(resource, rng), context)):
            return True
    return False


def _filled(pattern: str, rng: Random) -> str:
    return pattern.replace("*", rng.choice(("", "x", "Object", "111122223333"))).partition("/8")[0]
