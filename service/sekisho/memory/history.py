"""The recent points of the database's history: by them a database that is behind is told from one that has another history."""

from collections.abc import Iterable, Sequence

from sekisho.errors import Unavailable
from sekisho.store.changes import ORIGIN, Point

MOST = 4096
"""Points that are kept: about 600 KB. A database that is further behind than that is not taken for another, either."""


class Behind(Unavailable):
    """The database has not got what this worker has answered from already: a standby that lags."""


class History:
    """Points in the order of their numbers, the oldest forgotten first."""

    def __init__(self, points: Iterable[Point] = ()) -> None:
        self._points: dict[int, Point] = {}
        self.extend(points)

    def get_point(self, number: int) -> Point | None:
        """The point of a number; None for one that is not remembered, or is still to come."""
        return ORIGIN if number == 0 else self._points.get(number)

    def recent(self) -> Sequence[Point]:
        """The points that are remembered, in order."""
        return list(self._points.values())

    def extend(self, points: Iterable[Point]) -> None:
        """Add what came after the newest, in order."""
        for point in points:
            self._points[point.number] = point
            if len(self._points) > MOST:
                del self._points[next(iter(self._points))]
