"""The release before this one, checked out beside, and servers of either release on one database.

Both are started by their command line, which an operator's scripts hold a release to; of their modules nothing is assumed.
"""

import fcntl
import io
import os
import shutil
import subprocess
import sys
import tarfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import grpc

from tests import commanded, served
from tests.started import Process

ROOT = Path(__file__).resolve().parents[2]
NAMED = ROOT / ".ci" / "released"


class NotInThisCloneError(Exception):
    """The commit of the release before cannot be checked out; the tests about it fail then, for nothing else looks at it."""


def named(text: str) -> str:
    """The commit in a file that has comments, too."""
    (commit,) = (line for line in text.splitlines() if not line.startswith("#"))
    return commit


def checked_out(commit: str, folder: Path, repository: Path = ROOT) -> Path:
    """The tree of a commit in a folder, its protos compiled; once for all processes of a test run."""
    folder.parent.mkdir(parents=True, exist_ok=True)
    with folder.with_suffix(".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not folder.exists():
            draft = folder.with_suffix(".draft")
            shutil.rmtree(draft, ignore_errors=True)
            archive = subprocess.run(["git", "-C", repository, "archive", commit], capture_output=True, check=False)
            if archive.returncode != 0:
                raise NotInThisCloneError(
                    f"commit {commit}, which .ci/released names, is not in this clone; fetch it: git fetch --unshallow\n"
                    f"{archive.stderr.decode()}"
                )
            with tarfile.open(fileobj=io.BytesIO(archive.stdout)) as tree:
                tree.extractall(draft, filter="data")
            subprocess.run([sys.executable, "hatch_build.py"], cwd=draft, check=True, capture_output=True)
            draft.replace(folder)
    return folder


@contextmanager
def serving(checkout: Path, url: str, data: Path, *, ring_of: Path | None = None) -> Iterator[served.Served]:
    """A server of a checkout; `ring_of` is the data directory of a server on the same database, whose key ring and account it shares."""
    data.mkdir(mode=0o700)
    for name in ("keyring.json", "credentials") if ring_of is not None else ():
        assert ring_of is not None
        shutil.copy(ring_of / name, data / name)
    log = data.with_suffix(".log")
    listen = ("--grpc", "127.0.0.1:0", "--http", "127.0.0.1:0")
    process: Process
    if checkout == ROOT:
        process = commanded.started(data, log, "--database", url)
    else:
        with log.open("wb") as errors:
            process = subprocess.Popen(
                [sys.executable, "-m", "sekisho.cli", "serve", "--data-dir", data, "--database", url, *listen],
                stdout=errors,
                stderr=errors,
                env={**os.environ, "PYTHONPATH": str(checkout / "service")},
                cwd=data,
            )
    try:
        endpoints = served.endpoints(process, data, log)
        with grpc.insecure_channel(endpoints["grpc"], served.OPTIONS) as channel:
            yield served.Served(data, url, endpoints, served.credentials(data), process, log, channel, nonces=checkout == ROOT)
    finally:
        if process.poll() is None:
            process.kill()
        process.wait()
