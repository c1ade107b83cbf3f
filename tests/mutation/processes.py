"""Faults in the other packages, noticed by real runs of pytest, each in a process of its own: slow, so that only samples are taken.

Each fault is shown to the tests that reach its lines (`touched`): those of the file that is named after the module first, then file by
file, the quickest first, until one fails. A fault in what an import runs is shown to all tests of the package, and so is one that no test
reaches in its own process. Where a package's tests do not stand in its mirror, or not all of them, the table
says where. The processes are forked from this one, which has imported the libraries, but nothing of the product.
"""

import ast
import contextlib
import importlib
import multiprocessing
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import pytest

from tests.mutation import faulty, touched
from tests.mutation.faulty import PACKAGE, ROOT
from tests.mutation.mutants import Mutant

PATIENCE, TIMES = 240.0, 20.0
"""Seconds that one test may take, and how many times as long as the longest took when it was recorded: a busy machine is no fault."""
LIBRARIES = (
    "alembic.command", "alembic.migration", "argon2", "boto3", "botocore.session", "cryptography.x509", "google.protobuf.descriptor_pb2",
    "google.rpc.status_pb2", "grpc", "hypothesis", "jwt", "lxml.etree", "opentelemetry.sdk.metrics", "prometheus_client", "psycopg",
    "sqlalchemy.orm", "sqlglot", "starlette.applications", "structlog", "typer", "uvicorn", "yaml",
)  # fmt: skip
"""Imported before the processes are forked, where they are there."""

# Of a folder of the package: its tests, relative to tests/; without a row it is the mirror alone.
TESTS: Mapping[str, tuple[str, ...]] = {
    "calls": (
        "calls",
        "edges/grpc/test_mutual_tls.py",
        "node/test_tls_details.py",
        "operations/test_toy.py",
        "services/authorize",
        "services/sts",
        "services/iam/test_users.py",
        "services/tagging/test_tagging.py",
        "journal/test_spool_folds.py",
        "services/catalog/test_service_definitions.py",
        "services/iam/test_policies.py",
        "services/iam/test_tags.py",
        "services/insight/test_observed_policies.py",
        "services/organizations/test_root_access.py",
        "services/organizations/test_tag_policies.py",
        "services/resource",
        "wire/test_attacks.py",
    ),
    "filters": ("filters", "client/plans/test_rows.py"),
    "journal": (
        "journal",
        "calls/test_replays.py",
        "node/test_drain.py",
        "services/analyzer",
        "services/cloudtrail",
        "services/insight",
    ),
    "memory": (
        "memory",
        "calls",
        "client/local/test_snapshots.py",
        "deploy/test_observing.py",
        "node/test_insiders.py",
        "services/authorize",
        "services/organizations/test_memory.py",
    ),
    "operations": ("operations", "calls"),
    "store": ("store", "memory", "calls"),
    "world": ("world", "services/authorize"),
    "edges": ("edges", "deploy/test_observing.py", "operations/test_toy.py", "wire"),
    "edges/aws": ("edges/aws", "wire", "operations/test_toy.py"),
    "node": ("node", "faults"),
    "services/iam": ("services/iam", "services/organizations/test_access_reports.py", "services/sts/test_backing_off.py"),
    "services/sts": ("services/sts", "services/organizations/test_root_access.py"),
}


@dataclass(slots=True)
class _Running:
    mutant: Mutant
    folder: tempfile.TemporaryDirectory[str]
    process: Any
    patience: float
    until: float
    size: int = 0

    def is_late(self) -> bool:
        """Whether no test has ended for too long: one that hangs is a fault that is noticed, and nobody waits for it as long as for all."""
        with contextlib.suppress(FileNotFoundError):
            size = (Path(self.folder.name) / "said").stat().st_size
            if size != self.size:
                self.size, self.until = size, time.monotonic() + self.patience
        return time.monotonic() > self.until


class Only:
    """Leaves these tests, by node id, or all: file by file, in this order of files."""

    def __init__(self, files: Sequence[str], tests: Collection[str] | None) -> None:
        self._places, self._tests = {file: place for place, file in enumerate(files)}, tests

    @pytest.hookimpl(trylast=True)
    def pytest_collection_modifyitems(self, items: list[pytest.Item]) -> None:
        if self._tests is not None:
            items[:] = [item for item in items if item.nodeid in self._tests]
        items.sort(key=lambda item: self._places.get(item.nodeid.partition("::")[0], 0))


def tests_of(package: str) -> list[str]:
    """The tests of a folder or module of the package, relative to the root of the checkout."""
    named = TESTS.get(package, (package,) if not package.endswith(".py") else (f"test_{Path(package).name}",))
    found = [f"tests/{name}" for name in named if (ROOT / "tests" / name).exists()]
    if not found:
        raise LookupError(f"no tests are known for `{package}`: give it a row in {Path(__file__).name}")
    return found


def files_of(package: str) -> list[Path]:
    """The files of these tests."""
    places = [ROOT / name for name in tests_of(package)]
    return [file for place in places for file in ([place] if place.is_file() else sorted(place.rglob("test_*.py")))]


def record(package: str, processes: int, shared: Path, *, stale: bool = False) -> bool:
    """Record what the tests of a package reach, as far as that is not known; False when they fail. `shared` is PostgreSQL's folder, `stale`
    takes what was recorded of another state of the product.
    """
    missing = [str(file) for file in files_of(package) if touched.load(file, stale=stale) is None]
    options = ["-q", "-p", "tests.mutation.touched", "-p", "no:cacheprovider", "-n", "0"]
    running = [
        subprocess.Popen(
            [sys.executable, "-m", "pytest", *options, *share],
            cwd=ROOT,
            env={**os.environ, "TESTS_POSTGRES": str(shared)},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
        )
        for share in (missing[number::processes] for number in range(processes))
        if share
    ]
    said = [process.communicate()[0].decode() for process in running]
    for process, text in zip(running, said, strict=True):
        if process.returncode:
            sys.stdout.write(text[-3000:])
    return not any(process.returncode for process in running)


@lru_cache(maxsize=64)
def _tree(source: str) -> ast.Module:
    return ast.parse(source)


def lines_of(source: str, line: int) -> int:
    """The lines of the statement that a line belongs to, without the statements within it: a bit for each."""
    best: tuple[int, int] | None = None
    for node in ast.walk(_tree(source)):
        if isinstance(node, (ast.stmt, ast.excepthandler, ast.match_case)) and not isinstance(node, ast.Try):
            first = node.pattern.lineno if isinstance(node, ast.match_case) else node.lineno
            body = getattr(node, "body", None)
            last: int = max(first, body[0].lineno - 1) if body else getattr(node, "end_lineno", first)
            if first <= line <= last and (best is None or last - first <= best[1] - best[0]):
                best = (first, last)
    best = best or (line, line)
    return sum(1 << number for number in range(best[0], best[1] + 1))


def is_in_function(source: str, line: int) -> bool:
    """Whether a line stands in the body of a function, not in what an import runs."""
    made = (node for node in ast.walk(_tree(source)) if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)))
    return any(node.body[0].lineno <= line <= (node.end_lineno or node.lineno) for node in made)


def chosen(known: Mapping[Path, touched.Touched], fault: Mutant) -> tuple[list[str], set[str], float]:
    """The files of tests that a fault is shown to, in their order, the tests, and the seconds that the longest of them took."""
    file, source = fault.path.relative_to(PACKAGE).as_posix(), fault.path.read_text()
    lines = lines_of(source, fault.site.line)
    imported = not is_in_function(source, fault.site.line) or any(one.imported.get(file, 0) & lines for one in known.values())
    found = {path: one.reaching(file, lines) for path, one in known.items()}
    if not any(found.values()):  # another process runs it
        found = {path: one.reaching(file, -1) for path, one in known.items()}
    if imported or not any(found.values()):  # what an import makes, tests read that run nothing of the module
        found = {path: set(one.seconds) for path, one in known.items()}
    seconds = {path: sum(known[path].seconds[test] for test in tests) for path, tests in found.items() if tests}
    order = sorted(seconds, key=lambda path: (path.name != f"test_{fault.path.stem}.py", seconds[path]))
    names = [path.relative_to(ROOT).as_posix() for path in order]
    longest = max((known[path].seconds[test] for path, tests in found.items() for test in tests), default=0.0)
    return names, set().union(*found.values()), longest


def run(package: str, faults: Sequence[Mutant], processes: int, shared: Path) -> Iterator[tuple[Mutant, str]]:
    """Each fault and which file of tests noticed it, as they are done; abandoned by the caller, it ends what it started."""
    known = {file: found for file in files_of(package) if (found := touched.load(file)) is not None}
    assert known.keys() == set(files_of(package)), "what the tests reach is to be recorded first"
    for library in LIBRARIES:
        with contextlib.suppress(ImportError):
            importlib.import_module(library)
    assert not [name for name in sys.modules if name.startswith("sekisho")], "the product must be imported after a fault was made"
    waiting, running = list(reversed(faults)), list[_Running]()
    try:
        while waiting or running:
            while waiting and len(running) < processes:
                running.append(_begun(waiting.pop(), known, shared))
            time.sleep(0.1)
            for one in list(running):
                code = one.process.exitcode
                if code is None and not one.is_late():
                    continue
                noticed = _ended(one)
                running.remove(one)
                yield one.mutant, "time" if code is None else noticed if code else ""
    finally:
        for one in running:
            _ended(one)


def _begun(fault: Mutant, known: Mapping[Path, touched.Touched], shared: Path) -> _Running:
    folder = tempfile.TemporaryDirectory(prefix="sekisho-fault-")
    files, tests, longest = chosen(known, fault)
    patience = PATIENCE + TIMES * longest
    process = multiprocessing.get_context("fork").Process(target=_child, args=(fault, files, tests, Path(folder.name), shared))
    process.start()
    return _Running(fault, folder, process, patience, time.monotonic() + patience)


def _child(fault: Mutant, files: Sequence[str], tests: Collection[str], folder: Path, shared: Path) -> None:
    """Exit with pytest's code, 0 when all tests pass; what it says stays in the folder."""
    os.setsid()
    said = os.open(folder / "said", os.O_WRONLY | os.O_CREAT)
    os.dup2(said, 1)
    os.dup2(said, 2)
    os.chdir(ROOT)
    module = faulty.dotted(fault.path)
    os.environ.update(faulty.environment(folder, module, fault.site.index), TESTS_POSTGRES=str(shared))
    faulty.make(module, fault.site.index)
    options = ["-x", "-q", "--tb=no", "-p", "no:cacheprovider", f"--rootdir={ROOT}", f"--basetemp={folder / 'base'}"]
    os._exit(pytest.main([*options, *files], plugins=[Only(files, tests)]))


def _ended(one: _Running) -> str:
    """End a run and all that it started, by force where it still goes on, and take away what it left; the file that noticed."""
    with contextlib.suppress(ProcessLookupError):
        os.killpg(one.process.pid, signal.SIGKILL)
    one.process.join()
    said = (Path(one.folder.name) / "said").read_text(errors="replace")
    one.folder.cleanup()
    failed = [line.split()[1].partition("::")[0] for line in said.splitlines() if line.startswith(("FAILED ", "ERROR "))]
    return failed[0].rpartition("/")[2] if failed else "import"
