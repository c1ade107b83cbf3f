"""Writes what was found, in a transaction of the scan's own: what is new, what is there still, what is no more.

It is alone in the analyzer's account meanwhile, so that nobody archives a finding at the same time.
"""

import json
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import delete, insert, select, update
from sqlalchemy.orm import Session

from sekisho import meters
from sekisho.journal.analyzers import filters
from sekisho.journal.analyzers.found import ACTIVE, ARCHIVED, RESOLVED, Found, columns
from sekisho.journal.analyzers.sources import Source
from sekisho.store.tables import AccessFinding, AnalyzedResource, Analyzer, ArchiveRule

CHANGES = meters.Counter("sekisho_analyzer_findings", "Findings of analyzers that changed, by what they became.", ["status"])


@dataclass(frozen=True, slots=True)
class Seen:
    """What an analyzer has found in one resource; `source` is None where that is gone, or is not the analyzer's to look at."""

    analyzer: Analyzer
    source_id: str
    source: Source | None
    found: tuple[Found, ...] = ()


def write(session: Session, seen: Iterable[Seen], now: datetime, turn: int) -> Counter[str]:
    """Write what was seen of analyzers that are there still, each resource once, in a turn of the scan; how many findings became what."""
    by_analyzer: dict[str, list[Seen]] = {}
    for one in seen:
        by_analyzer.setdefault(one.analyzer.id, []).append(one)
    alive = set(session.scalars(select(Analyzer.id).where(Analyzer.id.in_(sorted(by_analyzer)), Analyzer.deleted_at.is_(None))))
    counted: Counter[str] = Counter()
    for id_ in sorted(alive):
        rules = [json.loads(text) for text in session.scalars(select(ArchiveRule.filter).where(ArchiveRule.analyzer_id == id_))]
        counted.update(_write_findings(session, by_analyzer[id_], rules, now))
        _keep_resources(session, by_analyzer[id_], now, turn)
        last = next((one for one in reversed(by_analyzer[id_]) if one.source is not None), None)
        if last is not None and last.source is not None:
            told = update(Analyzer).where(Analyzer.id == id_).values(last_resource=last.source.arn, last_resource_at=now)
            session.connection().execute(told)
    return counted


def _write_findings(session: Session, seen: Sequence[Seen], rules: Sequence[filters.Filter], now: datetime) -> list[str]:
    """Write what an analyzer has seen of some resources; what each finding became that changed."""
    known = _rows(session, AccessFinding, seen)
    made: list[dict[str, Any]] = []
    became = []
    for one in seen:
        rows = {row["id"]: row for row in known.get(one.source_id, ())}
        for found in one.found if one.source is not None else ():
            assert one.source is not None
            id_ = found.id(one.analyzer.id, one.source_id)
            values = {"id": id_, "analyzer_id": one.analyzer.id, "account_id": one.analyzer.account_id, **columns(found, one.source)}
            row = rows.pop(id_, None)
            if row is None:
                status = status_of(values, rules)
                made.append({**values, "status": status, "created_at": now, "analyzed_at": now, "updated_at": now})
                became.append(status)
                continue
            changed = {name: value for name, value in values.items() if row[name] != value}
            opened = row["status"] == ARCHIVED and found.is_public and not row["is_public"]  # nobody has archived what it is now
            if row["status"] == RESOLVED or opened:
                changed["status"] = status_of(values, rules)
                became.append(changed["status"])
            if changed:
                changed["updated_at"] = now
            _update(session, id_, {**changed, "analyzed_at": now})
        # Of whom nothing is known, nothing is known to be gone; without a principal that is everybody.
        unknown = {json.dumps(dict(sorted(found.principal.items()))) for found in one.found if found.error is not None}
        for id_, row in rows.items():
            if row["status"] != RESOLVED and not unknown & {row["principal"], "{}"}:
                _update(session, id_, {"status": RESOLVED, "analyzed_at": now, "updated_at": now})
                became.append(RESOLVED)
    if made:
        session.connection().execute(insert(AccessFinding), made)
    return became


def _rows(session: Session, table: Any, seen: Sequence[Seen]) -> dict[str, list[Mapping[str, Any]]]:
    """The rows of a table about what an analyzer has seen, by the ids of the resources."""
    own = table.analyzer_id == seen[0].analyzer.id, table.source_id.in_(sorted({one.source_id for one in seen}))
    found: dict[str, list[Mapping[str, Any]]] = {}
    for row in session.execute(select(*table.__table__.columns).where(*own)).mappings():
        found.setdefault(row["source_id"], []).append(dict(row))
    return found


def status_of(values: Mapping[str, Any], rules: Sequence[filters.Filter]) -> str:
    """The status of a finding that is new, or is again: archive rules say which are expected."""
    held = filters.properties({**values, "status": ACTIVE})
    return ARCHIVED if any(filters.matches(rule, held) for rule in rules) else ACTIVE


def _update(session: Session, id_: str, values: Mapping[str, Any]) -> None:
    session.connection().execute(update(AccessFinding).where(AccessFinding.id == id_).values(**values))


def count(became: Mapping[str, int]) -> None:
    """Count what findings became, once it is written."""
    for status, number in became.items():
        CHANGES.labels(status).inc(number)


def _keep_resources(session: Session, seen: Sequence[Seen], now: datetime, turn: int) -> None:
    """Write which resources an analyzer has looked at, and what it saw."""
    known = _rows(session, AnalyzedResource, seen)
    same: list[str] = []
    other: list[str] = []
    made: list[dict[str, Any]] = []
    for one in seen:
        row = next(iter(known.get(one.source_id, ())), None)
        said = _said(one) if one.source is not None else None
        if one.source is not None and said is not None and (row is None or any(row[name] != value for name, value in said.items())):
            ids = {"analyzer_id": one.analyzer.id, "account_id": one.analyzer.account_id, "source_id": one.source_id, "turn": turn}
            named = {"resource_type": one.source.type, "owner": one.source.owner, "analyzed_at": now, "updated_at": now}
            made.append({**ids, **named, **said, "created_at": row["created_at"] if row is not None else now})
        if row is not None:
            (other if said is None or (made and made[-1]["source_id"] == one.source_id) else same).append(one.source_id)
    own, connection = AnalyzedResource.analyzer_id == seen[0].analyzer.id, session.connection()
    if same:
        looked = update(AnalyzedResource).where(own, AnalyzedResource.source_id.in_(same))
        connection.execute(looked.values(analyzed_at=now, turn=turn))
    if other:
        connection.execute(delete(AnalyzedResource).where(own, AnalyzedResource.source_id.in_(other)))
    if made:
        connection.execute(insert(AnalyzedResource), made)


def _said(seen: Seen) -> dict[str, Any]:
    """The columns of what was seen in a resource."""
    assert seen.source is not None
    external = [one for one in seen.found if one.error is None]
    return {
        "resource": seen.source.arn,
        "is_public": any(one.is_public for one in external),
        "actions": json.dumps(sorted({action for one in external for action in one.actions})),
        "error": next((one.error for one in seen.found if one.error is not None), None),
    }
