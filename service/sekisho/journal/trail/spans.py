"""The spans of time in which a trail logs: what StartLogging begins and StopLogging ends, at the moments of those calls."""

import secrets
from collections.abc import Sequence
from datetime import datetime, timedelta

from sqlalchemy import select
from sqlalchemy.orm import Session

from sekisho.store.tables import TrailSpan

LATE = timedelta(days=1)
"""Time after the end of a span in which its events are waited for: what a spool keeps while the database is away arrives later."""


def begun(trail_id: str, at: datetime) -> TrailSpan:
    """A span that begins."""
    return TrailSpan(id=secrets.token_hex(16), trail_id=trail_id, began_at=at, ended_at=None, is_closed=False)


def load_open(session: Session, trail_id: str) -> Sequence[TrailSpan]:
    """The spans whose events are not all delivered, oldest first."""
    query = select(TrailSpan).where(TrailSpan.trail_id == trail_id, TrailSpan.is_closed.is_(False))
    return session.scalars(query.order_by(TrailSpan.began_at, TrailSpan.id)).all()


def end(session: Session, trail_id: str, at: datetime) -> None:
    """Have the span of a trail that logs end."""
    for span in load_open(session, trail_id):
        if span.ended_at is None:
            span.ended_at = at


def is_covered(spans: Sequence[TrailSpan], at: datetime) -> bool:
    """True of the time of an event that is one of the spans', which have both their ends."""
    return any(span.began_at <= at and (span.ended_at is None or at <= span.ended_at) for span in spans)


def is_over(span: TrailSpan, now: datetime) -> bool:
    """True of a span of which no more events are waited for."""
    return span.ended_at is not None and span.ended_at + LATE < now
