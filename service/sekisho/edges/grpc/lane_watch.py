"""Whoever looks after the lane's thread: one that hangs is found by its standing still."""

import threading
from collections.abc import Callable

TICK = 0.25
"""Seconds between two looks at whether the thread still moves."""
STUCK = 12
"""Looks, one after the other, that find the thread in the same step: then it hangs."""


def watch(over: threading.Event, step: Callable[[], int | None], hangs: Callable[[], None]) -> None:
    """Call `hangs` whenever the thread stays in one step, until it is over; `step` is the number of that, None while it only waits."""
    last, same = None, 0
    while not over.wait(TICK):
        now = step()
        same = same + 1 if now is not None and now == last else 0
        last = now
        if same == STUCK:
            hangs()
