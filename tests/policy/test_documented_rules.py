"""AWS's documented rules, one case each, decided as documented."""

import json
from pathlib import Path

import pytest

from sekisho import policy
from sekisho.policy import cases

LINES = (Path(__file__).parent / "documented-rules.jsonl").read_text().splitlines()


def test_all_the_rules_are_here() -> None:
    assert len(LINES) == 165


@pytest.mark.parametrize("line", LINES, ids=[json.loads(line)["id"] for line in LINES])
def test_rule(line: str) -> None:
    expected = json.loads(line)
    case = cases.read(line)
    decision = policy.decide(case.request, case.layers)
    assert decision.error == ""
    assert cases.to_json(case, decision) == {"id": expected["id"], "decision": expected["expected"]}, expected["notes"]
