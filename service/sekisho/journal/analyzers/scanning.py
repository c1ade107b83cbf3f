"""The scan: looks at what the change log says has changed, at what somebody asked for, and at everything once for a new analyzer.

It walks along the revisions, a slice at a time. A slice is read in one snapshot, looked at in a process that can be killed, with neither
snapshot nor lock, and written in one short transaction, which moves the place in the log, too: whoever is killed leaves nothing
half-done, and of two who scan at once one writes. What is found is the same however often it is looked for, so a slice that is done again
changes nothing. What a slice has no time for is asked for in the same transaction (`waiting`), as if somebody had asked for a scan of it.
"""

import math
import time
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from sqlalchemy import delete, insert, select, tuple_, update
from sqlalchemy.orm import Session

from sekisho import meters
from sekisho.journal.analyzers import waiting, writing
from sekisho.journal.analyzers.external import Looking
from sekisho.journal.analyzers.found import Found
from sekisho.journal.analyzers.kinds import EXTERNAL, INTERNAL, UNUSED, kind_of
from sekisho.journal.analyzers.pacing import Pace, Whose, whose
from sekisho.journal.analyzers.shares import Turns
from sekisho.journal.analyzers.slices import LEAST, SLICE, STALE, Analyzers, Pair, log_after, refresh_at
from sekisho.journal.analyzers.sources import Source
from sekisho.journal.analyzers.waiting import Left
from sekisho.journal.analyzers.writing import Seen
from sekisho.journal.analyzers.zones import Trusted
from sekisho.store import changes, db
from sekisho.store.changes import Point
from sekisho.store.tables import (
    AccessFinding,
    AccessPreview,
    AnalyzedResource,
    Analyzer,
    FindingRecommendation,
    Revision,
    ScanRequest,
    ScanTurn,
)

LONG = 1.0
"""Seconds of looking after which the next slice is a smaller one."""
ONLY = 1
"""The id of the one row that says how far the scan has come."""
MOST_WAITING = 100
"""Scans of everything that take turns; those that come later wait."""
MOST_GONE = 500
"""Rows of what a deleted analyzer found that one transaction deletes."""
KEPT = timedelta(days=90)
"""For how long findings that are resolved are shown, which is AWS's time:
https://docs.aws.amazon.com/IAM/latest/UserGuide/access-analyzer-concepts.html"""
PREVIEWED = timedelta(days=7)
"""For how long access previews are shown."""
RETRIED = timedelta(hours=1)
"""After which is looked again at what could not be analyzed."""
AGAIN = timedelta(hours=1)
"""After which analyzers of unused access look at everything again."""
PURGE = 60.0
"""Seconds between two looks for those that are kept no longer."""

LAG = meters.Gauge("sekisho_analyzer_lag_revisions", "Revisions that the scan of analyzers has not looked at yet.")
BEHIND = meters.Gauge("sekisho_analyzer_lag_seconds", "Age of the oldest revision that the scan has not looked at yet, in seconds.")
LOOKED = meters.Counter("sekisho_analyzer_looks", "Looks of analyzers at resources.")


def utc() -> datetime:
    """The time."""
    return datetime.now(UTC)


@dataclass(slots=True)
class _Slice:
    """What is to be done, as one snapshot has it.

    `scan` is the analyzer whose scan of everything goes on, `after` how far it has come then, None at its end.
    """

    turn: int
    until: Point
    pairs: list[tuple[Analyzer, str, Source | None]]
    trusted: Mapping[str, Trusted]
    """Zones of trust by analyzer, of those that look."""
    moved: list[Analyzer]
    """Analyzers that are to look at everything again, because their zone is another one."""
    stale: list[Analyzer]
    """Analyzers that are to look at everything again when they have rested."""
    requests: Sequence[ScanRequest]
    scan: Analyzer | None
    after: str | None
    more: bool
    touched: frozenset[str]
    """The ids that the log says have changed."""

    @property
    def is_idle(self) -> bool:
        """Nothing of it has to be written."""
        return not (self.pairs or self.moved or self.stale or self.requests or self.scan)

    def hash_of(self, row: Analyzer) -> str:
        """The hash of an analyzer's zone of trust, empty for one that does not look."""
        return self.trusted[row.id].hash if row.id in self.trusted else ""

    @property
    def accounts(self) -> set[str]:
        """The accounts of all analyzers that it is about."""
        analyzers = [analyzer for analyzer, _, _ in self.pairs] + self.moved + self.stale + ([self.scan] if self.scan is not None else [])
        return {one.account_id for one in analyzers} | {one.account_id for one in self.requests}


class Scanning:
    """The scan of one database."""

    def __init__(self, database: db.Database, looking: Looking, *, now: Callable[[], datetime] = utc) -> None:
        self._database, self._looking, self._now = database, looking, now
        self._passed: Point | None = None  # up to where nothing was to be done, behind what the database has
        self._served: dict[str, int] = {}  # by analyzer with a scan of everything, the turn in which it was served last
        self._size = SLICE
        self._pace, self._turns = Pace(now), Turns(now)
        self._turn = -1  # of this process: the turn that it has written last
        self._purge_at = 0.0
        self._retry_at = now()
        self._rests_until: datetime | None = None

    def once(self) -> bool:
        """Do one slice; whether there may be more."""
        with self._database.read() as session:
            todo = self._next(session)
            self._tell(session, todo.until)
        self._looking.forget(todo.touched if todo.turn == self._turn else None)
        if todo.is_idle:
            self._passed = todo.until
            return self._cleared() or todo.more
        now, begun = self._now(), time.monotonic()
        seen, left = self._seen(todo, now)
        LOOKED.inc(len(seen))
        self._size = _fitting(self._size, time.monotonic() - begun)
        written = self._write(todo, seen, left, now)
        self._turn = todo.turn + 1 if written else -1
        return not written or todo.more or bool(todo.moved or todo.stale or todo.requests or left) or todo.scan is not None

    @property
    def rests(self) -> float:
        """Seconds after which there is something to do again although nothing has changed; infinite where nobody knows of anything."""
        return math.inf if self._rests_until is None else max(0.0, (self._rests_until - self._now()).total_seconds())

    def _seen(self, todo: _Slice, now: datetime) -> tuple[list[Seen], list[Left]]:
        """What analyzers find in resources, with neither snapshot nor lock, and what there was no time for."""
        looked: dict[str, list[Source]] = {}
        rows = {analyzer.id: analyzer for analyzer, _, _ in todo.pairs}
        for analyzer, _, source in todo.pairs:
            if source is not None:
                looked.setdefault(analyzer.id, []).append(source)
        found: dict[tuple[str, str], tuple[Found, ...]] = {}
        shares, order = self._turns.begin(rows[id_] for id_ in looked)
        for row in order:
            for some in _looks(row, looked[row.id]):
                is_free = kind_of(row) == UNUSED  # which asks no solver
                if not (is_free or shares.is_left(row)):
                    break
                begun = self._now()
                told = self._looking.at(row, some, todo.trusted[row.id], now)
                found |= {(row.id, id_): one for id_, one in told.items()}
                if not is_free:
                    self._pace.took(whose(row), begun)
                    shares.took(row, begun)
        seen, left = [], []
        for analyzer, id_, source in todo.pairs:
            if source is None or (analyzer.id, id_) in found or kind_of(analyzer) == UNUSED:
                seen.append(Seen(analyzer, id_, source, found.get((analyzer.id, id_), ())))
            else:
                left.append((analyzer, source))
        return seen, left

    def _next(self, session: Session) -> _Slice:
        row = session.get(ScanTurn, ONLY)
        before = self._before(session, row)
        log = log_after(session, before if before is not None else changes.latest(session), self._size)
        analyzers = Analyzers(session)
        moved = analyzers.moved(log) if before is not None else analyzers.every()
        stale = analyzers.stale(log) if before is not None else []
        tired = self._pace.tired
        resting = [row for row in analyzers.resting(session) if whose(row) not in tired]
        rested = [row for row in resting if refresh_at(row) <= self._now()]
        self._rests_until = min([*(refresh_at(row) for row in resting), *tired.values()], default=None)
        again = [*analyzers.due(session, self._now() - AGAIN), *rested]
        moved += [row for row in again if row not in moved]
        requests = waiting.of_all(session, tired)
        asked = analyzers.requested(session, requests)  # before what has changed: of these none is put off, for they are waited for
        pairs, put_off = _paced(_once([*asked, *analyzers.pairs(session, log.ids)]), tired, _page_size(SLICE))
        stale += [row for row in put_off if row not in (*stale, *moved) and not row.zone.endswith(STALE)]
        scan = self._scan(session, tired)
        after, page = analyzers.page(session, scan, _page_size(self._size, scan)) if scan is not None else (None, [])
        turn = row.turn if row is not None else 0
        if self._retry_at <= self._now():
            failed = analyzers.failed(session, self._now() - RETRIED, self._size, lambda row: whose(row) not in tired)
            pairs += _paced(failed, tired, _page_size(self._size))[0]
            self._retry_at = self._now() + RETRIED / 10
        each = _once([*pairs, *page])
        return _Slice(turn, log.until, each, analyzers.trusted, moved, stale, requests, scan, after, log.more, log.ids)

    def _before(self, session: Session, row: ScanTurn | None) -> Point | None:
        """Where the walk stands; None where it has not begun, or in a history that is not this one's."""
        if row is None:
            return None
        stands = Point(row.number, row.nonce)
        if self._passed is not None and self._passed.number > stands.number:
            stands = self._passed
        return stands if changes.at(session, stands.number) == stands else None

    def _scan(self, session: Session, tired: Iterable[Whose]) -> Analyzer | None:
        """The analyzer whose scan of everything goes on, the one that waits the longest first."""
        rested = tuple_(Analyzer.account_id, Analyzer.type).not_in(sorted(tired))
        query = select(Analyzer).where(Analyzer.scan_after.is_not(None), Analyzer.deleted_at.is_(None), rested, waiting.for_nothing())
        rows = session.scalars(query.order_by(Analyzer.scan_began_at, Analyzer.id).limit(MOST_WAITING)).all()
        self._served = {row.id: self._served[row.id] for row in rows if row.id in self._served}
        found = min(rows, key=lambda row: self._served.get(row.id, 0), default=None)
        if found is not None:
            self._served[found.id] = max(self._served.values(), default=0) + 1
        return found

    def _write(self, todo: _Slice, seen: Sequence[Seen], left: Sequence[Left], now: datetime) -> bool:
        """Write a slice, unless another process has written meanwhile."""
        turn = todo.turn + 1
        try:
            with self._database.write(todo.accounts) as session:
                _move(session, todo)
                became = writing.write(session, seen, now, turn)
                for row in todo.stale:
                    _note_stale(session, row)
                for row in todo.moved:
                    _begin_again(session, row, todo.hash_of(row), now)
                waiting.write(session, todo.requests, left, now)
                if todo.scan is not None:
                    _go_on(session, todo.scan, todo.after, todo.hash_of(todo.scan), turn, now)
        except (_OvertakenError, db.WriteConflict):
            return False
        writing.count(became)
        return True

    def _tell(self, session: Session, until: Point) -> None:
        """Say how far behind the scan is once the slice is done."""
        LAG.set(max(0, changes.latest(session).number - until.number))
        oldest = session.scalar(select(Revision.committed_at).where(Revision.number == until.number + 1))
        BEHIND.set(max(0.0, (self._now() - oldest).total_seconds()) if oldest is not None else 0.0)

    def _cleared(self) -> bool:
        """Clear away some of what nobody is shown any more; whether there may be more."""
        with self._database.read() as session:
            gone = session.execute(select(Analyzer.id, Analyzer.account_id).where(Analyzer.deleted_at.is_not(None)).limit(1)).one_or_none()
        if gone is not None:
            with self._database.write((gone.account_id,)) as session:
                _clear(session, gone.id)
            return True
        if time.monotonic() < self._purge_at:
            return False
        self._purge_at = time.monotonic() + PURGE
        over = AccessFinding.status == "RESOLVED", AccessFinding.updated_at < self._now() - KEPT
        left = self._deleted(AccessFinding, *over) + self._deleted(AccessPreview, AccessPreview.created_at < self._now() - PREVIEWED)
        if left:
            self._purge_at = 0.0
        return left > 0

    def _deleted(self, table: Any, *over: Any) -> int:
        """Delete some rows whose time is over; how many there were."""
        with self._database.read() as session:
            ids = session.scalars(select(table.id).where(*over).limit(MOST_GONE)).all()
        if ids:
            with self._database.write(()) as session:
                session.connection().execute(delete(table).where(table.id.in_(ids), *over))
        return len(ids)


def _once(pairs: Iterable[Pair]) -> list[Pair]:
    """Each resource of each analyzer once."""
    return list({(row.id, id_): (row, id_, source) for row, id_, source in pairs}.values())


def _looks(row: Analyzer, sources: Sequence[Source]) -> Iterator[Sequence[Source]]:
    """The resources that an analyzer looks at at once: of external access one resource, else all of them."""
    if kind_of(row) == EXTERNAL:
        yield from ([source] for source in sources)
    else:
        yield sources


def _page_size(size: int, row: Analyzer | None = None) -> int:
    """How many resources an analyzer looks at in a slice; of internal access, where each takes a look at all principals, fewer."""
    return max(1, size // 10) if row is None or kind_of(row) == INTERNAL else size


def _paced(pairs: Iterable[Pair], tired: Collection[Whose], most: int) -> tuple[list[Pair], list[Analyzer]]:
    """What is looked at now, and analyzers that rest, or of internal access have more to look at: they look at everything later."""
    kept: list[Pair] = []
    put_off: dict[str, Analyzer] = {}
    counts: Counter[str] = Counter()
    for row, id_, source in pairs:
        if source is not None:
            counts[row.id] += kind_of(row) == INTERNAL
            if whose(row) in tired or counts[row.id] > most:
                put_off[row.id] = row
                continue
        kept.append((row, id_, source))
    return kept, list(put_off.values())


def _fitting(size: int, took: float) -> int:
    """The size of the next slice: what is found is written when all of a slice is looked at, so none is to take long."""
    return max(LEAST, size // 2) if took > LONG else min(SLICE, size * 2) if took < LONG / 4 else size


def _move(session: Session, todo: _Slice) -> None:
    """Move the place in the log, or raise _OvertakenError."""
    values = {"turn": todo.turn + 1, "number": todo.until.number, "nonce": todo.until.nonce}
    if not todo.turn:
        session.connection().execute(insert(ScanTurn).values(id=ONLY, **values))
        return
    moved = session.connection().execute(update(ScanTurn).where(ScanTurn.id == ONLY, ScanTurn.turn == todo.turn).values(**values))
    if moved.rowcount != 1:
        raise _OvertakenError


def _note_stale(session: Session, row: Analyzer) -> None:
    """Say that what an analyzer has looked at may be otherwise now."""
    own = update(Analyzer).where(Analyzer.id == row.id, Analyzer.deleted_at.is_(None), Analyzer.zone.not_like(f"%{STALE}"))
    session.connection().execute(own.values(zone=Analyzer.zone + STALE))


def _begin_again(session: Session, row: Analyzer, zone: str, now: datetime) -> None:
    """Have an analyzer look at everything."""
    own = update(Analyzer).where(Analyzer.id == row.id, Analyzer.deleted_at.is_(None))
    session.connection().execute(own.values(zone=zone, scan_after="", scan_began_at=now))


def _go_on(session: Session, row: Analyzer, after: str | None, zone: str, turn: int, now: datetime) -> None:
    """Say how far a scan of everything has come, unless it was begun anew meanwhile."""
    same = Analyzer.id == row.id, Analyzer.scan_after == row.scan_after, Analyzer.scan_began_at == row.scan_began_at
    values: dict[str, Any] = {"scan_after": after}
    if row.scan_after == "":
        values |= {"scan_turn": turn, "zone": zone}
    if after is None:
        values["scanned_at"] = now
    session.connection().execute(update(Analyzer).where(*same).values(**values))


def _clear(session: Session, analyzer_id: str) -> None:
    """Delete some of what a deleted analyzer has, and the analyzer when there is nothing any more."""
    left = MOST_GONE
    for table, key in _FOUND.items():
        some = select(key).where(table.analyzer_id == analyzer_id).limit(left)
        ids = session.scalars(some).all()
        if ids:
            session.connection().execute(delete(table).where(table.analyzer_id == analyzer_id, key.in_(ids)))
        left -= len(ids)
        if left <= 0:
            return
    session.connection().execute(delete(Analyzer).where(Analyzer.id == analyzer_id, Analyzer.deleted_at.is_not(None)))


_FOUND: Mapping[Any, Any] = {
    AccessFinding: AccessFinding.id,
    AnalyzedResource: AnalyzedResource.source_id,
    AccessPreview: AccessPreview.id,
    FindingRecommendation: FindingRecommendation.finding_id,
    ScanRequest: ScanRequest.resource,
}
"""The tables of what is found, and what tells the rows of one analyzer apart."""


class _OvertakenError(Exception):
    """Another process has scanned meanwhile; the transaction is undone."""
