"""Statements that are compiled once: what SQLAlchemy does for one each time costs many times what the database does."""

from collections.abc import Callable, Iterable, Mapping
from functools import cache
from typing import Any

from sqlalchemy import Connection, Dialect, Insert, Select, inspect
from sqlalchemy import insert as insert_into

from sekisho.store.db import Base, Row, Script

Values = Mapping[str, Any]


class Prepared:
    """A statement that is compiled once for each database; `keys` are the names of the values that are given with it.

    Errors are the driver's own, and rows are as the driver has them.
    """

    def __init__(self, statement: Insert | Select[Any], *keys: str) -> None:
        self._statement, self._keys = statement, keys
        self._compiled: dict[str, tuple[str, Callable[[Values], Any]]] = {}

    def run(self, script: Script, rows: Iterable[Values]) -> None:
        """Insert rows with the commit."""
        text, parameters = self._for(script.dialect)
        for row in rows:
            script.execute(text, parameters(row))

    def row(self, connection: Connection, **values: Any) -> Row:
        """The one row that a query has."""
        text, parameters = self._for(connection.dialect)
        cursor: Any = connection.connection.cursor()
        cursor.execute(text, parameters(values))
        found: Row = cursor.fetchone()
        cursor.close()
        return found

    def _for(self, dialect: Dialect) -> tuple[str, Callable[[Values], Any]]:
        found = self._compiled.get(dialect.name)
        if found is None:
            found = self._compiled[dialect.name] = self._compile(dialect)
        return found

    def _compile(self, dialect: Dialect) -> tuple[str, Callable[[Values], Any]]:
        compiled: Any = self._statement.compile(dialect=dialect, column_keys=list(self._keys))
        given = dict.fromkeys(compiled.params)  # NULL where a row does not say
        given |= {name: value for name, value in compiled.params.items() if name not in self._keys}
        processors = {name: bind.type.dialect_impl(dialect).bind_processor(dialect) for name, bind in compiled.binds.items()}
        changed = {name: process for name, process in processors.items() if process is not None}

        def named(row: Values) -> dict[str, Any]:
            values = {**given, **row}
            for name, process in changed.items():
                values[name] = process(values[name])
            return values

        if not compiled.positional:
            return str(compiled), named
        order = compiled.positiontup

        def positional(row: Values) -> list[Any]:
            values = named(row)
            return [values[name] for name in order]

        return str(compiled), positional


def insert(script: Script, row: Base) -> None:
    """Insert a row that no session has, into each of the tables that it is made of."""
    for prepared, attributes, defaults in _tables(type(row)):
        values = {column: getattr(row, attribute) for column, attribute in attributes.items()}
        prepared.run(script, [{column: defaults.get(column) if value is None else value for column, value in values.items()}])


@cache
def _tables(kind: type[Base]) -> list[tuple[Prepared, dict[str, str], dict[str, Any]]]:
    """The insert of each table, base first, the attribute of each column, and what columns are where nothing was said."""
    mapper = inspect(kind)
    found = []
    for table in mapper.tables:
        attributes = {column.name: mapper.get_property_by_column(column).key for column in table.columns}
        defaulted: dict[str, Any] = {column.name: column.default for column in table.columns if column.default is not None}
        defaults = {name: default.arg for name, default in defaulted.items()}
        found.append((Prepared(insert_into(table), *attributes), attributes, defaults))
    return found
