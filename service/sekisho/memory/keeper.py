"""Keeps memory on the disk: writes a snapshot now and then and at the end, and begins from one at the start."""

import threading
import time
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import structlog

from sekisho.credentials.key_ring import KeyRing
from sekisho.errors import SekishoError
from sekisho.memory import lines, snapshot, vitals
from sekisho.memory.cache import World
from sekisho.memory.confirmation import Check
from sekisho.memory.snapshot import SnapshotRejected
from sekisho.store.changes import ORIGIN

MOST_OF_A_CORE = 0.05
"""The part of a core's time that is spent on snapshots at the most: those of a large memory are further apart."""

log = structlog.get_logger(__name__)


class Keeper:
    """The thread that writes the snapshot of one world, every so many seconds and when it is stopped."""

    def __init__(self, world: World, ring: KeyRing, path: Path, *, every: float) -> None:
        self._world, self._ring, self._path, self._every = world, ring, path, every
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="keeper", daemon=True)

    def start(self) -> None:
        """Begin to write."""
        self._thread.start()

    def stop(self) -> None:
        """Write once more, then stop."""
        self._stop.set()
        self._thread.join(timeout=30)

    def write(self) -> None:
        """Write what memory holds now; a world that has not begun leaves alone what is there."""
        now = datetime.now(UTC)
        taken = self._world.taken(now)
        if taken.point != ORIGIN:
            snapshot.write(self._path, taken, self._ring)
            vitals.SNAPSHOT.mark(ago=self._world.confirmed.age)

    def _run(self) -> None:
        failing, last, spent = False, False, 0.0
        while not last:
            last = self._stop.wait(max(self._every, spent / MOST_OF_A_CORE))
            began = time.thread_time()
            try:
                self.write()
                failing = False
            except Exception as error:  # whatever it is, the next one may be written
                if not failing:
                    told = error.message if isinstance(error, SekishoError) else type(error).__name__
                    log.error("snapshot.not_written", path=str(self._path), error=told)
                failing = True
            spent = time.thread_time() - began


def restore(world: World, ring: KeyRing, paths: Iterable[Path], now: datetime, *, oldest: timedelta, check: Check) -> bool:
    """Have a world begin from the first of these files that is a snapshot of ours; whether there was one."""
    for path in paths:
        try:
            found = snapshot.read(path, ring, now, oldest=oldest)
        except SnapshotRejected as error:
            log.warning("snapshot.rejected", path=str(path), reason=error.message)
            continue
        world.restore(found, now, lambda line: lines.read(line, ring), check)
        log.info("snapshot.restored", path=str(path), records=len(found.records), confirmed_at=found.confirmed_at.isoformat())
        return True
    return False
