"""Programs that start a server, run in a fork of a process that has imported the house already, which is most of what a start costs.

The process that is forked is that of `tests.processes`; it has no threads, and gRPC has not begun in it. The workers of such a server are
forks of the same process: spawned, as the server of an operator has them, each would import the house anew.
"""

import gc
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from multiprocessing import forkserver
from multiprocessing.process import BaseProcess
from pathlib import Path
from types import SimpleNamespace
from typing import Any, Protocol

from sekisho.edges import aws
from sekisho.node import run, workers

LOADED = (aws, run)
"""The modules that servers import: they are here so that the process that forks has it."""


class Process(Protocol):
    """A server's process, whoever started it."""

    @property
    def pid(self) -> int: ...

    def poll(self) -> int | None:
        """The exit code, None while it runs."""

    def wait(self, timeout: float | None = None) -> int:
        """The exit code, once it has ended; subprocess.TimeoutExpired when it does not."""

    def send_signal(self, sig: int) -> None:
        """Send it a signal, unless it has ended."""

    def kill(self) -> None:
        """End it at once."""


class Forked:
    """A process that runs a program, as `subprocess.Popen` has it."""

    def __init__(self, program: str, arguments: Sequence[str], environment: Mapping[str, str], log: Path) -> None:
        from tests.processes import CONTEXT  # which has this module loaded

        self._process = CONTEXT.Process(target=_run, args=(program, tuple(arguments), dict(environment), str(log), str(Path.cwd())))
        self._process.start()

    @property
    def pid(self) -> int:
        """Its number."""
        assert self._process.pid is not None
        return self._process.pid

    def poll(self) -> int | None:
        """The exit code, None while it runs."""
        return self._process.exitcode

    def wait(self, timeout: float | None = None) -> int:
        """The exit code, once it has ended."""
        self._process.join(timeout)
        if (code := self.poll()) is None:
            raise subprocess.TimeoutExpired("a server", timeout or 0.0)
        return code

    def send_signal(self, sig: int) -> None:
        """Send it a signal, unless it has ended."""
        if self.poll() is None:
            os.kill(self.pid, sig)

    def kill(self) -> None:
        """End it at once."""
        self.send_signal(signal.SIGKILL)


def forked(program: str, arguments: Sequence[str], environment: Mapping[str, str], log: Path) -> Process:
    """Run a program as `python -c` does, with these arguments, its output in a file."""
    return Forked(program, arguments, environment, log)


def _run(program: str, arguments: tuple[str, ...], environment: dict[str, str], log: str, folder: str) -> None:
    _become(environment, log, folder)
    _share_the_forkserver(log)
    sys.argv = ["-c", *arguments]
    exec(compile(program, "<program>", "exec"), {"__name__": "__main__"})  # noqa: S102  # a program of the tests


def _become(environment: Mapping[str, str], log: str, folder: str) -> None:
    """Make of this fork what it would be if it had been started in the folder with this environment, its output in the file."""
    gc.freeze()  # what was imported before stays: nobody need look through it again
    output = os.open(log, os.O_WRONLY | os.O_APPEND)
    for descriptor in (1, 2):
        os.dup2(output, descriptor)
    os.close(output)
    os.chdir(folder)
    os.environ.clear()
    os.environ.update(environment)


def _share_the_forkserver(log: str) -> None:
    """Have the workers of this server come from where the server itself comes from; multiprocessing would start another forkserver."""
    vars(forkserver)["_forkserver"].ensure_running = lambda: None
    vars(workers)["multiprocessing"] = multiprocessing(log)


def multiprocessing(log: str) -> SimpleNamespace:
    """Stands for the module in `sekisho.node.workers`: whatever the method, workers are forked, and write their output to the file."""
    from tests.processes import CONTEXT

    def process(target: Callable[..., None], args: tuple[Any, ...], name: str) -> BaseProcess:
        return CONTEXT.Process(target=_work, args=(dict(os.environ), log, str(Path.cwd()), target, args), name=name)

    context = SimpleNamespace(Pipe=CONTEXT.Pipe, Process=process)
    return SimpleNamespace(get_context=lambda _method: context)


def _work(environment: dict[str, str], log: str, folder: str, target: Callable[..., None], args: tuple[Any, ...]) -> None:
    _become(environment, log, folder)
    target(*args)
