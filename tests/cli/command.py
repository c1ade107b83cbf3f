"""The command line as a user runs it: arguments, environment and standard input in; exit code and two texts out."""

import contextlib
import io
import os
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from unittest import mock

from sekisho.cli import main

NOBODY = "/nonexistent"
"""A home without files of AWS's tools, which would name another caller."""


@dataclass(frozen=True, slots=True)
class Done:
    """A command that has ended."""

    returncode: int
    stdout: str
    stderr: str


def environment(**variables: str) -> dict[str, str]:
    """Ours, without what would name a server or a caller, and without colours or widths of this terminal."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("SEKISHO_", "AWS_", "COLUMNS", "FORCE_COLOR"))}
    return {**kept, "COLUMNS": "120", "HOME": NOBODY, **variables}


def sekisho(*arguments: object, stdin: bytes = b"", env: Mapping[str, str] | None = None) -> Done:
    """Run `sekisho` with these arguments, in this process: starting one takes longer than most commands."""
    out, err = io.StringIO(), io.StringIO()
    code: object = 0
    with (
        mock.patch.dict(os.environ, environment(**(env or {})), clear=True),
        mock.patch.object(sys, "argv", ["sekisho", *map(str, arguments)]),
        mock.patch.object(sys, "stdin", io.TextIOWrapper(io.BytesIO(stdin))),
        contextlib.redirect_stdout(out),
        contextlib.redirect_stderr(err),
    ):
        try:
            main()
        except SystemExit as ended:
            code = ended.code or 0
    assert isinstance(code, int)
    return Done(code, out.getvalue(), err.getvalue())


def one_line(done: Done) -> str:
    """What a failed command said, which is one line after who asked and what looked odd, and no traceback."""
    assert done.returncode == 1, done
    *before, line = done.stderr.splitlines()
    assert all(said.startswith(("as ", "warning: ")) for said in before), done
    assert line.startswith("sekisho: ")
    return line.removeprefix("sekisho: ")
