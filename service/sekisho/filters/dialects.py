"""What SQLite and PostgreSQL say differently, as elements of SQLAlchemy; other databases are refused when a query is compiled.

Each element has all that either database needs among its clauses, so that one statement can be kept compiled for each.
"""

from typing import Any

from sqlalchemy import Boolean, Text
from sqlalchemy.exc import CompileError
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.functions import FunctionElement


class Every(FunctionElement[bool]):
    """All of some tests. Unlike SQLAlchemy's own, it stays within the parentheses in which it was made (`rows.joined`)."""

    type = Boolean()
    inherit_cache = True


class Either(FunctionElement[bool]):
    """Some of them, likewise."""

    type = Boolean()
    inherit_cache = True


class Turned(FunctionElement[bool]):
    """A test turned round."""

    type = Boolean()
    inherit_cache = True


class Exactly(FunctionElement[str]):
    """A text that is compared byte by byte, whatever the collation or the type of its column."""

    type = Text()
    inherit_cache = True


class Whole(FunctionElement[bool]):
    """A text without U+0000, at which SQLite's functions end; PostgreSQL has no such text."""

    type = Boolean()
    inherit_cache = True


class Like(FunctionElement[bool]):
    """A text that fits a pattern: the text, the pattern in GLOB, and in LIKE."""

    type = Boolean()
    inherit_cache = True


class Regular(FunctionElement[bool]):
    """A text that fits a regular expression: the text, the expression in Python, and in POSIX.

    In SQLite it is the function REGEXP, which SQLAlchemy brings to each connection.
    """

    type = Boolean()
    inherit_cache = True


class Spelled(FunctionElement[bool]):
    """A text whose letters are among some: the text, the pattern in GLOB, in LIKE as far as that can say it, and in POSIX."""

    type = Boolean()
    inherit_cache = True


_SAID = {
    (Exactly, "sqlite"): "({} COLLATE BINARY)",
    (Exactly, "postgresql"): '(CAST({} AS TEXT) COLLATE "C")',
    (Whole, "sqlite"): "(instr({}, char(0)) = 0)",
    (Whole, "postgresql"): "TRUE",
    (Like, "sqlite"): "({} GLOB {})",
    (Like, "postgresql"): "({0} LIKE {2})",
    (Regular, "sqlite"): "({} REGEXP {})",
    (Regular, "postgresql"): "({0} ~ {2})",
    (Spelled, "sqlite"): "({} GLOB {})",
    (Spelled, "postgresql"): "({0} LIKE {2} AND {0} ~ {3})",
}


_JOINED = {Every: " AND ", Either: " OR "}


def _join(element: FunctionElement[Any], compiler: Any, **options: Any) -> str:
    return f"({_JOINED[type(element)].join(compiler.process(clause, **options) for clause in element.clauses)})"


def _turn(element: FunctionElement[Any], compiler: Any, **options: Any) -> str:
    (clause,) = element.clauses
    return f"(NOT ({compiler.process(clause, **options)}))"


def _compile(element: FunctionElement[Any], compiler: Any, **options: Any) -> str:
    said = _SAID.get((type(element), compiler.dialect.name))
    if said is None:
        raise CompileError(f"a plan can be asked of SQLite and PostgreSQL, not of `{compiler.dialect.name}`")
    return said.format(*(_Part(clause, compiler, options) for clause in element.clauses))


class _Part:
    """A clause that is compiled only where it is said: what is not said binds nothing."""

    def __init__(self, clause: Any, compiler: Any, options: dict[str, Any]) -> None:
        self._clause, self._compiler, self._options = clause, compiler, options

    def __format__(self, _spec: str) -> str:
        return str(self._compiler.process(self._clause, **self._options))


for _joining in _JOINED:
    compiles(_joining)(_join)
compiles(Turned)(_turn)
for _element in (Exactly, Whole, Like, Regular, Spelled):
    compiles(_element)(_compile)
