"""New rows past the unit of work: what SQLAlchemy does to insert a row costs many times what the database does for it."""

from collections.abc import Callable, Mapping, Sequence
from functools import cache
from typing import Any

from sqlalchemy import Connection, Dialect, Insert, inspect
from sqlalchemy import insert as insert_into

from sekisho.db import Base

Values = Mapping[str, Any]


class Prepared:
    """An insert that is compiled once for each database; `keys` are the names of the values that are given with it."""

    def __init__(self, statement: Insert, *keys: str) -> None:
        self._statement, self._keys = statement, keys
        self._compiled: dict[str, tuple[str, Callable[[Values], Any]]] = {}

    def run(self, connection: Connection, rows: Sequence[Values]) -> None:
        """Insert rows. Errors are the driver's own; on PostgreSQL it may run in a pipeline, and then they come at its end."""
        dialect = connection.dialect
        if dialect.name not in self._compiled:
            self._compiled[dialect.name] = self._compile(dialect)
        text, parameters = self._compiled[dialect.name]
        cursor = connection.connection.cursor()
        for row in rows:
            cursor.execute(text, parameters(row))

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


def insert(connection: Connection, row: Base) -> None:
    """Insert a row that no session has, into each of the tables that it is made of."""
    for prepared, attributes, defaults in _tables(type(row)):
        values = {column: getattr(row, attribute) for column, attribute in attributes.items()}
        prepared.run(connection, [{column: defaults.get(column) if value is None else value for column, value in values.items()}])


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
