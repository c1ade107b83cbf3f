"""The campaign of faults: where faults are made, which tests are asked, and that the list of explained faults is about this code."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.mutation import catalog, faulty, forks, mutants, processes, touched
from tests.mutation.faulty import ROOT
from tests.mutation.touched import SHARED, Touched


def test_every_explained_fault_is_one_that_could_be_made() -> None:
    """A row whose line was rewritten explains nothing any more."""
    known = catalog.explained()
    paths = {faulty.PACKAGE / name if (faulty.PACKAGE / name).is_file() else faulty.PACKAGE / "policy" / name for name, _, _ in known}
    assert known - {row for path in paths for row, _ in catalog.rows(path)} == set()


def test_a_sample_is_the_same_for_the_same_seed_and_leaves_out_what_is_explained() -> None:
    first = catalog.chosen(3, 20)
    assert [str(fault) for fault in first] == [str(fault) for fault in catalog.chosen(3, 20)]
    assert {row for fault in first for row, made in catalog.rows(fault.path) if made == fault} & catalog.explained() == set()


def test_faults_of_any_folder_or_module_of_the_package() -> None:
    assert {path.name for path in catalog.files("sigv4")} >= {"algorithm.py", "requests.py"}
    assert catalog.files("arn.py") == [faulty.PACKAGE / "arn.py"]
    assert [path.name for path in catalog.files("sigv4", ["bearer"])] == ["bearer.py"]
    name, text, _ = next(row for row, _ in catalog.rows(faulty.PACKAGE / "sigv4/bearer.py"))
    assert (name, bool(text)) == ("sigv4/bearer.py", True)
    with pytest.raises(LookupError):
        catalog.files("nowhere")


def test_a_fault_is_shown_to_tests_that_reach_it_those_of_its_module_first() -> None:
    fault = next(made for _, made in catalog.rows(faulty.PACKAGE / "sigv4/requests.py") if made.site.operator == "return dropped")
    folder, line = ROOT / "tests/sigv4", 1 << fault.site.line

    def reached(lines: dict[str, int], imported: int = 0) -> Touched:
        seen = {"sigv4/requests.py": lines, "sigv4/errors.py": {"c": line}}
        return Touched({"a": 3.0, "b": 1.0, "c": 1.0}, seen, {"sigv4/requests.py": imported})

    known = {
        folder / "test_calls.py": reached({"a": line, "b": line << 1}),
        folder / "test_bearer.py": reached({"b": line | 1}),
        folder / "test_requests.py": reached({f"tests/sigv4/test_requests.py{SHARED}": line}),
    }
    files = ["tests/sigv4/test_requests.py", "tests/sigv4/test_bearer.py", "tests/sigv4/test_calls.py"]
    assert processes.chosen(known, fault) == (files, {"a", "b", "c"}, 3.0)  # all of a file whose fixture reaches it
    known = {folder / "test_calls.py": reached({"a": line << 1}), folder / "test_bearer.py": reached({})}
    assert processes.chosen(known, fault) == (["tests/sigv4/test_calls.py"], {"a"}, 3.0)  # nobody runs it here
    known = {folder / "test_calls.py": reached({"a": line, "b": line << 1}, imported=line)}
    assert processes.chosen(known, fault) == (["tests/sigv4/test_calls.py"], {"a", "b", "c"}, 3.0)  # an import runs it
    whole = next(made for _, made in catalog.rows(faulty.PACKAGE / "sigv4/requests.py") if made.site.line == _line_of_import())
    known = {folder / "test_calls.py": reached({"a": 1 << whole.site.line, "b": line})}
    assert processes.chosen(known, whole) == (
        ["tests/sigv4/test_calls.py"],
        {"a", "b", "c"},
        3.0,
    )  # an import runs it, within a test
    known = {folder / "test_bearer.py": reached({})}
    assert processes.chosen(known, fault) == (["tests/sigv4/test_bearer.py"], {"a", "b", "c"}, 3.0)  # or another process


def _line_of_import() -> int:
    """The first line of a module that is in no function and in which a fault can be made."""
    source = (faulty.PACKAGE / "sigv4/requests.py").read_text()
    return next(site.line for site in mutants.sites(source) if not processes.is_in_function(source, site.line))


def test_lines_of_a_statement() -> None:
    source = "def f(\n    a,\n):\n    try:\n        g(\n            a,\n        )\n    except E:\n        h()\n"
    assert [bin(processes.lines_of(source, line)) for line in (2, 6, 8, 9)] == [
        bin(0b1110), bin(0b11100000), bin(1 << 8), bin(1 << 9),
    ]  # fmt: skip


def test_what_tests_reach_is_recorded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    test = "tests/test_arn.py::test_what_names_no_entity"
    options = ["-q", "-n", "0", "-p", "tests.mutation.touched", "-p", "no:cacheprovider", f"--basetemp={tmp_path / 'base'}"]
    subprocess.run(
        [sys.executable, "-m", "pytest", *options, "tests/test_arn.py", "-k", test.rpartition(":")[2]],
        cwd=ROOT, env={**os.environ, "TESTS_TOUCHED": str(tmp_path)}, check=True, capture_output=True,
    )  # fmt: skip
    monkeypatch.setattr(touched, "FOLDER", tmp_path)
    found = touched.load(ROOT / "tests/test_arn.py")
    assert found is not None
    assert set(found.lines) == {"arn.py"}
    assert found.seconds.keys() == found.reaching("arn.py", -1) == set(found.lines["arn.py"])
    assert found.imported["arn.py"]
    assert found.reaching("arn.py", 1) == found.reaching("errors.py", -1) == set()
    assert touched.load(ROOT / "tests/test_order.py") is None
    monkeypatch.setattr(touched, "product", lambda: "another")
    assert touched.load(ROOT / "tests/test_arn.py") is None
    assert touched.load(ROOT / "tests/test_arn.py", stale=True) == found
    monkeypatch.setattr(touched, "key", lambda tests: "another")
    assert touched.load(ROOT / "tests/test_arn.py", stale=True) is None


def test_tests_of_a_package() -> None:
    assert processes.tests_of("arn.py") == ["tests/test_arn.py"]
    assert {path.name for path in processes.files_of("calls")} >= {"test_audit.py", "test_toy.py", "test_users.py"}
    with pytest.raises(LookupError, match="no tests are known for `nowhere`"):
        processes.tests_of("nowhere")


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


def test_code_of_the_functions_that_a_fault_changes() -> None:
    """What stands in the module or in a class itself is made by an import: no function's code says it."""
    path = faulty.PACKAGE / "calls/rests.py"
    found = {
        (fault.site.line, fault.site.operator): forks.changed(fault) for _, fault in catalog.rows(path) if "#" not in fault.site.operator
    }
    source = path.read_text()
    for (line, _), codes in found.items():
        assert bool(codes) <= processes.is_in_function(source, line)
    assert any(codes for codes in found.values())
    assert not all(codes for codes in found.values())
    (place, code), *others = next(codes for (_, operator), codes in found.items() if codes and operator == "returns None").items()
    assert (place, others) == ((code.co_qualname, code.co_firstlineno), [])


def test_the_quickest_tests_those_of_the_module_first() -> None:
    fault = next(made for _, made in catalog.rows(faulty.PACKAGE / "sigv4/requests.py") if made.site.operator == "return dropped")
    line = 1 << fault.site.line
    calls, requests = ({"sigv4/requests.py": dict.fromkeys(tests, line)} for tests in (("c::1", "c::2", "c::3"), ("r::1",)))
    known = {
        ROOT / "tests/sigv4/test_calls.py": Touched({"c::1": 0.5, "c::2": 9.0, "c::3": 0.1}, calls, {}),
        ROOT / "tests/sigv4/test_requests.py": Touched({"r::1": 3.0, "r::2": 1.0}, requests, {}),
    }
    assert forks.quickest(known, fault, 4.0) == (["r::1", "c::3", "c::1"], 3.6)
    assert forks.quickest(known, fault, 1.0) == (["r::1"], 3.0)  # one at the least


@pytest.mark.usefixtures("postgres_server")
def test_faults_are_noticed_in_forks(tmp_path: Path, run_folder: Path) -> None:
    """Some that the tests of a module notice, and some in lines that no test of that module reaches."""
    environment = {"TESTS_POSTGRES": str(run_folder / "postgres"), **os.environ, "TESTS_TOUCHED": str(tmp_path)}
    command = [sys.executable, "-m", "tests.mutation.forks", "--package", "arn.py", "--count", "12", "--seed", "3"]
    command += ["--processes", "1"]
    said = subprocess.run(command, cwd=ROOT, env=environment, check=True, capture_output=True, text=True).stdout
    survived = [line for line in said.splitlines() if line.startswith("survived: arn.py:")]
    assert f"{12 - len(survived)} of 12 noticed" in said
    assert 0 < len(survived) < 12
    assert "broken" not in said
