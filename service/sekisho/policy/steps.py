"""The steps of what takes long here: reading, compiling and locating large documents, a statement at a time.

Nothing here knows of threads or clocks; so whoever computes says what is to happen between two steps, such as a rest in which others who
wait for the interpreter have it (`calls.rests`). Without that, nothing happens.
"""

import threading
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager

_here = threading.local()


def step() -> None:
    """Stand between two parts of a long computation that hold nothing which others may need."""
    between = getattr(_here, "between", None)
    if between is not None:
        between()


def unbroken() -> AbstractContextManager[None]:
    """Have nothing happen at the steps of this thread, inside the block: for whoever holds a lock, for which others wait."""
    return stepping(_go_on)


def _go_on() -> None:
    """Nothing happens."""


@contextmanager
def stepping(between: Callable[[], None]) -> Iterator[None]:
    """Have this called at each step of this thread, inside the block."""
    before = getattr(_here, "between", None)
    _here.between = between
    try:
        yield
    finally:
        _here.between = before
