"""Where a call may have to wait, or to compute for long, and how a thread that must do neither hears of it."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager

from sekisho import policy

_here = threading.local()


class Cold(BaseException):  # not an Exception: no handler of errors on the way may take it for the answer
    """The call cannot go on at once: `wanted` is the id or the name that memory does not have, empty for a newer revision and all else.

    Raised before anything was changed, so that the call is made again where waiting is allowed.
    """

    def __init__(self, wanted: str) -> None:
        super().__init__(wanted)
        self.wanted = wanted


@contextmanager
def unwaiting() -> Iterator[None]:
    """Have `may_wait` raise Cold on this thread, inside the block."""
    before = getattr(_here, "unwaiting", False)
    _here.unwaiting = True
    try:
        yield
    finally:
        _here.unwaiting = before


def may_wait(wanted: str = "") -> None:
    """Stand before all that blocks: raises Cold on a thread that must not wait, and has no effect on another."""
    if getattr(_here, "unwaiting", False):
        raise Cold(wanted)


def may_take_long(request: policy.Request, layers: policy.Layers) -> None:
    """Stand before a decision: raises Cold on a thread that must not wait, where policies are to be made ready for it or weigh much."""
    if getattr(_here, "unwaiting", False) and not policy.is_prompt(request, layers):
        raise Cold("")
