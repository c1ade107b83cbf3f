"""The `aws` program, loaded once and forked for every command: as it comes from PyPI, without the second that each start costs.

Before it forks it runs a command of each service against an address where nobody listens. So the modules that commands import are there,
and the descriptions of services are parsed once, not by each command, which takes longer than all the rest of it.

Run as a program it reads a command a line from standard input, as JSON: arguments, environment, folder; it answers with code and output.
"""

import contextlib
import functools
import gc
import io
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


STAND_IN = """#!{0} -IS
import json, os, sys
os.write({1}, json.dumps([sys.argv[1:], dict(os.environ), os.getcwd()]).encode() + b"\\n")
code, out, err = json.loads(open({2}, closefd=False).readline())
sys.stdout.write(out)
sys.stderr.write(err)
sys.exit(code)
"""


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

    def stand_in(self, folder: Path) -> tuple[int, int]:
        """Put an `aws` for scripts into a folder, which has its commands run here, one after the other; the open files that it needs."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        files = self._process.stdin.fileno(), self._process.stdout.fileno()
        (folder / "aws").write_text(STAND_IN.format(sys.executable, *files))
        (folder / "aws").chmod(0o700)
        return files


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


WARM = ("iam get-user", "sts get-caller-identity", "organizations list-roots")
NOWHERE = {
    "AWS_ENDPOINT_URL": "http://127.0.0.1:9",
    "AWS_ACCESS_KEY_ID": "nobody",
    "AWS_SECRET_ACCESS_KEY": "nothing",
    "AWS_DEFAULT_REGION": "eu-west-1",
    "AWS_MAX_ATTEMPTS": "1",
    "AWS_EC2_METADATA_DISABLED": "true",
}


def warm() -> None:
    """Import and parse what commands need."""
    import awscli.clidriver
    from botocore.loaders import JSONFileLoader  # the one that `awscli` brings, which it puts in this name's place

    read = JSONFileLoader.load_file
    paths: list[str] = []

    @functools.cache
    def parsed(path: str) -> object:
        paths.append(path)
        return read(JSONFileLoader(), path)

    JSONFileLoader.load_file = lambda _, path: parsed(path)
    kept = dict(os.environ)
    os.environ.update(NOWHERE)
    for command in WARM:
        sys.argv = ["aws", *command.split()]
        with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()):
            assert awscli.clidriver.main() != 0
    os.environ.clear()
    os.environ.update(kept)
    parsed.cache_clear()  # a command may change what it has parsed
    for path in tuple(paths):
        parsed(path)


def serve() -> None:
    """Fork for every line."""
    import awscli.clidriver

    warm()
    gc.freeze()  # a collection in a child would touch, and so copy, all that it shares
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
