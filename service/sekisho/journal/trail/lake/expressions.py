"""Expressions of statements: a table of the kinds of nodes that are understood, and what each comes to in the database.

Every value is bound, and every function is one of the table's own: nothing else of a statement reaches the database.
"""

import re
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import ColumnElement, Integer, Text, and_, cast, func, literal, not_, or_
from sqlalchemy.sql import FromClause
from sqlglot import exp

from sekisho.journal.trail.lake import columns
from sekisho.journal.trail.lake.columns import FLAG, NUMBER, TEXT, TIME, InvalidQueryStatement, Typed

_MOMENT = re.compile(r"(\d{4}-\d\d-\d\d)(?:[ T](\d\d:\d\d(?::\d\d(?:\.\d{1,6})?)?)Z?)?")


class Compiler:
    """Makes expressions of the database from nodes."""

    def __init__(self, scope: FromClause, *, sqlite: bool) -> None:
        self._scope, self._sqlite = scope, sqlite

    def value(self, node: Any) -> Typed:
        """The expression that a node stands for; InvalidQueryStatement for one that is not understood."""
        make = _VALUES.get(type(node))
        if make is None:
            raise InvalidQueryStatement(f"{_kind_of(node)} is not supported.")
        if isinstance(node, exp.AggFunc) and node.find_ancestor(exp.AggFunc) is not None:
            raise InvalidQueryStatement("An aggregate has no other within.")
        return make(self, node)

    def condition(self, node: Any) -> ColumnElement[bool]:
        """The condition that a node states."""
        found = self.value(node)
        if found.kind != FLAG:
            raise InvalidQueryStatement(f"'{node.sql()[:128]}' is not a condition.")
        return found.sql

    def column(self, node: exp.Expr) -> Typed:
        """A column, or a member within one: `userIdentity.arn`, `requestParameters['userName']`."""
        return columns.path(_path(node), self._scope, sqlite=self._sqlite)

    def pair(self, left: Any, right: Any) -> tuple[ColumnElement[Any], ColumnElement[Any]]:
        """Two values that are compared, of one kind: a literal becomes what the other is."""
        one, two = self.alike(left, self.value(left), right)
        return one.sql, two.sql

    def alike(self, left: Any, one: Typed, right: Any) -> tuple[Typed, Typed]:
        """A value that has been made, and another that it is compared with."""
        two = self.value(right)
        if one.kind != two.kind:
            if isinstance(right, exp.Literal):
                two = _converted(right, one.kind)
            elif isinstance(left, exp.Literal):
                one = _converted(left, two.kind)
            else:
                raise InvalidQueryStatement(f"Cannot compare {one.kind} with {two.kind}.")
        return one, two

    def like(self, node: exp.Like) -> Typed:
        """By letters, in their case, on both databases."""
        pattern = node.expression
        text = self.value(node.this)
        if not isinstance(pattern, exp.Literal) or not pattern.is_string or text.kind != TEXT or len(pattern.name) > 256:
            raise InvalidQueryStatement("LIKE compares text with a pattern.")
        if pattern.name.count("%") > 8:
            raise InvalidQueryStatement("A pattern has up to 8 `%`.")
        if self._sqlite:
            escaped = re.sub(r"[\[*?]", lambda mark: f"[{mark[0]}]", pattern.name).replace("%", "*").replace("_", "?")
            return Typed(text.sql.op("GLOB", is_comparison=True)(literal(escaped)), FLAG)
        return Typed(text.sql.like(pattern.name.replace("\\", "\\\\")), FLAG)

    def truncated(self, node: Any) -> Typed:
        """The begin of the hour, day or the like, as text."""
        moment = self.value(node.this)
        unit = node.args["unit"].name.lower() if node.args.get("unit") is not None else ""
        if moment.kind != TIME or unit not in _UNITS or node.args.get("zone"):
            raise InvalidQueryStatement("date_trunc takes one of minute, hour, day, month, year, and eventTime.")
        if self._sqlite:
            return Typed(func.strftime(columns.fixed(_UNITS[unit][0]), moment.sql), TEXT)
        return Typed(func.to_char(func.timezone(columns.fixed("UTC"), moment.sql), columns.fixed(_UNITS[unit][1])), TEXT)


_UNITS: Mapping[str, tuple[str, str]] = {
    "minute": ("%Y-%m-%d %H:%M:00", "YYYY-MM-DD HH24:MI:00"),
    "hour": ("%Y-%m-%d %H:00:00", "YYYY-MM-DD HH24:00:00"),
    "day": ("%Y-%m-%d 00:00:00", "YYYY-MM-DD 00:00:00"),
    "month": ("%Y-%m-01 00:00:00", "YYYY-MM-01 00:00:00"),
    "year": ("%Y-01-01 00:00:00", "YYYY-01-01 00:00:00"),
}


def _path(node: Any) -> list[str]:
    if isinstance(node, exp.Column):
        return [part.name for part in node.parts]
    if isinstance(node, exp.Dot) and isinstance(node.expression, exp.Identifier):
        return [*_path(node.this), node.expression.name]
    if isinstance(node, exp.Bracket) and len(node.expressions) == 1:
        (key,) = node.expressions
        if isinstance(key, exp.Literal) and key.is_string:
            return [*_path(node.this), key.name]
    raise InvalidQueryStatement(f"{_kind_of(node)} is not supported.")


def _kind_of(node: Any) -> str:
    named = node.name if isinstance(node, exp.Anonymous) else type(node).__name__
    return str(named)[:64].upper()


def _literal(_: Compiler, node: exp.Literal) -> Typed:
    return _converted(node, TEXT if node.is_string else NUMBER)


def _converted(node: exp.Literal, kind: str) -> Typed:
    try:
        if kind == NUMBER:
            number = float(node.name) if not re.fullmatch(r"-?\d{1,18}", node.name) else int(node.name)
            return Typed(literal(number), NUMBER)
        if kind == TIME and node.is_string:
            found = _MOMENT.fullmatch(node.name)
            moment = datetime.fromisoformat(f"{found[1]} {found[2] or '00:00'}") if found is not None else None
            if moment is not None:
                return Typed(literal(moment.replace(tzinfo=UTC), columns.MOMENT), TIME)
        if kind == FLAG and node.is_string and node.name.lower() in ("true", "false"):
            return Typed(_truth(is_true=node.name.lower() == "true"), FLAG)
        if kind == TEXT:
            return Typed(literal(node.name, Text()), TEXT)
    except (ValueError, OverflowError):
        pass
    raise InvalidQueryStatement(f"'{node.name[:128]}' is not a {kind}.")


def _truth(*, is_true: bool) -> ColumnElement[bool]:
    return literal(is_true)


def _compare(test: Callable[[Any, Any], Any]) -> Callable[[Compiler, Any], Typed]:
    return lambda made, node: Typed(test(*made.pair(node.this, node.expression)), FLAG)


def _in(made: Compiler, node: exp.In) -> Typed:
    if any(value for name, value in node.args.items() if name not in ("this", "expressions")) or not node.expressions:
        raise InvalidQueryStatement("IN takes a list of values.")
    if not all(isinstance(one, exp.Literal) for one in node.expressions):
        raise InvalidQueryStatement("IN takes a list of values.")
    this = made.value(node.this)  # once, and once in the query: lists within lists would multiply it
    pairs = [made.alike(node.this, this, one) for one in node.expressions]
    if isinstance(node.this, exp.Literal):  # which becomes what each of the others is
        return Typed(or_(*(left.sql == right.sql for left, right in pairs)), FLAG)
    return Typed(this.sql.in_([right.sql for _, right in pairs]), FLAG)


def _between(made: Compiler, node: exp.Between) -> Typed:
    this = made.value(node.this)
    (left, least), (right, most) = (made.alike(node.this, this, node.args[name]) for name in ("low", "high"))
    if isinstance(node.this, exp.Literal):
        return Typed(and_(left.sql >= least.sql, right.sql <= most.sql), FLAG)
    return Typed(this.sql.between(least.sql, most.sql), FLAG)


def _is(made: Compiler, node: exp.Is) -> Typed:
    if isinstance(node.expression, exp.Null):
        return Typed(made.value(node.this).sql.is_(None), FLAG)
    raise InvalidQueryStatement("IS is followed by NULL or NOT NULL.")


def _count(made: Compiler, node: exp.Count) -> Typed:
    if node.expressions:
        raise InvalidQueryStatement("count takes one value.")
    inner = node.this
    if isinstance(inner, exp.Star) and not any(inner.args.values()):
        return Typed(func.count(), NUMBER)
    if isinstance(inner, exp.Distinct):
        if len(inner.expressions) != 1 or inner.args.get("on"):
            raise InvalidQueryStatement("count(DISTINCT …) takes one value.")
        return Typed(func.count(made.value(inner.expressions[0]).sql.distinct()), NUMBER)
    return Typed(func.count(made.value(inner).sql), NUMBER)


def _extreme(function: Callable[[Any], Any]) -> Callable[[Compiler, Any], Typed]:
    def make(made: Compiler, node: Any) -> Typed:
        if node.expressions:
            raise InvalidQueryStatement("min and max take one value.")
        inner = made.value(node.this)
        if inner.kind == FLAG:
            raise InvalidQueryStatement("min and max take text, numbers or times.")
        return Typed(function(inner.sql), inner.kind)

    return make


def _numeric(function: Callable[[Any], Any]) -> Callable[[Compiler, Any], Typed]:
    def make(made: Compiler, node: Any) -> Typed:
        inner = made.value(node.this)
        if inner.kind != NUMBER:
            raise InvalidQueryStatement("sum and avg take numbers.")
        return Typed(function(inner.sql), NUMBER)

    return make


def _of_text(function: Callable[[Any], Any], kind: str = TEXT) -> Callable[[Compiler, Any], Typed]:
    def make(made: Compiler, node: Any) -> Typed:
        inner = made.value(node.this)
        if inner.kind != TEXT:
            raise InvalidQueryStatement(f"{_kind_of(node)} takes text.")
        return Typed(function(inner.sql), kind)

    return make


def _coalesce(made: Compiler, node: exp.Coalesce) -> Typed:
    found = [made.value(one) for one in (node.this, *node.expressions)]
    if len({one.kind for one in found}) != 1:
        raise InvalidQueryStatement("coalesce takes values of one kind.")
    return Typed(func.coalesce(*(one.sql for one in found)), found[0].kind)


def _negative(made: Compiler, node: exp.Neg) -> Typed:
    if not isinstance(node.this, exp.Literal) or node.this.is_string:
        raise InvalidQueryStatement("Only numbers have a sign.")
    return Typed(-made.value(node.this).sql, NUMBER)


_VALUES: Mapping[type[Any], Callable[[Compiler, Any], Typed]] = {
    exp.Column: Compiler.column,
    exp.Dot: Compiler.column,
    exp.Bracket: Compiler.column,
    exp.Literal: _literal,
    exp.Boolean: lambda _, node: Typed(_truth(is_true=node.this), FLAG),
    exp.Neg: _negative,
    exp.Paren: lambda made, node: made.value(node.this),
    exp.And: lambda made, node: Typed(and_(made.condition(node.this), made.condition(node.expression)), FLAG),
    exp.Or: lambda made, node: Typed(or_(made.condition(node.this), made.condition(node.expression)), FLAG),
    exp.Not: lambda made, node: Typed(not_(made.condition(node.this)), FLAG),
    exp.EQ: _compare(lambda left, right: left == right),
    exp.NEQ: _compare(lambda left, right: left != right),
    exp.LT: _compare(lambda left, right: left < right),
    exp.LTE: _compare(lambda left, right: left <= right),
    exp.GT: _compare(lambda left, right: left > right),
    exp.GTE: _compare(lambda left, right: left >= right),
    exp.In: _in,
    exp.Between: _between,
    exp.Like: Compiler.like,
    exp.Is: _is,
    exp.Count: _count,
    exp.Min: _extreme(func.min),
    exp.Max: _extreme(func.max),
    exp.Sum: _numeric(func.sum),
    exp.Avg: _numeric(func.avg),
    exp.Lower: _of_text(func.lower),
    exp.Upper: _of_text(func.upper),
    exp.Length: _of_text(lambda text: cast(func.length(text), Integer), NUMBER),
    exp.Coalesce: _coalesce,
    exp.TimestampTrunc: Compiler.truncated,
    exp.DateTrunc: Compiler.truncated,
}
"""All that is understood, by the kind of node."""
