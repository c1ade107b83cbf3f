"""Every fault that stands in functions, shown to the quickest tests that reach it, in forks of one process that has collected the tests:

    python -m tests.mutation.forks --package calls --modules limits,leases

A fault takes a part of a second here: nothing is imported and collected again, the code of the functions that a fault changes is put in
the place of theirs. What an import runs is left to `__main__`. A fault is shown to as many tests as took `--most` seconds when they were
recorded, the quickest first, so that a survivor here is a line whose quick tests do not hold it: a place to look, not a verdict.
Prints each survivor as `file:line operator`, with the text of its line, and the rate of each file. While tests are written, `--stale`
takes what was recorded before the product was changed.
"""

import argparse
import contextlib
import gc
import os
import random
import resource
import signal
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import CodeType, FunctionType
from typing import Any

import pytest
from _pytest import main as loop

from tests import postgres, scratch
from tests.mutation import catalog, faulty, mutants, processes, touched
from tests.mutation.faulty import PACKAGE, ROOT
from tests.mutation.mutants import Mutant

PATIENCE, TIMES = 60.0, 20.0
"""Seconds of the clock that a fault may take, and how many times as long as its tests took when they were recorded."""
SURVIVED, NOTICED = 0, 1
Place = tuple[str, int]  # qualified name and first line of a function


@dataclass(slots=True)
class _Running:
    fault: Mutant
    pid: int
    slot: int
    folder: "tempfile.TemporaryDirectory[str]"
    until: float


class Forks:
    """Runs each fault in a fork of the process in which pytest has collected the tests, in the place of pytest's own loop."""

    def __init__(self, faults: Sequence[Mutant], known: Mapping[Path, touched.Touched], processes: int, most: float) -> None:
        self._waiting, self._known, self._processes, self._most = list(reversed(faults)), known, processes, most
        self._free = list(range(processes))
        self.told: list[tuple[Mutant, str]] = []

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtestloop(self, session: pytest.Session) -> bool:
        """Show all faults."""
        functions = _functions()
        items = {item.nodeid: item for item in session.items}
        running: list[_Running] = []
        try:
            self._show(running, session, items, functions)
        finally:  # a fork is in a session of its own, and would go on
            for one in running:
                with contextlib.suppress(ProcessLookupError):
                    os.killpg(one.pid, signal.SIGKILL)
        session.testsfailed = 0
        return True

    def _show(self, running: list[_Running], session: pytest.Session, items: Mapping[str, pytest.Item], functions: Any) -> None:
        while self._waiting or running:
            while self._waiting and self._free:
                running.append(self._begun(self._waiting.pop(), session, items, functions))
            time.sleep(0.01)
            for one in list(running):
                ended, status = os.waitpid(one.pid, os.WNOHANG)
                if not ended and time.monotonic() < one.until:
                    continue
                running.remove(one)
                self._free.append(one.slot)
                self._end(one, os.waitstatus_to_exitcode(status) if ended else None)

    def _begun(self, fault: Mutant, session: pytest.Session, items: Mapping[str, pytest.Item], functions: Any) -> _Running:
        tests, seconds = quickest(self._known, fault, self._most)
        folder, slot = tempfile.TemporaryDirectory(prefix="sekisho-fault-"), self._free.pop()
        pid = os.fork()
        if not pid:
            try:
                os._exit(_child(fault, session, [items[test] for test in tests], functions, Path(folder.name), slot, seconds))
            except BaseException as error:  # what no test raises: an error of this module
                os.write(2, repr(error).encode())
                os._exit(NOTICED + 1)
        return _Running(fault, pid, slot, folder, time.monotonic() + PATIENCE + TIMES * seconds)

    def _end(self, one: _Running, code: int | None) -> None:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(one.pid, signal.SIGKILL)
        if code is None:
            os.waitpid(one.pid, 0)
        by = Path(one.folder.name) / "noticed"
        noticed = by.read_text() if by.exists() else ""
        one.folder.cleanup()
        stage = "time" if code is None or code < 0 else noticed if code == NOTICED else "" if code == SURVIVED else "broken"
        self.told.append((one.fault, stage))
        if not stage or stage == "broken":
            line = one.fault.path.read_text().splitlines()[one.fault.site.line - 1].strip()
            sys.stdout.write(f"{stage or 'survived'}: {one.fault}    {line}\n")
        if len(self.told) % 100 == 0:
            sys.stdout.write(f"{len(self.told)} done, {len(self._waiting)} left\n")
        sys.stdout.flush()


class _First:
    """Writes down which test failed first."""

    def __init__(self, place: Path) -> None:
        self._place = place

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        if report.failed and not self._place.exists():
            self._place.write_text(report.nodeid)


def _child(
    fault: Mutant, session: pytest.Session, tests: list[pytest.Item], functions: Any, folder: Path, slot: int, seconds: float
) -> int:
    os.setsid()
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, 1)
    os.dup2(nowhere, 2)
    allowance = int(30 + 10 * seconds)
    resource.setrlimit(resource.RLIMIT_CPU, (allowance, allowance))
    module = faulty.dotted(fault.path)
    os.environ.update(faulty.environment(folder, module, fault.site.index))
    if module in sys.modules:
        for place, code in changed(fault).items():
            for function in functions.get((str(fault.path), *place), ()):
                function.__code__ = code
    else:
        faulty.make(module, fault.site.index)
    base = folder / "base"
    session.config._tmp_path_factory._basetemp = None  # type: ignore[attr-defined]
    session.config._tmp_path_factory._given_basetemp = base  # type: ignore[attr-defined]
    _lend(slot)
    session.items = tests
    session.config.pluginmanager.register(_First(folder / "noticed"))
    with contextlib.suppress(session.Failed, session.Interrupted):
        loop.pytest_runtestloop(session)
    return NOTICED if session.testsfailed else SURVIVED


def _lend(slot: int) -> None:
    """Give a fork the PostgreSQL database of its slot, empty: the one before it may have been ended in the midst of a test."""
    server = _server()
    name, shape = _databases[slot]
    if server._ask(name, postgres.EMPTY, postgres.SHAPE) != shape:
        server.execute(f"DROP DATABASE {name} WITH (FORCE)")
        server.execute(f"CREATE DATABASE {name} TEMPLATE {_databases[-1][0]}")
    postgres._migrated[server.port] = [(name, shape)]


_databases: list[tuple[str, str]] = []
"""Of each slot, and last the template: name and shape."""


def _server() -> postgres.Server:
    return postgres.shared(Path(os.environ["TESTS_POSTGRES"]))


def quickest(known: Mapping[Path, touched.Touched], fault: Mutant, most: float) -> tuple[list[str], float]:
    """The tests that reach a fault, as many as took so many seconds, and their seconds: its module's file first, then the quickest."""
    own = (ROOT / "tests" / fault.path.relative_to(PACKAGE)).with_name(f"test_{fault.path.name}")
    file, lines = fault.path.relative_to(PACKAGE).as_posix(), processes.lines_of(fault.path.read_text(), fault.site.line)
    found = [
        (path != own, one.seconds[test], test) for path, one in known.items() for test in one.reaching(file, lines) if test in one.seconds
    ]
    chosen: list[str] = []
    seconds = 0.0
    for _, one_seconds, test in sorted(found):
        if chosen and seconds + one_seconds > most:
            continue
        chosen.append(test)
        seconds += one_seconds
    places = {test: place for place, test in enumerate(chosen)}
    files: dict[str, int] = {}
    for test in chosen:
        files.setdefault(test.partition("::")[0], len(files))
    return sorted(chosen, key=lambda test: (files[test.partition("::")[0]], places[test])), seconds


def in_functions(known: Mapping[Path, touched.Touched], faults: Sequence[Mutant]) -> Iterator[Mutant]:
    """The faults that no import runs."""
    imported: Counter[str] = Counter()
    for one in known.values():
        for file, mask in one.imported.items():
            imported[file] |= mask
    for fault in faults:
        source = fault.path.read_text()
        if processes.is_in_function(source, fault.site.line):
            lines = processes.lines_of(source, fault.site.line)
            if not imported[fault.path.relative_to(PACKAGE).as_posix()] & lines and changed(fault):
                yield fault


def changed(fault: Mutant) -> Mapping[Place, CodeType]:
    """The code of the outermost functions that a fault changes, empty when it changes anything else."""
    source = fault.path.read_text()
    before, after = compile(source, fault.path, "exec"), compile(mutants.mutated(source, fault.site.index), fault.path, "exec")
    found: dict[Place, CodeType] = {}
    return found if _compared(before, after, found) else {}


def _compared(before: CodeType, after: CodeType, found: dict[Place, CodeType]) -> bool:
    """Note the functions that differ; False when the code of the module or of a class does itself."""
    ours, theirs = ([one for one in code.co_consts if isinstance(one, CodeType)] for code in (before, after))
    rest = [tuple(one for one in code.co_consts if not isinstance(one, CodeType)) for code in (before, after)]
    if before.co_code != after.co_code or rest[0] != rest[1] or before.co_names != after.co_names or len(ours) != len(theirs):
        return False
    for one, other in zip(ours, theirs, strict=True):
        if one == other:
            continue
        if one.co_flags & 2:  # CO_NEWLOCALS: a function
            if one.co_freevars != other.co_freevars:
                return False
            found[one.co_qualname, one.co_firstlineno] = other
        elif not _compared(one, other, found):
            return False
    return True


def _functions() -> Mapping[tuple[str, str, int], list[FunctionType]]:
    """All functions of the package that there are, by file, qualified name and first line."""
    gc.unfreeze()
    found: dict[tuple[str, str, int], list[FunctionType]] = {}
    for one in gc.get_objects():
        if isinstance(one, FunctionType) and one.__code__.co_filename.startswith(str(PACKAGE)):
            code = one.__code__
            found.setdefault((code.co_filename, code.co_qualname, code.co_firstlineno), []).append(one)
    gc.freeze()
    return found


def main() -> int:
    """Show them, and say what survived."""
    options = _asked()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))  # and ends the forks
    os.chdir(ROOT)
    scratch.use()
    with tempfile.TemporaryDirectory(prefix="sekisho-faults-") as folder:
        shared = Path(os.environ.setdefault("TESTS_POSTGRES", str(Path(folder) / "postgres")))
        server = _server()
        if not processes.record(options.package, options.processes, shared, stale=options.stale):
            return 2
        files = processes.files_of(options.package)
        known = {file: found for file in files if (found := touched.load(file, stale=options.stale)) is not None}
        every = catalog.chosen(options.seed, 1_000_000, options.package, options.modules)
        faults = list(in_functions(known, every))
        random.Random(options.seed).shuffle(faults)
        faults = faults[: options.count]
        sys.stdout.write(f"{len(faults)} of {len(every)} faults of {options.package}\n")
        _databases.extend(server._migrate() for _ in range(options.processes + 1))
        forks = Forks(faults, known, options.processes, options.most)
        flags = ["-x", "-q", "-s", "--tb=no", "-p", "no:cacheprovider", "-n", "0"]
        pytest.main([*flags, *map(str, known)], plugins=[forks])
    by: Counter[str] = Counter(fault.name for fault, _ in forks.told)
    lost: Counter[str] = Counter(fault.name for fault, stage in forks.told if not stage)
    for name, number in sorted(by.items()):
        sys.stdout.write(f"{number - lost[name]:5} of {number:5} {name}\n")
    sys.stdout.write(f"{by.total() - lost.total()} of {by.total()} noticed\n")
    return 0


def _asked() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="Show the faults in a package's functions to the quickest tests that reach them.")
    parser.add_argument("--package", required=True)
    parser.add_argument("--modules", type=lambda text: text.split(","), default=())
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--count", type=int, default=1_000_000)
    parser.add_argument("--most", type=float, default=5.0)
    parser.add_argument("--processes", type=int, default=2)
    parser.add_argument("--stale", action="store_true", help="take what was recorded before the product was changed")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
