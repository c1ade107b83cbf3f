"""Lists of findings: filtered, in an order, a page at a time.

What a filter asks of principals and conditions is no column, so findings are read some at a time and looked at here. A page that has
looked at many ends early, with a token for the rest, as AWS's may.
"""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from sqlalchemy import Select, select, tuple_

from sekisho.api.analyzer.v1.criteria_pb2 import SortCriteria
from sekisho.calls.call import Call
from sekisho.journal.analyzers import filters
from sekisho.services.analyzer import criteria, pages
from sekisho.services.analyzer.errors import Validation
from sekisho.store import paging
from sekisho.store.tables import AccessFinding, Analyzer

_AT_ONCE = 500
_MOST_LOOKED_AT = 5000
"""Findings that one page looks at."""

_ORDERS: Mapping[str, Any] = {
    "": AccessFinding.created_at,
    "id": AccessFinding.id,
    "createdAt": AccessFinding.created_at,
    "analyzedAt": AccessFinding.analyzed_at,
    "updatedAt": AccessFinding.updated_at,
    "resource": AccessFinding.resource,
    "resourceType": AccessFinding.resource_type,
    "resourceOwnerAccount": AccessFinding.owner,
    "status": AccessFinding.status,
    "findingType": AccessFinding.type,
}
"""By the attribute that a request sorts by."""

_COLUMNS: Mapping[str, Any] = {
    "id": AccessFinding.id,
    "resource": AccessFinding.resource,
    "resourceType": AccessFinding.resource_type,
    "resourceOwnerAccount": AccessFinding.owner,
    "status": AccessFinding.status,
    "findingType": AccessFinding.type,
}
"""Properties that are columns: of these the database leaves out what is not equal, before it is looked at here."""


def page(call: Call, request: Any, row: Analyzer, *types: str) -> paging.Page[AccessFinding]:
    """A page of an analyzer's findings of these types, of all when none is named."""
    filter_ = criteria.plain(request.filter)
    query = narrowed(select(AccessFinding).where(AccessFinding.analyzer_id == row.id), filter_)
    if types:
        query = query.where(AccessFinding.type.in_(types))
    by, descending = _order(request.sort)
    made, size = pages.cursor(call, request), pages.most(request)
    last = pages.opened(made, request)
    found: list[AccessFinding] = []
    looked = 0
    while True:
        rows = call.session.scalars(_following(query, by, last, descending=descending).limit(_AT_ONCE)).all()
        for one in rows:
            if len(found) == size or looked >= _MOST_LOOKED_AT:
                assert last is not None
                return paging.Page(found, made.marker(last))
            looked, last = looked + 1, [_plain(getattr(one, by.key)), one.id]
            if filters.matches(filter_, filters.of_row(one)):
                found.append(one)
        if len(rows) < _AT_ONCE:
            return paging.Page(found, None)


def narrowed(query: Select[Any], filter_: filters.Filter) -> Select[Any]:
    """A query without some of what a filter leaves out; what is left is still to be looked at."""
    for name, column in _COLUMNS.items():
        if "eq" in filter_.get(name, {}):
            query = query.where(column.in_([text for text in filter_[name]["eq"] if "\0" not in text]))
    return query


def _order(sort: SortCriteria) -> tuple[Any, bool]:
    if sort.attribute_name not in _ORDERS:
        raise Validation(f"{sort.attribute_name[:128]} is not an attribute that findings can be sorted by.")
    return _ORDERS[sort.attribute_name], sort.order_by == "DESC"


def _following(query: Select[Any], by: Any, last: list[Any] | None, *, descending: bool) -> Select[Any]:
    if last is not None:
        value = datetime.fromisoformat(last[0]) if by.key.endswith("_at") else last[0]
        place, behind = tuple_(by, AccessFinding.id), tuple_(value, last[1])
        query = query.where(place < behind if descending else place > behind)
    return query.order_by(by.desc(), AccessFinding.id.desc()) if descending else query.order_by(by, AccessFinding.id)


def _plain(value: Any) -> str:
    return value.isoformat() if isinstance(value, datetime) else str(value)
