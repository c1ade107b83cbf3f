"""The two databases in turn: no test is lost, half are on each, and what is about the database itself stays on both."""

import os
import subprocess
import sys
from pathlib import Path

from tests import order, turns


def test_one_of_two_is_left_out() -> None:
    tests = {f"tests/test_a.py::test_{number}[{kind}-x]" for number in range(200) for kind in turns.KINDS}
    left = {test for test in tests if not turns.is_left_out(test, tests)}
    assert sorted(test.partition("[")[0] for test in left) == sorted(f"tests/test_a.py::test_{number}" for number in range(200))
    assert 60 < sum("sqlite" in test for test in left) < 140


def test_what_has_no_twin_stays() -> None:
    alone = {
        "a.py::test",
        "a.py::test[x]",
        "a.py::test[sqlite]",
        "a.py::other[postgresql]",
        "a.py::all[sqlite-postgresql]",
        "a.py::my[sqlite2]",
    }
    assert not [test for test in alone if turns.is_left_out(test, alone)]


def collected(tmp_path: Path, *options: str) -> list[str]:
    command = [
        sys.executable,
        "-m",
        "pytest",
        "--collect-only",
        "-q",
        "-p",
        "no:cacheprovider",
        f"--basetemp={tmp_path / 'base'}",
        *options,
    ]
    done = subprocess.run(command, cwd=order.TESTS.parent, capture_output=True, text=True, check=True)
    return [line for line in done.stdout.splitlines() if "::" in line]


def test_the_option(tmp_path: Path) -> None:
    files = ["tests/calls/test_reads.py", "tests/store/test_db.py"]
    both, turn = collected(tmp_path, *files), collected(tmp_path, "--databases=turn", *files)
    assert len([test for test in turn if "test_db" in test]) == len([test for test in both if "test_db" in test])
    ours = [test for test in both if "test_reads" in test]
    assert any("[sqlite" in test for test in ours)
    assert len([test for test in turn if "test_reads" in test]) == len(
        {test.replace("sqlite", "*").replace("postgresql", "*") for test in ours}
    )


def test_ci_runs_a_test_on_both() -> None:
    """And `make test` passes on what it is asked for."""
    root = order.TESTS.parent
    said = (root / ".ci/run").read_text()
    assert said.index("\nexport DATABASES=both\n") < said.index("\nmake test")
    command = ["make", "--no-print-directory", "--just-print", "test"]
    environment = {name: value for name, value in os.environ.items() if name != "DATABASES" and not name.startswith("MAKE")}
    for asked, expected in (([], "--databases turn"), (["DATABASES=both"], "--databases both")):
        assert expected in subprocess.run([*command, *asked], cwd=root, env=environment, capture_output=True, text=True, check=True).stdout
