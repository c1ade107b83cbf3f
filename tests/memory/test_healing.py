"""The feed heals every gap by itself: what was missed while it could not look is applied by the next look, or all of memory goes."""

import sqlite3
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import text

from sekisho.errors import ServiceUnavailable
from sekisho.memory.cache import World
from sekisho.memory.feed import Feed
from sekisho.store import changes
from sekisho.store.changes import Entry
from tests.harness import House
from tests.nodes import two


@pytest.fixture
def nodes(database_url: str, tmp_path: Path) -> Iterator[tuple[House, House]]:
    """Two nodes, of whom the second has ann in memory and a feed that nobody has started."""
    with two(database_url, tmp_path) as (writer, reader):
        reader.node.feed.stop()
        writer.call("CreateUser", user_name="ann")
        reader.node.world.poll()
        yield writer, reader


@contextmanager
def fed(world: World) -> Iterator[None]:
    """A feed that looks."""
    feed = Feed(world)
    feed.start()
    try:
        yield
    finally:
        feed.stop()


def reaches(world: World, token: str) -> None:
    """Wait, as long as a busy machine takes, until the world is there by itself."""
    limit = time.monotonic() + 60
    while world.point != changes.parse(token):
        assert time.monotonic() < limit
        time.sleep(0.01)


def known(house: House) -> str:
    """The id of ann, whose record is in memory."""
    id_: str = house.call("GetUser", user_name="ann").user.user_id
    assert house.node.world.get_record(id_) is not None
    return id_


def raising(error: Exception, times: int, then: Callable[..., Any]) -> Callable[..., Any]:
    """A look that fails so often before it is done."""
    left = [times]

    def look(*args: Any, **kwargs: Any) -> Any:
        if left[0]:
            left[0] -= 1
            raise error
        return then(*args, **kwargs)

    return look


ERRORS = (ServiceUnavailable("gone"), RuntimeError("a defect"), sqlite3.OperationalError("disk I/O error"))


@pytest.mark.parametrize("error", ERRORS, ids=lambda error: type(error).__name__)
def test_looks_that_fail_are_made_up_for(nodes: tuple[House, House], monkeypatch: pytest.MonkeyPatch, error: Exception) -> None:
    writer, reader = nodes
    world, id_ = reader.node.world, known(reader)
    monkeypatch.setattr(world, "renewed", raising(error, 3, world.renewed))
    for number in range(5):
        writer.call("TagUser", user_name="ann", tags=[{"key": f"k{number}", "value": "v"}])
    with fed(world):
        reaches(world, writer.revision)
    assert world.cached_record(id_) is None
    assert [entry.ids for entry in _since(world, 5)] == [(id_,)] * 5


def test_a_world_that_cannot_weigh_its_records_is_kept_new_all_the_same(
    nodes: tuple[House, House], monkeypatch: pytest.MonkeyPatch
) -> None:
    writer, reader = nodes
    monkeypatch.setattr(reader.node.world, "reweigh", raising(RuntimeError("a defect"), 1 << 30, print))
    writer.call("TagUser", user_name="ann", tags=[{"key": "k", "value": "v"}])
    with fed(reader.node.world):
        reaches(reader.node.world, writer.revision)


def test_a_look_that_breaks_off_in_the_middle_has_moved_nothing(nodes: tuple[House, House], monkeypatch: pytest.MonkeyPatch) -> None:
    """The database goes while its changes are read: the point stands where it stood, so the next look reads them again."""
    writer, reader = nodes
    world, id_ = reader.node.world, known(reader)
    before = world.point
    writer.call("TagUser", user_name="ann", tags=[{"key": "k", "value": "v"}])
    monkeypatch.setattr(changes, "entries_after", raising(ServiceUnavailable("gone"), 1, changes.entries_after))
    with pytest.raises(ServiceUnavailable):
        world.poll()
    assert world.point == before
    with fed(world):
        reaches(world, writer.revision)
    assert world.cached_record(id_) is None


@pytest.mark.parametrize("kept", ["none", "its own"])
def test_revisions_that_were_pruned_before_they_were_seen_drop_all_of_memory(nodes: tuple[House, House], kept: str) -> None:
    """Nobody can say any more what they touched: whether the world's own revision went with them, or stands alone."""
    writer, reader = nodes
    world = reader.node.world
    known(reader)
    before = world.point
    for number in range(5):
        writer.call("TagUser", user_name="ann", tags=[{"key": f"k{number}", "value": "v"}])
    last = changes.parse(writer.revision)
    first = before.number + 1 if kept == "its own" else 0
    with writer.node.database.engine.begin() as connection:
        for table in ("changes", "revisions"):
            connection.execute(
                text(f"DELETE FROM {table} WHERE number >= :first AND number < :last"), {"first": first, "last": last.number}
            )
    with fed(world):
        reaches(world, writer.revision)
    assert world.size == (0, 0)
    assert world.since(before) is None
    assert world.since(last) is not None


def test_more_than_is_remembered_is_applied_and_forgotten(nodes: tuple[House, House], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sekisho.memory.cache.MOST", 3)
    writer, reader = nodes
    world, id_ = reader.node.world, known(reader)
    before = world.point
    for number in range(5):
        writer.call("TagUser", user_name="ann", tags=[{"key": f"k{number}", "value": "v"}])
    world.poll()
    assert world.cached_record(id_) is None
    assert world.since(before) is None
    writer.call("UntagUser", user_name="ann", tag_keys=["k1"])
    after = world.point
    world.poll()
    found = world.since(after)
    assert found is not None
    assert found.entries == [Entry(world.point.number, writer.account_id, (id_,))]


def test_a_write_of_this_worker_and_one_of_another_are_remembered_alike(nodes: tuple[House, House]) -> None:
    writer, reader = nodes
    id_, before = known(reader), reader.node.world.point
    reader.call("TagUser", user_name="ann", tags=[{"key": "k", "value": "v"}])
    writer.call("DeleteUser", user_name="ann")
    writer.call("CreateAccountAlias", account_alias="shop")
    reader.node.world.poll()
    found = reader.node.world.since(before)
    assert found is not None
    account = writer.account_id
    assert found.entries == [Entry(before.number + 1, account, (id_,)), Entry(before.number + 2, account, (id_,))]
    assert [point.number for point in found.points] == [before.number + 1, before.number + 2, before.number + 3]
    assert found.point == found.points[-1]
    assert reader.node.world.touched({account}, before)
    assert not reader.node.world.touched({"000000000000"}, before)
    assert not reader.node.world.touched({account}, found.points[1])


def _since(world: World, back: int) -> list[Entry]:
    point = world.cached_point(world.point.number - back)
    assert point is not None
    found = world.since(point)
    assert found is not None
    return found.entries
