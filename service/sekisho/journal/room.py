"""Who has how much of the spool's room: while the database is away, nobody fills it for the others."""

import threading
from collections import Counter
from collections.abc import Mapping

LIMIT = 100_000
"""Entries that may wait for the database; past that nothing more is issued, so that a long outage cannot fill the disk."""

RESERVE = 0.5
"""The part of the room that is for what must be recorded before it happens; denials, which anybody can make, leave it alone."""

SHARE = 0.1
"""The part of the denials' room that one account may have."""

NOTED = 0.8
"""The part of the denials' room, and of an account's share of it, that reads may have: they do not keep denials from being recorded."""

DATA = 0.5
"""The part that data events may have, which are to keep neither denials nor reads from it."""


class Room:
    """Entries that wait, by account; those of nobody in particular (`""`) have no share to keep to."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._of: Counter[str] = Counter()
        self._coming: Counter[str] = Counter()  # those of them that are not on the disk yet
        self._total = 0

    def take(self, account: str, *, must: bool, part: float = 1.0) -> str:
        """Room for one more entry; else the reason why there is none: `full` or `share`.

        Denials of an account stop at a fixed share, and what may have a `part` of it alone, as its reads, before that. What must be
        recorded may take as much as it leaves free, so that a second account still finds half of the rest, and a third half of that.
        """
        with self._lock:
            room = LIMIT if must else LIMIT * (1 - RESERVE) * part
            if self._total >= room:
                return "full"
            if account and self._of[account] >= (LIMIT - self._total if must else room * SHARE):
                return "share"
            self._of[account] += 1
            self._coming[account] += 1
            self._total += 1
            return ""

    @property
    def total(self) -> int:
        """Entries that wait, of all accounts."""
        return self._total

    def settle(self, accounts: Mapping[str, int], *, kept: bool) -> None:
        """So many entries of each account are on the disk now, or will never be."""
        with self._lock:
            self._coming = _less(self._coming, accounts)
            if not kept:
                self._count(_less(self._of, accounts))

    def free(self, accounts: Mapping[str, int]) -> None:
        """So many entries of each account have left the disk."""
        with self._lock:
            self._count(_less(self._of, accounts))

    def reset(self, accounts: Mapping[str, int]) -> None:
        """Count anew, by what is on the disk."""
        with self._lock:
            self._count(self._coming + Counter(accounts))

    def _count(self, accounts: Counter[str]) -> None:
        self._of, self._total = accounts, accounts.total()


def _less(counts: Counter[str], accounts: Mapping[str, int]) -> Counter[str]:
    """Counts without those of no more than none."""
    return counts - Counter(accounts)
