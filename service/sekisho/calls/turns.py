"""Turns at long computations: one thread of the process computes, for a slice of time, and then lets another account's go on.

The threads of an interpreter only take the processor from each other. Several that compute at once get no more done than one, and whoever
calls meanwhile waits for each of them; so of those that compute for long, one does at any time. It gives its turn up after some
milliseconds, to the account that has waited the longest: no account's batch stands behind the whole of another's.
"""

import math
import threading
import time
from collections import OrderedDict, deque
from collections.abc import Iterator
from contextlib import contextmanager

from sekisho.errors import RequestTimeout

SLICE = 2e-3
"""Seconds of processor time after which a turn is given up to whoever waits."""


class Turns:
    """Whose turn it is, and who waits, by account; threads share it."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._taken = False
        self._waiting: OrderedDict[str, deque[threading.Lock]] = OrderedDict()  # the first account is the next

    @contextmanager
    def turn(self, account: str, deadline: float = math.inf) -> Iterator["Turn"]:
        """A turn for as long as the block takes, given up at its pauses. RequestTimeout at the deadline (monotonic)."""
        turn = Turn(self, account, deadline)
        turn.take()
        try:
            yield turn
        finally:
            turn.give()

    @property
    def waiting(self) -> int:
        """How many threads wait for a turn."""
        with self._lock:
            return sum(map(len, self._waiting.values()))

    @property
    def taken(self) -> bool:
        """Whether somebody has the turn."""
        return self._taken

    @property
    def wanted(self) -> bool:
        """Whether anybody waits."""
        return bool(self._waiting)

    def take(self, account: str, deadline: float) -> None:
        """Wait for a turn."""
        with self._lock:
            if not self._taken:
                self._taken = True
                return
            mine = threading.Lock()
            mine.acquire()
            self._waiting.setdefault(account, deque()).append(mine)
        if mine.acquire(timeout=min(max(0.0, deadline - time.monotonic()), threading.TIMEOUT_MAX)):
            return
        with self._lock:
            queue = self._waiting.get(account, ())
            given = mine not in queue  # in the very moment
            if not given:
                self._leave(account, mine)
        if given:
            self.give()
        raise RequestTimeout("The deadline of the call passed while others computed.")

    def give(self) -> None:
        """Let the next account have the turn, and go behind the others."""
        with self._lock:
            if not self._waiting:
                self._taken = False
                return
            account, queue = next(iter(self._waiting.items()))
            following = queue[0]
            self._leave(account, following)
            following.release()
            if account in self._waiting:
                self._waiting.move_to_end(account)

    def _leave(self, account: str, waiter: threading.Lock) -> None:
        queue = self._waiting[account]
        queue.remove(waiter)
        if not queue:
            del self._waiting[account]


class Turn:
    """One thread's turn."""

    def __init__(self, turns: Turns, account: str, deadline: float) -> None:
        self._turns, self._account, self._deadline = turns, account, deadline
        self._ends = 0.0
        self._held = False

    def take(self) -> None:
        """Wait for it."""
        self._turns.take(self._account, self._deadline)
        self._held, self._ends = True, time.thread_time() + SLICE

    def give(self) -> None:
        """End it, if it is not given up already."""
        if self._held:
            self._held = False
            self._turns.give()

    def pause(self) -> None:
        """Let others have a turn, if any wait and this one has lasted; to be called where nothing is held that they may need."""
        if self._turns.wanted and time.thread_time() >= self._ends:
            self.give()
            self.take()
