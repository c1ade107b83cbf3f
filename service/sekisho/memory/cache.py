"""The world in memory: records and names, as new as the change log says.

A record is loaded once, or comes from the disk (`snapshot`), and stays until a revision touches its id. Three rules keep every decision
within one world: a record loaded from a snapshot of the database that is older than the cache is not kept, a composition during which the
cache moved is made again, and nothing is loaded from a database that is behind the cache.
"""

import threading
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from datetime import datetime, timedelta
from typing import TypeVar

from sqlalchemy.orm import Session

from sekisho import arn
from sekisho.errors import RequestTimeout, SekishoError, Unavailable
from sekisho.memory import cold, loaders, names
from sekisho.memory.data_version import DataVersion
from sekisho.memory.history import MOST, Behind, History
from sekisho.memory.names import Name, Names
from sekisho.memory.places import Busy, Places
from sekisho.memory.reader import Reader
from sekisho.memory.records import BUDGET, Records, entity_key
from sekisho.memory.snapshot import Snapshot
from sekisho.store import changes, db, standby
from sekisho.store.changes import ORIGIN, Point
from sekisho.world import AccountRecord, Acting, EntityRecord, Record, Subject, acting

T = TypeVar("T")

LOAD = 2.0
"""Seconds that a call waits for what memory does not have; one that is still not there is UNAVAILABLE."""

Open = Callable[[bytes], Record]
"""Makes a record of the line that a snapshot has of it; a SekishoError when it cannot."""

Check = Callable[[Session], None]
"""Raises for a database that is not one to read from."""


class Stale(Unavailable):
    """Memory has not been confirmed to be new for longer than this node may answer from it."""


class World:
    """The cache of one worker; `point` is the newest revision that it has applied, `fresh_at` when that was last confirmed (monotonic).

    `max_staleness` are the seconds without that after which it answers nothing more, none for no limit.
    """

    def __init__(self, database: db.Database, unseal: loaders.Unseal, *, budget: int = BUDGET, max_staleness: float | None = None) -> None:
        self._database = database
        self._unseal = unseal
        self._records = Records(budget)
        self._names = Names()
        self._history = History()
        self._lock = threading.RLock()
        self.places = Places()
        self._version = DataVersion(database) if database.sqlite else None
        self._folded: dict[str, bytes] = {}  # records of a snapshot that nobody has asked for yet
        self._open: Open | None = None
        self._check: Check | None = None  # until it has passed once
        self._lag = 0.0
        self.max_staleness = max_staleness
        self.point: Point = ORIGIN
        self.fresh_at = time.monotonic()

    # What keeps it new.

    @contextmanager
    def snapshot(self, deadline: float | None = None, *, wanted: str = "") -> Iterator[Session]:
        """One snapshot of the database, to which the cache has been brought; Behind when that is older than the cache was before.

        The one way from memory to the database: Cold is raised here, and says what is `wanted`. Who wants something needs a place, and has
        `LOAD` seconds, so that a database that hangs does not take every thread.
        """
        cold.may_wait(wanted)
        if wanted:
            with self.places.place(), self._load() as session:
                yield session
            return
        before, history = self.point, self._history
        with self._database.read(deadline=deadline, first=changes.LATEST) as session:
            self.places.answered()
            if self._check is not None:
                self._check(session)
                self._check = None
            if self.sync(session).number < before.number and self._history is history:
                raise Behind("The database is behind what this worker has answered from already.")
            yield session

    @contextmanager
    def _load(self) -> Iterator[Session]:
        """A snapshot for a thread that has a place; Busy when it takes too long."""
        deadline = time.monotonic() + LOAD
        try:
            with self.snapshot(deadline) as session:
                yield session
        except RequestTimeout as error:  # not the caller's own, whose deadline may be far
            raise Busy("The database did not answer in time.") from error

    def sync(self, session: Session, *, since: Point = ORIGIN) -> Point:
        """Bring the cache to the newest revision that the session sees, and say which that is.

        `since` is the cache's revision before a transaction that writes began: a database that can be written and has not got that has
        lost it, and is another history.
        """
        newest = changes.begun_at(session)
        if newest == self.point:
            return newest
        with self._lock:
            if newest.number >= self.point.number:
                self._advance(session, newest)
            elif newest.number < since.number or self._history.get_point(newest.number) not in (newest, None):
                self._replace(session, newest)
        return newest

    def renewed(self, deadline: float | None = None) -> Point:
        """The cache's revision, once that is not older than the database is now; Behind when the database is older."""
        if self._version is None:
            now = time.monotonic()
            if changes.point_of(self._database.glance(changes.LATEST, deadline=deadline)) != self.point:
                return self._renew(deadline)
            self._confirm(now)
            return self.point
        with self._version.looked() as changed:
            if changed:
                return self._renew(deadline)
            self._confirm(time.monotonic())
            return self.point

    def _renew(self, deadline: float | None) -> Point:
        with self.snapshot(deadline):
            self._confirm(time.monotonic())
            return self.point

    def _confirm(self, moment: float) -> None:
        """The database has shown nothing newer at this moment; what it shows itself is as old as it lags."""
        self.fresh_at = max(self.fresh_at, moment - self._lag)

    def look_at_lag(self) -> None:
        """Learn how far the database is behind the one that is written to; of SQLite there is no other."""
        if self._version is None:
            self._lag = standby.lag(self._database)

    @property
    def staleness(self) -> float:
        """Seconds since memory was last confirmed to be new."""
        return max(0.0, time.monotonic() - self.fresh_at)

    def refuse_stale(self) -> None:
        """Raise Stale when memory has not been confirmed for longer than it may."""
        if self.max_staleness is not None and self.staleness > self.max_staleness:
            raise Stale("This node has not heard from its database for longer than it may answer without.")

    def poll(self, deadline: float | None = None) -> Point:
        """Look at the database now; finds out, too, when its history was replaced by another (a failover, a restored backup). One that is
        behind changes nothing, and confirms nothing.
        """
        with suppress(Behind):
            self._renew(deadline)
        return self.point

    def close(self) -> None:
        """Nobody looks any more."""
        if self._version is not None:
            self._version.close()

    def committed(self, point: Point, ids: Iterable[str]) -> None:
        """A write of this worker's own: what it touched is stale here at once, not only when the log is looked at."""
        with self._lock:
            for id_ in ids:
                self._evict(id_)
            if point.number == self.point.number + 1:
                self.point = point
                self._history.extend((point,))

    def reweigh(self, count: int = 64) -> None:
        """Charge so many records, the next ones each time, what they have grown to; the oldest go when that is too much."""
        with self._lock:
            self._records.reweigh(count)

    def cached_point(self, number: int) -> Point | None:
        """The revision of this number, if the cache has applied it lately."""
        return self._history.get_point(number)

    def _advance(self, session: Session, newest: Point) -> None:
        """Apply what came after the cache's revision; the point moves when all that is stale has gone."""
        if newest == self.point:
            return
        if self.point == ORIGIN or changes.at(session, self.point.number) != self.point:
            self._replace(session, newest)
            return
        for id_ in changes.touched_after(session, self.point.number):
            self._evict(id_)
        after, self.point = self.point.number, newest
        self._history.extend(changes.points_after(session, after, newest.number, MOST))

    def _replace(self, session: Session, newest: Point) -> None:
        """Begin anew with another history."""
        history = History(changes.points_after(session, 0, newest.number, MOST))
        self._records.clear()
        self._names.clear()
        self._folded.clear()
        self._history, self.point = history, newest

    def _evict(self, id_: str) -> None:
        self._folded.pop(id_, None)
        self._records.evict(id_)
        self._names.evict(id_)

    # What outlives the process.

    def taken(self, now: datetime) -> Snapshot:
        """What memory holds now, for the disk; what came out of a snapshot and was not asked for is among it, as it was."""
        with self._lock:
            records, absent = self._records.all()
            names_, absent_names = self._names.all()
            return Snapshot(
                point=self.point,
                confirmed_at=now - timedelta(seconds=self.staleness),
                points=self._history.recent(),
                records={**self._folded, **records},
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
            self._folded = {key: line for key, line in snapshot.records.items() if isinstance(line, bytes)}
            for id_ in snapshot.absent:
                self._records.keep_absent(id_)
            for key, name in snapshot.names.items():
                self._names.keep(key, name)
            for key in snapshot.absent_names:
                self._names.keep(key, None)
            self._open, self._check = open_, check
            self.fresh_at = time.monotonic() - max(0.0, (now - snapshot.confirmed_at).total_seconds())
            self._history, self.point = History(snapshot.points), snapshot.point

    def _unfolded(self, id_: str) -> Record | None:
        """The record that the snapshot has of an id, compiled and opened now; None when it has none, or one that cannot be opened."""
        line = self._folded.get(id_)
        if line is None or self._open is None:
            return None
        cold.may_wait(id_)  # for the compiler
        try:
            record: Record | None = self._open(line)
        except SekishoError:  # its key was forgotten: as if it had never been there
            record = None
        with self._lock:
            if self._folded.get(id_) is not line:  # touched by a revision meanwhile, or opened by another thread
                return self._records.get_record(id_)
            del self._folded[id_]
            if record is not None:
                self._records.keep(id_, record)
        return record

    # What is composed out of it.

    def acting(self, subject: Subject, now: datetime) -> tuple[Acting, Point]:
        """A subject's records, composed, and the revision that they are of or newer than."""
        return self.consistent(lambda reader: acting(subject, reader.get_record, now))

    def consistent(self, compose: Callable[[Reader], T]) -> tuple[T, Point]:
        """The result of a composition during which the cache did not move; what it must read, it reads in one snapshot of its own."""
        self.refuse_stale()
        for _ in range(3):
            before = self.point
            with Reader(self) as reader:
                made = compose(reader)
            if self.point is before:
                return made, before
        # Nobody else moves the cache now, and neither do we: what is loaded comes from the snapshot that the cache was brought to first.
        cold.may_wait()
        with self.places.place(), self._lock, self._load() as session, Reader(self, session) as reader:
            return compose(reader), self.point

    # Look-ups.

    def get_record(self, id_: str) -> Record | None:
        """The record of an id, from memory or from the database; None when there is no such thing."""
        with Reader(self) as reader:
            return reader.get_record(id_)

    def cached_record(self, id_: str) -> Record | None:
        """The record of an id if it is in memory."""
        found = self._records.get_record(id_)
        return self._unfolded(id_) if found is None and self._folded else found

    def is_absent(self, id_: str) -> bool:
        """Whether memory knows that there is nothing of this id."""
        return self._records.is_absent(id_)

    def load_record(self, id_: str, session: Session) -> Record | None:
        """Load a record and keep it, or that there is none, unless the snapshot is older than what the cache has applied already."""
        loaded_at = self.sync(session)
        record = loaders.load_record(session, id_, self._unseal)
        with self._lock:
            if loaded_at.number >= self.point.number:
                if record is not None:
                    self._records.keep(id_, record)
                else:
                    self._records.keep_absent(id_)
        return record

    def get_id(self, named: arn.Entity) -> str | None:
        """The unique id of what an ARN names, whose path and spelling must be its own; of a role session, the id of its role."""
        if named.kind == "root":
            return named.account if isinstance(self.get_record(named.account), AccountRecord) else None
        if named.kind == "assumed-role":
            found = self._get_name(arn.Entity(named.account, "role", "/", named.role))
            return found.id if found is not None and found.name == named.role else None
        found = self._get_name(named)
        return found.id if found is not None and (found.name, found.path) == (named.name, named.path) else None

    def _get_name(self, named: arn.Entity) -> Name | None:
        key = names.key(named)
        cached = self._names.get_name(key)
        if cached is not None or self._names.is_absent(key):
            return cached
        with self.snapshot(wanted=f"{named.account}:{named.kind}/{named.key}") as session:
            found = loaders.load_name(session, named)
            self._keep_name(key, found, changes.begun_at(session))
            return found

    def _keep_name(self, key: names.Key, found: Name | None, loaded_at: Point) -> None:
        with self._lock:
            if loaded_at.number >= self.point.number:
                self._names.keep(key, found)

    def get_entity(self, named: arn.Entity, session: Session | None, snapshot: Callable[[], Session]) -> EntityRecord | None:
        """The entity of a name, in any case, in its account: from memory, or from the session of a call; None when there is no such thing.
        To a call that has a session, memory may not be newer than that, and after the call has changed something nothing is from memory.
        """
        key = names.key(named)
        if session is None or (changes.begun_at(session) == self.point and not changes.is_changed(session)):
            cached = self._names.get_name(key)
            record = self._records.get_record(entity_key(cached.id)) if cached is not None else None
            if isinstance(record, EntityRecord) and _key_of(record) == key:
                return record
            if self._names.is_absent(key):
                return None
        opened = snapshot()
        if changes.is_changed(opened):
            opened.flush()
            return loaders.load_entity(opened, named)
        loaded_at = self.sync(opened)
        record = loaders.load_entity(opened, named)
        with self._lock:
            self._keep_name(key, Name(record.id, record.path, record.name) if record is not None else None, loaded_at)
            if record is not None and loaded_at.number >= self.point.number:
                self._records.keep(entity_key(record.id), record)
        return record

    @property
    def size(self) -> tuple[int, int]:
        """How many records are in memory, and about how many bytes they take."""
        return self._records.size


def _key_of(record: EntityRecord) -> names.Key:
    return names.key(arn.Entity(record.account_id, record.kind, record.path, record.name))
