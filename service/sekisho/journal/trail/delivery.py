"""Delivers a trail's events to its bucket, each in one file and no more.

What a file holds, and its key, are written down before the bucket is asked; that it holds it, and how far the trail has come, are written
down together afterwards. Whoever is killed between the two leaves a plan, by which the next one puts the same bytes under the same key.
"""

from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from sqlalchemy import ColumnElement, Select, delete, exists, func, or_, select, update
from sqlalchemy.orm import Session

from sekisho import meters
from sekisho.errors import SekishoError
from sekisho.journal.trail import plans, spans, walk
from sekisho.journal.trail.destinations import Destination
from sekisho.journal.trail.object_keys import NotDelivered
from sekisho.journal.trail.plans import Most, Plan
from sekisho.store import db
from sekisho.store.tables import Trail, TrailDigest, TrailFile, TrailLink, TrailSpan
from sekisho.store.tables.trail_files import DELIVERED, PLANNED

KEPT = timedelta(days=7)
"""Time for which is known here what a bucket holds."""
NEVER = "-"
"""Stands for the digest file of a file that none is to name: its trail had no validation when it was delivered."""
COUNTED = 10_000
"""Records of a backlog that are counted; further ones are not."""

FILES = meters.Counter("sekisho_trail_files_delivered", "Files of trails that buckets hold.")
RECORDS = meters.Counter("sekisho_trail_records_delivered", "Records in files of trails that buckets hold.")
FAILED = meters.Counter("sekisho_trail_deliveries_failed", "Deliveries of trails that have failed, and are tried again.")
BACKLOG = meters.Gauge(
    "sekisho_trail_backlog_records", "Records above a trail's position, counted up to 10,000, by the trail's id.", ["trail"]
)
BEHIND = meters.Gauge("sekisho_trail_backlog_seconds", "Age of the oldest record above a trail's position, in seconds.", ["trail"])


def utc() -> datetime:
    """The time."""
    return datetime.now(UTC)


def prefix_of(destination: Destination, trail: Trail) -> str:
    """The beginning of a trail's keys in its bucket."""
    return "/".join(part for part in (destination.prefix, (trail.s3_key_prefix or "").strip("/")) if part)


@dataclass(frozen=True, slots=True)
class _Next:
    """The next thing to be done for a trail: deliver what is planned already, or a new plan, which may have nothing to deliver."""

    trail: Trail
    destination: Destination
    prefix: str
    planned: Sequence[TrailFile]
    plan: Plan | None
    over: Sequence[str]
    """Spans of which nothing is left to do after the plan."""


class Delivery:
    """Delivery for all trails of one database. Several may be at it: then some objects are put twice, and are the same."""

    def __init__(
        self, database: db.Database, destinations: Mapping[str, Destination], *, now: Callable[[], datetime] = utc, most: Most = plans.USUAL
    ) -> None:
        self._database, self._destinations, self._now, self._most = database, destinations, now, most

    def once(self, trail_id: str) -> bool:
        """Deliver a trail's next files; whether there may be more. What goes wrong is raised, and the trail's status says so."""
        try:
            following = self._load(trail_id)
            if following is None or not self._written_down(following):
                return False
            files = following.planned if following.plan is None else following.plan.files
            for file in files:
                following.destination.put(file.key, file.content or b"")
                self._delivered(following.trail, file)
        except db.WriteConflict:
            return False  # another process is at it
        except Exception as error:  # also of a row that somebody has written past this server: the trail stands still, and says so
            FAILED.inc()
            self._failed(trail_id, error.code if isinstance(error, SekishoError) else "InternalError")
            raise
        return following.plan is None or following.plan.more

    def _load(self, trail_id: str) -> _Next | None:
        now = self._now()
        with self._database.read() as session:
            trail = session.get(Trail, trail_id)
            open_ = spans.load_open(session, trail_id)
            if trail is None or not open_:
                return None
            _tell(session, trail, now)
            destination = self._destinations.get(trail.s3_bucket_name)
            if destination is None:
                raise NotDelivered("NoSuchBucket", "the server has no bucket of this name")
            prefix = prefix_of(destination, trail)
            if planned := session.scalars(_planned(trail_id).order_by(TrailFile.key)).all():
                return _Next(trail, destination, prefix, planned, None, ())
            plan = plans.load(session, trail, open_, now, most=self._most, bucket=destination.bucket, prefix=prefix)
            # A trail without a span that is open is not looked at again: what is still to be put would never be.
            is_done = not (plan.files or plan.more) and not session.scalar(select(_unnamed(trail)))
        over = [span.id for span in open_ if is_done and spans.is_over(span, now)]
        return _Next(trail, destination, prefix, (), plan, over)

    def _written_down(self, following: _Next) -> bool:
        """Write down what is about to be done, unless another process is at it; whether there is anything to do."""
        trail, plan = following.trail, following.plan
        if plan is None:
            self._redirect(following)
            return True
        if not plan.files and plan.last == trail.position and not following.over:
            return plan.more
        with self._database.write(()) as session:
            # The row is locked by this; where another process has planned meanwhile, its files are seen afterwards.
            to = plan.position if plan.files else plan.last
            if not _moved(session, trail.id, plan.position, to) or session.scalar(select(_planned(trail.id).exists())):
                return False
            for file in plan.files:
                session.add(file)
            if following.over:
                session.execute(update(TrailSpan).where(TrailSpan.id.in_(following.over)).values(is_closed=True))
        return bool(plan.files) or plan.more

    def _redirect(self, following: _Next) -> None:
        """Have what is planned go where the trail's files go now: somebody may have changed that because nothing could be delivered."""
        moved = {}
        for file in following.planned:
            inside = file.key[file.key.rindex("AWSLogs/") :]
            key = f"{following.prefix}/{inside}" if following.prefix else inside
            if (file.bucket, file.key) != (following.destination.bucket, key):
                file.bucket, file.key = following.destination.bucket, key
                moved[file.id] = file
        if moved:
            with self._database.write(()) as session:
                for id_, file in moved.items():
                    session.execute(update(TrailFile).where(TrailFile.id == id_).values(bucket=file.bucket, key=file.key))

    def _delivered(self, trail: Trail, file: TrailFile) -> None:
        now = self._now()
        values = {"state": DELIVERED, "content": None, "delivered_at": now}
        with self._database.write(()) as session:
            # First the trail, in the order in which plans are made: two who deliver the last two files wait for each other here.
            is_validated = session.scalar(select(Trail.log_file_validation_enabled).where(Trail.id == trail.id).with_for_update())
            values["digest_id"] = None if is_validated else NEVER
            done = session.execute(update(TrailFile).where(TrailFile.id == file.id, TrailFile.state == PLANNED).values(values))
            if done.rowcount != 1:  # type: ignore[attr-defined]  # of a statement that changes rows
                return  # another process has put it
            said: dict[str, Any] = {"latest_delivery_at": now, "latest_delivery_attempted_at": now, "latest_delivery_error": None}
            if not session.scalar(select(_planned(trail.id).exists())):
                said["position"] = file.last
            session.execute(update(Trail).where(Trail.id == trail.id).values(said))
        FILES.inc()
        RECORDS.inc(file.records)

    def _failed(self, trail_id: str, code: str) -> None:
        said = {"latest_delivery_attempted_at": self._now(), "latest_delivery_error": code}
        with suppress(SekishoError), self._database.write(()) as session:
            session.execute(update(Trail).where(Trail.id == trail_id).values(said))


def forget(database: db.Database, now: datetime) -> None:
    """Remove what was known of trails that are gone, and of files that buckets have long held and that are in a digest file."""
    with database.write(()) as session:
        for table in (TrailFile, TrailDigest, TrailSpan):
            session.execute(delete(table).where(table.trail_id.not_in(select(Trail.id))))
        old = delete(TrailFile).where(TrailFile.state == DELIVERED, TrailFile.delivered_at < now - KEPT)
        session.execute(old.where(TrailFile.digest_id.is_not(None)))


def _planned(trail_id: str) -> Select[TrailFile]:
    return select(TrailFile).where(TrailFile.trail_id == trail_id, TrailFile.state == PLANNED)


def _unnamed(trail: Trail) -> ColumnElement[bool]:
    """True while a digest file of a trail is to be delivered, or to be made for files that have been."""
    planned = exists().where(TrailDigest.trail_id == trail.id, TrailDigest.state == PLANNED)
    if not trail.log_file_validation_enabled:
        return planned
    return or_(planned, exists().where(TrailFile.trail_id == trail.id, TrailFile.state == DELIVERED, TrailFile.digest_id.is_(None)))


def _moved(session: Session, trail_id: str, before: int, to: int) -> bool:
    """Move a trail that stands where it stood before; until the transaction ends nobody else moves it."""
    moved: Any = session.execute(update(Trail).where(Trail.id == trail_id, Trail.position == before).values(position=to))
    return bool(moved.rowcount == 1)


def _tell(session: Session, trail: Trail, now: datetime) -> None:
    """Meter the backlog of a trail."""
    accounts = plans.load_accounts(session, trail)
    above = select(TrailLink.ordinal).where(TrailLink.account_id.in_(accounts.keys()), TrailLink.ordinal > trail.position)
    count = session.scalar(select(func.count()).select_from(above.limit(COUNTED).subquery())) or 0
    BACKLOG.labels(trail.id).set(count)
    oldest = walk.after(session, trail.position, accounts=accounts.keys(), limit=1) if count else ()
    BEHIND.labels(trail.id).set(max(0.0, (now - oldest[0][1].at).total_seconds()) if oldest else 0.0)
