"""Files that are whole or not there: written beside, forced to the disk, then moved into place."""

import contextlib
import os
import tempfile
from pathlib import Path


def write_file(path: Path, content: bytes, *, mode: int) -> None:
    """Replace a file at once; after a crash it is either the old one or the new one, never a part."""
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(handle, "wb") as file:
            os.fchmod(file.fileno(), mode)
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        Path(name).replace(path)
    except BaseException:
        with contextlib.suppress(FileNotFoundError):
            Path(name).unlink()
        raise
    folder = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)
