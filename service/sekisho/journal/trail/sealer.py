"""The sealer: gives each record its place in the trail, and links it to the chain of its account.

It walks along the revisions and along the numbers of the spool, a batch at a time. What a batch becomes is worked out before its
transaction, which then only writes it, if no other process has come that far meanwhile. So a batch is written once and whole or not at
all, no writer waits for a hash, and whoever is killed leaves nothing to be cleared up.
"""

import heapq
import json
import operator
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import structlog
from sqlalchemy import bindparam, func, insert, select, update
from sqlalchemy.orm import Session

from sekisho import meters
from sekisho.credentials.key_ring import TRAIL, KeyRing
from sekisho.journal.trail import chain, cursors, resources, walk
from sekisho.journal.trail.chain import Head
from sekisho.store import changes, db
from sekisho.store.tables import AuditRecord, TrailAnchor, TrailLink, TrailResource
from sekisho.store.tables.trail import DATA

BATCH = 200
"""Records that are linked in one transaction: a few milliseconds in which writers of SQLite wait."""
MOST_NAME = 2048
"""Bytes of a resource's name that it is looked up by: PostgreSQL's indexes take some 2,700 in all, and nobody can ask for a longer one."""
MOST_HEADS = 100_000
"""Accounts whose newest link is kept in memory, at some 200 bytes each."""

ORDINAL, REVISION, SPOOLED = "sealer", "sealer.revision", "sealer.spooled"
"""The sealer's cursors: the newest ordinal, whose row is what two who seal at once wait for, and the newest numbers that are linked."""

UNSEALED = meters.Gauge("sekisho_trail_unsealed_records", "Records of the trail that are not linked to a chain yet.")
BEHIND = meters.Gauge("sekisho_trail_seconds_behind", "Age of the oldest record that is not linked yet, in seconds.")
SEALED = meters.Counter("sekisho_trail_sealed_records", "Records that were linked to a chain.")
MISSING = meters.Counter("sekisho_trail_missing_records", "Numbers of the log that had no record when the sealer came there.")

log = structlog.get_logger(__name__)


def utc() -> datetime:
    """The time."""
    return datetime.now(UTC)


@dataclass(frozen=True, slots=True)
class _Seen:
    """A batch as one snapshot of the database has it."""

    ordinal: int
    """Where the cursor stands."""
    base: int
    """The newest ordinal there is: above the cursor only where somebody has set that back."""
    revision: int
    spooled: int
    records: Sequence[AuditRecord]
    linked: frozenset[str]
    heads: dict[str, Head]


class Sealer:
    """Seals what one database has; several processes may, and each batch is then sealed by one of them."""

    def __init__(self, database: db.Database, ring: KeyRing, *, now: Callable[[], datetime] = utc) -> None:
        self._database, self._ring, self._now = database, ring, now
        self._heads: dict[str, Head] = {}
        self._at = -1  # the ordinal up to which `_heads` are the newest
        self._missed = 0, 0  # the revision and the number at which something was last said to be missing

    def once(self) -> bool:
        """Seal one batch; whether there may be more."""
        with self._database.read() as session:
            placeless = session.scalars(_placeless(BATCH)).all()
            seen = self._look(session)
            self._tell(session, seen)
        if placeless:
            self._adopt()
        if not seen.records:
            return bool(placeless)
        links, heads = self._linked(seen)
        if not self._write(seen, links):
            return False  # another process is at it
        self._at = seen.base + len(links)
        if len(self._heads) > MOST_HEADS:
            self._heads.clear()
        self._heads.update(heads)
        SEALED.inc(len(links))
        return bool(placeless) or len(seen.records) >= BATCH

    def _look(self, session: Session) -> _Seen:
        stand = cursors.positions(session, ORDINAL)
        ordinal, revision, spooled = (stand.get(name, 0) for name in (ORDINAL, REVISION, SPOOLED))
        writes = _writes_after(session, revision)
        others = select(AuditRecord).where(AuditRecord.spooled > spooled).order_by(AuditRecord.spooled).limit(BATCH)
        merged = list(heapq.merge(writes, session.scalars(others).all(), key=operator.attrgetter("at")))
        records = merged[:BATCH]
        last = next((record.revision for record in reversed(records) if record.revision is not None), None)
        records += [record for record in merged[BATCH:] if last is not None and record.revision == last]  # a revision is not cut
        if not records:
            return _Seen(ordinal, ordinal, revision, spooled, records, frozenset(), {})
        base = max(ordinal, walk.newest(session))
        if base != self._at:
            self._heads.clear()
        known = session.scalars(select(TrailLink.record_id).where(TrailLink.record_id.in_([record.id for record in records])))
        accounts = {record.account_id for record in records}
        heads = {account: self._heads.get(account) or head(session, account) for account in accounts}
        return _Seen(ordinal, base, revision, spooled, records, frozenset(known), heads)

    def _linked(self, seen: _Seen) -> tuple[list[dict[str, Any]], dict[str, Head]]:
        key, heads = self._ring.current(TRAIL), dict(seen.heads)
        links: list[dict[str, Any]] = []
        for record in seen.records:
            if record.id in seen.linked:
                continue
            before, ordinal = heads[record.account_id], seen.base + len(links) + 1
            account, sequence = record.account_id, before.sequence + 1
            made = chain.link(key, before.hash, account, sequence, ordinal, chain.plain(record))
            heads[account] = Head(sequence, made)
            links.append({"ordinal": ordinal, "account_id": account, "sequence": sequence, "record_id": record.id, "hash": made})
        return links, heads

    def _write(self, seen: _Seen, links: list[dict[str, Any]]) -> bool:
        """Write a batch, unless another process has moved the cursor since it was looked at."""
        ordinals = {link["record_id"]: link["ordinal"] for link in links}
        named = [row for record in seen.records if record.id in ordinals for row in resource_rows(record, ordinals[record.id])]
        revision = max((record.revision for record in seen.records if record.revision is not None), default=seen.revision)
        spooled = max((record.spooled for record in seen.records if record.spooled is not None), default=seen.spooled)
        try:
            with self._database.write(()) as session:
                if not cursors.move(session, ORDINAL, seen.ordinal, seen.base + len(links)):
                    raise _OvertakenError
                cursors.put(session, REVISION, revision)
                cursors.put(session, SPOOLED, spooled)
                if links:
                    session.connection().execute(insert(TrailLink), links)
                if named:
                    session.connection().execute(insert(TrailResource), named)
        except _OvertakenError:
            return False
        self._miss(seen)
        return True

    def _miss(self, seen: _Seen) -> None:
        """Say which numbers have no record: they leave nothing out unless somebody has removed one."""
        for name, last in ((REVISION, seen.revision), (SPOOLED, seen.spooled)):
            column = name.partition(".")[2]
            for number in filter(None, (getattr(record, column) for record in seen.records)):
                if number > last + 1:
                    MISSING.inc(number - last - 1)
                    log.error("trail.missing", **{column: f"{last + 1}-{number - 1}"})
                last = number

    def _adopt(self) -> None:
        """Number records that a release before the trail has spooled, oldest first."""
        with self._database.write(()) as session:
            db.lock(session, "spooled")
            ids = session.scalars(_placeless(BATCH)).all()
            newest = session.scalar(select(func.max(AuditRecord.spooled))) or 0
            numbered = update(AuditRecord).where(AuditRecord.id == bindparam("row")).values(spooled=bindparam("place"))
            if ids:
                session.connection().execute(numbered, [{"row": id_, "place": newest + at} for at, id_ in enumerate(ids, start=1)])

    def _tell(self, session: Session, seen: _Seen) -> None:
        newest = session.scalar(select(func.max(AuditRecord.spooled))) or 0
        UNSEALED.set(max(0, changes.latest(session).number - seen.revision) + max(0, newest - seen.spooled))
        oldest = min((record.at for record in seen.records), default=None)
        BEHIND.set(0.0 if oldest is None else max(0.0, (self._now() - oldest).total_seconds()))


def head(session: Session, account_id: str) -> Head:
    """The head of an account's chain."""
    newest = select(TrailLink.sequence, TrailLink.hash).where(TrailLink.account_id == account_id)
    found = session.execute(newest.order_by(TrailLink.sequence.desc()).limit(1)).one_or_none()
    if found is None:
        kept = select(TrailAnchor.sequence, TrailAnchor.hash).where(TrailAnchor.account_id == account_id)
        found = session.execute(kept).one_or_none()
    return Head(*found) if found is not None else chain.NOTHING


def resource_rows(record: AuditRecord, ordinal: int) -> Iterator[dict[str, Any]]:
    """The resources that a record names, each once, as rows of the index by which they are looked up; data events are not."""
    if record.category == DATA:
        return
    types: dict[str, str] = {}
    try:
        for item in json.loads(record.resources):
            for name in filter(_is_indexed, resources.names(item)):
                types.setdefault(name, type_ if _is_indexed(type_ := str(item.get("type", ""))) else "")
    except (ValueError, TypeError, LookupError, AttributeError, RecursionError):
        return  # somebody's own row: it is sealed as it is, and found by everything else
    for name, type_ in types.items():
        yield {"account_id": record.account_id, "name": name, "ordinal": ordinal, "type": type_}


def _is_indexed(name: str) -> bool:
    """True for what either database takes into an index; one that it refuses would keep all records from being sealed."""
    try:
        return len(name.encode()) <= MOST_NAME and "\0" not in name
    except UnicodeEncodeError:  # half a character
        return False


def _writes_after(session: Session, revision: int) -> list[AuditRecord]:
    """Records of writes above a revision, some of which have one in several accounts; of the last of them, all."""
    ordered = select(AuditRecord).order_by(AuditRecord.revision, AuditRecord.id)
    found = list(session.scalars(ordered.where(AuditRecord.revision > revision).limit(BATCH)))
    if len(found) == BATCH:
        last = found[-1]
        found += session.scalars(ordered.where(AuditRecord.revision == last.revision, AuditRecord.id > last.id))
    return found


def _placeless(limit: int) -> Any:
    without = select(AuditRecord.id).where(AuditRecord.revision.is_(None), AuditRecord.spooled.is_(None))
    return without.order_by(AuditRecord.at, AuditRecord.id).limit(limit)


class _OvertakenError(Exception):
    """Another process has sealed meanwhile; the transaction is undone."""
