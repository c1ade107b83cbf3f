"""Faults in the other packages, noticed by real runs of pytest, each in a process of its own: slow, so that only samples are taken.

A run asks first the tests that are named after the module (tests/calls/test_audit.py of calls/audit.py), then those of its package, and
stops at the first that fails. Where a package's tests do not stand in its mirror, or not all of them, the table says where.
"""

import contextlib
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from tests.policy import faulty
from tests.policy.faulty import PACKAGE, ROOT
from tests.policy.mutants import Mutant

Stage = tuple[str, list[str]]  # name, files and folders of tests
SECONDS = 900  # that one fault may take

# Of a folder of the package: its tests, relative to tests/, the cheapest first; without a row it is the mirror alone.
TESTS: Mapping[str, tuple[str, ...]] = {
    "calls": (
        "calls",
        "operations/test_toy.py",
        "services/authorize",
        "services/sts",
        "services/iam/test_users.py",
        "services/iam/test_tags.py",
    ),
    "journal": ("journal", "calls/test_replays.py", "node/test_drain.py"),
    "memory": ("memory", "calls", "services/authorize"),
    "operations": ("operations", "calls"),
    "store": ("store", "memory", "calls"),
    "world": ("world", "services/authorize"),
    "edges": ("edges", "operations/test_toy.py", "wire"),
    "edges/aws": ("wire", "operations/test_toy.py"),
    "node": ("node", "faults"),
}


@dataclass(slots=True)
class _Running:
    mutant: Mutant | None
    folder: tempfile.TemporaryDirectory[str]
    waiting: list[Stage]  # which are still to come
    stage: str
    process: subprocess.Popen[bytes]
    until: float


def tests_of(package: str) -> list[str]:
    """The tests of a folder or module of the package, relative to the root of the checkout."""
    named = TESTS.get(package, (package,) if not package.endswith(".py") else (f"test_{Path(package).name}",))
    found = [f"tests/{name}" for name in named if (ROOT / "tests" / name).exists()]
    if not found:
        raise LookupError(f"no tests are known for `{package}`: give it a row in {Path(__file__).name}")
    return found


def stages(package: str, path: Path) -> list[Stage]:
    """What is run of one module, step by step: `own`, the tests that are named after it, and `package`, all of them."""
    every = tests_of(package)
    own = sorted({str(file.relative_to(ROOT)) for name in every for file in (ROOT / name).glob(f"**/test_{path.stem}.py")})
    return [*([("own", own)] if own else []), ("package", every)]


def run(package: str, faults: Sequence[Mutant | None], processes: int) -> Iterator[tuple[Mutant | None, str]]:
    """Each fault and which tests noticed it, as they are done; abandoned by the caller, it ends what it started."""
    waiting = list(reversed(faults))
    running: list[_Running] = []
    try:
        while waiting or running:
            while waiting and len(running) < processes:
                running.append(_begun(package, waiting.pop()))
            time.sleep(0.2)
            for one in list(running):
                late = time.monotonic() > one.until
                code = one.process.poll()
                if code is None and not late:
                    continue
                if code == 0 and one.waiting:
                    stage = one.waiting.pop(0)
                    one.stage, one.process = stage[0], _started(stage, Path(one.folder.name), one.mutant)
                    continue
                _ended(one)
                running.remove(one)
                yield one.mutant, "time" if late and code is None else one.stage if code else ""
    finally:
        for one in running:
            _ended(one)


def _begun(package: str, fault: Mutant | None) -> _Running:
    folder = tempfile.TemporaryDirectory(prefix="sekisho-fault-")
    first, *waiting = stages(package, fault.path if fault is not None else PACKAGE / "__init__.py")
    return _Running(fault, folder, waiting, first[0], _started(first, Path(folder.name), fault), time.monotonic() + SECONDS)


def _started(stage: Stage, folder: Path, fault: Mutant | None) -> subprocess.Popen[bytes]:
    name, paths = stage
    module, index = (faulty.dotted(fault.path), fault.site.index) if fault is not None else ("", 0)
    options = ["-x", "-q", "-p", "no:cacheprovider", f"--rootdir={ROOT}", f"--basetemp={folder / name}"]
    return subprocess.Popen(
        [sys.executable, "-m", "pytest", *options, *paths],
        cwd=ROOT,
        env=dict(faulty.environment(folder, module, index)),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )


def _ended(one: _Running) -> None:
    """End a run and all that it started, by force where it still goes on, and take away what it left."""
    with contextlib.suppress(ProcessLookupError):
        os.killpg(one.process.pid, signal.SIGKILL)
    one.process.wait()
    one.folder.cleanup()
