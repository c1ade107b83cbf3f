"""Which tests run which lines of the product: recorded once for each file of tests, so that a fault is shown only to tests that reach it.

As a plugin of pytest (`-p tests.mutation.touched`) it writes, for each file of tests that passed whole, a file into `FOLDER`. That holds
as long as the product, the file of tests and what stands beside it are what they were. What a fixture of wider scope than one test runs
counts for all tests of its file. Lines that only another process runs are seen by nobody here.
"""

import hashlib
import json
import os
import time
from collections.abc import Generator, Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from coverage import Coverage

from tests.mutation.faulty import PACKAGE, ROOT

FOLDER = Path(os.environ.get("TESTS_TOUCHED", ROOT / "build/touched"))
UNASKED = ("api", "policy", "cli", "client")  # parts of the package that `processes` does not show to tests so
SHARED = "::"
"""Ends the name of what all tests of a file share."""


@dataclass(frozen=True, slots=True)
class Touched:
    """What one file of tests reaches: the seconds of the clock of each test, by node id, and the lines of each file that it runs."""

    seconds: Mapping[str, float]
    lines: Mapping[str, Mapping[str, int]]  # of a file of the package, by node id: a bit for each line
    imported: Mapping[str, int]  # the same of what ran before any test did: imports, and what they call

    def reaching(self, file: str, lines: int) -> set[str]:
        """The tests that run one of these lines (bits) of a file."""
        found = {test for test, mask in self.lines.get(file, {}).items() if mask & lines}
        return set(self.seconds) if any(test.endswith(SHARED) for test in found) else found


def load(tests: Path, *, stale: bool = False) -> Touched | None:
    """What is recorded of a file of tests, None where that does not hold any more; `stale` takes what was recorded of another product."""
    try:
        made = json.loads(_place(tests).read_text())
    except FileNotFoundError:
        return None
    if made.get("tests") != key(tests) or not (stale or made["product"] == product()):
        return None
    lines = {file: {test: int(mask, 16) for test, mask in masks.items()} for file, masks in made["lines"].items()}
    return Touched(made["seconds"], lines, {file: int(mask, 16) for file, mask in made["imported"].items()})


def key(tests: Path) -> str:
    """What a record depends on beside the product, as a digest; what tests of several folders share is taken to stay what it is."""
    beside = [path for path in tests.parent.glob("*.py") if not path.name.startswith("test_") and tests.parent != ROOT / "tests"]
    return _digest([tests, *beside])


@cache
def product() -> str:
    """The product, as a digest."""
    made = PACKAGE / "api"  # of the protos
    return _digest([path for path in PACKAGE.rglob("*.py") if made not in path.parents] + [*(ROOT / "proto").rglob("*.proto")])


def _digest(paths: Iterable[Path]) -> str:
    return hashlib.sha256(b"".join(hashlib.sha256(path.read_bytes()).digest() for path in sorted(paths))).hexdigest()


def _place(tests: Path) -> Path:
    return FOLDER / f"{'.'.join(tests.relative_to(ROOT).with_suffix('').parts)}.json"


class Recorder:
    """Names the running test to coverage, and writes what it has seen at the end."""

    def __init__(self) -> None:
        omitted = [f"{PACKAGE / name}/*" for name in UNASKED]
        self._coverage = Coverage(data_file=None, include=[f"{PACKAGE}/*"], omit=omitted, config_file=False)
        self._coverage.start()
        self._seconds: dict[str, float] = {}
        self._failed: set[str] = set()

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_runtest_protocol(self, item: pytest.Item) -> Generator[None, object, object]:
        began = time.monotonic()
        self._coverage.switch_context(item.nodeid)
        found = yield
        self._coverage.switch_context("")
        self._seconds[item.nodeid] = time.monotonic() - began
        return found

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_fixture_setup(self, fixturedef: pytest.FixtureDef[Any], request: pytest.FixtureRequest) -> Generator[None, object, object]:
        if fixturedef.scope == "function":
            return (yield)
        item = request._pyfuncitem  # of a fixture of wider scope: the test that is the first to ask for it
        self._coverage.switch_context(item.nodeid.partition("::")[0] + SHARED)
        try:
            return (yield)
        finally:
            self._coverage.switch_context(item.nodeid)

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        if report.failed:
            self._failed.add(report.nodeid.partition("::")[0])

    def pytest_sessionfinish(self, session: pytest.Session) -> None:
        self._coverage.stop()
        FOLDER.mkdir(parents=True, exist_ok=True)
        lines: dict[str, dict[str, dict[str, int]]] = {}  # of a file of tests
        imported: dict[str, int] = {}
        for file, test, line in self._seen():
            if not test:
                imported[file] = imported.get(file, 0) | 1 << line
                continue
            masks = lines.setdefault(test.partition("::")[0], {}).setdefault(file, {})
            masks[test] = masks.get(test, 0) | 1 << line
        unasked = {item.nodeid.partition("::")[0] for item in session.items if item.nodeid not in self._seconds}
        for tests in {test.partition("::")[0] for test in self._seconds} - self._failed - unasked:
            made = {
                "product": product(),
                "tests": key(ROOT / tests),
                "seconds": {test: seconds for test, seconds in self._seconds.items() if test.partition("::")[0] == tests},
                "lines": {file: {test: f"{mask:x}" for test, mask in masks.items()} for file, masks in lines.get(tests, {}).items()},
                "imported": {file: f"{mask:x}" for file, mask in imported.items()},
            }
            draft = _place(ROOT / tests).with_suffix(".new")
            draft.write_text(json.dumps(made))
            draft.replace(_place(ROOT / tests))

    def _seen(self) -> Iterator[tuple[str, str, int]]:
        data = self._coverage.get_data()
        for path in data.measured_files():
            file = Path(path).relative_to(PACKAGE).as_posix()
            for line, contexts in data.contexts_by_lineno(path).items():
                yield from ((file, test, line) for test in contexts)


def pytest_load_initial_conftests(early_config: pytest.Config) -> None:
    """Begin before the conftest imports the product."""
    early_config.pluginmanager.register(Recorder(), "touched")
