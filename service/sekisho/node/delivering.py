"""The threads that deliver trails: one that looks what is due, and one for each bucket, which a bucket that hangs holds up alone.

Of all processes on one database one delivers. Who is killed is followed by another within a second or two.
"""

import math
import queue
import threading
import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime

import structlog
from sqlalchemy import select

from sekisho import meters
from sekisho.credentials.key_ring import KeyRing
from sekisho.errors import SekishoError
from sekisho.journal.trail import delivery, plans, walk
from sekisho.journal.trail.delivery import Delivery
from sekisho.journal.trail.destinations import Destination
from sekisho.journal.trail.digests import Digests
from sekisho.journal.trail.plans import Most
from sekisho.store import db
from sekisho.store.alone import Alone
from sekisho.store.tables import Trail, TrailSpan

TICK = 1.0
"""Seconds between two looks at what is due."""
FORGET = 60.0
"""Seconds between two looks for what need not be known longer."""
FIRST_PAUSE, LONGEST_PAUSE = 2.0, 300.0
"""Seconds after which a trail is tried again that could not be delivered, first and at most; each pause is twice the one before."""
NOWHERE = ""
"""The lane of trails whose bucket the server does not have."""

DELIVERING = meters.Gauge("sekisho_trail_delivering", "Whether this worker is the one that delivers trails.")

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Trails:
    """Where trails are delivered; how often, in seconds between two files of one, and that a digest file is about; at `most` how much in
    one file, for which its time is not waited for.
    """

    destinations: Mapping[str, Destination]
    every: float
    digests: int
    most: Most = plans.USUAL


@dataclass(slots=True)
class _Turn:
    """A trail's turn: when files are made next, on the monotonic clock, at once when a process begins to deliver; the newest ordinal when
    they were made last; the period in which digest files were last looked at; and when it is tried again after failures.
    """

    at: float = 0.0
    newest: int = 0
    period: int = -1
    again_at: float = 0.0
    failures: int = 0
    is_under_way: bool = False


class Delivering:
    """The threads; `delivery` and `digests` do what they are there for."""

    def __init__(self, database: db.Database, ring: KeyRing, trails: Trails) -> None:
        self._database, self._trails = database, trails
        self._delivery = Delivery(database, trails.destinations, most=trails.most)
        self._digests = Digests(database, ring, trails.destinations, trails.digests)
        self._alone = Alone(database, "delivery")
        self._turns: dict[str, _Turn] = {}
        self._lanes: dict[str, queue.SimpleQueue[str | None]] = {}
        self._forget_at = 0.0
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="delivering", daemon=True)

    def start(self) -> None:
        """Begin."""
        self._thread.start()

    def stop(self) -> None:
        """Begin nothing more. What a bucket is being asked for goes on, and is asked for again by who comes next."""
        self._stop.set()
        self._thread.join(timeout=5)
        for lane in self._lanes.values():
            lane.put(None)
        self._alone.release()

    def _run(self) -> None:
        failing = False
        while not self._stop.wait(TICK):
            try:
                held = self._alone.take()
                DELIVERING.set(float(held))
                if held:
                    self._look()
                else:
                    self._leave(set(self._turns))  # another process meters them
                failing = False
            except Exception as error:  # whatever it is, the thread goes on: what it delivers must arrive in the end
                if not failing:
                    log.error("trail.not_delivering", error=type(error).__name__, message=getattr(error, "message", str(error)))
                failing = True

    def _look(self) -> None:
        with self._database.read() as session:
            logging = select(TrailSpan.trail_id).where(TrailSpan.is_closed.is_(False))
            rows = session.execute(select(Trail.id, Trail.s3_bucket_name, Trail.position).where(Trail.id.in_(logging))).all()
            newest = walk.newest(session)
        now, period = time.monotonic(), int(time.time()) // self._trails.digests
        self._leave(self._turns.keys() - {row.id for row in rows})
        for row in rows:
            turn = self._turns.setdefault(row.id, _Turn())
            full = newest - max(turn.newest, row.position) >= self._trails.most.records
            if turn.is_under_way or now < turn.again_at or not (full or now >= turn.at or period != turn.period):
                continue
            if full or now >= turn.at:
                turn.at, turn.newest = now, newest
            turn.is_under_way = True
            self._lane(row.s3_bucket_name if row.s3_bucket_name in self._trails.destinations else NOWHERE).put(row.id)
        if now >= self._forget_at:
            self._forget_at = now + FORGET
            delivery.forget(self._database, datetime.now(UTC))

    def _leave(self, trails: Iterable[str]) -> None:
        """Forget trails that are not to be delivered here, but for those that are just now."""
        for gone in trails:
            if not self._turns[gone].is_under_way:
                del self._turns[gone]
                delivery.BACKLOG.labels(gone).set(math.nan)  # which is not shown: another process may say it, or nobody any more
                delivery.BEHIND.labels(gone).set(math.nan)

    def _lane(self, bucket: str) -> "queue.SimpleQueue[str | None]":
        if bucket not in self._lanes:
            lane = self._lanes[bucket] = queue.SimpleQueue()
            threading.Thread(target=self._serve, args=(lane,), name=f"deliver-{bucket}", daemon=True).start()
        return self._lanes[bucket]

    def _serve(self, lane: "queue.SimpleQueue[str | None]") -> None:
        while (trail := lane.get()) is not None and not self._stop.is_set():
            turn = self._turns[trail]
            try:
                if self._served(trail, turn):
                    lane.put(trail)  # after those that wait
                    continue
            except Exception as error:  # of this trail; the others of its bucket go on
                self._put_off(trail, turn, error)
            turn.is_under_way = False

    def _served(self, trail: str, turn: _Turn) -> bool:
        """Deliver the next files of a trail, and after the last its next digest files; whether there may be more of either."""
        if time.monotonic() >= turn.at:
            if self._delivery.once(trail):
                return True
            turn.at = time.monotonic() + self._trails.every
        period = int(time.time()) // self._trails.digests
        if self._digests.once(trail):
            return True
        turn.period, turn.failures = period, 0
        return False

    def _put_off(self, trail: str, turn: _Turn, error: Exception) -> None:
        """Try a trail again after a pause; say so when it begins to fail."""
        if not turn.failures:
            code = error.code if isinstance(error, SekishoError) else type(error).__name__
            log.warning("trail.delivery_failing", trail=trail, code=code, message=getattr(error, "message", str(error)))
        turn.again_at = time.monotonic() + min(LONGEST_PAUSE, FIRST_PAUSE * 2 ** min(turn.failures, 16))
        turn.failures += 1
