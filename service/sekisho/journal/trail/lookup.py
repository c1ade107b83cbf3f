"""Finds events of an account by one attribute, the newest first.

All but the names and types of resources are columns of the record, and an index of the table leads to each with its time. Resources are in
an index of their own, which the sealer writes, in the order of the trail: a record is found by them as soon as it is sealed.
Source: https://docs.aws.amazon.com/awscloudtrail/latest/APIReference/API_LookupEvents.html
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import ColumnElement, Select, and_, literal, or_, select
from sqlalchemy.orm import Session

from sekisho.store.tables import AuditRecord, TrailLink, TrailResource
from sekisho.store.tables.trail import MANAGEMENT

PAGE = 50
SPAN = timedelta(days=90)
"""The time that an event can be looked up."""

_COLUMNS: dict[str, Callable[[str], ColumnElement[bool]]] = {
    "EventId": lambda value: AuditRecord.id == value,
    "EventName": lambda value: AuditRecord.event_name == value,
    "EventSource": lambda value: AuditRecord.event_source == value,
    "ReadOnly": lambda value: AuditRecord.read_only.is_(value.lower() == "true"),
    "Username": lambda value: AuditRecord.username == value,
    "AccessKeyId": lambda value: AuditRecord.access_key_id == value,
}
_RESOURCES: dict[str, Callable[[str], ColumnElement[bool]]] = {
    "ResourceName": lambda value: TrailResource.name == value,
    "ResourceType": lambda value: TrailResource.type == value,
}

Place = Sequence[Any]
"""Where a page ends: the time and the id of its last record, or its ordinal."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """Events of an account between two times, both included, that have the value of an attribute, if there is one."""

    account_id: str
    begins: datetime
    ends: datetime
    attribute: str = ""
    value: str = ""


def page(session: Session, wanted: Wanted, *, behind: Place | None = None, most: int = PAGE) -> tuple[list[AuditRecord], Place | None]:
    """A page of records, and the place where it ends; None for the place on the last."""
    if "\0" in wanted.value:  # PostgreSQL has no such character, so no record has
        return [], None
    if wanted.attribute in _RESOURCES:
        found = session.execute(by_resource(wanted, behind).limit(most + 1)).all()
        records, last = [row[0] for row in found[:most]], [found[most - 1][1]] if len(found) > most else None
        return records, last
    # Of all events, those that read and those that write: both stand in an index in which data events, however many, have no place.
    halves = [wanted] if wanted.attribute else [replace(wanted, attribute="ReadOnly", value=value) for value in ("true", "false")]
    rows = [row for half in halves for row in session.scalars(by_column(half, behind).limit(most + 1))]
    rows.sort(key=lambda row: (row.at, row.id), reverse=True)
    return list(rows[:most]), [rows[most - 1].at.isoformat(), rows[most - 1].id] if len(rows) > most else None


def by_column(wanted: Wanted, behind: Place | None = None) -> Select[AuditRecord]:
    """The records, by their time and among those of one moment by their id, the last first."""
    query = select(AuditRecord).where(*_in_time(wanted))
    if wanted.attribute:
        query = query.where(_COLUMNS[wanted.attribute](wanted.value))
    if behind is not None:
        at, id_ = datetime.fromisoformat(behind[0]), behind[1]
        query = query.where(AuditRecord.at <= at, or_(AuditRecord.at < at, and_(AuditRecord.at == at, AuditRecord.id < id_)))
    return query.order_by(AuditRecord.at.desc(), AuditRecord.id.desc())


def by_resource(wanted: Wanted, behind: Place | None = None) -> Select[AuditRecord, int]:
    """The records with their ordinals, in the order of the trail, the last first; one that has several such resources is there once."""
    named = select(TrailResource.ordinal).where(TrailResource.account_id == wanted.account_id, _RESOURCES[wanted.attribute](wanted.value))
    if behind is not None:
        named = named.where(TrailResource.ordinal < int(behind[0]))
    ordinals = named.distinct().order_by(TrailResource.ordinal.desc()).subquery()
    query = select(AuditRecord, ordinals.c.ordinal).join(TrailLink, TrailLink.record_id == AuditRecord.id)
    query = query.join(ordinals, ordinals.c.ordinal == TrailLink.ordinal).where(*_in_time(wanted))
    return query.order_by(ordinals.c.ordinal.desc())


def _in_time(wanted: Wanted) -> tuple[ColumnElement[bool], ...]:
    return (
        AuditRecord.account_id == wanted.account_id,
        AuditRecord.category == literal(MANAGEMENT, literal_execute=True),  # as a partial index says it, not as a parameter
        AuditRecord.at >= wanted.begins,
        AuditRecord.at <= wanted.ends,
    )
