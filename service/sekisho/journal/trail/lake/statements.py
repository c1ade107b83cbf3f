"""The statements of queries: the part of CloudTrail Lake's SQL that is understood, and what it comes to in the database.

sqlglot parses; a table says for each kind of node what is made of it, and a node that is not in the table is refused. What is made is an
expression of SQLAlchemy over the sub-select that a store may see, with every value bound: no text of a statement reaches the database,
and no statement can name a table, a function or a column that is not in the tables here.

    SELECT [DISTINCT] columns and functions, or * FROM store [WHERE …] [GROUP BY …] [HAVING …] [ORDER BY …] [LIMIT n]
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import sqlglot
from sqlalchemy import ColumnElement, Select, select
from sqlalchemy.sql import FromClause
from sqlglot import exp
from sqlglot.errors import SqlglotError

from sekisho.journal.trail.lake import columns
from sekisho.journal.trail.lake.columns import InvalidQueryStatement, Typed
from sekisho.journal.trail.lake.expressions import Compiler

LONGEST = 10_000
"""Characters of a statement."""
MOST_NODES = 600
"""Nodes of its tree."""
MOST_ROWS = 10_000
"""Rows of a result."""
DEEPEST = 40
"""Levels of its tree."""

_STORE = r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}"
_PARTS = re.compile(r"""('(?:[^']|'')*')|("(?:[^"]|"")*")|(--|[^\w\s()\[\],.*=<>!?-])|([\w\s()\[\],.*=<>!?]+|-)""", re.DOTALL)
_FROM = re.compile(rf"(\bfrom\s+)({_STORE})\b", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Statement:
    """A statement that has been read: its tree, the store that it asks, and the names of its columns."""

    tree: exp.Select
    store_id: str
    names: tuple[str, ...]


def read(text: str, parameters: Sequence[str] = ()) -> Statement:
    """A statement with its `?` filled in; InvalidQueryStatement for what is not understood."""
    if len(text) > LONGEST:
        raise InvalidQueryStatement("The query statement is too long.")
    tree = _parsed(_quoted(text))
    _refuse_complex(tree)
    if not isinstance(tree, exp.Select):
        raise InvalidQueryStatement("Only SELECT statements are supported.")
    _fill(tree, parameters)
    if given := [name for name, value in tree.args.items() if value and name not in _CLAUSES]:
        raise InvalidQueryStatement(f"{given[0].strip('_').upper()} is not supported.")
    statement = Statement(tree, _store(tree), tuple(_names(tree)))
    for sqlite in (True, False):  # what is not understood is known before anything is asked
        compiled(statement, columns.NOTHING, sqlite=sqlite)
    return statement


def _refuse_complex(tree: exp.Expr) -> None:
    """Refuse a tree that is too large or too deep. Its own `depth` asks parent after parent, which a deep tree has too many of."""
    depths: dict[int, int] = {}
    for node in tree.walk():  # parents come before their children
        depth = depths[id(node)] = depths.get(id(node.parent), -1) + 1
        if len(depths) > MOST_NODES or depth > DEEPEST:
            raise InvalidQueryStatement(_COMPLEX)


_COMPLEX = "The query statement is too complex."
_CLAUSES = {"expressions", "from_", "where", "group", "having", "order", "limit", "distinct", "kind"}


def _quoted(text: str) -> str:
    """The statement with the id of its store in quotes. Nothing that hides text from a reader is admitted outside of quotes."""
    made, end = [], 0
    for part in _PARTS.finditer(text):
        if part.start() != end or part[3]:
            raise InvalidQueryStatement(f"Unexpected '{text[end : end + 1] if part.start() != end else part[3]}' in the query statement.")
        end = part.end()
        made.append(part[0])
    if end != len(text) or "\0" in text:
        raise InvalidQueryStatement("The query statement has a quote that does not end.")
    pieces = re.split(r"""('(?:[^']|'')*'|"(?:[^"]|"")*")""", text)
    _refuse_nesting(pieces[::2])
    return "".join(piece if at % 2 else _FROM.sub(r'\1"\2"', piece) for at, piece in enumerate(pieces))


def _refuse_nesting(bare: Sequence[str]) -> None:
    """Refuse what makes the parser try one reading after the other, twice as many with each level: types, and lists within brackets.

    `bare` is what stands between quotes. Before a `(` stands a word of the table or none; in `[]` stands a text in quotes.
    """
    depth = 0
    for number, piece in enumerate(bare):
        for found in _NESTING.finditer(piece):
            mark = found[0]
            if mark == ")":
                depth -= 1
                continue
            if mark == "[":
                if piece[found.end() :].strip() or not "".join(bare[number + 1 : number + 2]).lstrip().startswith("]"):
                    raise InvalidQueryStatement("Brackets hold the name of a member, in quotes.")
                continue
            depth += 1
            if depth > DEEPEST:
                raise InvalidQueryStatement(_COMPLEX)
            before = piece[: found.start()].rstrip()
            word = _WORD.search(before)
            if word is not None and word[0].lower() not in _CALLED:
                raise InvalidQueryStatement(f"{word[0][:64].upper()} is not supported.")
            if not before and number:
                raise InvalidQueryStatement("Unexpected '(' in the query statement.")


_NESTING = re.compile(r"[(\[)]")
_WORD = re.compile(r"\w+\Z")
_FUNCTIONS = ("count", "sum", "min", "max", "avg", "lower", "upper", "length", "coalesce", "element_at", "date_trunc")
_CALLED = frozenset(("select", "distinct", "where", "and", "or", "not", "in", "between", "like", "by", "having", *_FUNCTIONS))
"""Words before a parenthesis: those of the language, and the functions."""


def _parsed(text: str) -> Any:
    try:
        trees = sqlglot.parse(text, read="trino", error_level=sqlglot.ErrorLevel.RAISE)
    except (SqlglotError, RecursionError, ValueError) as error:
        line = str(error).splitlines()[0] if isinstance(error, SqlglotError) else "it cannot be read"
        raise InvalidQueryStatement(f"The query statement is not valid: {line[:200]}") from None
    if len(trees) != 1 or trees[0] is None:
        raise InvalidQueryStatement("A query has one statement.")
    return trees[0]


def _fill(tree: exp.Select, parameters: Sequence[str]) -> None:
    """Put parameters where `?` stands."""
    places = list(tree.find_all(exp.Placeholder, bfs=False))
    if len(places) != len(parameters):
        raise InvalidQueryStatement(f"The query statement has {len(places)} parameters, and {len(parameters)} are given.")
    for place, value in zip(places, parameters, strict=True):
        place.replace(exp.Literal.string(value))


def _store(tree: exp.Select) -> str:
    source = tree.args.get("from_")
    table = source.this if source is not None else None
    if not isinstance(table, exp.Table) or any(value for name, value in table.args.items() if name != "this"):
        raise InvalidQueryStatement("FROM must name one event data store.")
    if not isinstance(table.this, exp.Identifier) or not re.fullmatch(_STORE, table.this.name):
        raise InvalidQueryStatement("FROM must name an event data store by its ID.")
    return table.this.name


def _names(tree: exp.Select) -> list[str]:
    names: list[str] = []
    for at, one in enumerate(tree.expressions):
        if isinstance(one, exp.Star):
            names += columns.ALL
        elif isinstance(one, exp.Alias):
            names.append(one.alias)
        else:
            names.append(one.name if isinstance(one, exp.Column | exp.Dot | exp.Bracket) and one.name else f"_col{at}")
    return names


def compiled(statement: Statement, scope: FromClause, *, sqlite: bool) -> Select[Any]:
    """The query over the records of a scope. Its columns are the statement's, in order; times and flags are what they are."""
    tree, made = statement.tree, Compiler(scope, sqlite=sqlite)
    shown: list[tuple[exp.Expr, Typed]] = []
    for one in tree.expressions:
        if isinstance(one, exp.Star):
            if any(one.args.values()):
                raise InvalidQueryStatement("SELECT * has no exceptions.")
            shown += [(exp.column(name), columns.column(name, scope, sqlite=sqlite)) for name in columns.ALL]
        else:
            inner = one.this if isinstance(one, exp.Alias) else one
            shown.append((one, made.value(inner)))
    labels = [typed.sql.label(f"c{at}") for at, (_, typed) in enumerate(shown)]
    query = select(*labels).select_from(scope)
    if (distinct := tree.args.get("distinct")) is not None:
        if distinct.args.get("on"):
            raise InvalidQueryStatement("DISTINCT ON is not supported.")
        query = query.distinct()
    if (where := tree.args.get("where")) is not None:
        if where.find(exp.AggFunc):
            raise InvalidQueryStatement("WHERE has no aggregates.")
        query = query.where(made.condition(where.this))
    query = _grouped(tree, query, shown, labels, made)
    query = _ordered(tree, query, shown, labels, made)
    return query.limit(min(_limit(tree), MOST_ROWS + 1))


def _grouped(tree: exp.Select, query: Select[Any], shown: Any, labels: Any, made: Compiler) -> Select[Any]:
    group, having = tree.args.get("group"), tree.args.get("having")
    keys: set[int] = set()
    if group is not None:
        if any(value for name, value in group.args.items() if name != "expressions"):
            raise InvalidQueryStatement("GROUP BY names columns, and nothing else.")
        for one in group.expressions:
            keys.add(_shown(one, shown, "GROUP BY"))
        query = query.group_by(*(labels[at] for at in sorted(keys)))
    aggregates = [bool(one.find(exp.AggFunc)) for one, _ in shown]
    if group is not None or any(aggregates) or having is not None:
        for at, (one, _) in enumerate(shown):
            if not aggregates[at] and at not in keys:
                raise InvalidQueryStatement(f"'{one.sql()[:128]}' must be an aggregate expression or appear in GROUP BY.")
            if aggregates[at] and at in keys:
                raise InvalidQueryStatement("GROUP BY has no aggregates.")
    if having is not None:
        for one in having.find_all(exp.Column):
            if one.find_ancestor(exp.AggFunc) is None:
                raise InvalidQueryStatement("HAVING compares aggregates; what is said of columns belongs to WHERE.")
        query = query.having(made.condition(having.this))
    return query


def _ordered(tree: exp.Select, query: Select[Any], shown: Any, labels: Any, made: Compiler) -> Select[Any]:
    order = tree.args.get("order")
    if order is None:
        return query
    is_grouped = (
        tree.args.get("group") is not None or tree.args.get("distinct") is not None or any(one.find(exp.AggFunc) for one, _ in shown)
    )
    for one in order.expressions:
        if not isinstance(one, exp.Ordered) or one.args.get("with_fill"):
            raise InvalidQueryStatement("ORDER BY names columns, and nothing else.")
        at = _shown(one.this, shown, "ORDER BY", otherwise=-1)
        if at < 0 and is_grouped:
            raise InvalidQueryStatement("ORDER BY names what is selected, where rows are grouped.")
        key: ColumnElement[Any] = labels[at] if at >= 0 else made.value(one.this).sql
        key = key.desc() if one.args.get("desc") else key.asc()
        query = query.order_by(key.nulls_first() if one.args.get("nulls_first") and not one.args.get("desc") else key.nulls_last())
    return query


def _shown(one: exp.Expr, shown: Any, clause: str, *, otherwise: int | None = None) -> int:
    """Which of the selected expressions is meant: by its number, its alias, or the expression itself."""
    if isinstance(one, exp.Literal) and not one.is_string:
        if one.name.isdecimal() and len(one.name) < 6 and 1 <= int(one.name) <= len(shown):
            return int(one.name) - 1
        raise InvalidQueryStatement(f"{clause} position {one.name[:20]} is not in the select list.")
    for at, (each, _) in enumerate(shown):
        inner = each.this if isinstance(each, exp.Alias) else each
        plain = isinstance(one, exp.Column) and not one.table
        if inner == one or (plain and isinstance(each, exp.Alias) and each.alias.lower() == one.name.lower()):
            return at
    if otherwise is None:
        raise InvalidQueryStatement(f"{clause} names '{one.sql()[:128]}', which is not selected.")
    return otherwise


def _limit(tree: exp.Select) -> int:
    limit = tree.args.get("limit")
    if limit is None:
        return MOST_ROWS + 1
    value = limit.args.get("expression") if isinstance(limit, exp.Limit) else None
    if not isinstance(value, exp.Literal) or value.is_string or not value.name.isdecimal() or len(value.name) > 9:
        raise InvalidQueryStatement("LIMIT is a number.")
    return int(value.name)
