"""The command line itself: what it lists, what it loads, how it fails."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.cli.command import Done, environment, one_line, sekisho

HEAVY = (
    "grpc",
    "google.protobuf",
    "rich",
    "yaml",
    "sqlalchemy",
    "alembic",
    "starlette",
    "cryptography",
    "botocore",
    "sekisho.policy",
    "sekisho.node",
)


def program(code: str, **env: str) -> Done:
    """Run a program in a process of its own."""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, env=environment(**env), check=False)
    return Done(done.returncode, done.stdout, done.stderr)


def test_help_lists_the_commands() -> None:
    done = sekisho("--help")
    assert done.returncode == 0
    for command in ("serve", "demo", "load", "authorize", "token", "whoami", "health", "account", "db", "policy"):
        assert f"\n  {command} " in done.stdout


@pytest.mark.parametrize("arguments", [["--help"], ["serve", "--help"], ["authorize", "--help"], ["policy", "--help"]], ids=" ".join)
def test_help_loads_nothing_that_takes_time(arguments: list[str]) -> None:
    code = (
        "import atexit, sys\n"
        f"atexit.register(lambda: print([name for name in {HEAVY} if name in sys.modules], file=sys.stderr))\n"
        f"sys.argv = ['sekisho', *{arguments}]\n"
        "from sekisho.cli import main\nmain()\n"
    )
    done = program(code)
    assert (done.returncode, done.stderr) == (0, "[]\n")


def test_version() -> None:
    assert sekisho("--version").stdout == "sekisho 0.1.0\n"


@pytest.mark.parametrize(
    "arguments", [["frobnicate"], ["authorize"], ["token", "--expires", "901"], ["load", ".", "--define", "x"]], ids=" ".join
)
def test_a_command_that_is_written_wrongly(arguments: list[str]) -> None:
    done = sekisho(*arguments)
    assert done.returncode == 2
    assert "Error: " in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize("arguments", [["serve"], ["db", "current"], ["account", "create", "--database", "sqlite:///x.db"]], ids=" ".join)
def test_without_the_server_a_command_says_what_to_install(arguments: list[str]) -> None:
    code = (
        "import sys\n"
        "for name in ('sqlalchemy', 'alembic', 'starlette', 'uvicorn', 'structlog', 'cryptography'): sys.modules[name] = None\n"
        f"sys.argv = ['sekisho', *{arguments}]\n"
        "from sekisho.cli import main\nmain()\n"
    )
    done = program(code)
    assert "pip install 'sekisho[server]'" in one_line(done)


def test_an_unexpected_error_is_one_line_and_says_how_to_see_more() -> None:
    code = (
        "import sys, sekisho.cli.connection as c\n"
        "def broken(*_): raise RuntimeError('two\\nlines')\n"
        "c.caller = broken\nsys.argv = ['sekisho', 'token']\n"
        "from sekisho.cli import main\nmain()\n"
    )
    assert one_line(program(code)) == "unexpected RuntimeError: two lines (SEKISHO_DEBUG=1 shows where)"
    assert "Traceback" in program(code, SEKISHO_DEBUG="1").stderr


def test_a_reader_that_has_gone_is_no_traceback() -> None:
    line = f"{sys.executable} -m sekisho.cli serve --help | true"
    done = subprocess.run(["bash", "-c", line], capture_output=True, text=True, env=environment(), check=False)
    assert "Traceback" not in done.stderr


def test_completion_can_be_installed_and_completes(tmp_path: Path) -> None:
    """As bash does it: the script that is installed asks the program itself."""
    bash = environment(HOME=str(tmp_path), SHELL="/bin/bash", PATH=f"{Path(sys.executable).parent}:{os.environ['PATH']}")
    line = ["bash", "-c", "sekisho --install-completion bash; exit $?"]  # bash stays, for the program to see which shell calls it
    done = subprocess.run(line, capture_output=True, text=True, env=bash, check=False)
    assert done.returncode == 0, done.stderr
    (script,) = (tmp_path / ".bash_completions").iterdir()
    assert str(script) in (tmp_path / ".bashrc").read_text()
    asked = f"source {script}; COMP_WORDS=(sekisho wh); COMP_CWORD=1; _sekisho_completion sekisho wh sekisho; echo ${{COMPREPLY[@]}}"
    done = subprocess.run(["bash", "-c", asked], capture_output=True, text=True, env=bash, check=False)
    assert done.stdout == "whoami\n", done.stderr
