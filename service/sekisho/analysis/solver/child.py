"""The process that answers: reads questions from standard input and writes answers to standard output, one after the other.

Each is a pickle behind its length. Only the process that started this one writes to it. Ends with its standard input.
"""

import os
import pickle
import signal
import struct
import sys
from typing import IO, Any

from sekisho.errors import SekishoError

LENGTH = struct.Struct("!I")
NICENESS = 5
"""Below what decides: a question waits for decisions, none for a question."""


def write(stream: IO[bytes], value: object) -> None:
    """Write one value."""
    data = pickle.dumps(value)
    stream.write(LENGTH.pack(len(data)) + data)
    stream.flush()


def read(stream: IO[bytes]) -> Any:
    """Read one value; EOFError at the end."""
    head = stream.read(LENGTH.size)
    if len(head) < LENGTH.size:
        raise EOFError
    data = stream.read(LENGTH.unpack(head)[0])
    return pickle.loads(data)  # noqa: S301  # from the one process at the other end of the pipe


def main(memory: int) -> None:
    """Answer until the questions end; `memory` bounds the address space, in bytes."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the terminal's; the parent ends the questions
    os.nice(NICENESS)
    _limit(memory)
    questions, answers = sys.stdin.buffer, os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # whatever prints is no answer
    from sekisho.analysis import solver

    write(answers, "ready")
    while True:
        try:
            name, arguments, milliseconds = read(questions)
        except EOFError:
            return
        try:
            answer: object = getattr(solver, name)(*arguments, milliseconds=milliseconds)
        except SekishoError as error:
            answer = error
        except MemoryError:
            os._exit(1)  # the parent says so, and another takes this one's place
        write(answers, answer)


def _limit(memory: int) -> None:
    try:
        import resource
    except ImportError:  # no such limit on this system
        return
    resource.setrlimit(resource.RLIMIT_AS, (memory, memory))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))


if __name__ == "__main__":
    main(int(sys.argv[1]))
