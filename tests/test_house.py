"""What keeps the house in its shape: no file grows without end, and nobody imports from above."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
WRITTEN = ("service", "tests", "migrations", "bench", "docs", "proto")
MOST = 400


def handwritten() -> list[Path]:
    """Every Python file that people write; what is generated says so in git's list of what it ignores."""
    generated = ROOT / "service" / "sekisho" / "api"
    found = [path for folder in WRITTEN for path in (ROOT / folder).rglob("*.py") if generated not in path.parents]
    return sorted([*found, *ROOT.glob("*.py")])


def test_no_file_is_longer_than_400_lines() -> None:
    files = handwritten()
    assert len(files) > 100
    long = {str(path.relative_to(ROOT)): lines for path in files if (lines := path.read_text().count("\n")) > MOST}
    assert long == {}


def test_a_module_imports_only_from_below() -> None:
    program = shutil.which("lint-imports", path=str(Path(sys.executable).parent))
    assert program is not None
    answer = subprocess.run([program, "--no-cache"], cwd=ROOT, capture_output=True, text=True, check=False)
    assert answer.returncode == 0, answer.stdout


@pytest.mark.parametrize("name", ["helpers", "utils", "util", "common", "misc", "manager"])
def test_modules_are_nouns_of_the_domain(name: str) -> None:
    assert [path for path in handwritten() if path.stem == name] == []
