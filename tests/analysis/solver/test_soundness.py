"""Soundness over seeded pairs: PAIRS of them, REQUESTS of some; `make campaign` takes more, and tests/analysis/solver/campaign.py most."""

import os
import random

import pytest

from sekisho.analysis.solver import Answer, PolicyType, new_access, public, questions, witnesses
from tests.analysis.solver import campaign, pairs, strangers, strings
from tests.analysis.solver.documents import allow, assumed, deny, policy, to
from tests.analysis.solver.findings import Found
from tests.policy import generator

PAIRS = int(os.environ.get("PAIRS", "500"))
REQUESTS = int(os.environ.get("REQUESTS", "20000"))
TASKS = 5


@pytest.mark.parametrize("task", range(TASKS))
def test_the_verdict_agrees_with_a_small_universe(task: int) -> None:
    found = Found()
    for seed in range(task * PAIRS // TASKS, (task + 1) * PAIRS // TASKS):
        assert campaign.difference(seed, 40, found) == ""
    if PAIRS < 50 * TASKS:
        return  # too few to tell how often which answer is given
    assert found.answers[Answer.YES] > PAIRS // TASKS // 4
    assert found.answers[Answer.NO] > PAIRS // TASKS // 4
    assert found.answers[Answer.UNKNOWN] < PAIRS // TASKS // 5  # variables in any case are often not told


NO_MORE = {
    "variables": (allow("s3:*", "arn:aws:s3:::data/home/${aws:username}*"), allow("s3:*", "arn:aws:s3:::data/home/${aws:username}/*")),
    "addresses": (
        allow(condition={"IpAddress": {"aws:SourceIp": ["10.0.0.0/9", "10.128.0.0/9"]}}),
        allow("s3:*", condition={"IpAddress": {"aws:SourceIp": "10.0.0.0/8"}}),
    ),
    "sets": (
        allow(condition={"ForAllValues:StringLike": {"aws:TagKeys": ["a*", "b*"]}}),
        allow(condition={"ForAllValues:StringEquals": {"aws:TagKeys": ["alice", "bob"]}}),
    ),
    "principals": (
        to({"AWS": "111122223333"}, "s3:*", "*"),
        to("*", "s3:Get*", "*", condition={"ArnLike": {"aws:PrincipalArn": "arn:aws:iam::111122223333:role/*"}}),
    ),
}


@pytest.mark.parametrize("name", NO_MORE)
def test_no_more_holds_against_many_requests(name: str) -> None:
    old, new = NO_MORE[name]
    kind = PolicyType.RESOURCE if "Principal" in old else PolicyType.IDENTITY
    made = pairs.Pair(policy(old), policy(new), kind, generator.scene(random.Random(1)))
    assert new_access(made.existing, made.new, kind, milliseconds=20_000).answer is Answer.NO
    requests = pairs.Universe(made, 1).requests(REQUESTS)
    asked = requests[:5_000]
    granted = sum(pairs.grants_more(pairs.Pair(policy(_nothing(kind)), made.new, kind, made.scene), request) for request in asked)
    assert granted > 0 or len(asked) < 5_000  # what is sampled is not beside the point
    assert not any(pairs.grants_more(made, request) for request in requests)


def _nothing(kind: PolicyType) -> dict[str, object]:
    return {**deny("a:b"), "Principal": "*"} if kind is PolicyType.RESOURCE else allow("a:b", "arn:aws:s3:::nothing")


TOLD = (
    1, 3, 5, 6, 11, 13, 15, 25, 27, 29, 30, 34, 42, 46, 48, 49, 52, 53, 62, 64, 68, 72, 73, 75, 78, 79, 81, 97, 99, 100, 106, 108, 110, 111,
    118,
)  # fmt: skip
"""The seeds below 120 of which z3's theory of strings tells; it is quick with them, and of the others it does not know after a second."""


def test_a_solver_of_strings_says_the_same() -> None:
    """z3's own theory of strings, asked with the same formulas, one InRe for each variable and disjunct."""
    known = 0
    for seed in TOLD:
        made = pairs.pair(seed)
        verdict = new_access(made.existing, made.new, made.kind, milliseconds=20_000)
        other = strings.by_z3(strings.of_pair(made), 1000)
        if other in ("sat", "unsat") and verdict.answer is not Answer.UNKNOWN:
            known += 1
            assert (other == "sat") is (verdict.answer is Answer.YES), seed
    assert known > len(TOLD) // 2


def test_the_universe_sees_what_is_granted_anew() -> None:
    """A verdict that were always no would not get past it."""
    seen = asked = 0
    for seed in range(60):
        made = campaign.drawn(seed)
        if new_access(made.existing, made.new, made.kind, milliseconds=20_000).answer is Answer.YES:
            asked += 1
            seen += any(pairs.grants_more(made, request) for request in campaign.universe(made, seed, 100))
    assert asked > 15
    assert seen > asked // 2


def test_strangers_see_what_is_public() -> None:
    seen = 0
    for seed in range(40):
        text = strangers.document(seed)
        if public(text, milliseconds=20_000).answer is Answer.YES:
            program = questions.read(text, PolicyType.RESOURCE)
            seen += any(witnesses.is_granted(program, request, of_resource=True) for request in strangers.requests(text))
    assert seen >= 15
    assert [found for seed in range(60) if (found := strangers.difference(seed))] == []


def test_a_fault_in_a_policy_shows() -> None:
    trust = assumed({"AWS": "arn:aws:iam::111122223333:role/app"})
    made = pairs.Pair(policy(trust), policy(assumed("*")), PolicyType.RESOURCE, pairs.pair(1).scene)
    verdict = new_access(made.existing, made.new, made.kind, milliseconds=20_000)
    assert verdict.witness is not None
    assert pairs.oracle_says_more(made, verdict.witness)
    assert not pairs.oracle_says_more(pairs.Pair(made.new, made.existing, made.kind, made.scene), verdict.witness)
