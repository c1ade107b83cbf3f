"""The worlds of tests/corpus, before the evaluator and before the oracle."""

from collections import Counter
from typing import Any

import pytest

from tests.policy import bridge, corpus, oracle

CASES = corpus.load()
RULES = range(1, 22)  # of the list of rules, those that one decision can show


@pytest.mark.parametrize("name", CASES)
def test_evaluator(name: str) -> None:
    """The evaluator decides as documented, and says so without an error."""
    case = CASES[name]
    reply = bridge.reply(case)
    assert (reply.outcome, reply.error) == (case["expected"], ""), case["reason"]


@pytest.mark.parametrize("name", CASES)
def test_oracle(name: str) -> None:
    """The oracle decides as documented."""
    case = CASES[name]
    assert oracle.decide(case).outcome == case["expected"], case["reason"]


def test_every_rule_has_cases() -> None:
    """No rule that a decision can show is without a case, and every case says why and where AWS says it."""
    assert set(Counter(case["rule"] for case in CASES.values())) == set(RULES)
    assert all(case["reason"] and case["source"].startswith("https://docs.aws.amazon.com/") for case in CASES.values())


def test_every_case_can_fail() -> None:
    """Each outcome is wanted often enough that an evaluator with one answer fails dozens of cases."""
    wanted = Counter[Any](case["expected"] for case in CASES.values())
    assert wanted["Allowed"] > 100
    assert wanted["ImplicitlyDenied"] > 100
    assert wanted["ExplicitlyDenied"] > 30
