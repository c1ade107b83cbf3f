"""The thread that scans for analyzers: it asks nothing where nobody has one, and one process of all scans."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from sqlalchemy import select

from sekisho.memory.log import Since
from sekisho.node.analyzing import Analyzing
from sekisho.store import db
from sekisho.store.changes import Entry, Point
from sekisho.store.tables import AccessFinding
from tests.journal.analyzers.estate import Estate, estate


class World:
    """What memory has heard."""

    def __init__(self) -> None:
        self.point, self._entries = Point(1, "n1"), [Entry(1, "111122223333", ())]
        self.forgets = False

    def hear(self, *ids: str) -> None:
        """A further revision."""
        number = self.point.number + 1
        self.point = Point(number, f"n{number}")
        self._entries.append(Entry(number, "111122223333", ids))

    def since(self, cursor: Point) -> Since | None:
        """As memory says it."""
        return None if self.forgets else Since(self.point, [one for one in self._entries if one.number > cursor.number], [])


class Counted(db.Database):
    """A database that counts how often it is asked."""

    asked = 0

    @contextmanager
    def read(self, **fields: Any) -> Iterator[Any]:
        """A read that counts."""
        self.asked += 1
        with super().read(**fields) as session:
            yield session


@pytest.fixture
def made(database_url: str) -> Iterator[Estate]:
    """An account without an analyzer."""
    with Counted(database_url) as database:
        yield estate(database)


def analyzing(made: Estate, world: World) -> Analyzing:
    return Analyzing(made.database, world, made.scanning())  # type: ignore[arg-type]  # all that it is asked for


def test_where_nobody_has_an_analyzer_nothing_is_asked(made: Estate) -> None:
    world = World()
    step = analyzing(made, world)
    assert step.once() is False
    before = made.database.asked  # type: ignore[attr-defined]
    for _ in range(100):
        world.hear("AROAAAAAAAAAAAAAAAAAA", "111122223333")
        assert step.once() is False
    assert made.database.asked == before  # type: ignore[attr-defined]
    made.roles(0, 1)
    made.analyzer()
    world.hear("analyzer-main")
    while step.once():
        pass
    assert list(made.statuses()) == ["role-0"]
    step.close()


def test_what_memory_has_forgotten_may_have_been_an_analyzer(made: Estate) -> None:
    world = World()
    step = analyzing(made, world)
    step.once()
    made.roles(0, 1)
    made.analyzer()
    world.hear()
    world.forgets = True
    while step.once():
        pass
    assert list(made.statuses()) == ["role-0"]
    step.close()


def test_one_of_all_scans_and_another_follows(made: Estate) -> None:
    made.analyzer()
    world = World()
    first, second = analyzing(made, world), analyzing(made, world)
    while first.once():
        pass
    made.roles(0, 1)
    world.hear()
    assert second.once() is False
    assert made.count(AccessFinding) == [0]
    first.close()
    second._retry_at = 0.0
    while second.once():
        pass
    assert made.count(AccessFinding) == [1]
    with made.database.read() as session:
        assert session.scalars(select(AccessFinding.status)).all() == ["ACTIVE"]
    second.close()
