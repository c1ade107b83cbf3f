"""What a running server is told, by signals or by its parent."""

import queue

Orders = queue.SimpleQueue[str]
"""Orders in the sequence in which they came; a signal's handler may put one at any moment."""

STOP = "stop"
RELOAD = "reload"
"""Read the certificates again."""


def ending(grace: float) -> float:
    """Seconds after the order to stop until a process has ended, by itself or not; `grace` are those for calls under way."""
    return grace + 5.0
