"""What one slice of the scan is about, as a snapshot of the database has it."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import ColumnElement, func, or_, select, true
from sqlalchemy.orm import Session

from sekisho import arn
from sekisho.journal.analyzers import inclusions, kinds, sources, zones
from sekisho.journal.analyzers.kinds import kind_of
from sekisho.journal.analyzers.sources import Source
from sekisho.journal.analyzers.zones import Trusted
from sekisho.store import changes
from sekisho.store.changes import Point
from sekisho.store.tables import AnalyzedResource, Analyzer, Change, Member, Organization, ScanRequest
from sekisho.world import AWS

SLICE, LEAST = 50, 2
"""Resources that a slice looks at for each of its reasons, at the most and at the least; what one revision has touched is not parted."""
STALE = "!"
"""Behind the hash of a zone of trust that was looked at while what decides about principals changed."""
SHORTEST, LONGEST = timedelta(seconds=1), timedelta(hours=1)
"""For how long an analyzer of internal access does nothing after it has looked at everything, at the least and at the most."""
REST = 4
"""Times of what that took: so an analyzer takes a fifth of the scan, however much changes."""
_OWNER = "@"  # before the account of a write, in a row of its own: `store.changes`
_END = "~"  # behind every id, and every ARN

Pair = tuple[Analyzer, str, Source | None]
"""An analyzer, and a resource that it is to look at: by its id, and None where it is gone."""


@dataclass(frozen=True, slots=True)
class Log:
    """A stretch of the change log: the ids that were touched, by whose writes, until where, and whether it goes on."""

    until: Point
    ids: frozenset[str]
    accounts: frozenset[str]
    more: bool


def log_after(session: Session, before: Point, size: int = SLICE) -> Log:
    """The stretch that follows a point, of about so many resources: a revision has two rows, or more."""
    query = select(Change.number, Change.id).where(Change.number > before.number).order_by(Change.number, Change.id)
    rows = session.execute(query.limit(2 * size + 1)).all()
    if len(rows) <= 2 * size:
        until, more = changes.latest(session), False
    else:
        last = rows[-1].number
        whole = [row for row in rows if row.number < last]
        if not whole:  # a revision that touched very much
            whole = list(session.execute(query.where(Change.number == last)).all())
        rows, more = whole, True
        found = changes.at(session, rows[-1].number)
        assert found is not None  # a change refers to its revision
        until = found
    touched = {row.id for row in rows}
    owners = {id_ for id_ in touched if id_.startswith(_OWNER)}
    return Log(until, frozenset(touched - owners), frozenset(one.removeprefix(_OWNER) for one in owners), more)


class Analyzers:
    """The analyzers that a slice is about, with their zones of trust; each zone is read once."""

    def __init__(self, session: Session) -> None:
        self._session = session
        self.trusted: dict[str, Trusted] = {}
        self._zones = zones.Zones(session)

    def every(self) -> list[Analyzer]:
        """All that there are: they look at everything again."""
        return [row for row in self._session.scalars(select(Analyzer).where(Analyzer.deleted_at.is_(None))) if self._looks(row)]

    def moved(self, log: Log) -> list[Analyzer]:
        """Those whose zone of trust, whether they look at all, or what restricts access to it, is not what it was when they last looked at
        everything.
        """
        managed = select(Organization.id).where(Organization.management_account_id.in_(sorted(log.accounts)))
        asked: ColumnElement[bool] = Analyzer.organization_id.in_(managed)
        if any(_is_of_organization(id_) for id_ in log.ids):
            touched = {id_ for id_ in log.ids if arn.is_account_id(id_)} | log.accounts
            members = select(Member.account_id).where(Member.organization_id.in_(managed))
            asked = or_(Analyzer.organization_id.is_not(None), Analyzer.account_id.in_(sorted(touched)), Analyzer.account_id.in_(members))
        rows = self._session.scalars(select(Analyzer).where(asked, Analyzer.deleted_at.is_(None)))
        return [row for row in rows if row.scan_after != "" and self._is_moved(row)]

    def _is_moved(self, row: Analyzer) -> bool:
        looked_at = row.zone.removesuffix(STALE)
        return looked_at != (self.trusted[row.id].hash if self._looks(row) else "")

    def stale(self, log: Log) -> list[Analyzer]:
        """Analyzers of internal access whose principals, or what decides about them, may be others now."""
        if not log.accounts or all(_is_of_nobody(id_) for id_ in log.ids):
            return []
        organization = select(Member.organization_id).where(Member.account_id.in_(sorted(log.accounts)))
        asked: list[ColumnElement[bool]] = [Analyzer.account_id.in_(sorted(log.accounts)), Analyzer.organization_id.in_(organization)]
        if any(_is_of_organization(id_) for id_ in log.ids):
            asked.append(Analyzer.account_id.in_(select(Member.account_id).where(Member.organization_id.in_(organization))))
        if AWS in log.accounts:  # whose policies anybody may have
            asked.append(true())
        query = select(Analyzer).where(Analyzer.type.like("%INTERNAL_ACCESS"), Analyzer.deleted_at.is_(None))
        rows = self._session.scalars(query.where(or_(*asked)))
        return [row for row in rows if not row.zone.endswith(STALE) and self._looks(row)]

    def resting(self, session: Session) -> list[Analyzer]:
        """Those that are stale and have looked at everything; they look again at the time that `refresh_at` says."""
        old = Analyzer.zone.like(f"%{STALE}"), Analyzer.deleted_at.is_(None)
        return [row for row in session.scalars(select(Analyzer).where(*old, Analyzer.scan_after.is_(None))) if self._looks(row)]

    def failed(self, session: Session, before: datetime, size: int, looks: Callable[[Analyzer], bool]) -> list[Pair]:
        """Resources that could not be analyzed when they were last looked at, which was before a time. What is not looked at now, because
        its analyzer rests or does not look any more, stands before nobody else's; nor does what an analyzer has more of than others.
        """
        wanted = AnalyzedResource.error.is_not(None), AnalyzedResource.analyzed_at < before
        waiting = session.scalars(select(AnalyzedResource.analyzer_id).where(*wanted).distinct()).all()
        rows = {id_: row for id_ in sorted(waiting) if (row := self._alive(id_)) is not None and looks(row)}
        columns = AnalyzedResource.analyzer_id, AnalyzedResource.source_id, AnalyzedResource.resource, AnalyzedResource.owner
        place = func.row_number().over(partition_by=AnalyzedResource.analyzer_id, order_by=AnalyzedResource.analyzed_at)
        query = select(*columns).where(*wanted, AnalyzedResource.analyzer_id.in_(rows))
        found: list[Pair] = []
        for one in session.execute(query.order_by(place, AnalyzedResource.analyzed_at).limit(size)):
            row = rows[one.analyzer_id]
            source = sources.get_named(session, one.resource, one.owner, kind_of(row))
            found.append((row, one.source_id, source if source is not None and source.id == one.source_id else None))
        return found

    def due(self, session: Session, before: datetime) -> list[Analyzer]:
        """Those of unused access that last looked at everything before a time: access becomes unused without any change."""
        unused = Analyzer.type.like("%UNUSED_ACCESS"), Analyzer.scan_after.is_(None), Analyzer.deleted_at.is_(None)
        rows = session.scalars(select(Analyzer).where(*unused, Analyzer.scanned_at < before).order_by(Analyzer.scanned_at).limit(SLICE))
        return [row for row in rows if self._looks(row)]

    def pairs(self, session: Session, ids: Iterable[str]) -> list[Pair]:
        """Who is to look at what of these ids: whoever looks at the owner's resources, and whoever has looked at what is gone."""
        wanted = sorted(ids)
        found: list[Pair] = []
        for kind in (kinds.EXTERNAL, kinds.INTERNAL, kinds.UNUSED):
            for source in sources.by_id(session, wanted, kind):
                looking = [row for row in self._of_owner(source.owner) if kind_of(row) == kind and _includes(row, source)]
                found += [(row, source.id, source) for row in looking]
        known = {(row.id, id_) for row, id_, _ in found}
        query = select(AnalyzedResource.analyzer_id, AnalyzedResource.source_id).where(AnalyzedResource.source_id.in_(wanted))
        gone = [(row.analyzer_id, row.source_id) for row in session.execute(query) if (row.analyzer_id, row.source_id) not in known]
        return found + self._gone(gone)

    def requested(self, session: Session, requests: Sequence[ScanRequest]) -> list[Pair]:
        """What somebody asked for."""
        found: list[Pair] = []
        for request in requests:
            row = self._alive(request.analyzer_id)
            kind = kind_of(row) if row is not None else kinds.EXTERNAL
            source = sources.get_named(session, request.resource, request.owner, kind)
            if row is not None and source is not None and source.owner in self.trusted[row.id].accounts and _includes(row, source):
                found.append((row, source.id, source))
            elif row is not None:
                same = AnalyzedResource.resource == request.resource, AnalyzedResource.owner == request.owner
                query = select(AnalyzedResource.source_id).where(AnalyzedResource.analyzer_id == row.id, *same)
                found += [(row, id_, None) for id_ in session.scalars(query)]
        return found

    def page(self, session: Session, scan: Analyzer, size: int) -> tuple[str | None, list[Pair]]:
        """The next page of a scan of everything, and how far it has come then: at the end, what it has not met is gone."""
        if not self._looks(scan):
            return None, []
        if scan.scan_after != _END:
            assert scan.scan_after is not None
            page, after = sources.after(session, scan, scan.scan_after, size)
            if after is not None:
                return after, [(scan, source.id, source) for source in page]
            if scan.scan_after == "":  # the turn in which it began is to be written first
                return _END, []
        query = select(AnalyzedResource.source_id).where(AnalyzedResource.analyzer_id == scan.id, AnalyzedResource.turn < scan.scan_turn)
        missed = session.scalars(query.order_by(AnalyzedResource.source_id).limit(size)).all()
        return _END if missed else None, [(scan, id_, None) for id_ in missed]

    def _of_owner(self, owner: str) -> list[Analyzer]:
        """The analyzers that look at an account's resources."""
        organization = select(Member.organization_id).where(Member.account_id == owner).scalar_subquery()
        own = (Analyzer.account_id == owner) & Analyzer.organization_id.is_(None)
        query = select(Analyzer).where(or_(own, Analyzer.organization_id == organization), Analyzer.deleted_at.is_(None))
        return [row for row in self._session.scalars(query) if self._looks(row)]

    def _gone(self, gone: Sequence[tuple[str, str]]) -> list[Pair]:
        alive = {id_: self._alive(id_) for id_ in sorted({id_ for id_, _ in gone})}
        return [(row, source_id, None) for id_, source_id in gone if (row := alive[id_]) is not None]

    def _alive(self, id_: str) -> Analyzer | None:
        row = self._session.get(Analyzer, id_)
        return row if row is not None and row.deleted_at is None and self._looks(row) else None

    def _looks(self, row: Analyzer) -> bool:
        """Whether an analyzer looks, in which case its zone is in `trusted`."""
        if row.id not in self.trusted:
            found = self._zones.of(row)
            if found is None:
                return False
            self.trusted[row.id] = found
        return True


def refresh_at(row: Analyzer) -> datetime:
    """When an analyzer that is stale looks at everything again."""
    assert row.scanned_at is not None
    took = row.scanned_at - row.scan_began_at if row.scan_began_at is not None else SHORTEST
    return row.scanned_at + max(SHORTEST, min(REST * took, LONGEST))


def _includes(row: Analyzer, source: Source) -> bool:
    """Whether an analyzer is told to look at a resource, where it has to be told."""
    if kind_of(row) != kinds.INTERNAL:
        return True
    return inclusions.includes(inclusions.of(row), source.arn, source.type, source.owner)


def _is_of_nobody(id_: str) -> bool:
    """Whether a change of this id is one of something by which no principal of the account can do more or less: a resource's, an
    analyzer's, a key's.
    """
    return id_.startswith(("arn:", "analyzer-", "AKIA"))


def _is_of_organization(id_: str) -> bool:
    """Whether a change of this id may be one of an organization's accounts, units or policies."""
    return arn.is_account_id(id_) or id_.startswith(("r-", "ou-", "p-"))
