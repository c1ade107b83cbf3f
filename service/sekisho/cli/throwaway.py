"""A server of one's own for a while: in a temporary folder, on free ports, gone afterwards."""

import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from sekisho.cli import connection

START = 180.0
"""Seconds that it may take to start: a machine with much else to do has needed one minute."""


class DidNotStart(ValueError):  # noqa: N818  # a sentence for whoever typed the command
    """The server ended or kept silent; says what it said last."""


@dataclass(frozen=True, slots=True)
class Server:
    """A running server: its data directory and where gRPC listens."""

    data_dir: Path
    grpc: str


@contextmanager
def server(*arguments: str) -> Iterator[Server]:
    """A server that runs while the block does, with further arguments of `serve`."""
    with tempfile.TemporaryDirectory(prefix="sekisho-demo-") as folder:
        data_dir = Path(folder) / "data"
        with (Path(folder) / "log").open("w+") as log:
            line = command("serve", data_dir, "--grpc", "127.0.0.1:0", "--http", "127.0.0.1:0", *arguments)
            process = subprocess.Popen(line, stdout=log, stderr=log, env=_environment())  # noqa: S603  # ourselves
            try:
                yield Server(data_dir, _started(process, data_dir, Path(log.name)))
            finally:
                process.terminate()
                try:
                    process.wait(timeout=20)
                except subprocess.TimeoutExpired:
                    process.kill()
                    process.wait()


def command(name: str, data_dir: Path, *arguments: str) -> list[str]:
    """The command line of one of our own commands about a data directory."""
    return [sys.executable, "-m", "sekisho.cli", *name.split(), "--data-dir", str(data_dir), *arguments]


def output(name: str, data_dir: Path, *arguments: str) -> str:
    """What one of our own commands prints."""
    done = subprocess.run(command(name, data_dir, *arguments), capture_output=True, text=True, env=_environment(), check=False)  # noqa: S603  # ourselves
    if done.returncode != 0:
        raise ValueError(done.stderr.strip().removeprefix("sekisho: "))
    return done.stdout


def _environment() -> dict[str, str]:
    """Ours, without what would lead to another server or database."""
    return {name: value for name, value in os.environ.items() if not name.startswith(("SEKISHO_", "AWS_"))}


def _started(process: "subprocess.Popen[bytes]", data_dir: Path, log: Path) -> str:
    limit = time.monotonic() + START
    while not (data_dir / "endpoints.json").exists():
        if process.poll() is not None or time.monotonic() > limit:
            said = log.read_text().strip().splitlines() or ["it said nothing"]
            raise DidNotStart(f"the server did not start: {said[-1].removeprefix('sekisho: ')}")
        time.sleep(0.02)
    return connection.endpoints(data_dir)["grpc"]
