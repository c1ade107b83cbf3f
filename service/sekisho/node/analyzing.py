"""The thread of a process that scans for analyzers. Of all processes on one database one scans; who is killed is followed by another.

Where nobody has an analyzer it asks the database nothing: an analyzer's change is in the log of changes, which memory reads anyway.
"""

import math
import re
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from sqlalchemy import exists, select

from sekisho import meters
from sekisho.journal.analyzers import asking, scanning
from sekisho.journal.analyzers.asking import Questions
from sekisho.journal.analyzers.external import Looking
from sekisho.journal.analyzers.generating import Generating
from sekisho.journal.analyzers.scanning import Scanning
from sekisho.memory.cache import World
from sekisho.node.insiders import Insiders
from sekisho.node.rounds import Rounds, Step
from sekisho.store import db
from sekisho.store.alone import Alone
from sekisho.store.changes import ORIGIN, Point
from sekisho.store.tables import Analyzer

TICK = 0.25
"""Seconds between two looks at what memory has heard."""
GENERATING = 1.0
"""Seconds between two looks for policies that are to be made."""
LEFT = 30.0
"""Seconds after which is looked for policies that a process has begun to make which is gone."""
RETRY = 2.0
"""Seconds after which a process tries again to be the one that scans."""
LEISURE = 600.0
"""Seconds after which the scan looks although nothing has changed: access becomes unused by time alone."""
PROVING = ("ACCOUNT", "ORGANIZATION", "ACCOUNT_INTERNAL_ACCESS", "ORGANIZATION_INTERNAL_ACCESS")
"""Types of analyzers that take the solver."""
_ANALYZER = "analyzer-"  # the beginning of the ids of analyzers in the log of changes
_JOB = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}")  # the id of a policy that is to be made

SCANNING = meters.Gauge("sekisho_analyzer_scanning", "Whether this worker is the one that scans for analyzers.")


class Analyzing:
    """The step of the thread."""

    def __init__(self, database: db.Database, world: World, scan: Scanning, *, is_able: bool = True) -> None:
        """`is_able`: this process has the solver, without which it leaves analyzers that prove to others."""
        self._database, self._world, self._scan, self._is_able = database, world, scan, is_able
        self._alone = Alone(database, "analyzers")
        self._seen: Point = ORIGIN  # up to where there is nothing to be done that this process does not know of
        self._are_any = True
        self._retry_at = 0.0
        self._due_at = 0.0

    def once(self) -> bool:
        """Do a slice, if there is one to be done and this process is the one that does it; whether there may be more."""
        point = self._world.point
        if point == self._seen and (not self._are_any or time.monotonic() < self._due_at):
            return False
        if not self._are_any and not _may_have_begun(self._world, self._seen, _is_analyzer):
            self._seen = point
            return False
        if time.monotonic() < self._retry_at:
            return False
        with self._database.read() as session:
            self._are_any = bool(session.scalar(select(exists(select(Analyzer.id)))))
            is_able = self._is_able or not session.scalar(select(exists(select(Analyzer.id).where(Analyzer.type.in_(PROVING)))))
        if not self._are_any:
            self._seen = point
            self._leave()
            return False
        if not is_able or not self._alone.take():
            self._retry_at = time.monotonic() + RETRY
            self._say_nothing()
            return False
        SCANNING.set(1)
        more = self._scan.once()
        if not more:
            self._seen, self._due_at = point, time.monotonic() + min(LEISURE, self._scan.rests)
        return more

    def close(self) -> None:
        """Let another process scan."""
        self._leave()

    def _leave(self) -> None:
        self._alone.release()
        self._say_nothing()

    def _say_nothing(self) -> None:
        """How far the scan is behind is for another process to say."""
        SCANNING.set(0)
        for gauge in (scanning.LAG, scanning.BEHIND):
            gauge.set(math.nan)


class Heard:
    """A step that is taken only when memory has heard of a change that begins something, and now and then."""

    def __init__(self, world: World, step: Step, begins: Callable[[str], bool]) -> None:
        self._world, self._step, self._begins = world, step, begins
        self._seen: Point | None = None
        self._due_at = 0.0

    def once(self) -> bool:
        """Take the step, if there may be something to do; whether there may be more."""
        point = self._world.point
        if self._seen is not None and time.monotonic() < self._due_at and not _may_have_begun(self._world, self._seen, self._begins):
            self._seen = point
            return False
        more = self._step()
        if not more:
            self._seen, self._due_at = point, time.monotonic() + LEFT
        return more


def _may_have_begun(world: World, seen: Point, begins: Callable[[str], bool]) -> bool:
    """Whether something was touched since a point that begins something: memory says what was, or has forgotten it."""
    if world.point == seen:
        return False
    since = world.since(seen)
    return since is None or any(begins(id_) for one in since.entries for id_ in one.ids)


def _is_analyzer(id_: str) -> bool:
    return id_.startswith(_ANALYZER)


def _is_job(id_: str) -> bool:
    return _JOB.fullmatch(id_) is not None


@contextmanager
def running(database: db.Database, world: World, questions: Questions) -> Iterator[None]:
    """The threads, while the block runs."""
    insiders = Insiders(database, questions.inside)
    scan = Scanning(database, Looking(questions.looked, insiders.found, insiders.forget))
    analyzing = Analyzing(database, world, scan, is_able=asking.is_possible())
    generating = Generating(database)
    made = [
        Rounds("analyzers", TICK, {"scan": analyzing.once}, last=False),
        Rounds("generating", GENERATING, {"generate": Heard(world, generating.once, _is_job).once}, last=False),
    ]
    for rounds in made:
        rounds.start()
    try:
        yield
    finally:
        for rounds in made:
            rounds.stop()
        analyzing.close()
