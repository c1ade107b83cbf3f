"""Room for those who wait for the database because memory does not have what they ask about, so that the others always find a thread."""

import math
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

from sekisho.errors import Unavailable

MOST = 2
"""Loads at once: together with those who wait for a revision fewer than the threads that decide (`node.roles`)."""

SLOW = 0.5
"""Seconds after which a database that has not answered a load is slow: while it is, nobody waits for a place."""

LONGEST = 5.0
"""Seconds that anybody waits for a place."""


class Busy(Unavailable):
    """The call needs the database, for which too many wait already."""


class Places:
    """Places that are taken by threads. While the database is quick, a thread waits until one is free; while it is slow, it is refused
    at once.
    """

    def __init__(self, most: int = MOST) -> None:
        self._most = most
        self._asked: dict[int, float] = {}  # by thread, when it asked the database; infinity while it has its answer
        self._changed = threading.Condition()

    @contextmanager
    def place(self) -> Iterator[None]:
        """Have a place for as long as the block takes, or Busy; a thread that has one needs no second. Until `answered`, it counts as one
        that waits for the database.
        """
        me = threading.get_ident()
        if me in self._asked:
            yield
            return
        with self._changed:
            last = time.monotonic() + LONGEST
            while len(self._asked) >= self._most:
                until = min(last, min(self._asked.values()) + SLOW)
                left = until - time.monotonic()
                if left <= 0:
                    raise Busy("The database is slow or does not answer, and too many calls wait for it already. Try again.")
                self._changed.wait(left)
            self._asked[me] = time.monotonic()
        try:
            yield
        finally:
            with self._changed:
                del self._asked[me]
                self._changed.notify()

    def answered(self) -> None:
        """The database has answered this thread: what takes its time now is the machine."""
        me = threading.get_ident()
        if me in self._asked:
            self._asked[me] = math.inf
