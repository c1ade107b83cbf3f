"""The master key that wraps the key ring, from outside the data directory: a file, the environment, or a program that prints it."""

import shlex
import stat
import subprocess
from pathlib import Path

from sekisho.credentials import key_ring
from sekisho.errors import FailedPrecondition, InvalidArgument, SekishoError

VARIABLE = "SEKISHO_MASTER_KEY"
PLACES = ("--master-key-file", VARIABLE, "--master-key-command")
PATIENCE = 30.0
"""Seconds that the program may take."""


class MasterKeyMissing(FailedPrecondition):
    """The master key cannot be had from where it was said to be."""


def given(file: Path | None, text: str, command: str, *, called: tuple[str, str, str] = PLACES) -> bytes | None:
    """The key from the one place that was named; None when none was. Errors name the place, and never quote what was found there.

    `called` are the names of a file, of a text in the environment, and of a command.
    """
    places = [name for name, value in zip(called, (file, text, command), strict=True) if value]
    if len(places) > 1:
        raise InvalidArgument(f"{' and '.join(places)} both say where the master key is; give one of them")
    if not places:
        return None
    try:
        if file is not None:
            text = _content(file)
        elif command:
            text = _printed(command)
        return key_ring.parse_master(text)
    except SekishoError as error:
        raise MasterKeyMissing(f"{places[0]}: {error.message}") from None


def _content(file: Path) -> str:
    try:
        mode = file.stat().st_mode
        if stat.S_ISREG(mode) and mode & 0o077:
            raise MasterKeyMissing(f"{file} is open to others than its owner: chmod 600 it")
        return file.read_text("ascii")
    except OSError as error:
        raise MasterKeyMissing(f"{file} cannot be read: {error.strerror}") from None
    except UnicodeDecodeError:
        return ""  # which is not a key


def _printed(command: str) -> str:
    """What the program prints; what it says on standard error goes to ours."""
    try:
        arguments = shlex.split(command)
    except ValueError as error:
        raise MasterKeyMissing(f"the command is not written rightly: {error}") from None
    try:
        done = subprocess.run(arguments, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, timeout=PATIENCE, check=False)  # noqa: S603  # the operator's own
    except OSError as error:
        raise MasterKeyMissing(f"`{arguments[0]}` cannot be run: {error.strerror}") from None
    except subprocess.TimeoutExpired:
        raise MasterKeyMissing(f"`{arguments[0]}` did not end within {PATIENCE:.0f} seconds") from None
    if done.returncode != 0:
        raise MasterKeyMissing(f"`{arguments[0]}` ended with code {done.returncode}")
    return done.stdout.decode("ascii", errors="replace")
