"""The scope of an event data store: the only records that its queries can see, as a sub-select of the table of records.

A store of an account has that account's; one of an organization has its members', since they joined, as long as the store's account
manages the organization. Selectors, retention and the spans of ingestion all hold, whatever a query says.
"""

import json
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from sqlalchemy import ColumnElement, and_, case, exists, false, func, literal, not_, or_, select, true
from sqlalchemy.dialects.postgresql import JSON
from sqlalchemy.sql import FromClause

from sekisho.journal.trail import selectors
from sekisho.journal.trail.lake import columns
from sekisho.journal.trail.selectors import Condition
from sekisho.store.tables import AuditRecord, EventDataStore, Member, Organization

_RECORDS = AuditRecord.__table__
_SELECT: Mapping[str, Callable[[ColumnElement[Any], str], ColumnElement[bool]]] = {
    "Equals": lambda text, value: text == literal(value),
    "StartsWith": columns.starts,
    "EndsWith": columns.ends,
}
_TEST = {**_SELECT, **{f"Not{name}": test for name, test in _SELECT.items()}}


def scope(store: EventDataStore, now: datetime, *, sqlite: bool) -> FromClause:
    """The records that a store sees at this moment."""
    conditions = (
        _accounts(store),
        _RECORDS.c.at >= now - timedelta(days=store.retention_period),
        _RECORDS.c.at <= now,
        _ingested(store),
        _selected(store, sqlite=sqlite),
    )
    return select(*(_RECORDS.c[name] for name in columns.KEPT)).where(*conditions).subquery("events")


def _accounts(store: EventDataStore) -> ColumnElement[bool]:
    own: ColumnElement[bool] = _RECORDS.c.account_id == store.account_id
    if store.organization_id is None:
        return own
    member = (
        select(Member.account_id)
        .join(Organization, Organization.id == Member.organization_id)
        .where(
            Member.organization_id == store.organization_id,
            Organization.management_account_id == store.account_id,
            Member.account_id == _RECORDS.c.account_id,
            Member.joined_at <= _RECORDS.c.at,
        )
        .correlate(_RECORDS)
    )
    return or_(own, exists(member))


def _ingested(store: EventDataStore) -> ColumnElement[bool]:
    spans = [
        and_(
            _RECORDS.c.at >= datetime.fromtimestamp(begin, UTC),
            true() if end is None else _RECORDS.c.at < datetime.fromtimestamp(end, UTC),
        )
        for begin, end in json.loads(store.ingestion)
    ]
    return or_(false(), *spans)


def _selected(store: EventDataStore, *, sqlite: bool) -> ColumnElement[bool]:
    found = selectors.parsed(None, store.advanced_event_selectors)
    return or_(false(), *(and_(true(), *(_holds(each, one, sqlite=sqlite) for each in one)) for one in found.advanced))


def _holds(condition: Condition, selector: tuple[Condition, ...], *, sqlite: bool) -> ColumnElement[bool]:
    if condition.field in (selectors.RESOURCE_TYPE, selectors.RESOURCE_ARN):
        return _holds_of_resources(condition, selectors.types(selector), sqlite=sqlite)
    text = _FIELDS[condition.field](sqlite) if condition.field in _FIELDS else None
    if text is None:  # no event has the field
        return false() if condition.wanted else true()
    wanted = or_(false(), *(_TEST[name](text, value) for name, value in condition.wanted)) if condition.wanted else true()
    unwanted = or_(false(), *(_TEST[name](text, value) for name, value in condition.unwanted))
    return and_(text.is_not(None) if condition.wanted else true(), wanted, or_(text.is_(None), not_(unwanted)))


def _holds_of_resources(condition: Condition, types: frozenset[str], *, sqlite: bool) -> ColumnElement[bool]:
    member = "type" if condition.field == selectors.RESOURCE_TYPE else "ARN"
    if sqlite:
        each = func.json_each(_RECORDS.c.resources).table_valued("value")
        value, type_ = (func.json_extract(each.c.value, f"$.{name}") for name in (member, "type"))
    else:
        each = func.json_array_elements(_RECORDS.c.resources.cast(JSON)).table_valued("value")
        value, type_ = (func.json_extract_path_text(each.c.value, name) for name in (member, "type"))
    about = true() if member == "type" or not types else type_.in_(sorted(types))

    def any_of(tests: tuple[tuple[str, str], ...]) -> ColumnElement[bool]:
        held = or_(false(), *(_TEST[name](value, text) for name, text in tests))
        return exists(select(literal(1)).select_from(each).where(about, held).correlate(_RECORDS))

    wanted = any_of(condition.wanted) if condition.wanted else true()
    return and_(wanted, not_(any_of(condition.unwanted))) if condition.unwanted else wanted


_FIELDS: Mapping[str, Callable[[bool], ColumnElement[Any]]] = {
    "eventCategory": lambda _: _RECORDS.c.category,
    "eventName": lambda _: _RECORDS.c.event_name,
    "eventSource": lambda _: _RECORDS.c.event_source,
    "eventType": lambda _: _RECORDS.c.event_type,
    "errorCode": lambda _: _RECORDS.c.error_code,
    "userIdentity.arn": lambda sqlite: columns.path(("userIdentity", "arn"), _RECORDS, sqlite=sqlite).sql,
    "readOnly": lambda _: case((_RECORDS.c.read_only, literal("true")), else_=literal("false")),
}
