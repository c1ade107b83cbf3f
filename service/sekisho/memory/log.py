"""What the latest revisions touched, by account: what those who watch are told from, without the database."""

from collections import deque
from collections.abc import Iterable
from typing import NamedTuple

from sekisho import arn
from sekisho.memory.history import MOST
from sekisho.store.changes import Entry, Point

MOST_IDS = 65_536
"""Ids that are kept, of all revisions together: about 8 MB. The oldest revisions are forgotten first."""

ANYBODY = ""
"""The account of a revision that does not say whose it is: it may be anybody's."""


class Since(NamedTuple):
    """What came after a point: until where, what was touched, and the points themselves, the last of which is `point`."""

    point: Point
    entries: list[Entry]
    points: list[Point]


def accounts_of(entry: Entry) -> frozenset[str]:
    """The accounts that a revision is of: of who wrote it, and of those that it touched, which an organization's management may change."""
    return frozenset((entry.account or ANYBODY, *filter(arn.is_account_id, entry.ids)))


class Log:
    """Entries in the order of their numbers. It is complete for all revisions above `begins`; one of an earlier release that touched
    nothing has no entry.
    Changed by one thread at a time.
    """

    def __init__(self, begins: int, newest: int, entries: Iterable[Entry] = ()) -> None:
        self.begins = begins
        self._entries: deque[Entry] = deque()
        self._ids = 0
        self._newest: dict[str, int] = {}
        self.extend(newest, entries)

    def extend(self, newest: int, entries: Iterable[Entry]) -> None:
        """Add what came until `newest`, in order."""
        for entry in entries:
            self._entries.append(entry)
            self._ids += len(entry.ids)
            self._newest.update(dict.fromkeys(accounts_of(entry), entry.number))
        while self._entries and (self._ids > MOST_IDS or self._entries[0].number <= newest - MOST):
            oldest = self._entries.popleft()
            self._ids -= len(oldest.ids)
            self.begins = oldest.number
            for account in accounts_of(oldest):
                if self._newest.get(account) == oldest.number:
                    del self._newest[account]
        self.begins = max(self.begins, newest - MOST)

    def get_after(self, number: int) -> list[Entry] | None:
        """What the revisions above this one touched, in order; None when not all of them are remembered."""
        if number < self.begins:
            return None
        found = []
        for entry in reversed(self._entries):
            if entry.number <= number:
                break
            found.append(entry)
        return found[::-1]

    def touched(self, accounts: Iterable[str], number: int) -> bool:
        """Whether a revision above this one touched anything of these accounts, or what may be theirs."""
        newest = self._newest
        return any(newest.get(account, 0) > number for account in (*accounts, ANYBODY))
