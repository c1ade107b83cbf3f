"""The world in memory: records by immutable id, as new as the change log says, bounded in bytes.

A record is loaded once and stays until a revision touches its id. Two rules keep every decision within one world:
a record loaded from a snapshot older than the cache is not kept, and a composition during which the cache moved is made again.
"""

import threading
import time
from collections.abc import Callable, Iterable
from contextlib import AbstractContextManager
from datetime import datetime
from types import TracebackType
from typing import Self, TypeVar

from sqlalchemy.orm import Session

from sekisho.errors import Unavailable
from sekisho.memory import loaders
from sekisho.memory.data_version import DataVersion
from sekisho.store import changes, db
from sekisho.store.changes import ORIGIN, Point
from sekisho.world import Acting, EntityRecord, KeyRecord, PolicyRecord, PrincipalRecord, Record, Subject, acting

BUDGET = 256 * 1024 * 1024
_FIXED_COST = 2_048  # bytes of a record without documents, measured with tracemalloc, rounded up
_PER_STATEMENT = 4_096  # bytes of a compiled statement, likewise
_ARNS = 65_536  # remembered names; forgotten all at once, they cost one query each
T = TypeVar("T")


class Reader:
    """Finds records for one composition: from memory, and from one snapshot that is opened when the first is not there."""

    def __init__(self, world: "World", database: db.Database, session: Session | None = None) -> None:
        self._world, self._database = world, database
        self._opened: AbstractContextManager[Session] | None = None
        self._session = session

    def record(self, id_: str) -> Record | None:
        """The record of an id; None when there is no such thing."""
        held = self._world.held(id_)
        if held is not None:
            return held
        if self._session is None:
            self._opened = self._database.read()
            self._session = self._opened.__enter__()
        return self._world.load(id_, self._session)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        if self._opened is not None:
            self._opened.__exit__(kind, error, trace)


class _Slot:
    """A record with its cost, and whether it was asked for since the last sweep."""

    __slots__ = ("cost", "record", "used")

    def __init__(self, record: Record, cost: int) -> None:
        self.record, self.cost, self.used = record, cost, True


class World:
    """The cache of one worker; `point` is the newest revision that it has applied, `fresh_at` when that was last confirmed (monotonic)."""

    def __init__(self, database: db.Database, unseal: loaders.Unseal, *, budget: int = BUDGET) -> None:
        self._database = database
        self._unseal = unseal
        self._budget = budget
        self._slots: dict[str, _Slot] = {}
        self._size = 0
        self._arns: dict[str, str] = {}
        self._lock = threading.RLock()
        self._version = DataVersion(database) if database.sqlite else None
        self.point: Point = ORIGIN
        self.fresh_at = time.monotonic()

    def sync(self, session: Session) -> Point:
        """Bring the cache to the newest revision that the session sees, and say which that is."""
        newest = changes.begun_at(session)
        if newest == self.point:
            return newest
        with self._lock:
            if newest.number >= self.point.number and newest != self.point:  # the same number with another nonce is another history
                self._advance(session, newest)
        return newest

    def renewed(self, deadline: float | None = None) -> Point:
        """The cache's revision, once that is not older than the database is now."""
        if self._version is None:
            now = time.monotonic()
            if changes.point_of(self._database.glance(changes.LATEST, deadline=deadline)) != self.point:
                return self.poll(deadline)
            self.fresh_at = now
            return self.point
        with self._version.looked() as changed:
            if changed:
                return self.poll(deadline)
            self.fresh_at = time.monotonic()
            return self.point

    def close(self) -> None:
        """Nobody looks any more."""
        if self._version is not None:
            self._version.close()

    def poll(self, deadline: float | None = None) -> Point:
        """Look at the database now; finds out, too, when its history was replaced by another (a failover, a restored backup)."""
        before = self.point
        with self._database.read(deadline=deadline) as session:
            newest = changes.latest(session)
            with self._lock:
                if newest.number < before.number and self.point.number >= before.number:
                    self._replace(newest)  # the snapshot was taken after `before` was committed, and does not have it
                elif newest.number > self.point.number or (newest.number == self.point.number and newest != self.point):
                    self._advance(session, newest)
        self.fresh_at = time.monotonic()
        return self.point

    def committed(self, point: Point, ids: Iterable[str]) -> None:
        """A write of this worker's own: what it touched is stale here at once, not only when the log is looked at."""
        with self._lock:
            for id_ in ids:
                self._evict(id_)
            if point.number == self.point.number + 1:
                self.point = point

    def _advance(self, session: Session, newest: Point) -> None:
        if changes.at(session, self.point.number) != self.point:
            self._replace(newest)
            return
        for id_ in changes.touched_after(session, self.point.number):
            self._evict(id_)
        self.point = newest

    def _replace(self, newest: Point) -> None:
        self._slots.clear()
        self._arns.clear()
        self._size = 0
        self.point = newest

    def acting(self, subject: Subject, now: datetime) -> tuple[Acting, Point]:
        """A subject's records, composed, and the revision that they are of or newer than."""
        return self.consistent(lambda reader: acting(subject, reader.record, now))

    def consistent(self, compose: Callable[["Reader"], T]) -> tuple[T, Point]:
        """The result of a composition during which the cache did not move; what it must read, it reads in one snapshot of its own."""
        for _ in range(3):
            before = self.point
            with Reader(self, self._database) as reader:
                made = compose(reader)
            if self.point is before:
                return made, before
        # Nobody else moves the cache now, and neither do we: what is loaded comes from the snapshot that the cache was brought to first.
        with self._lock, self._database.read() as session, Reader(self, self._database, session) as reader:
            if self.sync(session) != self.point:
                raise Unavailable("The database is behind what this worker has answered from already.")
            return compose(reader), self.point

    def record(self, id_: str) -> Record | None:
        """The record of an id, from memory or from the database; None when there is no such thing."""
        held = self.held(id_)
        if held is not None:
            return held
        with Reader(self, self._database) as reader:
            return reader.record(id_)

    def key(self, id_: str) -> KeyRecord | None:
        """A long-term access key."""
        record = self.record(id_)
        return record if isinstance(record, KeyRecord) else None

    def id_of_arn(self, text: str) -> str | None:
        """The unique id of the principal or policy that an ARN names; a remembered answer is held against the record."""
        known = self._arns.get(text)
        record = self.record(known) if known is not None else None
        if isinstance(record, PrincipalRecord | PolicyRecord) and record.arn == text:
            return known
        with self._database.read() as session:
            return self._remembered(text, loaders.id_of_arn(session, text))

    def role_id(self, account_id: str, name: str) -> str | None:
        """The unique id of a role by account and name, as role-session ARNs give them; remembered likewise."""
        text = f"{account_id}/{name}"
        known = self._arns.get(text)
        record = self.record(known) if known is not None else None
        if isinstance(record, PrincipalRecord) and (record.kind, record.account_id, record.name) == ("role", account_id, name):
            return known
        with self._database.read() as session:
            return self._remembered(text, loaders.role_id(session, account_id, name))

    def _remembered(self, text: str, found: str | None) -> str | None:
        with self._lock:
            self._arns.pop(text, None)
            if found is not None:
                if len(self._arns) >= _ARNS:
                    self._arns.clear()
                self._arns[text] = found
        return found

    def entity(
        self, account_id: str, kind: str, name: str, session: Session | None, snapshot: Callable[[], Session]
    ) -> EntityRecord | None:
        """What has this name, in any case, in an account: from memory, where a remembered id is held against the record, or from the
        session of a call, kept unless that has changed something. None when there is no such thing. To a call that has a session,
        memory may not be newer than that.
        """
        text = f"{account_id}/{kind}/{name.lower()}"
        known = self._arns.get(text)
        held = self.held(_entity(known)) if known is not None else None
        if (
            isinstance(held, EntityRecord)
            and (held.name.lower(), held.kind, held.account_id) == (name.lower(), kind, account_id)
            and (session is None or changes.begun_at(session) == self.point)
        ):
            return held
        opened = snapshot()
        seen = self.sync(opened)
        if changes.is_changed(opened):
            opened.flush()
            return loaders.entity(opened, account_id, kind, name.lower())
        record = loaders.entity(opened, account_id, kind, name.lower())
        self._remembered(text, record.id if record is not None else None)
        if record is not None:
            self._keep(_entity(record.id), record, seen)
        return record

    def load(self, id_: str, session: Session) -> Record | None:
        """Load a record and keep it, unless the session's snapshot is older than what the cache has applied already."""
        seen = self.sync(session)
        record = loaders.load(session, id_, self._unseal)
        if record is not None:
            self._keep(id_, record, seen)
        return record

    def _keep(self, key: str, record: Record, seen: Point) -> None:
        cost = _cost(record)
        with self._lock:
            if seen.number >= self.point.number and cost <= self._budget:
                self._drop(key)
                self._slots[key] = _Slot(record, cost)
                self._size += cost
                self._shrink()

    def held(self, id_: str) -> Record | None:
        """The record of an id if it is in memory."""
        slot = self._slots.get(id_)
        if slot is None:
            return None
        slot.used = True
        return slot.record

    def _shrink(self) -> None:
        """Second chance: the oldest record goes, unless it was used since it was last looked at."""
        while self._size > self._budget:
            key, slot = next(iter(self._slots.items()))
            self._drop(key)
            if slot.used:
                slot.used = False
                self._slots[key] = slot
                self._size += slot.cost

    def _evict(self, id_: str) -> None:
        """All that is held of an id."""
        self._drop(id_)
        self._drop(_entity(id_))

    def _drop(self, key: str) -> None:
        slot = self._slots.pop(key, None)
        if slot is not None:
            self._size -= slot.cost

    @property
    def size(self) -> tuple[int, int]:
        """How many records are held, and about how many bytes they take."""
        return len(self._slots), self._size


def _entity(id_: str) -> str:
    """Under what the entity of an id is held, beside what it may do."""
    return f"{id_}/entity"


def _cost(record: Record) -> int:
    programs = []
    if isinstance(record, PolicyRecord):
        programs.append(record.attached)
    elif not isinstance(record, KeyRecord) and hasattr(record, "inline"):
        programs.extend(record.inline)
        trust = getattr(record, "trust", None)
        if trust is not None:
            programs.append(trust)
    return _FIXED_COST + _PER_STATEMENT * sum(len(attached.program.policy.statements) for attached in programs)
