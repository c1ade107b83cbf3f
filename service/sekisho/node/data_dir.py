"""The data directory: one server at a time has it, and says in `endpoints.json` where it listens."""

import fcntl
import json
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

from sekisho.errors import FailedPrecondition
from sekisho.store.durable import write_file

if TYPE_CHECKING:  # the command line of a client looks here, without the server's libraries
    from sekisho.node.options import Endpoints

LOCK = "server.lock"
ENDPOINTS = "endpoints.json"

_PATIENCE = 1.0  # seconds; who only looks whether a server is there holds the lock for a moment


class DataDirInUse(FailedPrecondition):
    """Another server has the data directory."""


def make(folder: Path) -> None:
    """Make the folder, for this user alone, if it is not there."""
    os.umask(0o077)  # databases, spools and keys are for this user alone
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as error:
        raise FailedPrecondition(f"the data directory {folder} cannot be made: {error.strerror}") from error


@contextmanager
def alone(folder: Path) -> Iterator[None]:
    """Have the folder while the block runs; DataDirInUse when another server has it.

    What a server that was killed has left of `endpoints.json` goes at the beginning, our own at the end. The lock ends with the process,
    however it ends; its file stays, for to remove it would give the next two servers a file each.
    """
    path = folder / LOCK
    try:
        handle = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    except OSError as error:
        raise FailedPrecondition(f"{path} cannot be opened: {error.strerror}") from error
    try:
        _lock(handle, folder)
        os.ftruncate(handle, 0)
        os.write(handle, f"{os.getpid()}\n".encode())
        (folder / ENDPOINTS).unlink(missing_ok=True)
        try:
            yield
        finally:
            (folder / ENDPOINTS).unlink(missing_ok=True)
    finally:
        os.close(handle)


def publish(folder: Path, endpoints: "Endpoints") -> None:
    """Say where the server that has the folder listens."""
    write_file(folder / ENDPOINTS, json.dumps({name: where for name, where in asdict(endpoints).items() if where}).encode(), mode=0o644)


def is_served(folder: Path) -> bool:
    """Whether a server has the folder; also true where nobody can tell, as when it is one of a version without the lock."""
    try:
        handle = os.open(folder / LOCK, os.O_RDONLY | os.O_CLOEXEC)
    except OSError:
        return True
    try:
        fcntl.flock(handle, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except OSError:
        return True
    finally:
        os.close(handle)
    return False


def _lock(handle: int, folder: Path) -> None:
    limit = time.monotonic() + _PATIENCE
    while True:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if time.monotonic() > limit:
                process = os.read(handle, 20).decode(errors="replace").strip() or "unknown"
                raise DataDirInUse(f"a server runs in the data directory {folder} already (process {process})") from None
            time.sleep(0.02)
        except OSError as error:
            raise FailedPrecondition(f"the data directory {folder} cannot be locked: {error.strerror}") from error
        else:
            return
