"""The next delivery of a trail: its events above its position, made into files."""

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from sekisho.journal.trail import events, files, selectors, spans, walk
from sekisho.store.tables import AuditRecord, Member, Trail, TrailFile, TrailLink, TrailSpan
from sekisho.store.tables.trail_files import PLANNED

STEP = 100
"""Records that are read at once: the largest record has some hundred kilobytes."""
LOOK = 20_000
"""Records that are looked at for one plan, when few of them are selected."""
GAP = timedelta(hours=1)
"""Time that the next record of a trail must be before its first span for those between to be passed over."""


@dataclass(frozen=True, slots=True)
class Most:
    """The largest size of a plan: records, and bytes of their JSON."""

    records: int = 5000
    size: int = 8 << 20


USUAL = Most()


@dataclass(frozen=True, slots=True)
class Plan:
    """Files of the links above the trail's `position`, up to `last`; `more` when there may be further ones."""

    position: int
    last: int
    files: Sequence[TrailFile]
    more: bool


@dataclass(slots=True)
class _Part:
    """The events of one account and region."""

    lines: list[bytes] = field(default_factory=list)
    times: list[datetime] = field(default_factory=list)


def load_accounts(session: Session, trail: Trail) -> Mapping[str, datetime | None]:
    """The accounts that a trail is about, each with the time since which."""
    if trail.organization_id is None:
        return {trail.account_id: None}
    query = select(Member.account_id, Member.joined_at).where(Member.organization_id == trail.organization_id)
    return {row.account_id: row.joined_at for row in session.execute(query)} or {trail.account_id: None}


def load(session: Session, trail: Trail, open_: Sequence[TrailSpan], now: datetime, *, most: Most, bucket: str, prefix: str) -> Plan:
    """The next plan of a trail with its spans that are open, in one snapshot; its files are to go to this bucket, below this prefix."""
    accounts = load_accounts(session, trail)
    begin = _begin(session, trail.position, accounts, open_)
    wanted = selectors.parsed(trail.event_selectors, trail.advanced_event_selectors)
    is_covered = spans.covering(open_)
    parts: dict[tuple[str, str], _Part] = {}
    last, count, size, more = begin, 0, 0, False
    for looked, (ordinal, record) in enumerate(_records(session, begin, accounts), start=1):
        last = ordinal
        since = accounts[record.account_id]
        if is_covered(record.at) and (since is None or since <= record.at):
            event = events.event(record)
            if selectors.selected(wanted, event):
                part = parts.setdefault((record.account_id, str(event["awsRegion"])), _Part())
                part.lines.append(files.line(event))
                part.times.append(record.at)
                count, size = count + 1, size + len(part.lines[-1])
        if count >= most.records or size >= most.size or looked >= LOOK:
            more = True
            break
    if not more:  # what comes later has a place above the newest, so nothing below it is looked at again
        last = max(last, walk.newest(session))
    made = [_file(trail, key, part, now, begin, last, bucket, prefix) for key, part in sorted(parts.items())]
    return Plan(trail.position, last, made, more)


def _records(session: Session, ordinal: int, accounts: Mapping[str, datetime | None]) -> Iterator[tuple[int, AuditRecord]]:
    while found := walk.after(session, ordinal, accounts=accounts.keys(), limit=STEP):
        yield from found
        ordinal = found[-1][0]
        session.expunge_all()  # what was read is not kept


def _begin(session: Session, position: int, accounts: Mapping[str, datetime | None], open_: Sequence[TrailSpan]) -> int:
    """The position, or where the first span begins, if that is far ahead: what was recorded while a trail did not log is not read."""
    following = walk.after(session, position, accounts=accounts.keys(), limit=1)
    if not following or following[0][1].at + GAP >= open_[0].began_at:
        return position
    first = (
        select(func.min(TrailLink.ordinal))
        .join(AuditRecord, AuditRecord.id == TrailLink.record_id)
        .where(AuditRecord.account_id.in_(accounts.keys()), AuditRecord.at >= open_[0].began_at, TrailLink.ordinal > position)
    )
    found = session.scalar(first)
    return found - 1 if found is not None else walk.newest(session)


def _file(trail: Trail, of: tuple[str, str], part: _Part, now: datetime, begin: int, last: int, bucket: str, prefix: str) -> TrailFile:
    account_id, region = of
    seed = f"{trail.id}/{account_id}/{region}/{begin}/{last}"
    content = files.plain(part.lines)
    return TrailFile(
        id=hashlib.sha256(seed.encode()).hexdigest()[:32],
        trail_id=trail.id,
        account_id=account_id,
        region=region,
        bucket=bucket,
        key=files.key(prefix, trail.organization_id, account_id, region, now, seed),
        last=last,
        records=len(part.lines),
        oldest_at=min(part.times),
        newest_at=max(part.times),
        hash=files.sha256(content),
        content=files.compressed(content),
        state=PLANNED,
        planned_at=now,
        delivered_at=None,
        digest_id=None,
    )
