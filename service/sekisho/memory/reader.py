"""What one composition reads: memory, and one snapshot for what memory does not have."""

from collections.abc import Hashable, Sequence
from contextlib import AbstractContextManager
from datetime import datetime
from types import TracebackType
from typing import Any, Protocol, Self

from sqlalchemy.orm import Session

from sekisho.memory import records, vitals
from sekisho.world import Acting, Record, Subject, acting

_ACTING = 1_536
_POLICY = 128
"""Bytes of a composed subject, and of each policy in it. With five tags and three policies it takes 1.3 KB, what `findings.ENTRY` says
included (tracemalloc, 150 of them); this charges half as much again, and the text of its identity in records.
"""


class Memory(Protocol):
    """The memory that a reader reads, with its one way to the database."""

    def cached_record(self, id_: str) -> Record | None:
        """The record of an id if it is in memory."""

    def is_absent(self, id_: str) -> bool:
        """Whether memory knows that there is nothing of this id."""

    def snapshot(self, *, wanted: str) -> AbstractContextManager[Session]:
        """One snapshot, to which memory was brought."""

    def load_record(self, id_: str, session: Session) -> Record | None:
        """Load a record and keep it."""

    def get_finding(self, key: Hashable) -> Any:
        """What was found under a key, if it still holds."""

    def keep_finding(self, key: Hashable, value: Any, owner: str, origins: Sequence[tuple[str, Record | None]], cost: int) -> None:
        """Keep what was found out from records."""


class Reader:
    """Finds records for one composition; the snapshot is opened when the first record is not in memory."""

    def __init__(self, world: Memory, session: Session | None = None) -> None:
        self._world = world
        self._opened: AbstractContextManager[Session] | None = None
        self._session = session
        self._hits = 0  # counted once, at the end: a decision looks up some ten records
        self._of_now: dict[int, Acting] = {}

    def get_record(self, id_: str) -> Record | None:
        """The record of an id; None when there is no such thing."""
        cached = self._world.cached_record(id_)
        if cached is not None or self._world.is_absent(id_):
            self._hits += 1
            return cached
        if self._session is None:
            opened = self._world.snapshot(wanted=id_)
            self._session = opened.__enter__()
            self._opened = opened
        vitals.RECORD_MISSES.inc()
        return self._world.load_record(id_, self._session)

    def acting(self, subject: Subject, now: datetime) -> Acting:
        """A subject with its records, as it was composed before, if none of them is another now."""
        session = subject.session
        if session is not None and session.mfa_at is not None:  # one of its keys tells the time, which is one for all that is composed here
            if id(subject) not in self._of_now:
                self._of_now[id(subject)] = acting(subject, self.get_record, now)
            return self._of_now[id(subject)]
        key = ("acting", subject.account_id, subject.id, subject.access_key_id) if session is None else ("acting", id(subject))
        found: Acting | None = self._world.get_finding(key)
        # The subject of a session is known by being the same object, which its composition keeps alive.
        if found is not None and (session is None or found.subject is subject):
            return found
        origins: list[tuple[str, Record | None]] = []

        def look(id_: str) -> Record | None:
            record = self.get_record(id_)
            origins.append((id_, record))
            return record

        made = acting(subject, look, now)
        self._world.keep_finding(key, made, subject.account_id, origins, _cost(made))
        return made

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        if self._hits:
            vitals.RECORD_HITS.inc(self._hits)
        if self._opened is not None:
            self._opened.__exit__(kind, error, trace)


def _cost(made: Acting) -> int:
    """Bytes of a composed subject, about; its policies are those of the records, but for those of its session's own."""
    groups = (made.identity, made.boundary or (), made.session or ())
    session = made.subject.session
    own = records.cost_of(session.policies) if session is not None else 0
    return _ACTING + _POLICY * sum(map(len, groups)) + sum(len(key) + len(value) for key, value in made.keys.items()) + own
