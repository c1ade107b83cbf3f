"""The `aws` program, loaded once and forked for every command: as it comes from PyPI, without the second that each start costs.

Run as a program it reads a command a line from standard input, as JSON: arguments, environment, folder; it answers with code and output.
"""

import contextlib
import json
import os
import subprocess
import sys
import tempfile
import traceback
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Done:
    """How a command ended."""

    code: int
    stdout: str
    stderr: str


class Program:
    """The loaded program."""

    def __init__(self, process: "subprocess.Popen[str]") -> None:
        self._process = process

    def run(self, arguments: Sequence[str], environment: Mapping[str, str], folder: Path) -> Done:
        """Run one command in a process of its own."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(json.dumps([list(arguments), dict(environment), str(folder)]) + "\n")
        self._process.stdin.flush()
        return Done(*json.loads(self._process.stdout.readline()))


@dataclass(frozen=True, slots=True)
class Installed:
    """A program of the machine, started anew for each command."""

    file: str

    def run(self, arguments: Sequence[str], environment: Mapping[str, str], folder: Path) -> Done:
        """Run one command."""
        done = subprocess.run([self.file, *arguments], env={"PATH": os.defpath, **environment}, cwd=folder, capture_output=True, text=True)
        return Done(done.returncode, done.stdout, done.stderr)


def version_2() -> Installed | None:
    """The `aws` of version 2 that the machine has, if it has one; it does not come from PyPI."""
    for folder in dict.fromkeys([*os.environ.get("PATH", os.defpath).split(os.pathsep), "/usr/local/bin", "/usr/bin"]):
        file = Path(folder) / "aws"
        if file.is_file() and os.access(file, os.X_OK):
            said = subprocess.run([file, "--version"], capture_output=True, text=True, check=False).stdout
            if said.startswith("aws-cli/2."):
                return Installed(str(file))
    return None


@contextlib.contextmanager
def loaded() -> Iterator[Program]:
    """The program, while the block runs."""
    with subprocess.Popen([sys.executable, __file__], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        yield Program(process)
        assert process.stdin is not None
        process.stdin.close()


def serve() -> None:
    """Fork for every line."""
    import awscli.clidriver

    own = {name: os.environ[name] for name in ("AWS_DATA_PATH",) if name in os.environ}  # set by the import
    for line in sys.stdin:
        arguments, environment, folder = json.loads(line)
        with tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as err:
            child = os.fork()
            if child == 0:
                os.environ.clear()
                os.environ.update(environment | own)
                os.chdir(folder)
                os.dup2(out.fileno(), 1)
                os.dup2(err.fileno(), 2)
                sys.argv = ["aws", *arguments]
                code = 1
                try:
                    code = awscli.clidriver.main()
                except BaseException:
                    traceback.print_exc()
                finally:
                    sys.stdout.flush()
                    sys.stderr.flush()
                    os._exit(code)
            _, status = os.waitpid(child, 0)
            said = []
            for file in (out, err):
                file.seek(0)
                said.append(file.read().decode())
        sys.stdout.write(json.dumps([os.waitstatus_to_exitcode(status), *said]) + "\n")
        sys.stdout.flush()


if __name__ == "__main__":
    serve()
