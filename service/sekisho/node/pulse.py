"""A worker's sign of life to its parent, as long as the threads of its lean listeners turn.

Such a thread answers everybody's calls. Should one hang, for a fault that nobody has thought of, the process would live on and answer
nobody there: so it is killed, and replaced. So is one that hangs as a whole, with its interpreter, and can say nothing at all.
"""

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Protocol

from sekisho.node.rounds import Rounds

INTERVAL = 1.0
"""Seconds between two signs."""
RECENT = 5.0
"""Seconds since its last turn for which the thread counts as one that turns: it looks around every second."""


class Turning(Protocol):
    """A listener whose thread turns."""

    @property
    def turned(self) -> float:
        """When it last did (monotonic)."""


@contextmanager
def beating(beat: Callable[[], None] | None, listeners: Sequence[Turning]) -> Iterator[None]:
    """Have a worker's parent told, if it has one and listeners that may hang; all of them turn, or nothing is told."""
    if beat is None or not listeners:
        yield
        return

    def step() -> bool:
        if is_alive(min(listener.turned for listener in listeners), time.monotonic()):
            beat()
        return False

    rounds = Rounds("pulse", INTERVAL, {"beat": step}, last=False)
    rounds.start()
    try:
        yield
    finally:
        rounds.stop()


def is_alive(turned: float, now: float) -> bool:
    """True of a thread that turns, which last did then."""
    return now - turned <= RECENT
