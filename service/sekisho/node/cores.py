"""Keeps a worker on one core.

One interpreter lock means that threads of a worker never compute side by side; on two cores each call only pays for being woken up on the
other one, with cold caches. What does run beside them (the database, the disk) is not ours.
"""

import os
import socket
import zlib
from collections.abc import Sequence
from pathlib import Path


def pin(index: int, data_dir: Path) -> None:
    """Keep this thread, and those that it starts, on the core of a worker; nothing where the system has no such thing or one core only."""
    if not hasattr(os, "sched_setaffinity"):
        return
    allowed = sorted(os.sched_getaffinity(0))
    if len(allowed) > 1:
        os.sched_setaffinity(0, {core(allowed, index, f"{socket.gethostname()} {data_dir.resolve()}")})


def core(allowed: Sequence[int], index: int, place: str) -> int:
    """The core of a worker: workers of a server have one after another, and servers elsewhere on the machine begin with another one."""
    return allowed[(zlib.crc32(place.encode()) + index) % len(allowed)]
