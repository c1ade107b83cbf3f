"""Brings the evidence of a trail to who verifies it: out of a database, or out of an export, with checkpoints of a directory."""

import json
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

from sqlalchemy import and_, func, or_, select
from sqlalchemy.orm import Session

from sekisho.credentials.key_ring import TRAIL, KeyRing
from sekisho.journal.trail import chain, cursors, keys, sealer, statements, walk
from sekisho.journal.trail.chain import Head
from sekisho.journal.trail.faults import Fault, Report
from sekisho.journal.trail.statements import Heads, Statement
from sekisho.journal.trail.verify import KeyOf, Link, Walker
from sekisho.store import db
from sekisho.store.tables import AuditRecord, Revision, TrailAnchor, TrailCheckpoint, TrailLink, TrailResource

FORMAT = 1
"""The form of an export of records with their links."""
PATIENCE = 24 * 3600.0
"""Seconds that a verification may take in one snapshot of the database."""

Progress = Callable[[int, int], None]
"""Told how many links were looked at, of how many."""


def untold(_done: int, _total: int) -> None:
    """Tell nobody."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """Of which account, and records of which times; all of them where nothing is said."""

    account: str = ""
    begins: datetime | None = None
    ends: datetime | None = None

    @property
    def whole(self) -> bool:
        """True of all of the trail."""
        return not (self.account or self.timed)

    @property
    def timed(self) -> bool:
        """True when a part of each chain is left out."""
        return self.begins is not None or self.ends is not None


@dataclass(frozen=True, slots=True)
class Witness:
    """Evidence from outside the database: the key ring, checkpoints that were published, and public keys that are trusted."""

    ring: KeyRing | None = None
    folder: Path | None = None
    public_keys: Mapping[str, bytes] = field(default_factory=dict)

    @property
    def key_of(self) -> KeyOf | None:
        """The keys of the ring by their ids."""
        ring = self.ring
        return (lambda id_: ring.key(TRAIL, id_)) if ring is not None else None


def of_database(database: db.Database, witness: Witness, wanted: Wanted, progress: Progress = untold) -> Report:
    """Verify what a database has, in one snapshot of it."""
    report = Report(proven=witness.ring is not None)
    with database.read(deadline=time.monotonic() + PATIENCE) as session:
        ours = [
            Statement(row.number, row.content, row.signature, row.published_at is not None)
            for row in session.scalars(select(TrailCheckpoint).order_by(TrailCheckpoint.number))
        ]
        kept = {row.fingerprint: row.public_key for row in keys.listed(session)}
        heads = _attested(report, witness, ours, kept)
        anchors = session.scalars(select(TrailAnchor).order_by(TrailAnchor.account_id)).all()
        walker = Walker(_of(anchors, wanted), _selected(heads, wanted), witness.key_of, whole=wanted.whole)
        _walk(session, walker, wanted, progress)
        if not wanted.timed:
            walker.end()
            _look_beside(session, walker, report, wanted)
    return _told(report, walker)


def of_export(path: Path, witness: Witness, progress: Progress = untold) -> Report:
    """Verify a file of records with their links (`trail export --format records`)."""
    report = Report(proven=witness.ring is not None)
    heads = _attested(report, witness, [], {})
    size, done = path.stat().st_size, 0
    with path.open("rb") as lines:
        head = _line(next(lines, b""))
        if head.get("trail") != FORMAT:
            raise ValueError(f"{path} does not begin as an export of records with their links does")
        anchors = [_anchor(line) for line in head["anchors"]]
        wanted = Wanted(account=str(head["account"] or ""))
        walker = Walker(anchors, _selected(heads, wanted), witness.key_of, whole=wanted.whole)
        for number, line in enumerate(lines, start=2):
            done += len(line)
            try:
                said = _line(line)
                link = Link(*(said[name] for name in Link._fields))
                record = {name: said["record"][name] for name in chain.COLUMNS}
            except (ValueError, TypeError, LookupError):
                walker.faults.append(Fault(f"line {number} is not a record with its link"))
                continue
            walker.take(link, record)
            progress(done, size)
    walker.end()
    if wanted.account:
        report.notes.append(f"an export of account {wanted.account} alone: it proves nothing about others")
    return _told(report, walker)


def header(session: Session, account: str) -> dict[str, Any]:
    """The first line of an export of records with their links."""
    anchors = session.scalars(select(TrailAnchor).order_by(TrailAnchor.account_id))
    kept = [
        {
            "account_id": row.account_id,
            "sequence": row.sequence,
            "ordinal": row.ordinal,
            "hash": row.hash,
            "at": row.at.isoformat(),
            "seal": row.seal,
        }
        for row in _of(anchors, Wanted(account))
    ]
    return {"trail": FORMAT, "account": account or None, "partial": False, "anchors": kept}


def line(link: TrailLink, record: AuditRecord) -> dict[str, Any]:
    """A record with its link as a line of an export."""
    return {**{name: getattr(link, name) for name in Link._fields}, "record": chain.plain(record)}


def _attested(report: Report, witness: Witness, ours: list[Statement], kept: Mapping[str, bytes]) -> Heads:
    """Look at all checkpoints; the heads that they say."""
    found: list[Statement] = []
    known = dict(kept) if not witness.public_keys else dict(witness.public_keys)
    if witness.folder is not None:
        found, published, faults = statements.of_folder(witness.folder)
        report.faults += faults
        if not witness.public_keys:
            # One that signs only what is not published yet is not there yet.
            newest = {statements.signer(row) for row in ours if not row.published}
            known = published | {name: key for name, key in kept.items() if name in newest and name not in published}
            report.faults += [
                Fault(f"the public key `{n}` is not what was published") for n in kept if published.get(n, kept[n]) != kept[n]
            ]
        report.faults += statements.checked(found, known)
        if ours or kept:
            report.faults += statements.compared(ours, {row.number: row for row in found})
    else:
        report.notes.append("no checkpoints from outside the database: what is here proves nothing against those who have the key ring")
    numbers = {row.number for row in found}
    newer = [row for row in ours if row.number not in numbers]
    report.faults += statements.checked(newer, known)
    every = (*found, *newer)
    report.checkpoints = len(every)
    report.attested = max((_ordinal(row) for row in every), default=0)
    if witness.ring is None:
        report.notes.append("no key ring: links are compared with checkpoints, and not computed anew")
    return statements.heads(every)


def _ordinal(statement: Statement) -> int:
    try:
        return int(json.loads(statement.content)["ordinal"])
    except (ValueError, TypeError, LookupError):
        return 0


def _walk(session: Session, walker: Walker, wanted: Wanted, progress: Progress) -> None:
    first, last = _range(session, wanted)
    total = session.scalar(_selecting(select(func.count()).select_from(TrailLink), wanted, first, last)) or 0
    at, done = first - 1, 0
    accounts = [wanted.account] if wanted.account else None
    while at < last and (rows := walk.links_after(session, at, accounts=accounts)):
        _look_at_resources(session, walker, [(row.ordinal, record) for row, record in rows if record is not None])
        for row, record in rows:
            at = row.ordinal
            if at > last:
                break
            link = Link(row.ordinal, row.account_id, row.sequence, row.record_id, row.hash)
            if wanted.timed and not walker.is_begun(link.account_id):
                _begin(session, walker, link)
            walker.take(link, chain.plain(record) if record is not None else None)
            done += 1
        progress(done, total)
        session.expunge_all()


def _look_at_resources(session: Session, walker: Walker, records: list[tuple[int, AuditRecord]]) -> None:
    """The index by which records are looked up says what they say: whoever could change it would hide them."""
    made = [row for ordinal, record in records for row in sealer.resource_rows(record, ordinal)]
    expected = {(row["account_id"], row["name"], row["ordinal"], row["type"]) for row in made}
    columns = TrailResource.account_id, TrailResource.name, TrailResource.ordinal, TrailResource.type
    held = session.execute(select(*columns).where(TrailResource.ordinal.in_([ordinal for ordinal, _ in records])))
    named = dict(records)
    for account, name, ordinal, _ in sorted(expected ^ {(row[0], row[1], row[2], row[3]) for row in held}, key=lambda row: int(row[2])):
        walker.faults.append(Fault(f"the index of resources is wrong about `{name}`", account, 0, ordinal, named[ordinal].id))


def _begin(session: Session, walker: Walker, link: Link) -> None:
    """Take the link before the first one of a range as given."""
    before = select(TrailLink.sequence, TrailLink.hash).where(TrailLink.account_id == link.account_id)
    found = session.execute(before.where(TrailLink.sequence == link.sequence - 1)).one_or_none()
    kept = session.get(TrailAnchor, link.account_id) if found is None else None
    if found is not None:
        walker.begin(link.account_id, Head(found.sequence, found.hash))
    else:
        walker.begin(link.account_id, Head(kept.sequence, kept.hash) if kept is not None else chain.NOTHING)


def _range(session: Session, wanted: Wanted) -> tuple[int, int]:
    """The ordinals between which the records of the times are: clocks of nodes differ, so there are others between them."""
    newest = session.scalar(select(func.max(TrailLink.ordinal))) or 0
    if not wanted.timed:
        return 1, newest
    query = select(func.min(TrailLink.ordinal), func.max(TrailLink.ordinal)).join(AuditRecord, AuditRecord.id == TrailLink.record_id)
    if wanted.account:
        query = query.where(AuditRecord.account_id == wanted.account)
    if wanted.begins is not None:
        query = query.where(AuditRecord.at >= wanted.begins)
    if wanted.ends is not None:
        query = query.where(AuditRecord.at <= wanted.ends)
    row = session.execute(query).one()
    return (row[0] or 1, row[1] or 0)


def _selecting(query: Any, wanted: Wanted, first: int, last: int) -> Any:
    query = query.where(TrailLink.ordinal >= first, TrailLink.ordinal <= last)
    return query.where(TrailLink.account_id == wanted.account) if wanted.account else query


def _look_beside(session: Session, walker: Walker, report: Report, wanted: Wanted) -> None:
    """Look at records that have no link: new ones are without it for a second; others were brought in."""
    revision, spooled = walker.revision, walker.spooled
    if not wanted.whole:
        revision, spooled = (cursors.position(session, name) for name in (sealer.REVISION, sealer.SPOOLED))
    without = select(AuditRecord).outerjoin(TrailLink, TrailLink.record_id == AuditRecord.id).where(TrailLink.ordinal.is_(None))
    if wanted.account:
        without = without.where(AuditRecord.account_id == wanted.account)
    old = or_(AuditRecord.revision <= revision, AuditRecord.spooled <= spooled)
    both = and_(AuditRecord.revision.is_not(None), AuditRecord.spooled.is_not(None))
    for row in session.scalars(without.where(or_(old, both)).limit(10)):
        walker.faults.append(Fault("the record has no link, although later ones do", row.account_id, record=row.id))
    report.unsealed = session.scalar(select(func.count()).select_from(without.where(~func.coalesce(old, False)).subquery())) or 0
    if wanted.whole:
        _look_at_log(session, walker)


def _look_at_log(session: Session, walker: Walker) -> None:
    """Each revision of the log has a record: those that are linked were counted on the way, those that are not yet are counted here."""
    later = select(Revision.number).where(Revision.number > walker.revision)
    counted = func.count(), func.count(AuditRecord.shared_id), func.count(AuditRecord.account_id.distinct())
    names = "records", "shared", "accounts"
    labelled = (count.label(name) for count, name in zip(counted, names, strict=True))
    recorded = select(AuditRecord.revision, *labelled).where(AuditRecord.revision > walker.revision)
    each = recorded.group_by(AuditRecord.revision).subquery()
    unlike = (each.c.shared != each.c.records) | (each.c.accounts != each.c.records)  # those of a call that several accounts have are alike
    come, newest = cursors.position(session, sealer.ORDINAL), walk.newest(session)
    # Retention may have taken the newest ones that were linked: so many at the most as there are ordinals without a link.
    taken, linked = walker.without_revision(newest), cursors.position(session, sealer.REVISION)
    without = later.outerjoin(each, each.c.revision == Revision.number).where(each.c.revision.is_(None)).order_by(Revision.number)
    for number in session.scalars(without.limit(taken + 10)):
        if number <= linked and taken > 0:
            taken -= 1
        else:
            walker.faults.append(Fault(f"revision {number} has no record"))
    for number in session.scalars(select(each.c.revision).where(each.c.records > 1, unlike).limit(10)):
        walker.faults.append(Fault(f"revision {number} has more than one record"))
    last = session.scalar(select(func.max(Revision.number))) or 0
    highest = max(walker.revision, session.scalar(select(func.max(AuditRecord.revision))) or 0)
    if highest > last:
        walker.faults.append(Fault(f"there are records up to revision {highest}, and the log of changes ends at {last}"))
    if come != newest:
        walker.faults.append(Fault(f"the sealer had come to ordinal {come}, and the trail ends at {newest}"))


def _of(anchors: Iterable[TrailAnchor], wanted: Wanted) -> Iterator[TrailAnchor]:
    """The anchors of the account that is asked for; none where the walk does not begin at them."""
    return (row for row in anchors if not wanted.timed and wanted.account in ("", row.account_id))


def _selected(heads: Heads, wanted: Wanted) -> Heads:
    return {place: said for place, said in heads.items() if wanted.account in ("", place[0])}


def _line(text: bytes) -> dict[str, Any]:
    found = json.loads(text)
    if not isinstance(found, dict):
        raise TypeError("not an object")
    return found


def _anchor(said: dict[str, Any]) -> TrailAnchor:
    return TrailAnchor(**{**said, "at": datetime.fromisoformat(said["at"])})


def _told(report: Report, walker: Walker) -> Report:
    """The report with what the walk found; what is wrong with records comes first, in their order."""
    report.links, report.accounts, report.ordinal = walker.links, walker.accounts, walker.ordinal
    report.faults = sorted(walker.faults, key=lambda fault: fault.ordinal or 1 << 63) + report.faults
    return report
