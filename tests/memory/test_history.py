"""A database that is behind is not another history: what memory has stays, nothing is mixed with it. Another history drops everything."""

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path

import pytest
from sqlalchemy import text

from sekisho import arn
from sekisho.credentials import access_keys, accounts
from sekisho.errors import SekishoError
from sekisho.memory import history
from sekisho.memory.cache import World
from sekisho.memory.feed import AnotherHistory, Feed, NotYet
from sekisho.memory.history import Behind, History
from sekisho.store import changes, db
from sekisho.store.changes import Point
from sekisho.world import PrincipalRecord, Subject
from tests import harness
from tests.harness import House
from tests.memory.lagging import Lagging
from tests.services.iam.documents import allow

NOW = datetime(2026, 1, 1, tzinfo=UTC)
SHIP = allow("orders:Ship")


@dataclass
class Follower:
    """A cache that is fed by a database that can lag, and the house whose database it is."""

    house: House
    database: Lagging
    world: World
    ids: dict[str, str]

    def revisions(self, count: int, *ids: str) -> None:
        """Commit revisions that touch these ids."""
        for _ in range(count):
            with self.house.node.database.write((self.house.account_id,)) as session:
                touched = changes.Touched(session)
                touched.ids.update(ids)
                audited = accounts.by_operator(self.house.account_id, NOW, "iam", "Test", {})
                changes.record(session, touched, NOW, lambda: "5a" * 8, audited)

    def acting(self, name: str) -> int:
        """How many policies a user acts with."""
        acting, point = self.world.acting(Subject(self.ids[name], self.house.account_id), NOW)
        assert point == self.world.point
        return len(acting.identity)


@pytest.fixture
def follower(database_url: str, tmp_path: Path) -> Iterator[Follower]:
    """Three users, of whom ann and bob are in memory; bob is touched by the last of 100 revisions that the snapshot does not have."""
    with harness.house(database_url, tmp_path) as house, Lagging(database_url, tmp_path) as database:
        ids = {name: house.call("CreateUser", user_name=name).user.user_id for name in ("ann", "bob", "cat")}
        for name in ids:
            house.call("PutUserPolicy", user_name=name, policy_name="p", policy_document=SHIP)
        ring = house.node.ring
        made = Follower(house, database, World(database, lambda row: access_keys.unseal(row.id, row.secret, ring)), ids)
        made.world.poll()
        assert (made.acting("ann"), made.acting("bob")) == (1, 1)
        database.hold()
        made.revisions(99)
        house.call("PutUserPolicy", user_name="bob", policy_name="q", policy_document=SHIP)
        made.world.poll()
        yield made
        made.world.close()


def test_a_follower_that_lags_by_100_revisions_and_catches_up_drops_nothing_that_was_not_touched(follower: Follower) -> None:
    world, ids = follower.world, follower.ids
    assert world.cached_record(ids["bob"]) is None
    assert follower.acting("bob") == 2
    ann, bob, point = world.cached_record(ids["ann"]), world.cached_record(ids["bob"]), world.point
    assert isinstance(ann, PrincipalRecord)
    follower.database.behind = True
    with follower.database.read() as session:
        assert changes.latest(session).number == point.number - 100
    assert world.poll() == point
    with pytest.raises(Behind):
        world.renewed()
    assert (follower.acting("ann"), follower.acting("bob")) == (1, 2)
    follower.revisions(1, ids["cat"])
    follower.database.behind = False
    assert world.renewed().number == point.number + 1
    assert world.cached_record(ids["ann"]) is ann
    assert world.cached_record(ids["bob"]) is bob
    follower.revisions(1, ids["bob"])
    world.poll()
    assert world.cached_record(ids["ann"]) is ann
    assert world.cached_record(ids["bob"]) is None


def test_nothing_is_loaded_from_a_database_that_is_behind(follower: Follower) -> None:
    """Bob's second policy is not in the snapshot: without it, his record would be of another world than the revision that is said."""
    world, house = follower.world, follower.house
    follower.database.behind = True
    before = world.size
    looks: dict[str, Callable[[], object]] = {
        "a record": lambda: world.get_record(follower.ids["bob"]),
        "a composition": lambda: follower.acting("bob"),
        "a name": lambda: world.get_id(arn.Entity(house.account_id, "user", "/", "bob")),
        "a snapshot": lambda: world.snapshot().__enter__(),
    }
    for name, look in looks.items():
        with pytest.raises(Behind) as caught:
            look()
        assert caught.value.grpc == "UNAVAILABLE", name
    assert world.size == before
    follower.database.behind = False
    assert follower.acting("bob") == 2


def test_a_composition_that_is_overtaken_does_not_end_in_an_older_world(follower: Follower) -> None:
    """The last attempt, with the world held still, loads from a snapshot, too."""
    world, tries = follower.world, []

    def compose(reader: object) -> None:
        tries.append(reader)
        if len(tries) <= 3:
            follower.revisions(1)
            world.poll()
        follower.database.behind = len(tries) == 3

    with pytest.raises(Behind):
        world.consistent(compose)
    assert len(tries) == 3


def test_a_look_at_a_database_that_is_behind_does_not_confirm_that_memory_is_new(follower: Follower) -> None:
    follower.database.behind = True
    follower.world.confirmed.at = before = time.monotonic() - 100
    follower.world.poll()
    assert follower.world.confirmed.at == before
    follower.database.behind = False
    follower.world.poll()
    assert follower.world.confirmed.at > before + 50


def test_a_revision_that_was_applied_is_there_whatever_the_database_says(follower: Follower) -> None:
    feed = Feed(follower.world)
    applied = follower.world.point
    follower.database.behind = True
    feed.wait_for(applied.token, time.monotonic() + 5)
    feed.wait_for(Point(applied.number - 50, "5a" * 8).token, time.monotonic() + 5)
    with pytest.raises(NotYet):
        feed.wait_for(Point(applied.number + 1, "5a" * 8).token, time.monotonic() + 0.2)
    with pytest.raises(Behind):  # nobody can say: the history that has it may be the newer one
        feed.wait_for(Point(applied.number - 50, "ab" * 8).token, time.monotonic() + 5)
    follower.database.behind = False
    with pytest.raises(AnotherHistory):
        feed.wait_for(Point(applied.number - 50, "ab" * 8).token, time.monotonic() + 5)


def _house(follower: Follower) -> House:
    """A node that stands on the follower."""
    house = follower.house
    node = replace(house.node, database=follower.database, world=follower.world)
    return House(node, accounts.NewAccount(house.account_id, house.root.access_key_id, house.root.secret_access_key))


def test_reads_wait_for_a_database_that_is_behind(follower: Follower) -> None:
    """A node whose memory is newer than its database answers no read from either."""
    made = _house(follower)
    assert [user.user_name for user in made.call("ListUsers").users] == ["ann", "bob", "cat"]
    follower.database.behind = True
    for name in ("ListUsers", "GetUser"):
        with pytest.raises(SekishoError) as caught:
            made.call(name)
        assert (name, caught.value.code) == (name, "Behind")
    follower.database.behind = False
    assert len(made.call("ListUsers").users) == 3


def _rewind(database: db.Database, to: int, *nonces: str) -> None:
    """Bring back a backup of the revision `to`, and commit revisions to it that touch nothing that memory has."""
    with database.engine.begin() as connection:
        connection.execute(text("DELETE FROM inline_policies"))
        for table in ("changes", "revisions"):
            connection.execute(text(f"DELETE FROM {table} WHERE number > :number"), {"number": to})
        for number, nonce in enumerate(nonces, to + 1):
            row = {"number": number, "nonce": nonce, "at": "2026-01-01 00:00:00.000000+00:00"}
            connection.execute(text("INSERT INTO revisions (number, nonce, committed_at) VALUES (:number, :nonce, :at)"), row)


@pytest.mark.parametrize(("back", "count"), [(60, 1), (60, 59), (60, 60), (60, 61), (1, 1), (1, 5)])
def test_another_history_drops_everything(follower: Follower, back: int, count: int) -> None:
    """Shorter than the cache's own, as long, longer: one number with another nonce says it."""
    world, point = follower.world, follower.world.point
    assert follower.acting("bob") == 2
    _rewind(follower.house.node.database, point.number - back, *(f"{number:016x}" for number in range(count)))
    world.poll()
    assert world.point == Point(point.number - back + count, f"{count - 1:016x}")
    assert world.size[0] == 0
    assert (follower.acting("ann"), follower.acting("bob")) == (0, 0)


def test_a_backup_without_the_last_revisions_is_behind_until_its_first_write(follower: Follower) -> None:
    """It cannot be told from a standby that lags; what it does next tells it."""
    world, point = follower.world, follower.world.point
    ann = world.cached_record(follower.ids["ann"])
    _rewind(follower.house.node.database, point.number - 5)
    assert world.poll() == point
    assert world.cached_record(follower.ids["ann"]) is ann
    with pytest.raises(Behind):
        follower.acting("bob")
    _rewind(follower.house.node.database, point.number - 5, "0" * 16)
    world.poll()
    assert (follower.acting("ann"), follower.acting("bob")) == (0, 0)


def test_a_database_that_takes_a_write_and_is_behind_has_lost_what_memory_has(follower: Follower) -> None:
    made = _house(follower)
    assert follower.acting("bob") == 2
    made.call("ListUsers")
    point = follower.world.point
    _rewind(follower.house.node.database, point.number - 5)
    with pytest.raises(Behind):
        follower.acting("cat")
    made.call("CreateUser", user_name="dan")
    assert follower.world.point.number == point.number - 4
    assert [follower.acting(name) for name in ("ann", "bob", "cat")] == [0, 0, 0]


def test_points_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(history, "MOST", 3)
    points = History(Point(number, f"{number:016x}") for number in range(1, 6))
    assert points.get_point(2) is None
    assert points.get_point(3) == Point(3, "0000000000000003")
    points.extend([Point(6, "0000000000000006")])
    assert points.get_point(3) is None
    assert points.get_point(6) == Point(6, "0000000000000006")
    assert points.get_point(7) is None
    assert points.get_point(0) == changes.ORIGIN
    handed = points.recent()
    assert [point.number for point in handed] == [4, 5, 6]
    points.extend([Point(7, "0000000000000007"), Point(8, "0000000000000008")])
    assert [point.number for point in points.recent()] == [6, 7, 8]
    assert len(handed) == 3, "it was a copy"
    assert (list(History().recent()), History().get_point(0), History().get_point(1)) == ([], changes.ORIGIN, None)
