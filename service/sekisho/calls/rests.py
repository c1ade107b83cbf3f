"""Rests of threads that compute for long, in which those who decide have the interpreter and the processor.

The threads of a worker share one core and one interpreter. One that computes gives the interpreter up when another has waited for a fifth
of a millisecond, but the system leaves it the core for some milliseconds more, and a call needs both several times: beside two threads
that computed, decisions took ten times as long as alone. So a thread that computes sleeps a little, every half a millisecond of it, as long
as decisions are asked for. Nobody decides: nobody rests.
"""

import threading
import time
from collections.abc import Callable

WORK = 5e-4
"""Seconds of processor time after which a thread rests."""
REST = 3e-4
"""Seconds of its rest: about as long as a decision takes, so that computing goes on at more than half of its speed."""
LATELY = 0.1
"""Seconds for which decisions count as being asked for after the last one."""

_asked = -LATELY  # time.perf_counter() of the latest decision; a float is written whole, so there is no lock


_here = threading.local()


def owe() -> None:
    """Owe a rest, since a caller could not be authenticated; a thread whose lane has rests takes it when the caller has the answer."""
    _here.owed = True


def settle() -> bool:
    """Whether this thread owes a rest; it owes none afterwards."""
    owed: bool = getattr(_here, "owed", False)
    _here.owed = False
    return owed


def note() -> None:
    """A decision is asked for."""
    global _asked
    _asked = time.perf_counter()


def are_wanted(now: float) -> bool:
    """Whether decisions were asked for lately, at this time.perf_counter()."""
    return now < _asked + LATELY


class Rests:
    """The rests of one thread; to be told of each step (`policy.steps`)."""

    __slots__ = ("_clock", "_due", "_passing", "_sleep", "_until", "_wanted")

    def __init__(
        self,
        clock: Callable[[], float] = time.thread_time,
        passing: Callable[[], float] = time.perf_counter,
        sleep: Callable[[float], None] = time.sleep,
        wanted: Callable[[float], bool] = are_wanted,
    ) -> None:
        """`clock` tells the thread's processor time; `passing` the time that passes, which is never less and costs a tenth to ask."""
        self._clock, self._passing, self._sleep, self._wanted = clock, passing, sleep, wanted
        self._due = self._until = 0.0
        self._begin()

    def step(self) -> None:
        """Rest, if it is time and anybody is served by it."""
        now = self._passing()
        if now < self._until:
            return
        left = self._due - self._clock()
        if left > 0:
            self._until = now + left
            return
        if self._wanted(now):
            self._sleep(REST)
        self._begin()

    def _begin(self) -> None:
        self._due = self._clock() + WORK
        self._until = self._passing() + WORK
