"""A terminal for programs that ask somebody: what they show there, and what is typed when they ask."""

import os
import pty
import select
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

_IN_FRONT = "import fcntl,os,sys,termios; fcntl.ioctl(0, termios.TIOCSCTTY, 0); os.execv(sys.argv[1], sys.argv[1:])"
LIMIT = 120.0
"""Seconds that a program may take."""


@dataclass(frozen=True, slots=True)
class Done:
    """How a program at a terminal ended: what it printed on standard output, a pipe, and what stood on the terminal."""

    code: int
    stdout: str
    shown: str


def at_terminal(command: Sequence[str], environment: Mapping[str, str], answers: Mapping[str, Callable[[], str]]) -> Done:
    """Run a program in front of a terminal of its own; when it has shown a text, the answer to that is typed, once."""
    master, slave = pty.openpty()
    waiting, shown = dict(answers), b""
    with subprocess.Popen(
        [sys.executable, "-S", "-c", _IN_FRONT, *command],
        env=dict(environment),
        stdin=slave,
        stdout=subprocess.PIPE,
        stderr=slave,
        start_new_session=True,
    ) as process:
        os.close(slave)
        limit = time.monotonic() + LIMIT
        try:
            while time.monotonic() < limit:
                if not select.select([master], [], [], 0.1)[0]:
                    continue
                try:
                    more = os.read(master, 4096)
                except OSError:  # the program has ended, and with it the terminal's other end
                    break
                if not more:
                    break
                shown += more
                for text in [text for text in waiting if text.encode() in shown]:
                    os.write(master, waiting.pop(text)().encode() + b"\n")
            assert process.stdout is not None
            said = process.stdout.read().decode()
            return Done(process.wait(LIMIT), said, shown.decode())
        finally:
            if process.poll() is None:
                process.kill()
            os.close(master)
