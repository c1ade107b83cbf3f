"""The world in memory: records and names, as new as the change log says.

A record is loaded once, or comes from the disk (`snapshot`), and stays until a revision touches its id. Three rules keep every decision
within one world: a record loaded from a snapshot of the database that is older than the cache is not kept, a composition during which the
cache moved is made again, and nothing is loaded from a database that is behind the cache.
"""

import math
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from datetime import datetime
from typing import TypeVar

from sqlalchemy.orm import Session

from sekisho import arn, policy
from sekisho.errors import RequestTimeout
from sekisho.memory import cold, loaders, names, vitals
from sekisho.memory.contents import Contents
from sekisho.memory.data_version import DataVersion
from sekisho.memory.history import MOST, Behind, History
from sekisho.memory.log import ANYBODY, MOST_IDS, Log, Since, accounts_of
from sekisho.memory.names import Name
from sekisho.memory.places import Busy, Places
from sekisho.memory.reader import Reader
from sekisho.memory.records import BUDGET, entity_key
from sekisho.store import changes, db, standby
from sekisho.store.changes import ORIGIN, Entry, Point
from sekisho.store.tables import AccessKey
from sekisho.world import AccountRecord, Acting, EntityRecord, Record, Subject

T = TypeVar("T")

Moved = Callable[[frozenset[str] | None], None]
"""Hears of accounts of which something has changed, None where it may be any; called under the cache's lock, so it only takes note."""

LOAD = 2.0
"""Seconds that a call waits for what memory does not have; one that is still not there is UNAVAILABLE."""


class World(Contents):
    """The cache of one worker, kept as new as the database. `max_staleness` are the seconds without a look at that after which it answers
    nothing more, None for no limit.
    """

    def __init__(
        self,
        database: db.Database,
        unseal: loaders.Unseal,
        *,
        budget: int = BUDGET,
        decoy: AccessKey | None = None,
        loads: db.Database | None = None,
        max_staleness: float | None = None,
        private: bool = True,
    ) -> None:
        """`loads` is the database again, with connections for what is loaded; `decoy` is opened in the place of a key that is not there;
        without `private`, the private keys of issuers and SAML providers are left where they are.
        """
        super().__init__(budget, max_staleness)
        self._database = database
        self.loads = loads or database
        self._unseal = unseal
        self._decoy = decoy
        self._private = private
        self._written = 0
        """Number of the newest write of this worker's own, which may be ahead of the point: what was loaded before it is not kept."""
        self._hearers: list[Moved] = []
        self.places = Places()
        self._version = DataVersion(database) if database.sqlite else None

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
        with self._snapshot(self._database, deadline) as session:
            yield session

    @contextmanager
    def _snapshot(self, database: db.Database, deadline: float | None) -> Iterator[Session]:
        before, history = self.point, self._history
        with database.read(deadline=deadline, first=changes.LATEST) as session:
            self.places.answered()
            if self._check is not None:
                self._check(session)
                self._check = None
            if self.sync(session).number < before.number and self._history is history:
                raise Behind("The database is behind what this worker has answered from already.")
            yield session

    @contextmanager
    def _load(self) -> Iterator[Session]:
        """A snapshot for a thread that has a place; Busy when it takes too long. Its connection is one of those for loads, which neither
        wait for the connections of reads and writes nor keep any from them.
        """
        deadline = time.monotonic() + LOAD
        try:
            with self._snapshot(self.loads, deadline) as session:
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
            self.confirmed.confirm(now)
            return self.point
        with self._version.looked() as changed:
            if changed:
                return self._renew(deadline)
            self.confirmed.confirm(time.monotonic())
            return self.point

    def _renew(self, deadline: float | None) -> Point:
        with self.snapshot(deadline):
            self.confirmed.confirm(time.monotonic())
            return self.point

    def look_at_lag(self) -> None:
        """Learn how far the database is behind the one that is written to; of SQLite there is no other."""
        if self._version is None:
            self.confirmed.lag = math.inf  # until the database has said it: one that cannot confirms nothing
            self.confirmed.lag = standby.lag(self._database)

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

    def committed(self, point: Point, ids: Iterable[str], account: str | None = None) -> None:
        """A write of this worker's own, of an account: what it touched is stale here at once, not only when the log is looked at."""
        with self._lock:
            for id_ in (touched := tuple(ids)):
                self._evict(id_)
            self._turn += 1
            self._written = max(self._written, point.number)
            if point.number == self.point.number + 1:
                self._move(point, (point,), [Entry(point.number, account, touched)])

    def hear(self, hearer: Moved) -> Callable[[], None]:
        """Have a hearer told whenever the cache moves; the function ends that."""
        self._hearers.append(hearer)
        return lambda: self._hearers.remove(hearer)

    def since(self, cursor: Point) -> Since | None:
        """What came after a point; None when that is not in the history, or so long ago that it is not remembered any more."""
        with self._lock:
            entries = self._log.get_after(cursor.number)
            if entries is None or self._history.get_point(cursor.number) != cursor:
                return None
            points = [self._history.get_point(number) for number in range(cursor.number + 1, self.point.number + 1)]
            return Since(self.point, entries, [point for point in points if point is not None])

    def touched(self, accounts: Iterable[str], cursor: Point) -> bool:
        """Whether anything of these accounts was touched after a point."""
        return self._log.touched(accounts, cursor.number)

    def reweigh(self, count: int = 64) -> None:
        """Charge so many records, the next ones each time, what they have grown to, and the oldest go when that is too much; and of so many
        findings forget those that hold no more.
        """
        with self._lock:
            self._records.reweigh(count)
        self.findings.sweep(count, self._holds)

    def _advance(self, session: Session, newest: Point) -> None:
        """Apply what came after the cache's revision; the point moves when all that is stale has gone.

        Revisions are numbered without gaps, and are pruned with what they touched; where one is lacking, nobody knows what it touched.
        """
        before = self.point
        if newest == before:
            return
        vitals.BEHIND.set(newest.number - before.number)
        if before == ORIGIN or changes.at(session, before.number) != before:
            self._replace(session, newest)
            return
        points = changes.points_after(session, before.number, newest.number, MOST)
        if len(points) != min(newest.number - before.number, MOST):
            self._replace(session, newest)
            return
        whole = len(points) == newest.number - before.number
        entries = changes.entries_after(session, before.number, newest.number, MOST_IDS) if whole else None
        ids = {id_ for entry in entries for id_ in entry.ids} if entries is not None else changes.touched_after(session, before.number)
        for id_ in ids:
            self._evict(id_)
        self._move(newest, points, entries)

    def _replace(self, session: Session, newest: Point) -> None:
        """Begin anew, with another history or after a gap."""
        points = changes.points_after(session, 0, newest.number, MOST)
        begins = newest.number - next((n for n, point in enumerate(reversed(points)) if point.number != newest.number - n), len(points))
        entries = changes.entries_after(session, begins, newest.number, MOST_IDS)
        self._records.clear()
        self._names.clear()
        self._folded.clear()
        self._turn += 1
        self._written = 0
        self._history, self.point = History(points), newest
        self._log = Log(begins, newest.number, entries) if entries is not None else Log(newest.number, newest.number)
        self._tell(None)

    def _move(self, newest: Point, points: Iterable[Point], entries: Sequence[Entry] | None) -> None:
        """Set the point, once all that is stale has gone. Without `entries`, what was touched is remembered no further back."""
        if entries is None:
            self._log = Log(newest.number, newest.number)
        else:
            self._log.extend(newest.number, entries)
        self._turn += 1
        self.point = newest
        self._history.extend(points)
        self._tell(None if entries is None else frozenset().union(*map(accounts_of, entries)))

    def _tell(self, accounts: frozenset[str] | None) -> None:
        for hearer in self._hearers:
            hearer(None if accounts is None or ANYBODY in accounts else accounts)

    def _evict(self, id_: str) -> None:
        self._folded.evict(id_)
        self._records.evict(id_)
        self._names.evict(id_)

    # What is composed out of it.

    def acting(self, subject: Subject, now: datetime) -> tuple[Acting, Point]:
        """A subject's records, composed, and the revision that they are of or newer than."""
        return self.consistent(lambda reader: reader.acting(subject, now))

    def consistent(self, compose: Callable[[Reader], T]) -> tuple[T, Point]:
        """The result of a composition during which the cache did not move; what it must read, it reads in one snapshot of its own."""
        self.confirmed.refuse_stale()
        for _ in range(3):
            before = self.point
            with Reader(self) as reader:
                made = compose(reader)
            if self.point is before:
                return made, before
        # Nobody else moves the cache now, and neither do we: what is loaded comes from the snapshot that the cache was brought to first.
        with self.steady(), self._load() as session, Reader(self, session) as reader:
            return compose(reader), self.point

    @contextmanager
    def steady(self) -> Iterator[None]:
        """Have nobody else move the cache inside the block."""
        cold.may_wait()
        with self.places.place(), self._lock, policy.unbroken():
            yield

    # Look-ups.

    def get_record(self, id_: str) -> Record | None:
        """The record of an id, from memory or from the database; None when there is no such thing."""
        cached = self._records.get_record(id_)
        if cached is not None:
            return cached
        with Reader(self) as reader:
            return reader.get_record(id_)

    def load_record(self, id_: str, session: Session) -> Record | None:
        """Load a record and keep it, or that there is none, unless the snapshot is older than what the cache has applied already. With a
        principal comes what a decision about it will look up next.
        """
        loaded_at = self.sync(session)
        record = loaders.load_record(session, id_, self._unseal, self._decoy, private=self._private)
        followed = loaders.load_followed(session, record, self._records.get_record, self._is_known)
        with self._lock:
            if self._is_new(loaded_at):
                for other, found in followed.items():
                    self._records.keep(other, found)
                if record is not None:
                    self._records.keep(id_, record)
                else:
                    self._records.keep_absent(id_)
        return record

    def _is_new(self, loaded_at: Point) -> bool:
        """True when nothing that memory has applied, or this worker has written, came after a snapshot."""
        return loaded_at.number >= max(self.point.number, self._written)

    def _is_known(self, id_: str) -> bool:
        """Whether memory has a record, or knows that there is none."""
        return self.has_record(id_) or self.is_absent(id_)

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
            vitals.NAME_HITS.inc()
            return cached
        with self.snapshot(wanted=f"{named.account}:{named.kind}/{named.key}") as session:
            vitals.NAME_MISSES.inc()
            found = loaders.load_name(session, named)
            self._keep_name(key, found, changes.begun_at(session))
            return found

    def _keep_name(self, key: names.Key, found: Name | None, loaded_at: Point) -> None:
        with self._lock:
            if self._is_new(loaded_at):
                self._names.keep(key, found)

    def get_entity(self, named: arn.Entity, session: Session | None, snapshot: Callable[[], Session]) -> EntityRecord | None:
        """The entity of a name, in any case, in its account: from memory, or from the session of a call; None when there is no such thing.
        To a call that has a session, memory may not be newer than that, and after the call has changed something nothing is from memory.
        """
        key = names.key(named)
        if session is None or (changes.begun_at(session) == self.point and not changes.is_changed(session)):
            cached = self._names.get_name(key)
            record = self._records.get_record(entity_key(cached.id)) if cached is not None else None
            if isinstance(record, EntityRecord) and names.key_of(record) == key:
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
            if record is not None and self._is_new(loaded_at):
                self._records.keep(entity_key(record.id), record)
        return record
