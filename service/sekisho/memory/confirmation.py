"""When memory was last confirmed to be new, and for how long a node may answer without that."""

import time
from collections.abc import Callable

from sqlalchemy.orm import Session

from sekisho.errors import Unavailable

Check = Callable[[Session], None]
"""Raises for a database that is not one to read from."""


class Stale(Unavailable):
    """Memory has not been confirmed to be new for longer than this node may answer from it."""


class Confirmation:
    """`at` is when that was, on the monotonic clock; `most` are the seconds for which it is enough, None for ever."""

    def __init__(self, most: float | None) -> None:
        self.at = time.monotonic()
        self.most = most
        self.lag = 0.0
        """Seconds that the database itself is behind, as far as anybody knows."""

    def confirm(self, moment: float) -> None:
        """The database has shown nothing newer at this moment; what it shows is as old as it lags."""
        self.at = max(self.at, moment - self.lag)

    @property
    def age(self) -> float:
        """Seconds since then."""
        return max(0.0, time.monotonic() - self.at)

    def refuse_stale(self) -> None:
        """Raise Stale when that was longer ago than may be."""
        if self.most is not None and self.age > self.most:
            raise Stale("This node has not heard from its database for longer than it may answer without.")
