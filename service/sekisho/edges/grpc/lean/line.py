"""Who waits for the polling thread: how many may, whose, and who is next. Not safe for threads: it is that thread's own."""

from collections import Counter
from typing import Generic, TypeVar

from sekisho.edges.fair import FairQueue

MOST = 128
"""Calls that wait at the most."""
FEWEST = 64
"""Calls that may wait however long each takes."""
INLINE = 16 * 1024
"""Bytes of a message that the thread answers: a larger one takes long for its size alone."""
WAIT = 0.04
"""Seconds' worth of calls that may wait, by what calls have cost of late."""
LEARNING = 0.05
"""How much the newest call counts in what calls cost."""
ANY = 1 << 30
"""The bound of a queue of calls that have come in, which are bounded by that."""

T = TypeVar("T")


class Line(Generic[T]):
    """Calls by account: those that have come in, of which some are ready to be answered.

    While fewer wait than may, all come in. Beyond that an account has its equal share of the places, and whoever has fewer comes in: a
    flood refuses its own calls. Of an account whose calls have parts, each part comes in that has fewer than its share of that, until the
    account has as much again; its own part, which has no name, always has a place. Who is ready is served in turn by what accounts have
    cost, like in any pool (`FairQueue`).
    """

    def __init__(self) -> None:
        self._ready: FairQueue[T] = FairQueue()
        self._of: Counter[str] = Counter()
        self._parts: dict[str, Counter[str]] = {}  # of accounts that have several
        self._number = 0
        self._cost = 1e-4  # seconds

    @property
    def waiting(self) -> int:
        """How many have come in and have not left."""
        return self._number

    @property
    def ready(self) -> int:
        """How many of them can be answered."""
        return len(self._ready)

    @property
    def most(self) -> int:
        """How many may wait now."""
        return max(FEWEST, min(MOST, int(WAIT / self._cost)))

    def refuses(self, account: str, part: str = "") -> bool:
        """True where an account has its share of the places, and all are taken; of parts, where one has its share of the account's."""
        if self._number < (most := self.most):
            return False
        share, own = max(1, most // len(self._of)), self._of[account]
        if own < share:
            return False
        parts = self._parts.get(account)
        if parts is None and not part:
            return True
        parts = parts if parts is not None else Counter({"": own})
        each = share // (len(parts) + (part not in parts))
        if not part:
            return parts[part] >= max(1, each)
        return parts[part] >= each or own >= 2 * share

    def enter(self, account: str, part: str = "") -> None:
        """Come in."""
        if part or account in self._parts:
            parts = self._parts.get(account)
            if parts is None:
                own = self._of[account]
                parts = self._parts[account] = Counter({"": own} if own else {})
            parts[part] += 1
        self._of[account] += 1
        self._number += 1

    def leave(self, account: str, part: str = "") -> None:
        """Leave, answered or not."""
        self._number -= 1
        self._of[account] -= 1
        if not self._of[account]:
            del self._of[account]
        if (parts := self._parts.get(account)) is not None:
            parts[part] -= 1
            if not parts[part]:
                del parts[part]
            if not parts or parts.keys() == {""}:
                del self._parts[account]

    def put(self, account: str, call: T, part: str = "") -> None:
        """Be ready, behind the account's own."""
        self._ready.put(account, call, ANY, part)

    def take(self) -> tuple[str, T, float] | None:
        """The next call to answer: whose it is, the call, and its expected cost in seconds."""
        return self._ready.take()

    def settle(self, account: str, *, expected: float, spent: float) -> None:
        """Charge the account what its call took of the processor, in seconds; `expected` is 0 of one that was not in the queue."""
        self._cost += LEARNING * (spent - self._cost)
        if expected:
            self._ready.settle(account, expected=expected, spent=spent)
