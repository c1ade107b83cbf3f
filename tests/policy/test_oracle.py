"""The oracle itself, held to the documented rules, each of which AWS's documentation states."""

import json
from pathlib import Path
from typing import Any

import pytest

from tests.policy import oracle

CASES = [json.loads(line) for line in (Path(__file__).parent / "documented-rules.jsonl").read_text().splitlines()]


@pytest.mark.parametrize("case", CASES, ids=lambda case: f"{case['id'][5:]} {case['notes']}")
def test_documented_rule(case: dict[str, Any]) -> None:
    """The oracle gives the documented outcome."""
    assert oracle.decide(case).outcome == case["expected"]


def test_all_documented_rules_are_here() -> None:
    """The file is whole."""
    assert len(CASES) == 165
