"""Notes of a call that may yet be begun again: kept until it has ended, so that none is taken twice. Of one thread."""

from collections.abc import Callable

from sekisho.journal.accesses import Accesses, Seen
from sekisho.journal.last_use import LastUse, Use


class Postponed:
    """Takes the notes of one call at a time in the place of `accesses` and `last_use`."""

    def __init__(self, accesses: Accesses, last_use: LastUse) -> None:
        self._notes: list[Callable[[], None]] = []
        self.accesses: Accesses = _Accesses(self._notes, accesses)
        self.last_use: LastUse = _LastUse(self._notes, last_use)

    def settle(self) -> None:
        """Pass the notes on."""
        for note in self._notes:
            note()
        self._notes.clear()

    def forget(self) -> None:
        """Drop the notes, for the call is begun again elsewhere."""
        self._notes.clear()


class _Accesses(Accesses):
    def __init__(self, notes: list[Callable[[], None]], real: Accesses) -> None:
        self._notes, self._real = notes, real

    def note(self, principal_id: str, action: str, seen: Seen) -> None:
        self._notes.append(lambda: self._real.note(principal_id, action, seen))

    def flush(self) -> None:
        self._real.flush()


class _LastUse(LastUse):
    def __init__(self, notes: list[Callable[[], None]], real: LastUse) -> None:
        self._notes, self._real = notes, real

    def note(self, id_: str, use: Use) -> None:
        self._notes.append(lambda: self._real.note(id_, use))

    def of(self, id_: str) -> Use | None:
        return self._real.of(id_)

    def flush(self) -> None:
        self._real.flush()
