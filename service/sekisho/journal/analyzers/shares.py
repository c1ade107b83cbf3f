"""Shares of a slice: how long the looks of one account, and of all together, may take before what is left waits for the next slice.

Whoever waited the longest looks first, so that in a few slices all have looked who have something to look at. A look that has begun is not
cut short: it has a bound of its own.
"""

from collections import defaultdict
from collections.abc import Callable, Iterable
from datetime import datetime, timedelta

from sekisho.store.tables import Analyzer

SHARE = timedelta(seconds=2)
"""Time that the looks of one account's analyzers may take before the rest waits."""
WHOLE = timedelta(seconds=10)
"""Time that all looks of a slice may take."""
_NONE = timedelta(0)


class Turns:
    """The slices in which analyzers looked last."""

    def __init__(self, now: Callable[[], datetime]) -> None:
        self._now = now
        self._slice = 0
        self._looked: dict[str, int] = {}  # by analyzer, the slice in which it looked last

    def begin(self, rows: Iterable[Analyzer]) -> "tuple[Shares, list[Analyzer]]":
        """A new slice, in which these analyzers have something to look at: its shares, and who looks first."""
        self._slice += 1
        waiting = sorted(rows, key=lambda row: (self._looked.get(row.id, 0), row.id))
        self._looked = {row.id: self._looked[row.id] for row in waiting if row.id in self._looked}
        return Shares(self._now, self), waiting

    def looked(self, row: Analyzer) -> None:
        """It has looked at something in this slice."""
        self._looked[row.id] = self._slice


class Shares:
    """The time that the looks of a slice have taken."""

    def __init__(self, now: Callable[[], datetime], turns: Turns) -> None:
        self._now, self._turns = now, turns
        self._took: defaultdict[str, timedelta] = defaultdict(timedelta)

    def is_left(self, row: Analyzer) -> bool:
        """True of an analyzer that may begin another look; the first of a slice may, always."""
        return self._took[row.account_id] < SHARE and sum(self._took.values(), _NONE) < WHOLE

    def took(self, row: Analyzer, begun: datetime) -> None:
        """A look of the analyzer is over, which was begun at a time."""
        self._took[row.account_id] += max(_NONE, self._now() - begun)
        self._turns.looked(row)
