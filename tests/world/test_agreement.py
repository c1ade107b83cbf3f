"""One question has one answer, whichever door it comes through: 2,000 seeded worlds."""

from collections import Counter
from pathlib import Path

import pytest

from sekisho import policy
from tests.world import cases, doors

WORLDS = 2_000
PARTS = 8


@pytest.mark.parametrize("part", range(PARTS))
def test_all_doors_give_one_answer(part: int, tmp_path: Path) -> None:
    outcomes: Counter[str] = Counter()
    asked: Counter[str] = Counter()
    for seed in range(part, WORLDS, PARTS):
        case = cases.case(seed)
        answer = doors.authorize(case)
        others = {
            "permission": doors.own_permission(case),
            "simulator": doors.simulated(case),
            "policy test": doors.policy_test(case, tmp_path),
        }
        assert {door: other for door, other in others.items() if other not in (None, answer)} == {}, (seed, answer)
        outcomes[answer[0]] += 1
        asked.update(door for door, other in others.items() if other is not None)
    # Every door is asked, and every outcome comes up, often enough that a difference would show.
    assert all(outcomes[outcome.value] >= 15 for outcome in policy.Outcome), outcomes
    assert all(asked[door] >= 50 for door in others), asked
