"""The rows that a plan's filter selects are those that `policy.decide` allows, one by one: seeded worlds, on SQLite and on PostgreSQL."""

import os
from collections import Counter
from collections.abc import Iterator

import pytest
from sqlalchemy import (
    Column,
    ColumnElement,
    Connection,
    Integer,
    MetaData,
    Select,
    String,
    Table,
    create_engine,
    literal,
    select,
    union_all,
)

from sekisho.client.plans.sqlalchemy import where
from sekisho.policy import residual
from tests.policy.residual import worlds

SEEDS = int(os.environ.get("PLANS", "100"))
"""Of four worlds each; `make campaign` has 5,000."""
PART = 100
TAGS = ("team", "env", "site")
TOGETHER = 40
"""Questions that are put to a database in one query."""

ROWS = Table("rows", MetaData(), *(Column(name, Integer) for name in ("seed", "n")), *(Column(name, String) for name in ("arn", *TAGS)))


@pytest.fixture
def connection(bare_database_url: str) -> Iterator[Connection]:
    """To a database with an empty table."""
    engine = create_engine(bare_database_url.replace("postgresql://", "postgresql+psycopg://"))
    with engine.begin() as made:
        ROWS.metadata.create_all(made)
        yield made
    engine.dispose()


def column(key: str) -> ColumnElement[str]:
    return ROWS.c[key]


def fill(connection: Connection, seed: int) -> list[worlds.Resource]:
    """Have the resources of a seed in the table."""
    found = worlds.resources(seed)
    values = [{key.lower(): value for key, value in one.tags.items()} for one in found]
    rows = [{"seed": seed, "n": n, "arn": one.arn} | {key: values[n].get(key) for key in TAGS} for n, one in enumerate(found)]
    connection.execute(ROWS.insert(), rows)
    return found


@pytest.mark.parametrize("first", range(0, SEEDS, PART))
def test_the_filter_selects_what_brute_force_allows(connection: Connection, first: int) -> None:
    kinds: Counter[str] = Counter()
    queries: list[Select[int, int]] = []
    expected: list[tuple[int, set[int]]] = []
    for seed in range(first, first + PART):
        found = fill(connection, seed)
        for question in worlds.questions(seed, 4):
            try:
                plan = question.plan()
            except residual.Inexpressible:
                kinds["refused"] += 1
                continue
            kinds[plan.kind.value] += 1
            number = len(queries)
            test = where(plan, arn=ROWS.c.arn, tags=column)
            queries.append(select(literal(number), ROWS.c.n).where(ROWS.c.seed == seed, test))
            expected.append((seed, {n for n, one in enumerate(found) if question.allowed(one)}))
    selected: list[set[int]] = [set() for _ in queries]
    for at in range(0, len(queries), TOGETHER):
        for number, n in connection.execute(union_all(*queries[at : at + TOGETHER])):
            selected[number].add(n)
    assert [(seed, rows) for (seed, _), rows in zip(expected, selected, strict=True)] == expected
    # Each kind comes up, and most questions have a plan.
    assert all(kinds[kind.value] >= 30 for kind in residual.Kind), kinds
    assert kinds["refused"] < kinds.total() / 5, kinds
