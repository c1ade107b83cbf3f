"""Keeps a worker's world new: polls the change log, and waits for a revision that a caller insists on."""

import threading
import time

import structlog

from sekisho.errors import RequestTimeout, SekishoError, Unavailable
from sekisho.memory import cold, vitals
from sekisho.memory.cache import World
from sekisho.memory.history import Behind
from sekisho.store import changes

LAG_INTERVAL = 1.0
"""Seconds between two looks at how far a standby is behind."""

INTERVAL = 0.05
"""Seconds between two looks; LISTEN does not work on a standby, and a look costs microseconds."""

log = structlog.get_logger(__name__)


WAITERS = 2
"""Calls that may wait for a revision at once: with those that load (`places.MOST`) fewer than the threads that decide, so that a revision
from afar stops nobody else.
"""


_NOT_YET = "This worker has not reached the revision in `at_least` yet."


class NotYet(Unavailable):
    """The worker did not reach the revision that the caller insists on before the deadline."""


class AnotherHistory(Unavailable):
    """The database was restored or failed over to a state that does not have the revision that the caller insists on."""


class Feed:
    """The thread that polls, where nothing else brings the world to the newest revision."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._stop = threading.Event()
        self._looked = threading.Event()
        self._places = threading.BoundedSemaphore(WAITERS)
        self._thread = threading.Thread(target=self._run, name="feed", daemon=True)

    def start(self) -> None:
        """Begin to poll."""
        self._thread.start()

    def wait_for_look(self, seconds: float) -> bool:
        """Whether the database was looked at, once so many seconds have passed or it was."""
        return self._looked.wait(seconds)

    def stop(self) -> None:
        """Stop polling and wait for the thread."""
        self._stop.set()
        self._thread.join(timeout=5)

    def _run(self) -> None:
        """Look, and heal: what a look has missed, the next one applies, since each asks for all that came after the world's own point."""
        failing = False
        lag_due = 0.0
        while not self._stop.wait(INTERVAL):
            try:
                if time.monotonic() >= lag_due:
                    lag_due = time.monotonic() + LAG_INTERVAL  # also when it fails: the world is kept new all the same
                    self._world.look_at_lag()
                self._world.renewed()
                self._looked.set()
                self._tell()
                self._world.reweigh()
                failing = False
            except Exception as error:  # whatever it is, the thread goes on: without it the world would stand still
                if not failing:  # once for each outage, not twenty times a second
                    told = "feed.database_behind" if isinstance(error, Behind) else "feed.database_unreachable"
                    log.warning(told, error=error.message if isinstance(error, SekishoError) else type(error).__name__)
                failing = True

    def _tell(self) -> None:
        """Say in metrics how new the world is; where the thread hangs, `CONFIRMED` says that."""
        vitals.CONFIRMED.mark(ago=self._world.confirmed.age)
        vitals.REVISION.set(self._world.point.number)
        vitals.BEHIND.set(0)

    def wait_for(self, token: str, deadline: float) -> None:
        """Return when the world is not older than this revision; NotYet when the deadline (monotonic) comes first. A revision that the
        world has applied lately takes no look at the database.
        """
        wanted = changes.parse(token)
        if self._world.cached_point(wanted.number) == wanted:
            return
        cold.may_wait()
        with self._world.places.place():
            self._poll(deadline)
        if self._world.point.number < wanted.number:
            vitals.BEHIND.set(wanted.number - self._world.point.number)
            self._wait(wanted, deadline)
        if self._world.cached_point(wanted.number) != wanted:
            with self._world.places.place(), self._world.snapshot(deadline) as session:
                if changes.at(session, wanted.number) != wanted:
                    raise AnotherHistory("The revision in `at_least` is not in the history of this database.")

    def _poll(self, deadline: float) -> None:
        try:
            self._world.poll(deadline)
        except RequestTimeout as error:  # it came during a look, and not between two
            raise NotYet(_NOT_YET) from error

    def _wait(self, wanted: changes.Point, deadline: float) -> None:
        if not self._places.acquire(blocking=False):
            raise NotYet("This worker has not reached the revision in `at_least` yet, and too many calls wait for theirs.")
        try:
            pause = 0.001
            while self._world.point.number < wanted.number:
                left = deadline - time.monotonic()
                if left <= 0:
                    raise NotYet(_NOT_YET)
                self._poll(deadline)
                if self._world.point.number < wanted.number:
                    time.sleep(min(pause, left))
                    pause = min(pause * 2, INTERVAL)
        finally:
            self._places.release()
