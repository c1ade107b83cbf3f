"""Who holds which keys of a data directory's ring: each worker says it in a file, and whoever rotates keys waits until all have said it.

A worker's file is locked for as long as its process lives, before it reads the ring for the first time; so a key that was published
before is either in what it has said or will be. What a dead worker has left is told by its free lock.
"""

import fcntl
import json
import math
import os
import secrets
import threading
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Self

import structlog

from sekisho import meters
from sekisho.credentials.key_ring import KeyRing
from sekisho.store.durable import write_file

FOLDER = "holders"
INTERVAL = 0.2
"""Seconds between two looks at the ring's file: so long a key that was taken away may go on to open."""

METRIC = "sekisho_key_ring_keys"
HELD, SEALS = 1, 2
"""What the metric says of a key."""

KEYS = meters.Gauge(METRIC, "Keys that the worker holds: 1, or 2 for the one of its purpose that seals.", ["purpose", "key"])

log = structlog.get_logger(__name__)

Keys = Mapping[str, Sequence[str]]
"""The ids of keys by purpose; the one that seals is the last."""


@dataclass(frozen=True, slots=True)
class Holder:
    """A worker that lives; `keys` is None until it has read the ring, `old` says that it did so with the master key of before."""

    process: int
    keys: Keys | None
    old: bool = False


class Held:
    """The file of this worker, and the thread that keeps it and the ring new, while it is entered."""

    def __init__(self, data_dir: Path) -> None:
        self._folder = data_dir / FOLDER
        self._lock = self._folder / f"{os.getpid()}-{secrets.token_hex(4)}.lock"
        self._handle, self._failing = -1, False
        self._told: object = None
        self._stop = threading.Event()
        self._thread: threading.Thread | None = None

    def __enter__(self) -> Self:
        self._folder.mkdir(mode=0o700, exist_ok=True)
        while True:
            self._handle = os.open(self._lock, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
            fcntl.flock(self._handle, fcntl.LOCK_EX)
            if self._lock.exists():  # else whoever looked in between took it for one of the dead
                return self
            os.close(self._handle)

    def __exit__(self, *exc: object) -> None:
        self._stop.set()
        if self._thread is not None:
            self._thread.join(timeout=5)
        _remove(self._lock)
        os.close(self._handle)

    def begin(self, ring: KeyRing) -> None:
        """Say what the ring holds, and again whenever that changes; a disk that is full keeps no worker from serving."""
        self._look(ring)
        self._thread = threading.Thread(target=self._run, args=(ring,), name="key-ring", daemon=True)
        self._thread.start()

    def tell(self, ring: KeyRing) -> None:
        """Say it now, if it is something else than before."""
        said = {"process": os.getpid(), "keys": ring.held(), "old": ring.old}
        if said == self._told:
            return
        before = self._told["keys"] if isinstance(self._told, dict) else {}
        for purpose, ids in before.items():
            for id_ in set(ids) - set(ring.held().get(purpose, ())):
                KEYS.labels(purpose, id_).set(math.nan)
        for purpose, ids in ring.held().items():
            for id_ in ids:
                KEYS.labels(purpose, id_).set(SEALS if id_ == ids[-1] else HELD)
        write_file(self._lock.with_suffix(".json"), json.dumps(said).encode(), mode=0o600)
        self._told = said

    def _run(self, ring: KeyRing) -> None:
        while not self._stop.wait(INTERVAL):
            self._look(ring)

    def _look(self, ring: KeyRing) -> None:
        try:
            ring.refresh()
            self.tell(ring)
            self._failing = False
        except Exception as error:  # the worker goes on with the keys that it has; whoever rotates waits for it in vain, and says so
            if not self._failing:
                log.error("key_ring.not_told", error=type(error).__name__)
            self._failing = True


def holders(data_dir: Path) -> list[Holder]:
    """The workers of a data directory that live; what others have left is removed."""
    found = []
    for lock in sorted((data_dir / FOLDER).glob("*.lock")):
        try:
            handle = os.open(lock, os.O_RDWR | os.O_CLOEXEC)
        except FileNotFoundError:
            continue
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            found.append(_read(lock))
        else:
            _remove(lock)
        finally:
            os.close(handle)
    return found


def _read(lock: Path) -> Holder:
    try:
        said = json.loads(lock.with_suffix(".json").read_bytes())
    except FileNotFoundError:
        return Holder(int(lock.name.partition("-")[0]), None)
    return Holder(said["process"], said["keys"], said["old"])


def _remove(lock: Path) -> None:
    for path in (lock.with_suffix(".json"), lock):
        with suppress(FileNotFoundError):
            path.unlink()
