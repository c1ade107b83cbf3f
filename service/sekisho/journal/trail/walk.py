"""Walks along the trail: the records that are linked, in the order of their links. The one way to read them in order."""

from collections.abc import Collection
from typing import Any

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from sekisho.store.tables import AuditRecord, TrailAnchor, TrailLink

MOST = 1000
"""Records that are read at once."""


def after(session: Session, ordinal: int, *, accounts: Collection[str] | None = None, limit: int = MOST) -> list[tuple[int, AuditRecord]]:
    """Records with their ordinals, which are above this one: of these accounts, or of all; at most so many, in order."""
    query = select(TrailLink.ordinal, AuditRecord).join(AuditRecord, AuditRecord.id == TrailLink.record_id)
    return [(row.ordinal, row.AuditRecord) for row in session.execute(_following(query, ordinal, accounts, limit))]


def links_after(
    session: Session, ordinal: int, *, accounts: Collection[str] | None = None, limit: int = MOST
) -> list[tuple[TrailLink, AuditRecord | None]]:
    """Links above this ordinal, each with its record, or None where somebody has removed that."""
    query = select(TrailLink, AuditRecord).outerjoin(AuditRecord, AuditRecord.id == TrailLink.record_id)
    return [(row.TrailLink, row.AuditRecord) for row in session.execute(_following(query, ordinal, accounts, limit))]


def newest(session: Session) -> int:
    """The newest ordinal, also of one whose record is no longer kept; 0 before the first."""
    linked = session.scalar(select(func.max(TrailLink.ordinal))) or 0
    return max(linked, session.scalar(select(func.max(TrailAnchor.ordinal))) or 0)


def _following(query: Any, ordinal: int, accounts: Collection[str] | None, limit: int) -> Any:
    if accounts is not None:
        wanted = sorted(accounts)
        query = query.where(TrailLink.account_id == wanted[0] if len(wanted) == 1 else TrailLink.account_id.in_(wanted))
    return query.where(TrailLink.ordinal > ordinal).order_by(TrailLink.ordinal).limit(limit)
