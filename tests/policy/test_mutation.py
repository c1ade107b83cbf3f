"""The campaign of faults: where faults are made, which tests are asked, and that the list of explained faults is about this code."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.policy import faulty, mutants, mutation, mutation_processes


def test_every_explained_fault_is_one_that_could_be_made() -> None:
    """A row whose line was rewritten explains nothing any more."""
    known = mutation.explained()
    paths = {faulty.PACKAGE / name if (faulty.PACKAGE / name).is_file() else faulty.PACKAGE / "policy" / name for name, _, _ in known}
    assert known - {row for path in paths for row, _ in mutation.rows(path)} == set()


def test_a_sample_is_the_same_for_the_same_seed_and_leaves_out_what_is_explained() -> None:
    first = mutation.chosen(3, 20)
    assert [str(fault) for fault in first] == [str(fault) for fault in mutation.chosen(3, 20)]
    assert {row for fault in first for row, made in mutation.rows(fault.path) if made == fault} & mutation.explained() == set()


def test_faults_of_any_folder_or_module_of_the_package() -> None:
    assert {path.name for path in mutation.files("sigv4")} >= {"algorithm.py", "requests.py"}
    assert mutation.files("arn.py") == [faulty.PACKAGE / "arn.py"]
    assert [path.name for path in mutation.files("sigv4", ["bearer"])] == ["bearer.py"]
    name, text, _ = next(row for row, _ in mutation.rows(faulty.PACKAGE / "sigv4/bearer.py"))
    assert (name, bool(text)) == ("sigv4/bearer.py", True)
    with pytest.raises(LookupError):
        mutation.files("nowhere")


def test_a_modules_own_tests_are_asked_before_those_of_its_package() -> None:
    path = faulty.PACKAGE / "sigv4/requests.py"
    assert mutation_processes.stages("sigv4", path) == [("own", ["tests/sigv4/test_requests.py"]), ("package", ["tests/sigv4"])]
    assert mutation_processes.stages("sigv4", faulty.PACKAGE / "sigv4/errors.py") == [("package", ["tests/sigv4"])]
    assert mutation_processes.tests_of("arn.py") == ["tests/test_arn.py"]
    with pytest.raises(LookupError, match="no tests are known for `nowhere`"):
        mutation_processes.tests_of("nowhere")


def test_every_process_makes_the_fault(tmp_path: Path) -> None:
    """Also one that the process starts: the fault travels in its environment."""
    source = (faulty.PACKAGE / "arn.py").read_text()
    site = next(site for site in mutants.sites(source) if site.operator == "text changed" and '"aws"' in source.splitlines()[site.line - 1])
    say = "from sekisho import arn; print(arn.PARTITION)"
    nested = f"import subprocess, sys; subprocess.run([sys.executable, '-c', {say!r}], check=True)"
    for module, index, expected in (("sekisho.arn", site.index, "aws~"), ("", 0, "aws")):
        for program in (say, nested):
            environment = faulty.environment(tmp_path, module, index)
            done = subprocess.run([sys.executable, "-c", program], env=environment, cwd=os.sep, capture_output=True, text=True, check=True)
            assert done.stdout == f"{expected}\n"


def test_names_of_modules() -> None:
    assert faulty.dotted(faulty.PACKAGE / "policy/decide.py") == "sekisho.policy.decide"
    assert faulty.dotted(faulty.PACKAGE / "sigv4/__init__.py") == "sekisho.sigv4"
