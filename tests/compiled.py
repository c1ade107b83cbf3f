"""Statements of SQL that are compiled once in a process of tests: SQLAlchemy compiles each anew for each engine, and most tests have a node
of their own with three engines; a fifth of the CPU that it took to open one was that.
"""

from typing import Any

from sqlalchemy.dialects.postgresql.psycopg import PGDialect_psycopg
from sqlalchemy.dialects.sqlite.pysqlite import SQLiteDialect_pysqlite
from sqlalchemy.engine import Dialect
from sqlalchemy.util import LRUCache

from sekisho.store import engines

ROOM = 5000
"""Statements that are kept; all tests together have fewer."""
CACHE: Any = LRUCache(ROOM)


def share() -> None:
    """From here on, engines that `engines.opened` makes have one cache, in which dialects are alike that compile alike."""
    make = vars(engines)["create_engine"]
    for dialect in (PGDialect_psycopg, SQLiteDialect_pysqlite):
        dialect.__eq__ = _is_alike  # type: ignore[method-assign,assignment]
        dialect.__hash__ = _hash  # type: ignore[method-assign,assignment]
    vars(engines)["create_engine"] = lambda url, **options: make(url, **options, execution_options={"compiled_cache": CACHE})


def _is_alike(mine: Dialect, other: object) -> bool:
    return mine is other or _traits(mine) == _traits(other)


def _hash(mine: Dialect) -> int:
    return hash(type(mine))


def _traits(dialect: Any) -> tuple[object, ...]:
    """What SQL depends on; the version of the server is known from the first connection on."""
    return type(dialect), getattr(dialect, "server_version_info", None), getattr(dialect, "default_schema_name", None)
