"""What one composition reads: memory, and one snapshot for what memory does not have."""

from contextlib import AbstractContextManager
from types import TracebackType
from typing import TYPE_CHECKING, Self

from sqlalchemy.orm import Session

from sekisho.world import Record

if TYPE_CHECKING:
    from sekisho.memory.cache import World


class Reader:
    """Finds records for one composition; the snapshot is opened when the first record is not in memory."""

    def __init__(self, world: "World", session: Session | None = None) -> None:
        self._world = world
        self._opened: AbstractContextManager[Session] | None = None
        self._session = session

    def get_record(self, id_: str) -> Record | None:
        """The record of an id; None when there is no such thing."""
        cached = self._world.cached_record(id_)
        if cached is not None or self._world.is_absent(id_):
            return cached
        if self._session is None:
            opened = self._world.snapshot(wanted=id_)
            self._session = opened.__enter__()
            self._opened = opened
        return self._world.load_record(id_, self._session)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        if self._opened is not None:
            self._opened.__exit__(kind, error, trace)
