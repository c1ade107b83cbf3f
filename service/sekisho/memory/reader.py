"""What one composition reads: memory, and one snapshot for what memory does not have."""

from contextlib import AbstractContextManager
from types import TracebackType
from typing import Protocol, Self

from sqlalchemy.orm import Session

from sekisho.memory import vitals
from sekisho.world import Record


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


class Reader:
    """Finds records for one composition; the snapshot is opened when the first record is not in memory."""

    def __init__(self, world: Memory, session: Session | None = None) -> None:
        self._world = world
        self._opened: AbstractContextManager[Session] | None = None
        self._session = session
        self._hits = 0  # counted once, at the end: a decision looks up some ten records

    def get_record(self, id_: str) -> Record | None:
        """The record of an id; None when there is no such thing."""
        cached = self._world.cached_record(id_)
        if cached is not None or self._world.is_absent(id_):
            self._hits += 1
            return cached
        vitals.RECORD_MISSES.inc()
        if self._session is None:
            opened = self._world.snapshot(wanted=id_)
            self._session = opened.__enter__()
            self._opened = opened
        return self._world.load_record(id_, self._session)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        if self._hits:
            vitals.RECORD_HITS.inc(self._hits)
        if self._opened is not None:
            self._opened.__exit__(kind, error, trace)
