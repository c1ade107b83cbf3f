"""Denials that the spool has no room for, folded: of those that are alike one is kept, with their number and the time of the last.

They are in memory until there is room, so a process that is killed loses them, as it loses what is on its way to the disk.
"""

import json
from collections import Counter
from collections.abc import Sequence
from datetime import datetime

OF_ACCOUNT = 100
"""Kinds of denials of one account that are told apart; further ones are counted together."""
MOST = 10_000
"""Kinds of denials in all."""

Key = tuple[str, ...]
"""The account first, then what makes denials alike; nothing else for those that are not told apart."""


class _Fold:
    __slots__ = ("count", "first", "last_at")

    def __init__(self, first: str) -> None:
        self.first, self.count, self.last_at = first, 0, ""


class Folds:
    """What was folded and not handed over yet. Not safe for threads: the spool holds a lock."""

    def __init__(self) -> None:
        self._folds: dict[Key, _Fold] = {}
        self._of_account: Counter[str] = Counter()

    @property
    def keys(self) -> Sequence[Key]:
        """Of each fold, the oldest first."""
        return list(self._folds)

    def fold(self, account: str, alike: Key, body: str, now: datetime) -> bool:
        """Count a record (JSON) with those that are like it; False when there is no place for it."""
        key = (account, *alike)
        if key not in self._folds and self._of_account[account] >= OF_ACCOUNT:
            key = (account,)
        fold = self._folds.get(key)
        if fold is None:
            if len(self._folds) >= MOST:
                return False
            self._of_account[account] += 1
            fold = self._folds[key] = _Fold(_without_request(body))
        fold.count, fold.last_at = fold.count + 1, now.isoformat()
        return True

    def take(self, key: Key) -> str:
        """The record of a fold: that of its first denial, with their `count` and `last_at`. The fold is forgotten."""
        fold = self._folds.pop(key)
        self._of_account[key[0]] -= 1
        if not self._of_account[key[0]]:
            del self._of_account[key[0]]
        return json.dumps(json.loads(fold.first) | {"count": fold.count, "last_at": fold.last_at})


def _without_request(body: str) -> str:
    """A record without what may be long, for so many are kept in memory."""
    return json.dumps(json.loads(body) | {"request": json.dumps({"omitted": "one of several calls"})})
