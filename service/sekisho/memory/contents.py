"""What memory holds of one world at one point: records, names, findings and the recent history. The database is the cache's affair."""

import threading
import time
from collections.abc import Hashable, Sequence
from datetime import datetime, timedelta
from typing import Any

from sekisho.memory import cold
from sekisho.memory.confirmation import Check, Confirmation
from sekisho.memory.findings import Finding, Findings
from sekisho.memory.folded import NOTHING, Folded, Open
from sekisho.memory.history import History
from sekisho.memory.log import Log
from sekisho.memory.names import Names
from sekisho.memory.records import Records
from sekisho.memory.snapshot import Snapshot
from sekisho.store.changes import ORIGIN, Point
from sekisho.world import Record


class Contents:
    """`point` is the newest revision that was applied, `confirmed` says when that was last found to be so."""

    def __init__(self, budget: int, max_staleness: float | None) -> None:
        self._records = Records(budget)
        self.findings = Findings()
        self._turn = 0
        """Grows whenever something has become stale, before the revision that made it so is told in `point`: who reads the point first and
        the turn after it never takes what is of an older turn for something of the newer point.
        """
        self._names = Names()
        self._history = History()
        self._log = Log(0, 0)
        self._folded = NOTHING
        self._check: Check | None = None  # until it has passed once
        self._lock = threading.RLock()
        self.point: Point = ORIGIN
        self.confirmed = Confirmation(max_staleness)

    # Look-ups.

    def cached_record(self, id_: str) -> Record | None:
        """The record of an id if it is in memory."""
        found = self._records.get_record(id_)
        return self._unfolded(id_) if found is None and self._folded else found

    def is_absent(self, id_: str) -> bool:
        """Whether memory knows that there is nothing of this id."""
        return self._records.is_absent(id_)

    def cached_point(self, number: int) -> Point | None:
        """The revision of this number, if the cache has applied it lately."""
        return self._history.get_point(number)

    @property
    def size(self) -> tuple[int, int]:
        """How many records are in memory, and about how many bytes they take."""
        return self._records.size

    # What was found out by it.

    def get_finding(self, key: Hashable) -> Any:
        """What was found under a key, if all that it was made of is still in memory, the very same; else None."""
        found = self.findings.get(key)
        if found is None or (found.turn != self._turn and not self._holds(found)):
            self.findings.misses += 1
            return None
        self.findings.hits += 1
        found.used = True
        return found.value

    def keep_finding(self, key: Hashable, value: Any, owner: str, origins: Sequence[tuple[str, Record | None]], cost: int) -> None:
        """Keep what an account's call found out from these records; `cost` are its bytes, about."""
        self.findings.keep(key, value, owner, origins, cost)

    def _holds(self, found: Finding) -> bool:
        # The turn is read first. Should a record go while others are looked at, the turn is another by then, and all are looked at again.
        turn = self._turn
        if found.turn == turn:
            return True
        get_record = self._records.get_record
        for id_, record in found.origins:
            if get_record(id_) is not record:
                return False
        found.turn = turn
        return True

    # What outlives the process.

    def taken(self, now: datetime) -> Snapshot:
        """What memory holds now, for the disk; what came out of a snapshot and was not asked for is among it, as it was."""
        with self._lock:
            records, absent = self._records.all()
            names_, absent_names = self._names.all()
            return Snapshot(
                point=self.point,
                confirmed_at=now - timedelta(seconds=self.confirmed.age),
                points=self._history.recent(),
                records={**self._folded.all(), **records},
                absent=absent,
                names=names_,
                absent_names=absent_names,
            )

    def restore(self, snapshot: Snapshot, now: datetime, open_: Open, check: Check) -> None:
        """Begin from a snapshot; the first look at the database drops what has changed since, or all of it. Nothing is read there before
        the `check` has passed.
        """
        with self._lock:
            if self.point != ORIGIN:
                raise ValueError("the world has begun already")
            self._folded, self._check = Folded(snapshot.records, open_), check
            for id_ in snapshot.absent:
                self._records.keep_absent(id_)
            for key, name in snapshot.names.items():
                self._names.keep(key, name)
            for key in snapshot.absent_names:
                self._names.keep(key, None)
            self.confirmed.at = time.monotonic() - max(0.0, (now - snapshot.confirmed_at).total_seconds())
            self._history, self.point = History(snapshot.points), snapshot.point
            self._log = Log(self.point.number, self.point.number)

    def has_record(self, id_: str) -> bool:
        """Whether the record of an id is in memory, be it folded still: to know that takes no compiler, and no wait."""
        return self._records.get_record(id_) is not None or self._folded.get_line(id_) is not None

    def _unfolded(self, id_: str) -> Record | None:
        """The record that the snapshot has of an id, compiled and opened now; None when it has none."""
        folded = self._folded
        line = folded.get_line(id_)
        if line is None:
            return self._records.get_record(id_)  # opened by another thread, or not there
        cold.may_wait(id_)  # for the compiler
        record = folded.opened(line)
        with self._lock:
            if folded.get_line(id_) is not line:  # touched by a revision meanwhile, or opened by another thread
                return self._records.get_record(id_)
            folded.evict(id_)
            if record is not None:
                self._records.keep(id_, record)
        return record
