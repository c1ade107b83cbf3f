"""One question has one answer, whichever door it comes through: seeded worlds."""

import os
from collections import Counter
from pathlib import Path

import pytest

from sekisho import policy
from tests.world import cases, doors

WORLDS = int(os.environ.get("DOORS", "250"))
"""`make campaign` has 2,000."""
PART = 250


@pytest.mark.parametrize("first", range(0, WORLDS, PART))
def test_all_doors_give_one_answer(first: int, tmp_path: Path) -> None:
    outcomes: Counter[str] = Counter()
    asked: Counter[str] = Counter()
    for seed in range(first, first + PART):
        case = cases.case(seed)
        answer = doors.authorize(case)
        others = {
            "permission": doors.own_permission(case),
            "simulator": doors.simulate(case),
            "policy test": doors.policy_test(case, tmp_path),
        }
        assert {door: other for door, other in others.items() if other not in (None, answer)} == {}, (seed, answer)
        outcomes[answer[0]] += 1
        asked.update(door for door, other in others.items() if other is not None)
    # Every door is asked, and every outcome comes up, often enough that a difference would show.
    assert all(outcomes[outcome.value] >= 15 for outcome in policy.Outcome), outcomes
    assert all(asked[door] >= 50 for door in others), asked
