"""Records of a snapshot that nobody has asked for yet: lines, which cost no compiler and hold no secret in the clear."""

from collections.abc import Callable, Mapping

from sekisho.errors import SekishoError
from sekisho.world import Record

Open = Callable[[bytes], Record]
"""Makes a record of the line that a snapshot has of it; a SekishoError when it cannot."""


class Folded:
    """Lines by id, with what opens them. Changed by one thread at a time, read by all."""

    def __init__(self, lines: Mapping[str, Record | bytes], open_: Open) -> None:
        self._lines = {id_: line for id_, line in lines.items() if isinstance(line, bytes)}
        self._open = open_

    def __bool__(self) -> bool:
        return bool(self._lines)

    def get_line(self, id_: str) -> bytes | None:
        """The line of an id."""
        return self._lines.get(id_)

    def opened(self, line: bytes) -> Record | None:
        """The record of a line; None for one whose key was forgotten, as if it had never been there."""
        try:
            return self._open(line)
        except SekishoError:
            return None

    def evict(self, id_: str) -> None:
        """Forget the line of an id."""
        self._lines.pop(id_, None)

    def clear(self) -> None:
        """Forget everything."""
        self._lines.clear()

    def all(self) -> Mapping[str, bytes]:
        """All lines that are left."""
        return dict(self._lines)


def _nothing(_line: bytes) -> Record:
    raise SekishoError("there is no snapshot")


NOTHING = Folded({}, _nothing)
"""What a world has that began from no snapshot."""
