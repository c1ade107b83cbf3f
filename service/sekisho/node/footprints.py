"""Memory that processes hold, as the system counts it."""

import os
from pathlib import Path

MIB = 1024 * 1024


def resident(process: int, proc: Path = Path("/proc")) -> int | None:
    """Bytes of a process that are in memory; None where the system does not say so, or the process has gone."""
    try:
        pages = int((proc / str(process) / "statm").read_text().split()[1])
    except (OSError, IndexError, ValueError):
        return None
    return pages * os.sysconf("SC_PAGE_SIZE")
