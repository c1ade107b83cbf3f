"""The part of the scan that analyzers take: with what their looks take beyond a burst they rest, so that those of others come in between.

All of an account and a type rest as one: an analyzer is deleted and made anew in a moment, and would have another burst each time.
"""

from collections.abc import Callable
from datetime import datetime, timedelta

from sekisho.journal.analyzers.slices import REST
from sekisho.store.tables import Analyzer

BURST = timedelta(seconds=30)
"""Time that the looks of analyzers may take before they rest."""
_NONE = timedelta(0)

Whose = tuple[str, str]
"""An account, and the type of its analyzers."""


def whose(row: Analyzer) -> Whose:
    """By what an analyzer rests."""
    return row.account_id, row.type


class Pace:
    """What the looks of analyzers took that they have not rested for: of each second of a look, `REST` seconds."""

    def __init__(self, now: Callable[[], datetime]) -> None:
        self._now = now
        self._owed: dict[Whose, tuple[timedelta, datetime]] = {}

    def took(self, who: Whose, begun: datetime) -> None:
        """A look of one of these analyzers is over, which was begun at a time."""
        now = self._now()
        owed = {id_: (left, begun) for id_, (before, at) in self._owed.items() if (left := before - max(_NONE, begun - at) / REST) > _NONE}
        if now > begun:
            owed[who] = owed.get(who, (_NONE, now))[0] + (now - begun), now
        self._owed = owed

    @property
    def tired(self) -> dict[Whose, datetime]:
        """Those that rest, and until when."""
        now = self._now()
        until = {id_: at + (owed - BURST) * REST for id_, (owed, at) in self._owed.items()}
        return {id_: then for id_, then in until.items() if then > now}
