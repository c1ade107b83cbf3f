"""The spans of time in which a trail logs: what StartLogging begins and StopLogging ends, at the moments of those calls."""

import secrets
from bisect import bisect_right
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from itertools import accumulate

from sqlalchemy import select
from sqlalchemy.orm import Session

from sekisho.store.tables import TrailSpan

LATE = timedelta(days=1)
"""Time after the end of a span in which its events are waited for: what a spool keeps while the database is away arrives later."""

MOST = 100
"""Spans of a trail whose events are waited for: as often as it can be started within a day."""

_NEVER = datetime.max.replace(tzinfo=UTC)


def begun(trail_id: str, at: datetime) -> TrailSpan:
    """A span that begins."""
    return TrailSpan(id=secrets.token_hex(16), trail_id=trail_id, began_at=at, ended_at=None, is_closed=False)


def load_open(session: Session, trail_id: str) -> Sequence[TrailSpan]:
    """The spans whose events are not all delivered, oldest first."""
    query = select(TrailSpan).where(TrailSpan.trail_id == trail_id, TrailSpan.is_closed.is_(False))
    return session.scalars(query.order_by(TrailSpan.began_at, TrailSpan.id)).all()


def end(session: Session, trail_id: str, at: datetime) -> None:
    """Have the span of a trail that logs end."""
    query = select(TrailSpan).where(TrailSpan.trail_id == trail_id, TrailSpan.is_closed.is_(False), TrailSpan.ended_at.is_(None))
    for span in session.scalars(query):
        span.ended_at = at


def covering(spans: Sequence[TrailSpan]) -> Callable[[datetime], bool]:
    """The test whether an event of a time is one of the spans', oldest first, which have both their ends. They may overlap where clocks
    differ. It is asked of each record, and an account may start and stop its trail as often as it likes: it does not walk along them.
    """
    begins = [span.began_at for span in spans]
    ends = list(accumulate((span.ended_at or _NEVER for span in spans), max))  # the latest end of all that have begun by then

    def is_covered(at: datetime) -> bool:
        begun = bisect_right(begins, at)
        return begun > 0 and at <= ends[begun - 1]

    return is_covered


def is_over(span: TrailSpan, now: datetime) -> bool:
    """True of a span of which no more events are waited for."""
    return span.ended_at is not None and span.ended_at + LATE < now
