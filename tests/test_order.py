"""The order of test files, and the folder where tests write."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests import order, scratch


def test_files_that_come_first_are_there() -> None:
    assert [name for name in order.LONGEST if not (order.TESTS / name).is_file()] == []
    assert len(set(order.LONGEST)) == len(order.LONGEST)


def test_long_files_are_collected_first_whole_and_in_their_order(tmp_path: Path) -> None:
    asked = ["tests/test_order.py", "tests/policy/test_adversaries.py", "tests/memory/test_new_enemy.py"]
    command = [sys.executable, "-m", "pytest", "--collect-only", "-q", "-p", "no:cacheprovider", f"--basetemp={tmp_path / 'base'}", *asked]
    done = subprocess.run(command, cwd=order.TESTS.parent, capture_output=True, text=True, check=True)
    files = [line.partition("::")[0] for line in done.stdout.splitlines() if "::" in line]
    assert list(dict.fromkeys(files)) == ["tests/memory/test_new_enemy.py", "tests/policy/test_adversaries.py", "tests/test_order.py"]
    assert files == sorted(files, key=list(dict.fromkeys(files)).index)


@pytest.mark.parametrize(("free", "expected"), [("MemAvailable: 4194304 kB\n", True), ("MemAvailable: 4194303 kB\n", False), ("", False)])
def test_tests_write_to_memory_where_there_is_room(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, free: str, expected: bool) -> None:
    (tmp_path / "meminfo").write_text(free)
    monkeypatch.setattr(os, "statvfs", lambda _: Room())
    assert scratch.in_memory(tmp_path, tmp_path / "meminfo") is expected


class Room:
    """A folder with more room than is wanted, on which programs run."""

    f_bavail, f_frsize, f_flag = 1 << 30, 4096, 0


def test_a_machine_without_such_a_folder_has_none(tmp_path: Path) -> None:
    assert not scratch.in_memory(tmp_path / "none")
