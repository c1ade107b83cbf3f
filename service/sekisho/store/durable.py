"""Files that are whole or not there: written beside, forced to the disk, then moved into place; and which file a path names."""

import contextlib
import os
import tempfile
from collections.abc import Callable
from pathlib import Path

Identity = tuple[int, int] | None
"""Which file a path names: device and inode."""


def identity(path: str | Path) -> Identity:
    """Which file the path names now; None when it names none."""
    try:
        found = os.stat(path)  # noqa: PTH116  # on every write, where a Path costs more than the look
    except OSError:
        return None
    return found.st_dev, found.st_ino


def write_file(path: Path, content: bytes, *, mode: int) -> None:
    """Replace a file at once; after a crash it is either the old one or the new one, never a part."""
    _place(path, content, mode, lambda draft: draft.replace(path))


def create_file(path: Path, content: bytes, *, mode: int) -> None:
    """Write a file unless there is one, which then stays as it is; of several processes that try at once, one does."""

    def link(draft: Path) -> None:
        with contextlib.suppress(FileExistsError):
            path.hardlink_to(draft)
        draft.unlink()

    _place(path, content, mode, link)


def _place(path: Path, content: bytes, mode: int, move: Callable[[Path], object]) -> None:
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(handle, "wb") as file:
            os.fchmod(file.fileno(), mode)
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        move(Path(name))
    except BaseException:
        with contextlib.suppress(FileNotFoundError):
            Path(name).unlink()
        raise
    folder = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)
