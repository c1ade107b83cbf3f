"""The columns that queries see of an event, and what they are in the database: made by SQLAlchemy, so that no text of a query ever is SQL.

Members of `userIdentity`, `requestParameters`, `responseElements` and `tlsDetails` are taken out of their JSON. Names are compared
without regard to case, as CloudTrail Lake does; those of members within JSON are not.
"""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import ColumnElement, Text, and_, bindparam, case, cast, false, func, literal, null, select, type_coerce
from sqlalchemy.dialects.postgresql import JSON
from sqlalchemy.sql import FromClause

from sekisho import arn
from sekisho.errors import InvalidArgument
from sekisho.journal.trail.events import VERSION
from sekisho.store.tables import AuditRecord
from sekisho.store.tables.trail import MANAGEMENT

TEXT, NUMBER, FLAG, TIME = "text", "number", "flag", "time"
"""Kinds of values."""

_MEMBER = re.compile(r"[A-Za-z0-9_:/.-]{1,128}")
DEEPEST = 8
"""Members within members."""


class InvalidQueryStatement(InvalidArgument):
    """A statement is not of the part of SQL that queries are written in."""


@dataclass(frozen=True, slots=True)
class Typed:
    """An expression of the database, and the kind of its values."""

    sql: ColumnElement[Any]
    kind: str


Make = Callable[[FromClause], Typed]


def _plain(column: str, kind: str = TEXT) -> Make:
    return lambda table: Typed(table.c[column], kind)


PLAIN: Mapping[str, Make] = {
    "eventVersion": lambda _: Typed(cast(literal(VERSION, literal_execute=True), Text), TEXT),
    "eventID": _plain("id"),
    "eventTime": _plain("at", TIME),
    "eventSource": _plain("event_source"),
    "eventName": _plain("event_name"),
    "awsRegion": lambda table: Typed(func.coalesce(func.nullif(table.c.region, fixed("")), fixed(arn.REGION)), TEXT),
    "sourceIPAddress": _plain("source_ip"),
    "userAgent": _plain("user_agent"),
    "errorCode": _plain("error_code"),
    "errorMessage": _plain("error_message"),
    "requestID": lambda table: Typed(func.coalesce(table.c.shared_id, table.c.id), TEXT),
    "readOnly": _plain("read_only", FLAG),
    "resources": _plain("resources"),
    "eventType": _plain("event_type"),
    "managementEvent": lambda table: Typed(type_coerce(table.c.category == fixed(MANAGEMENT), table.c.read_only.type), FLAG),
    "recipientAccountId": _plain("account_id"),
    "sharedEventID": _plain("shared_id"),
    "eventCategory": _plain("category"),
}
"""By the name of the column, what it is."""

JSONS: Mapping[str, str] = {
    "userIdentity": "identity",
    "requestParameters": "request",
    "responseElements": "response",
    "tlsDetails": "tls",
}
"""Columns that hold JSON, by the name that events have for them."""

_FOLDED = {name.lower(): name for name in (*PLAIN, *JSONS)}
ALL = (*PLAIN, *JSONS)
"""The columns of `SELECT *`."""

KEPT = (
    "id", "at", "event_source", "event_name", "region", "source_ip", "user_agent", "error_code", "error_message", "shared_id", "read_only",
    "resources", "event_type", "account_id", "category", "identity", "request", "response", "tls",
)  # fmt: skip
"""Columns of the table that a query is given at all."""


def fixed(value: str) -> ColumnElement[str]:
    """A text of ours that stands in the statement itself, the same wherever it stands: PostgreSQL groups by equal expressions only."""
    return bindparam(None, value, Text(), literal_execute=True)


def column(name: str, table: FromClause, *, sqlite: bool) -> Typed:
    """A column by its name; InvalidQueryStatement for another."""
    return path((name,), table, sqlite=sqlite)


def path(names: Sequence[str], table: FromClause, *, sqlite: bool) -> Typed:
    """A column, or what stands at this path within a column of JSON."""
    known = _FOLDED.get(names[0].lower())
    if known is None:
        raise InvalidQueryStatement(f"Column '{names[0][:128]}' cannot be resolved.")
    if known in PLAIN:
        if len(names) > 1:
            raise InvalidQueryStatement(f"Column '{known}' has no members.")
        return PLAIN[known](table)
    held = table.c[JSONS[known]]
    if len(names) == 1:
        return Typed(held, TEXT)
    if len(names) > DEEPEST or not all(_MEMBER.fullmatch(name) for name in names[1:]):
        raise InvalidQueryStatement(f"Column '{known}' has no such member.")
    return Typed((_of_sqlite if sqlite else _of_postgresql)(held, names[1:]), TEXT)


def _of_postgresql(held: ColumnElement[Any], names: Sequence[str]) -> ColumnElement[Any]:
    return func.json_extract_path_text(cast(held, JSON), *(fixed(name) for name in names))


def _of_sqlite(held: ColumnElement[Any], names: Sequence[str]) -> ColumnElement[Any]:
    """As PostgreSQL has it: truth as a word, everything else as text."""
    at = fixed("$" + "".join(f'."{name}"' for name in names))
    found = func.json_type(held, at)
    return case(
        (found.in_((fixed("true"), fixed("false"))), found),
        (found == fixed("null"), null()),
        else_=cast(func.json_extract(held, at), Text),
    )


def starts(text: ColumnElement[Any], value: str) -> ColumnElement[bool]:
    """The condition that a text begins with a value, letter by letter."""
    return func.substr(text, 1, len(value)) == literal(value)


def ends(text: ColumnElement[Any], value: str) -> ColumnElement[bool]:
    """The condition that a text ends with a value, letter by letter."""
    size = len(value)
    return and_(func.length(text) >= size, func.substr(text, func.length(text) - (size - 1)) == literal(value))


NOTHING: FromClause = select(*(AuditRecord.__table__.c[name] for name in KEPT)).where(false()).subquery("events")
"""The scope of nobody, on which statements are tried before they are asked."""

MOMENT = AuditRecord.__table__.c.at.type
