"""Retention: records leave the database after the days that their account keeps them, from the beginning of its chain on.

The last link that goes is the account's anchor, with a keyed seal: so the chain still verifies, and nobody without the key ring can say
that retention took what they have removed. Nothing goes that somebody who walks along the trail has not come to yet.
"""

from collections.abc import Callable, Iterable
from datetime import datetime, timedelta
from itertools import takewhile

from sqlalchemy import delete, func, select
from sqlalchemy.orm import Session

from sekisho import meters
from sekisho.credentials.key_ring import TRAIL, KeyRing
from sekisho.journal.trail import chain, cursors, sealer
from sekisho.store import db
from sekisho.store.tables import AuditRecord, Trail, TrailAnchor, TrailCheckpoint, TrailLink, TrailResource, TrailRetention, TrailSpan

DAYS = 90
"""Days for which an account keeps records, where nobody says otherwise: as long as CloudTrail's event history."""
EVERY = timedelta(hours=1)
"""Between two looks at all accounts."""
MOST_DAYS = 36_500
"""More are for ever: nobody's clock goes back so far, and one account's number would end the look at all others."""
BATCH = 200
"""Records that leave in one transaction."""

RETIRED = meters.Counter("sekisho_trail_retired_records", "Records that retention has taken from the trail.")


class Retention:
    """Looks at one account after the other; `days` are those of accounts that do not say their own, 0 for ever."""

    def __init__(self, database: db.Database, ring: KeyRing, *, days: int = DAYS, now: Callable[[], datetime] = sealer.utc) -> None:
        self._database, self._ring, self._days, self._now = database, ring, days, now
        self._account: str | None = None  # looked at last, in this look at all of them
        self._next = datetime.min.replace(tzinfo=now().tzinfo)

    def once(self) -> bool:
        """Take one batch of one account, or go on to the next one; whether there may be more before the next look."""
        now = self._now()
        if now < self._next:
            return False
        with self._database.read() as session:
            following = select(func.min(TrailLink.account_id))
            if self._account is not None:
                following = following.where(TrailLink.account_id > self._account)
            account = session.scalar(following)
            ending = _ending(session, account, self._days, now) if account is not None else []
        if account is None:
            if self._forgotten_checkpoints():
                return True
            self._account, self._next = None, now + EVERY
            return False
        if not ending:
            self._account = account
            return True
        self._take(ending, now)
        return True

    def _take(self, ending: list[TrailLink], now: datetime) -> None:
        last = ending[-1]
        anchor = TrailAnchor(account_id=last.account_id, sequence=last.sequence, ordinal=last.ordinal, hash=last.hash, at=now)
        anchor.seal = chain.seal(self._ring.current(TRAIL), anchor)
        with self._database.write(()) as session:
            db.lock(session, "trail-retention")
            first = session.scalar(select(func.min(TrailLink.sequence)).where(TrailLink.account_id == last.account_id))
            if first != ending[0].sequence:
                return  # another process was faster
            ordinals = [link.ordinal for link in ending]
            session.execute(delete(TrailResource).where(TrailResource.ordinal.in_(ordinals)))
            session.execute(delete(TrailLink).where(TrailLink.ordinal.in_(ordinals)))
            session.execute(delete(AuditRecord).where(AuditRecord.id.in_([link.record_id for link in ending])))
            session.execute(delete(TrailAnchor).where(TrailAnchor.account_id == last.account_id))
            session.add(anchor)
        RETIRED.inc(len(ending))

    def _forgotten_checkpoints(self) -> bool:
        """Forget the oldest checkpoints that are published, and about nothing that is left; whether there may be more.

        Ordinals rise with their numbers, so no further ones are looked at than the first that stays.
        """
        with self._database.read() as session:
            oldest = session.scalar(select(func.min(TrailLink.ordinal))) or 0
            newest = session.scalar(select(func.max(TrailCheckpoint.number))) or 0
            columns = TrailCheckpoint.number, TrailCheckpoint.ordinal, TrailCheckpoint.published_at
            first = session.execute(select(*columns).order_by(TrailCheckpoint.number).limit(BATCH)).all()
        over = takewhile(lambda row: row.published_at is not None and row.ordinal < oldest and row.number < newest, first)
        gone = [row.number for row in over]
        if gone:
            with self._database.write(()) as session:
                session.execute(delete(TrailCheckpoint).where(TrailCheckpoint.number.in_(gone)))
        return len(gone) == BATCH


def days_of(session: Session, account_id: str, usual: int) -> int:
    """The days for which an account keeps records; 0 for ever."""
    own = session.get(TrailRetention, account_id)
    return own.days if own is not None else usual


def held_up(session: Session) -> dict[str, int]:
    """The positions of those who walk along the trail, and whom retention waits for."""
    logging = select(TrailSpan.trail_id).where(TrailSpan.is_closed.is_(False))
    trails = session.execute(select(Trail.id, Trail.position).where(Trail.id.in_(logging)))
    return {
        **{name: at for name, at in cursors.positions(session, "").items() if name.partition(".")[0] != sealer.ORDINAL},
        **{f"trail {row.id}": row.position for row in trails},
    }


def _ending(session: Session, account_id: str, usual: int, now: datetime) -> list[TrailLink]:
    """The links of an account's oldest records whose days are over, and that everybody has read."""
    days = days_of(session, account_id, usual)
    if not 0 < days <= MOST_DAYS:
        return []
    read = min(held_up(session).values(), default=None)
    # The record with the highest number stays: the next one is counted from it.
    highest = session.scalar(select(func.max(AuditRecord.spooled)))
    oldest = select(TrailLink, AuditRecord.at, AuditRecord.spooled).outerjoin(AuditRecord, AuditRecord.id == TrailLink.record_id)
    rows = session.execute(oldest.where(TrailLink.account_id == account_id).order_by(TrailLink.sequence).limit(BATCH))
    return list(_while_over(rows, now - timedelta(days=days), read, highest))


def _while_over(
    rows: Iterable[tuple[TrailLink, datetime | None, int | None]], before: datetime, read: int | None, highest: int | None
) -> list[TrailLink]:
    """The links up to the first that stays; a record that somebody has removed stays missing."""
    found = []
    for link, at, spooled in rows:
        if at is None or at >= before or (read is not None and link.ordinal > read) or (spooled is not None and spooled == highest):
            break
        found.append(link)
    return found
