"""A queue that is fair to those who wait in it, by what their work costs: start-time fair queueing, pure.

Each account has a virtual time, which grows by what its work took. Whoever has the least is served next, so that of accounts that wait
side by side each gets the same share of the threads' time, however many calls one of them sends, and however long its calls take. Who comes
back from idleness starts where the queue is now: idle time is no credit, and what was spent is not forgotten by pausing.
Work of an account may have parts, which are served in turn, each in its order, for what the account has.
Source: P. Goyal, H. Vin, H. Cheng, "Start-time Fair Queuing", SIGCOMM 1996.
"""

import heapq
from collections import deque
from collections.abc import Container
from typing import Generic, TypeVar

T = TypeVar("T")
FIRST = 1e-3
"""Seconds that an account's work is taken to cost before any of it was measured."""
LEARNING = 0.2
"""How much the newest measurement counts in an account's expected cost."""


class _Account(Generic[T]):
    """An account's work by its parts, the next of which is the first, and its virtual time."""

    __slots__ = ("expected", "number", "parts", "time")

    def __init__(self, time: float) -> None:
        self.parts: dict[str, deque[T]] = {}
        self.number = 0
        self.time = time
        self.expected = FIRST

    def put(self, part: str, work: T) -> None:
        waiting = self.parts.get(part)
        if waiting is None:
            waiting = self.parts[part] = deque()
        waiting.append(work)
        self.number += 1

    def take(self) -> T:
        part = next(iter(self.parts))
        work = self._oldest(part)
        if len(self.parts) > 1 and part in self.parts:
            self.parts[part] = self.parts.pop(part)  # behind the others
        return work

    def shed(self) -> T:
        """The oldest work of the largest part; of parts that are as large, not of the account's own."""
        if len(self.parts) == 1:
            return self._oldest(next(iter(self.parts)))
        return self._oldest(max(self.parts, key=lambda part: (len(self.parts[part]), part != "")))

    def _oldest(self, part: str) -> T:
        waiting = self.parts[part]
        work = waiting.popleft()
        self.number -= 1
        if not waiting:
            del self.parts[part]
        return work


class FairQueue(Generic[T]):
    """Work by account. Not safe for threads: its lane holds a lock."""

    def __init__(self) -> None:
        self._accounts: dict[str, _Account[T]] = {}
        self._next: list[tuple[float, int, str]] = []  # accounts with work, by their virtual time, then by who came first
        self._order = 0
        self._now = 0.0
        self._size = 0

    def __len__(self) -> int:
        return self._size

    def put(self, account: str, work: T, most: int, part: str = "") -> T | None:
        """Let an account's work wait behind what that part of the account has waiting already. When more than `most` wait and the account
        has more than its share of that, the oldest of its largest part comes back, to be refused: whoever called has waited the longest,
        and will not wait for the answer.
        """
        found = self._accounts.get(account)
        if found is None:
            found = self._accounts[account] = _Account(self._now)
        if not found.number:
            found.time = max(found.time, self._now)
            self._push(account, found)
        found.put(part, work)
        if self._size >= most and found.number > max(1, most // len(self._next)):
            return found.shed()
        self._size += 1
        return None

    def take(self, without: Container[str] = ()) -> tuple[str, T, float] | None:
        """The next work of any account but these: whose it is, the work, and its expected cost in seconds; None when none waits."""
        passed = []
        while self._next and self._next[0][2] in without:
            passed.append(heapq.heappop(self._next))
        first = heapq.heappop(self._next) if self._next else None
        for entry in passed:
            heapq.heappush(self._next, entry)
        if first is None:
            return None
        time, _, account = first
        found = self._accounts[account]
        work = found.take()
        self._size -= 1
        self._now = max(self._now, time)
        expected = found.expected
        found.time += expected  # at once: another thread may take the next before this one has been measured
        if found.number:
            self._push(account, found)
        elif len(self._accounts) > 2 * len(self._next) + 64:
            self._forget()
        return account, work, expected

    def settle(self, account: str, *, expected: float, spent: float) -> None:
        """Charge what work really cost, in seconds, in place of what it was expected to."""
        found = self._accounts.get(account)
        if found is not None:
            found.expected += LEARNING * (spent - found.expected)
            found.time += spent - expected  # an entry in the heap is as it was: the account is served once more by its old time

    def _push(self, account: str, found: _Account[T]) -> None:
        self._order += 1
        heapq.heappush(self._next, (found.time, self._order, account))

    def _forget(self) -> None:
        """Drop the accounts that neither wait nor owe anything."""
        for account in [name for name, found in self._accounts.items() if not found.number and found.time <= self._now]:
            del self._accounts[account]
