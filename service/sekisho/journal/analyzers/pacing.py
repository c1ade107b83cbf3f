"""How much of the scan an analyzer takes: with what its looks take beyond a burst it rests, so that those of others come in between."""

from collections.abc import Callable
from datetime import datetime, timedelta

from sekisho.journal.analyzers.slices import REST

BURST = timedelta(seconds=30)
"""What an analyzer's looks may take before it rests."""
_NONE = timedelta(0)


class Pace:
    """What the looks of analyzers took that they have not rested for: of each second of a look, `REST` seconds."""

    def __init__(self, now: Callable[[], datetime]) -> None:
        self._now = now
        self._owed: dict[str, tuple[timedelta, datetime]] = {}

    def took(self, analyzer_id: str, begun: datetime) -> None:
        """A look of an analyzer is over, which was begun at a time."""
        now = self._now()
        owed = {id_: (left, begun) for id_, (before, at) in self._owed.items() if (left := before - max(_NONE, begun - at) / REST) > _NONE}
        if now > begun:
            owed[analyzer_id] = owed.get(analyzer_id, (_NONE, now))[0] + (now - begun), now
        self._owed = owed

    @property
    def tired(self) -> dict[str, datetime]:
        """The analyzers that rest, and until when."""
        now = self._now()
        until = {id_: at + (owed - BURST) * REST for id_, (owed, at) in self._owed.items()}
        return {id_: then for id_, then in until.items() if then > now}
