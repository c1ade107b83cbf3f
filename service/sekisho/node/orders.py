"""What a running server is told, by signals or by its parent."""

import queue
from contextlib import suppress

Orders = queue.SimpleQueue[str]
"""Orders in the sequence in which they came; a signal's handler may put one at any moment."""

STOP = "stop"
RELOAD = "reload"
"""Read the certificates again; a server of several workers replaces them as well."""
LEAVE = "leave"
"""Stop without haste: another worker has the seat already."""

LOOK = 1.0
"""Seconds after which the main thread looks up while it waits for an order."""

LEISURE = 30.0
"""Seconds that calls under way have in a worker that leaves: as long as a call may take."""


def following(orders: Orders) -> str:
    """The next order, whenever it comes; called by the main thread. That looks up every second: where the system has given a signal to
    another thread, nothing wakes the main one, and the signal's handler, which puts the order, runs only there.
    """
    while True:
        with suppress(queue.Empty):
            return orders.get(timeout=LOOK)


def ending(grace: float) -> float:
    """Seconds after the order to stop until a process has ended, by itself or not; `grace` are those for calls under way."""
    return grace + 5.0


def parting(age: float) -> float:
    """Seconds after the order to leave until a worker's connections have gone, which last `age` seconds each, a tenth more or less."""
    return 1.2 * age + 5.0
