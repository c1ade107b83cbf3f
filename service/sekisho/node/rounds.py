"""A thread that does its rounds beside the calls: step after step, again after a pause, until it is stopped."""

import threading
import time
from collections.abc import Callable, Mapping

import structlog

from sekisho.errors import SekishoError

LEISURE = 5.0
"""Seconds for which the last round goes on while there is more to do."""
MOST_PAUSE = 0.1
"""Seconds between two goes of a step that has more to do; a shorter go is followed by a pause as long as itself."""

Step = Callable[[], bool]
"""Does a small piece of its work; whether there may be more."""

log = structlog.get_logger(__name__)


class Rounds:
    """The thread. A step that fails is said once for each time that it begins to fail, and holds up no other.

    With `last`, it does a last round when it is stopped; without, what is left is for the next process, and holds up nobody who ends.
    """

    def __init__(self, name: str, interval: float, steps: Mapping[str, Step], *, last: bool = True) -> None:
        self._interval, self._steps, self._last = interval, steps, last
        self._failing: set[str] = set()
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)

    def start(self) -> None:
        """Begin."""
        self._thread.start()

    def stop(self) -> None:
        """Do a last round, if there is to be one, then stop."""
        self._stop.set()
        self._thread.join(timeout=2 * LEISURE)

    def _run(self) -> None:
        while not self._stop.wait(self._interval):
            self._round(None)
        if self._last:
            self._round(time.monotonic() + LEISURE)

    def _round(self, limit: float | None) -> None:
        for name, step in self._steps.items():
            try:
                self._exhaust(step, limit)
                self._failing.discard(name)
            except Exception as error:  # whatever it is, the thread goes on: what it does must be done in the end
                if name not in self._failing:
                    said = error.message if isinstance(error, SekishoError) else str(error)
                    log.error("rounds.failing", step=name, error=type(error).__name__, message=said)
                self._failing.add(name)

    def _exhaust(self, step: Step, limit: float | None) -> None:
        """Half of the time at the most, so that a long backlog leaves the interpreter and the database to calls."""
        while True:
            begun = time.monotonic()
            if not step():
                return
            if limit is not None and time.monotonic() >= limit:
                return
            if limit is None and self._stop.wait(min(MOST_PAUSE, time.monotonic() - begun)):
                return
