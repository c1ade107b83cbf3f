"""When a key or a role was last used: known at once to the worker that saw it, and every second handed to the spool.

Source: https://docs.aws.amazon.com/IAM/latest/APIReference/API_GetAccessKeyLastUsed.html
"""

import json
import threading
from datetime import datetime
from typing import NamedTuple

from sekisho.journal.spool import Entry, Spool

KIND = "last-use"
_REMEMBERED = 10_000


class Use(NamedTuple):
    """One use: when, for which service, in which region of the signature's scope."""

    at: datetime
    service: str
    region: str


class LastUse:
    """The newest use of each id that this worker has seen."""

    def __init__(self, spool: Spool) -> None:
        self._spool = spool
        self._seen: dict[str, Use] = {}
        self._fresh: dict[str, Use] = {}
        self._lock = threading.Lock()

    def note(self, id_: str, use: Use) -> None:
        """Remember a use."""
        with self._lock:
            if len(self._seen) >= _REMEMBERED:
                self._seen.clear()  # the database has them within a second
            self._seen[id_] = self._fresh[id_] = use

    def of(self, id_: str) -> Use | None:
        """The last use that this worker has seen; the database may know a later one of another worker's."""
        return self._seen.get(id_)

    def flush(self) -> None:
        """Hand what is new to the spool."""
        with self._lock:
            fresh, self._fresh = self._fresh, {}
        if fresh:
            body = {id_: {"at": use.at.isoformat(), "service": use.service, "region": use.region} for id_, use in fresh.items()}
            self._spool.add(Entry(KIND, json.dumps(body)))
