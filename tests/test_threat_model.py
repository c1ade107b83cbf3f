"""The threat model names tests that exist: a defence whose test was renamed or deleted would look held."""

import ast
import re
from pathlib import Path

ROOT = Path(__file__).parents[1]
NAMED = re.compile(r"`(tests/[\w/]+\.py)::(\w+)`")


def test_every_test_that_is_named_exists() -> None:
    named = NAMED.findall((ROOT / "docs/threat-model.md").read_text())
    assert len(named) > 60
    assert [f"{file}::{name}" for file, name in named if name not in _functions(ROOT / file)] == []


def test_every_class_has_a_test() -> None:
    text = (ROOT / "docs/threat-model.md").read_text().partition("## Classes of faults")[2].partition("\n## ")[0]
    classes = text.split("\n### ")[1:]
    assert len(classes) > 10
    assert [one.partition("\n")[0] for one in classes if not NAMED.search(one)] == []


def _functions(file: Path) -> set[str]:
    if not file.exists():
        return set()
    return {node.name for node in ast.parse(file.read_text()).body if isinstance(node, ast.FunctionDef)}
