"""Resources that wait to be looked at: those of which somebody asked for a scan, and those that a slice had no time for.

Of each account a few are looked at in a slice, so that nobody's wait behind those of another. Those of analyzers that rest wait until they
have rested. An analyzer for which something waits does not go on with its scan of everything.
"""

from collections.abc import Iterable, Sequence
from datetime import datetime

from sqlalchemy import ColumnElement, and_, delete, func, insert, select, tuple_
from sqlalchemy.orm import Session

from sekisho.journal.analyzers.pacing import Whose
from sekisho.journal.analyzers.slices import SLICE
from sekisho.journal.analyzers.sources import Source
from sekisho.store.tables import Analyzer, ScanRequest

EACH = SLICE // 10
"""Resources that a slice looks at for one account: no more than an analyzer of internal access looks at, so that none of it is put off."""

Left = tuple[Analyzer, Source]
"""An analyzer, and a resource that it has yet to look at."""


def of_all(session: Session, tired: Iterable[Whose]) -> Sequence[ScanRequest]:
    """The requests that are looked at next, of each account those that waited the longest, but for the tired."""
    rests = select(Analyzer.id).where(tuple_(Analyzer.account_id, Analyzer.type).in_(sorted(tired)))
    place = func.row_number().over(
        partition_by=ScanRequest.account_id, order_by=(ScanRequest.asked_at, ScanRequest.resource, ScanRequest.analyzer_id)
    )
    key = ScanRequest.analyzer_id, ScanRequest.resource, ScanRequest.owner
    placed = select(*key, place.label("place")).where(ScanRequest.analyzer_id.not_in(rests)).subquery()
    same = and_(*(column == placed.c[column.key] for column in key))
    query = select(ScanRequest).join(placed, same).where(placed.c.place <= EACH)
    return session.scalars(query.order_by(placed.c.place, ScanRequest.asked_at, ScanRequest.resource).limit(SLICE)).all()


def for_nothing() -> ColumnElement[bool]:
    """A condition on analyzers: nothing waits for them."""
    return Analyzer.id.not_in(select(ScanRequest.analyzer_id))


def write(session: Session, done: Iterable[ScanRequest], left: Iterable[Left], now: datetime) -> None:
    """Delete what was looked at, and keep what is left, with its place among those that wait where it has one."""
    waits = {(row.id, source.arn, source.owner): row for row, source in left}
    for request in done:
        key = request.analyzer_id, request.resource, request.owner
        if waits.pop(key, None) is None:
            own = ScanRequest.analyzer_id == key[0], ScanRequest.resource == key[1], ScanRequest.owner == key[2]
            session.connection().execute(delete(ScanRequest).where(*own))
    for (analyzer_id, resource, owner), row in waits.items():
        if session.get(ScanRequest, (analyzer_id, resource, owner)) is None:
            values = {"analyzer_id": analyzer_id, "resource": resource, "owner": owner, "account_id": row.account_id, "asked_at": now}
            session.connection().execute(insert(ScanRequest).values(**values))
