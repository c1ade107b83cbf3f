"""Where tests write: in memory where there is room for it. The databases of tests sync after each commit, as they must; a disk takes
milliseconds for each of a hundred thousand times, and most of a run would be waiting for it.

`TMPDIR`, where it is set, is left as it is.
"""

import contextlib
import os
import re
import tempfile
from pathlib import Path

MEMORY = Path("/dev/shm")
ROOM = 4 << 30
"""Bytes that must be free there, and in the machine's memory: a run takes one GiB."""


def in_memory(folder: Path = MEMORY, meminfo: Path = Path("/proc/meminfo")) -> bool:
    """True of a folder in memory that has room enough, and runs programs, which some tests write."""
    with contextlib.suppress(OSError):
        found = os.statvfs(folder)
        available = re.search(r"^MemAvailable: +([0-9]+) kB$", meminfo.read_text(), re.MULTILINE)
        free = min(found.f_bavail * found.f_frsize, int(available[1]) << 10 if available else 0)
        return free >= ROOM and not found.f_flag & os.ST_NOEXEC and os.access(folder, os.W_OK)
    return False


def use() -> None:
    """Have this process, and all that it starts, make their temporary folders there."""
    if "TMPDIR" not in os.environ and in_memory():
        os.environ["TMPDIR"] = str(MEMORY)
        tempfile.tempdir = None  # pytest has asked already
