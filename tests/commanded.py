"""Servers that are started by their command line, as `throwaway.server` starts them, in a fork of a process that has imported the house."""

import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from sekisho.cli import throwaway
from tests import served
from tests.started import Process, forked

PROGRAM = """
import sys
from sekisho.cli import main
if __name__ == "__main__":
    main()
"""


def started(data: Path, log: Path, *arguments: str, environment: Mapping[str, str] | None = None) -> Process:
    """A process that runs `sekisho serve` on a data directory, on free ports of loopback; a log that is not there yet is made."""
    inherited = {name: value for name, value in os.environ.items() if not name.startswith(("SEKISHO_", "AWS_"))}
    paths = {"PYTHONPATH": os.pathsep.join(entry for entry in sys.path if entry)}
    log.touch()
    line = ("serve", "--data-dir", str(data), "--grpc", "127.0.0.1:0", "--http", "127.0.0.1:0", *arguments)
    return forked(PROGRAM, line, {**inherited, **paths, **(environment or {})}, log)


@contextmanager
def server(*arguments: str) -> Iterator[throwaway.Server]:
    """A server that runs while the block does, with further arguments of `serve`; its log is beside its data directory."""
    with tempfile.TemporaryDirectory(prefix="sekisho-commanded-") as folder:
        data, log = Path(folder) / "data", Path(folder) / "log"
        process = started(data, log, *arguments)
        try:
            yield throwaway.Server(data, served.endpoints(process, data, log)["grpc"])
        finally:
            process.send_signal(signal.SIGTERM)
            try:
                process.wait(timeout=20)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
