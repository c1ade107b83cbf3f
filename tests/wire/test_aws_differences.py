"""The page of deliberate differences says what is so: its rows are held by tests, and nothing that differs on purpose is missing."""

import ast
import re
from pathlib import Path

import pytest

from tests.wire.test_parity import REASONS

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "aws-differences.md").read_text()
ROWS = [
    [cell.strip() for cell in line.strip("|").split(" | ")] for line in PAGE.splitlines() if line.startswith("| ") and "---" not in line
]
HELD = [row for row in ROWS if row[-1].startswith("`tests/")]
OF_MEMBERS = [row for row in ROWS if re.fullmatch(r"`\w+\.[\w.\[\]]+`", row[0])]
HEADS = [row for row in ROWS if row[0] in ("Here", "Member")]


def test_every_row_has_a_reason_and_what_holds_it() -> None:
    assert len(HELD) > 20
    assert len(HELD) + len(OF_MEMBERS) + len(HEADS) == len(ROWS)
    assert all(len(row) == 3 and all(row) for row in ROWS)


@pytest.mark.parametrize("row", HELD, ids=lambda row: row[-1].partition("::")[2].strip("`"))
def test_what_holds_a_row_is_a_test(row: list[str]) -> None:
    file, _, name = row[-1].strip("`").partition("::")
    functions = [node.name for node in ast.walk(ast.parse((ROOT / file).read_text())) if isinstance(node, ast.FunctionDef)]
    assert name in functions


def test_the_members_are_those_that_differ_from_the_models() -> None:
    named = [row[0].strip("`") for row in OF_MEMBERS]
    assert sorted(named) == sorted({reason[0] for reason in REASONS})


def test_what_is_not_supported_is_on_the_page() -> None:
    """Sentences such as `MaxSigninSessionDuration is not supported` in the services."""
    found: set[str] = set()
    for file in (ROOT / "service" / "sekisho" / "services").rglob("*.py"):
        for sentence in re.findall(r'"([^"]*) (?:is|are) not supported', file.read_text()):
            found |= set(re.findall(r"\b[A-Z][a-z]+[A-Z]\w+", sentence))
    assert found >= {"MaxSigninSessionDuration", "ResourceHandlingOption", "MinimumSessionTokenSize"}
    assert {name for name in found if f"`{name}`" not in PAGE} == set()
