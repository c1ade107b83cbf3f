"""Data events on their way to the spool: made and written beside the calls, and never in their way.

A call only puts what it has found out into a bounded queue; a thread makes records of that and hands them to the spool. What there is no
room for is counted, and costs no call anything.
"""

import queue
import threading
from collections import Counter
from collections.abc import Callable
from typing import Any

import structlog

from sekisho import meters
from sekisho.journal.room import DATA
from sekisho.journal.spool import Entry, Spool

MOST = 4096
"""Decisions that wait to be made into records; at most some 10 KB each, as long as a resource may be."""

RECORDED = meters.Counter("sekisho_data_events_recorded", "Decisions that somebody's selectors asked for, and that the spool has.")
DROPPED = meters.Counter(
    "sekisho_data_events_dropped",
    "Decisions that may have been asked for and are not recorded: the queue is full or the account has its share of it, the spool has no "
    "room, or the record could not be made.",
    ["reason"],
)
_OF_QUEUE, _OF_SHARE, _OF_SPOOL, _OF_RECORD = (DROPPED.labels(reason) for reason in ("queue", "share", "spool", "record"))

Made = Callable[..., Entry | None]
"""Makes the entry of a decision; None where no selector takes it."""

log = structlog.get_logger(__name__)


class DataEvents:
    """A queue and the thread that empties it into the spool."""

    def __init__(self, spool: Spool) -> None:
        self._spool = spool
        self._queue: queue.SimpleQueue[tuple[str, Made, tuple[Any, ...]] | None] = queue.SimpleQueue()
        self._lock = threading.Lock()
        self._waiting: Counter[str] = Counter()
        self._total = 0
        self._thread = threading.Thread(target=self._run, name="data-events", daemon=True)
        self._thread.start()

    def add(self, account: str, made: Made, *arguments: Any) -> None:
        """Have `made` make an entry of the arguments, in the thread, and the spool keep it.

        An account may have as many places as it leaves free, so that a second still finds half of the rest, and a third half of that.
        """
        with self._lock:
            if self._total >= MOST:
                _OF_QUEUE.inc()
            elif self._waiting[account] >= MOST - self._total:
                _OF_SHARE.inc()
            else:
                self._waiting[account] += 1
                self._total += 1
                self._queue.put((account, made, arguments))

    def close(self) -> None:
        """Make what waits into records, then stop."""
        self._queue.put(None)
        self._thread.join(timeout=10)

    def _run(self) -> None:
        failing = False
        while (item := self._queue.get()) is not None:
            account, made, arguments = item
            try:
                entry = made(*arguments)
                failing = False
            except Exception as error:  # whatever it is, the next ones may be recorded
                _OF_RECORD.inc()
                if not failing:  # once for each time it begins to fail
                    log.exception("data_events.failing", error=type(error).__name__)
                failing, entry = True, None
            if entry is not None:
                (RECORDED if self._spool.note(entry, part=DATA) else _OF_SPOOL).inc()
            with self._lock:
                self._total -= 1
                self._waiting[account] -= 1
                if not self._waiting[account]:
                    del self._waiting[account]
