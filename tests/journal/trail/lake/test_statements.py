"""Statements: what is understood comes to the expected query, and everything else is refused before the database hears of it."""

import re

import pytest
from sqlalchemy.dialects import postgresql, sqlite

from sekisho.journal.trail.lake import columns, statements
from sekisho.journal.trail.lake.columns import InvalidQueryStatement

STORE = "01234567-89ab-cdef-0123-456789abcdef"


def sql(text: str, *parameters: str, on: str = "postgresql") -> str:
    """The SQL of a statement, without its scope, on one line."""
    statement = statements.read(text.replace("STORE", STORE), parameters)
    assert statement.store_id == STORE
    query = statements.compiled(statement, columns.NOTHING, sqlite=on == "sqlite")
    dialect = {"postgresql": postgresql.dialect, "sqlite": sqlite.dialect}[on]()
    made = str(query.compile(dialect=dialect, compile_kwargs={"literal_binds": True}))
    return re.sub(r"\(SELECT audit_records\..* WHERE (?:false|0 = 1)\) AS events", "EVENTS", re.sub(r"\s+", " ", made))


ID = "SELECT events.id AS c0 FROM EVENTS WHERE"
COUNTED = "SELECT events.event_name AS c0, count(*) AS c1 FROM EVENTS"
DAY = "to_char(timezone('UTC', events.at), 'YYYY-MM-DD 00:00:00')"

UNDERSTOOD = {
    "a column": ("SELECT eventName FROM STORE", "SELECT events.event_name AS c0 FROM EVENTS LIMIT 10001"),
    "in any case": ("select EVENTNAME from STORE limit 5", "SELECT events.event_name AS c0 FROM EVENTS LIMIT 5"),
    "a store in quotes": ('SELECT eventName FROM "STORE"', "SELECT events.event_name AS c0 FROM EVENTS LIMIT 10001"),
    "a high limit": ("SELECT eventName FROM STORE LIMIT 999999", "SELECT events.event_name AS c0 FROM EVENTS LIMIT 10001"),
    "a member": (
        "SELECT userIdentity.sessionContext.attributes FROM STORE",
        "SELECT json_extract_path_text(CAST(events.identity AS JSON), 'sessionContext', 'attributes') AS c0 FROM EVENTS LIMIT 10001",
    ),
    "an element": (
        "SELECT element_at(requestParameters, 'userName') FROM STORE",
        "SELECT json_extract_path_text(CAST(events.request AS JSON), 'userName') AS c0 FROM EVENTS LIMIT 10001",
    ),
    "conditions": (
        "SELECT eventID FROM STORE WHERE eventName = 'It''s' AND (readOnly = true OR NOT errorCode IS NULL) LIMIT 1",
        f"{ID} events.event_name = 'It''s' AND (events.read_only = true OR events.error_code IS NOT NULL) LIMIT 1",
    ),
    "a time": (
        "SELECT eventID FROM STORE WHERE eventTime >= '2026-01-02 03:04:05'",
        "SELECT events.id AS c0 FROM EVENTS WHERE events.at >= '2026-01-02 03:04:05+00:00' LIMIT 10001",
    ),
    "values in a list": (
        "SELECT eventID FROM STORE WHERE eventName IN ('A', 'B')",
        "SELECT events.id AS c0 FROM EVENTS WHERE events.event_name IN ('A', 'B') LIMIT 10001",
    ),
    "groups": (
        "SELECT eventName, count(*) AS n FROM STORE GROUP BY eventName HAVING count(*) > 1 ORDER BY n DESC LIMIT 3",
        f"{COUNTED} GROUP BY events.event_name HAVING count(*) > 1 ORDER BY c1 DESC NULLS LAST LIMIT 3",
    ),
    "a number of a column": (
        "SELECT date_trunc('day', eventTime) AS day, count(DISTINCT eventName) FROM STORE GROUP BY 1 ORDER BY 1 LIMIT 1",
        f"SELECT {DAY} AS c0, count(DISTINCT events.event_name) AS c1 FROM EVENTS GROUP BY {DAY} ORDER BY c0 ASC NULLS LAST LIMIT 1",
    ),
    "functions": (
        "SELECT DISTINCT lower(eventName), coalesce(errorCode, 'none') FROM STORE",
        "SELECT DISTINCT lower(events.event_name) AS c0, coalesce(events.error_code, 'none') AS c1 FROM EVENTS LIMIT 10001",
    ),
}


@pytest.mark.parametrize("case", UNDERSTOOD)
def test_what_is_understood_comes_to(case: str) -> None:
    text, expected = UNDERSTOOD[case]
    assert sql(text) == expected


def test_parameters_stand_where_the_marks_do() -> None:
    text = "SELECT eventID FROM STORE WHERE eventName = ? AND eventSource = ?"
    expected = "SELECT events.id AS c0 FROM EVENTS WHERE events.event_name = 'a''; --' AND events.event_source = 'b' LIMIT 10001"
    assert sql(text, "a'; --", "b") == expected
    for wrong in ((), ("a",), ("a", "b", "c")):
        with pytest.raises(InvalidQueryStatement):
            sql(text, *wrong)


def test_patterns_are_of_letters_in_their_case_on_both_databases() -> None:
    text = "SELECT eventID FROM STORE WHERE eventName LIKE 'A_*[b]%'"
    assert "events.event_name LIKE 'A_*[b]%%'" in sql(text)
    assert "events.event_name GLOB 'A?[*][[]b]*'" in sql(text, on="sqlite")


def test_all_columns_have_names() -> None:
    statement = statements.read(f"SELECT *, eventName AS again, count FROM {STORE}".replace(", count", ""))
    assert statement.names[:5] == ("eventVersion", "eventID", "eventTime", "eventSource", "eventName")
    assert (len(statement.names), statement.names[-1]) == (23, "again")


HOSTILE = {
    # other tables
    "another table": "SELECT id FROM access_keys",
    "the table of records": "SELECT id FROM audit_records",
    "a schema": f'SELECT id FROM public."{STORE}"',
    "a catalogue": f'SELECT id FROM pg.public."{STORE}"',
    "the catalogue of PostgreSQL": "SELECT usename FROM pg_shadow",
    "the catalogue of SQLite": "SELECT sql FROM sqlite_master",
    "a quoted table": 'SELECT id FROM "access_keys"',
    "a store in capitals": f"SELECT eventName FROM {STORE.upper()}",
    "no table": "SELECT 1",
    "values": "SELECT * FROM (VALUES (1)) AS t",
    "a function as a table": "SELECT * FROM json_each('[1]')",
    "a series": "SELECT * FROM generate_series(1, 1000000000)",
    "a file": "SELECT * FROM 'file.parquet'",
    # joins and sets
    "a cross join": "SELECT eventName FROM STORE CROSS JOIN STORE",
    "a comma": "SELECT a.eventName FROM STORE a, STORE b",
    "an inner join": "SELECT a.eventName FROM STORE a JOIN access_keys b ON true",
    "a natural join": "SELECT eventName FROM STORE NATURAL JOIN STORE",
    "a lateral join": "SELECT eventName FROM STORE, LATERAL (SELECT 1) x",
    "unnest": "SELECT eventName FROM STORE CROSS JOIN UNNEST(ARRAY[1]) AS t(x)",
    "a union": "SELECT eventName FROM STORE UNION SELECT secret FROM access_keys",
    "a union of all": "SELECT eventName FROM STORE UNION ALL SELECT eventName FROM STORE",
    "an intersection": "SELECT eventName FROM STORE INTERSECT SELECT id FROM accounts",
    "a difference": "SELECT eventName FROM STORE EXCEPT SELECT id FROM accounts",
    # queries within
    "a sub-query that is selected": "SELECT (SELECT secret FROM access_keys LIMIT 1) FROM STORE",
    "a sub-query in IN": "SELECT eventName FROM STORE WHERE eventName IN (SELECT id FROM accounts)",
    "a sub-query in EXISTS": "SELECT eventName FROM STORE WHERE EXISTS (SELECT 1 FROM accounts)",
    "a sub-query as a table": "SELECT x FROM (SELECT eventName AS x FROM STORE)",
    "a sub-query that is compared": "SELECT eventName FROM STORE WHERE eventName = (SELECT id FROM accounts)",
    "a sub-query in HAVING": "SELECT count(*) FROM STORE HAVING count(*) > (SELECT count(*) FROM accounts)",
    "a sub-query in ORDER BY": "SELECT eventName FROM STORE ORDER BY (SELECT id FROM accounts)",
    "a sub-query in LIMIT": "SELECT eventName FROM STORE LIMIT (SELECT 1)",
    "ANY": "SELECT eventName FROM STORE WHERE eventName = ANY (SELECT id FROM accounts)",
    "a common table": "WITH t AS (SELECT * FROM accounts) SELECT eventName FROM STORE",
    "a recursive one": "WITH RECURSIVE t(n) AS (SELECT 1 UNION ALL SELECT n+1 FROM t) SELECT eventName FROM STORE",
    # statements that write, and several
    "two statements": "SELECT eventName FROM STORE; DROP TABLE accounts",
    "an end": "SELECT eventName FROM STORE;",
    "a deletion": "DELETE FROM STORE",
    "an update": "UPDATE STORE SET eventName = 'x'",
    "an insertion": "INSERT INTO STORE VALUES (1)",
    "SELECT INTO": "SELECT eventName INTO t FROM STORE",
    "a lock": "SELECT eventName FROM STORE FOR UPDATE",
    "COPY": "COPY accounts TO PROGRAM 'sh'",
    "ATTACH": "ATTACH DATABASE 'x' AS y",
    "PRAGMA": "PRAGMA writable_schema = 1",
    "SET": "SET ROLE postgres",
    "EXPLAIN": "EXPLAIN SELECT eventName FROM STORE",
    "CREATE": "CREATE TABLE t AS SELECT eventName FROM STORE",
    # functions
    "sleep": "SELECT pg_sleep(100) FROM STORE",
    "a file of the server": "SELECT pg_read_file('/etc/passwd') FROM STORE",
    "a setting": "SELECT current_setting('data_directory') FROM STORE",
    "another query": "SELECT query_to_xml('SELECT 1', true, true, '') FROM STORE",
    "an extension": "SELECT load_extension('x') FROM STORE",
    "a large value": "SELECT randomblob(1000000000) FROM STORE",
    "a long text": "SELECT rpad('x', 1000000000, 'x') FROM STORE",
    "repetition": "SELECT repeat('x', 1000000000) FROM STORE",
    "concatenation": "SELECT eventName || eventName FROM STORE",
    "an aggregate of texts": "SELECT array_agg(eventName) FROM STORE",
    "a list of texts": "SELECT listagg(eventName, ',') FROM STORE",
    "a regular expression": "SELECT eventName FROM STORE WHERE regexp_like(eventName, '(a+)+$')",
    "the user": "SELECT current_user FROM STORE",
    "the version": "SELECT version() FROM STORE",
    "a window": "SELECT count(*) OVER (PARTITION BY eventName) FROM STORE",
    "a filter": "SELECT count(*) FILTER (WHERE true) FROM STORE",
    "a cast to a name": "SELECT CAST('access_keys' AS regclass) FROM STORE",
    "an operator": "SELECT eventName FROM STORE WHERE eventName ~ 'a'",
    # columns
    "a column of the database": "SELECT principal_id FROM STORE",
    "a hidden column": "SELECT xmin FROM STORE",
    "the number of a row": "SELECT rowid FROM STORE",
    "a column of another table": "SELECT access_keys.secret FROM STORE",
    "a path with a quote": """SELECT element_at(userIdentity, 'a"') FROM STORE""",
    "a path with an apostrophe": "SELECT element_at(userIdentity, 'a''b') FROM STORE",
    "a path with a wildcard": "SELECT element_at(userIdentity, '*') FROM STORE",
    "a path with an index": "SELECT resources[1] FROM STORE",
    "a path of expressions": "SELECT userIdentity[eventName] FROM STORE",
    "a quoted path": """SELECT userIdentity."a'); DROP TABLE accounts; --" FROM STORE""",
    "nine members": "SELECT userIdentity.a.b.c.d.e.f.g.h.i FROM STORE",
    "a column without its members": "SELECT eventName.x FROM STORE",
    # hiding
    "a comment to the end": "SELECT eventName FROM STORE -- WHERE",
    "a comment between": "SELECT eventName /* x */ FROM STORE",
    "a hint": "SELECT /*+ parallel */ eventName FROM STORE",
    "dollars": "SELECT $$x$$ FROM STORE",
    "a backslash": "SELECT \\x FROM STORE",
    "a quote that does not end": "SELECT eventName FROM STORE WHERE eventName = 'x",
    "a character of no text": "SELECT eventName FROM STORE WHERE eventName = '\0'",
    "an escape of a pattern": "SELECT eventName FROM STORE WHERE eventName LIKE 'a' ESCAPE 'x'",
    # size
    "a deep tree": "SELECT eventName FROM STORE WHERE " + "(" * 300 + "true" + ")" * 300,
    "a very deep tree": "SELECT eventName FROM STORE WHERE " + "NOT " * 2000 + "true",
    "a wide tree": "SELECT " + ", ".join(["eventName"] * 700) + " FROM STORE",
    "a long list": "SELECT eventName FROM STORE WHERE eventName IN (" + ", ".join(["'x'"] * 700) + ")",
    "a long statement": "SELECT eventName FROM STORE WHERE eventName = '" + "x" * 10_000 + "'",
    "a slow pattern": "SELECT eventName FROM STORE WHERE eventName LIKE '" + "%a" * 30 + "'",
    "an offset": "SELECT eventName FROM STORE OFFSET 5",
    "ties": "SELECT eventName FROM STORE ORDER BY 1 FETCH FIRST 5 ROWS WITH TIES",
    "a cube": "SELECT eventName FROM STORE GROUP BY CUBE (eventName)",
    "sets of groups": "SELECT eventName FROM STORE GROUP BY GROUPING SETS ((eventName))",
    "a sample": "SELECT eventName FROM STORE TABLESAMPLE BERNOULLI (10)",
    "time travel": "SELECT eventName FROM STORE FOR VERSION AS OF 1",
    # what is not grouped, or of another kind
    "a column that is not grouped": "SELECT eventName, count(*) FROM STORE",
    "an aggregate in WHERE": "SELECT eventName FROM STORE WHERE count(*) > 1",
    "an aggregate within one": "SELECT max(count(*)) FROM STORE",
    "a number that is a text": "SELECT eventName FROM STORE WHERE eventName = eventTime",
    "no time": "SELECT eventName FROM STORE WHERE eventTime > 'yesterday'",
    "a text as a condition": "SELECT eventName FROM STORE WHERE eventName",
    "a position that is not there": "SELECT eventName FROM STORE ORDER BY 2",
    "nonsense": "hello",
    "nothing": "   ",
}


@pytest.mark.parametrize("case", HOSTILE)
def test_what_is_not_understood_is_refused(case: str) -> None:
    assert len(HOSTILE) > 100
    with pytest.raises(InvalidQueryStatement):
        sql(HOSTILE[case])


def test_a_text_is_a_text_wherever_it_stands() -> None:
    """Quoted text is a value, whatever it looks like."""
    evil = "x' OR 1=1; DROP TABLE accounts; -- /* from 01234567-89ab-cdef-0123-456789abcdef */"
    quoted = evil.replace("'", "''")
    text = f"SELECT eventName AS \"{evil}\" FROM STORE WHERE eventName = '{quoted}'"
    statement = statements.read(text.replace("STORE", STORE))
    assert statement.names == (evil,)
    query = statements.compiled(statement, columns.NOTHING, sqlite=False).compile(dialect=postgresql.dialect())  # type: ignore[no-untyped-call]
    assert evil in query.params.values()
    assert "DROP" not in str(query)


_ARRAYS = "'a', ARRAY[" * 40
_VALUES = ", ".join(["'true'"] * 20)
MULTIPLYING = {
    "ranges of ranges": f"SELECT eventName FROM {STORE} WHERE readOnly" + " BETWEEN true AND true" * 30,
    "lists of lists": f"SELECT eventName FROM {STORE} WHERE " + "(" * 12 + "readOnly" + f" IN ({_VALUES}))" * 12,
    "arrays of arrays": f"SELECT {'ARRAY[' * 40}1{']' * 40} FROM {STORE}",
    "arrays after a text": f"SELECT ARRAY[{_ARRAYS}'a'{']' * 41} FROM {STORE}",
    "rows of rows": f"SELECT {'ROW(' * 40}1{')' * 40} FROM {STORE}",
    "types with sizes": f"SELECT {'decimal (' * 40}1{')' * 40} FROM {STORE}",
    "very many conditions": f"SELECT eventName FROM {STORE} WHERE " + " OR ".join(["true"] * 1200),
}


@pytest.mark.parametrize("case", MULTIPLYING)
def test_no_statement_grows_with_each_of_its_levels(case: str) -> None:
    """Each took minutes and all memory, or ended in an error of Python's. What is understood stays as long as it is."""
    is_understood = case in ("ranges of ranges", "lists of lists")
    try:
        query = statements.compiled(statements.read(MULTIPLYING[case]), columns.NOTHING, sqlite=False)
    except InvalidQueryStatement:
        assert not is_understood
    else:
        assert is_understood
        assert len(str(query)) < 20_000
