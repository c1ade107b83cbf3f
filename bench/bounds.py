"""The parts of decisions, each against its target: the layers of one decision, compilation, patterns and questions made to hurt."""

import json
import time
from collections.abc import Callable, Sequence
from itertools import count
from typing import TypeVar

from bench import measure, workload
from bench.peers.sekisho import asked
from sekisho import policy
from sekisho.policy import patterns
from tests.policy import adversaries

_T = TypeVar("_T")
_STATEMENTS = 100  # of a policy that is compiled: more do not fit into a document
_TARGETS = {  # µs
    "decide: identity, boundary, session policy, two levels of SCPs; allowed": 10.0,
    "compile: one statement": 60.0,
    "pattern: *a a thousand times, against 2 KB that match": 1000.0,
    "pattern: *a a thousand times and *b*, against 2 KB without b": 1000.0,
    "pattern: *?a five hundred times, against 2 KB": 1000.0,
    "pattern: the same as a resource, with colons": 1000.0,
}


def measured(rounds: int) -> dict[str, float]:
    """Microseconds of each, by name."""
    return measure.interleaved({**_decisions(), **_compilations(), **_patterns()}, rounds)


def worst(rounds: int) -> tuple[str, float]:
    """The slowest of the questions that were made to be slow, each as large as is still answered, and its milliseconds."""
    found = {name: adversaries.hardest(make) for name, make in adversaries.ADVERSARIES.items()}
    arms = {name: _answering(hardest[1]) for name, hardest in found.items() if hardest is not None}
    medians = measure.interleaved(arms, rounds)
    name = max(medians, key=medians.__getitem__)
    return name, medians[name]


def targets(found: dict[str, float]) -> list[str]:
    """A line for each figure, with its target where it has one."""
    return [target(name, value, _TARGETS.get(name), "µs") for name, value in found.items()]


def target(name: str, value: float, limit: float | None, unit: str, *, at_least: bool = False) -> str:
    """Name, value, limit, and whether it is kept."""
    if limit is None:
        return f"{name:76} {value:10.2f} {unit}"
    kept = value >= limit if at_least else value <= limit
    return f"{name:76} {value:10.2f} {unit}   {'≥' if at_least else '≤'} {limit:g}: {'met' if kept else 'MISSED'}"


def _decisions() -> dict[str, Callable[[], float]]:
    shape = workload.Shape("spread", "resource")
    work = workload.made(shape, _STATEMENTS)
    everything = _program([{"Effect": "Allow", "Action": "*", "Resource": "*"}])
    guards = _program(
        [
            {
                "Effect": "Deny",
                "Action": f"{name}:*",
                "Resource": "*",
                "Condition": {"StringNotEquals": {"aws:RequestedRegion": ["eu-west-1", "eu-central-1"]}},
            }
            for name in ("s3", "sqs", "sns", "ec2", "lambda")
        ]
    )
    whole = policy.Layers(
        identity=(_attached(work.statements),),
        boundary=(_program([{"Effect": "Allow", "Action": f"{row[0]}:*", "Resource": "*"} for row in workload.SERVICES]),),
        session=(_program([{"Effect": "Allow", "Action": "*", "Resource": "*", "Condition": {"Bool": {"aws:SecureTransport": "true"}}}]),),
        scps=((everything, guards), (everything,)),
    )
    kinds = {policy.Outcome.ALLOWED: "allowed", policy.Outcome.EXPLICITLY_DENIED: "denied", policy.Outcome.IMPLICITLY_DENIED: "not allowed"}
    requests: dict[str, list[policy.Request]] = {kind: [] for kind in kinds.values()}
    for request in asked(work):
        requests[kinds[policy.decide(request, whole).outcome]].append(request)
    title = "decide: identity, boundary, session policy, two levels of SCPs"
    return {f"{title}; {kind}": _deciding(chosen, whole) for kind, chosen in requests.items()}


def _deciding(requests: Sequence[policy.Request], layers: policy.Layers) -> Callable[[], float]:
    def arm() -> float:
        began = time.process_time()
        for _ in range(20):
            for request in requests:
                policy.decide(request, layers)
        return (time.process_time() - began) / (20 * len(requests)) * 1e6

    return arm


def _answering(question: adversaries.Question) -> Callable[[], float]:
    def arm() -> float:
        adversaries.forget()
        began = time.process_time()
        policy.decide(*question)
        return (time.process_time() - began) * 1e3

    return arm


def _compilations() -> dict[str, Callable[[], float]]:
    numbers = count(100_000, _STATEMENTS)  # names that nobody has seen: what is remembered of patterns must not help
    shape = workload.Shape("spread", "resource")

    def documents() -> list[str]:
        works = (workload.made(shape, _STATEMENTS, first=next(numbers)) for _ in range(5))
        return [json.dumps(workload.iam_policy(work)) for work in works]

    def compiling() -> float:
        policies = [policy.parse(text) for text in documents()]
        return _each(policy.compile_policy, policies)

    def reading() -> float:
        return _each(lambda text: policy.compile_policy(policy.parse(text)), documents())

    def first() -> float:
        works = [workload.made(workload.Shape("one", "resource"), _STATEMENTS, first=next(numbers)) for _ in range(5)]
        pairs = [(policy.compile_policy(policy.from_json(workload.iam_policy(work))), work) for work in works]
        return _each(lambda pair: pair[0].identity_bucket(pair[1].requests[0].action), pairs)

    return {
        "compile: one statement": compiling,
        "compile: one statement, with parsing its text": reading,
        "index: one statement, at the first request for an action that it covers": first,
    }


def _each(function: Callable[[_T], object], items: Sequence[_T]) -> float:
    began = time.process_time()
    for item in items:
        function(item)
    return (time.process_time() - began) / (len(items) * _STATEMENTS) * 1e6


def _patterns() -> dict[str, Callable[[], float]]:
    kilobytes = "a" * 2048
    rows = (
        ("*a a thousand times, against 2 KB that match", patterns.matcher, "*a" * 1000, kilobytes),
        ("*a a thousand times and *b*, against 2 KB without b", patterns.matcher, "*a" * 1000 + "*b*", kilobytes),
        ("*?a five hundred times, against 2 KB", patterns.matcher, "*?a" * 500, kilobytes[:-1] + "b"),
        ("the same as a resource, with colons", patterns.resource_matcher, "*?a:" * 500, "aa:" * 682),
    )
    return {f"pattern: {name}": _matching(make(patterns.tokens(pattern)), text) for name, make, pattern, text in rows}


def _matching(matches: patterns.Matcher, text: str) -> Callable[[], float]:
    return lambda: measure.per_call(lambda: matches(text), 20)


def _program(statements: Sequence[dict[str, object]]) -> policy.Attached:
    document = {"Version": "2012-10-17", "Statement": list(statements)}
    return policy.Attached(policy.compile_policy(policy.from_json(document)))


def _attached(statements: Sequence[workload.Statement]) -> policy.Attached:
    return _program([workload.iam_statement(statement) for statement in statements])
