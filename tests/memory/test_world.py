"""The world in memory: bounded, never older than it says, never of another history."""

import math
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
from sqlalchemy import text

from sekisho import arn, policy
from sekisho.credentials import access_keys
from sekisho.errors import SekishoError
from sekisho.memory import loaders
from sekisho.memory.cache import World
from sekisho.memory.feed import Feed
from sekisho.memory.reader import Reader
from sekisho.policy import steps
from sekisho.store import changes, db, standby
from sekisho.world import PrincipalRecord, Subject
from tests.harness import House
from tests.nodes import two
from tests.services.iam.documents import allow

NOW = datetime(2026, 1, 1, tzinfo=UTC)
SHIP = allow("orders:Ship")


@pytest.fixture
def nodes(database_url: str, tmp_path: Path) -> Iterator[tuple[House, House]]:
    with two(database_url, tmp_path) as made:
        yield made


def world_of(house: House, budget: int = 1 << 20) -> World:
    """A cache of its own, which nobody keeps new."""
    ring = house.node.ring
    made = World(house.node.database, lambda row: access_keys.unseal(row.id, row.secret, ring), budget=budget)
    made.poll()
    return made


def get_id(world: World, text: str) -> str | None:
    """The unique id of what an ARN names."""
    named = arn.entity(text)
    assert named is not None
    return world.get_id(named)


def inline(world: World, id_: str) -> int:
    """How many inline policies the cache has for a principal; -1 when it holds none of it."""
    record = world.cached_record(id_)
    return len(record.inline) if isinstance(record, PrincipalRecord) else -1


def test_a_record_of_an_older_snapshot_is_not_kept(nodes: tuple[House, House]) -> None:
    house, _ = nodes
    house.user("ann", SHIP)
    id_ = house.call("GetUser", user_name="ann").user.user_id
    world = world_of(house)
    with house.node.database.read() as old:
        changes.latest(old)  # the snapshot begins with its first statement
        house.call("DeleteUserPolicy", user_name="ann", policy_name="inline-0")
        world.poll()
        stale = world.load_record(id_, old)
        assert isinstance(stale, PrincipalRecord)
        assert len(stale.inline) == 1
        assert inline(world, id_) == -1
    world.get_record(id_)
    assert inline(world, id_) == 0


def test_what_was_found_out_from_a_record_that_is_there_no_more_is_not_believed(nodes: tuple[House, House]) -> None:
    """In no turn of memory, the first ones least of all: whoever composed it may have begun before the record went."""
    house, _ = nodes
    gone = house.node.world.get_record(house.account_id)
    for turn in range(4):
        world = world_of(house)
        world._turn = turn
        world.keep_finding("key", "value", "owner", [("gone", gone)], 1)
        assert world.get_finding("key") is None


def test_what_was_loaded_before_a_write_of_ones_own_is_not_kept_though_the_point_is_behind_both(nodes: tuple[House, House]) -> None:
    """Another node's revision came before the write, so the point stays where it is until the log is looked at."""
    house, other = nodes
    house.user("ann", SHIP)
    id_ = house.call("GetUser", user_name="ann").user.user_id
    world = world_of(house)
    before = world.point
    with house.node.database.read() as old:
        changes.latest(old)  # the snapshot begins with its first statement
        other.call("CreateUser", user_name="bob")
        house.call("DeleteUserPolicy", user_name="ann", policy_name="inline-0")
        written = changes.parse(house.revision)
        assert written.number == before.number + 2
        world.committed(written, [id_], house.account_id)
        world.load_record(id_, old)
        assert world.point == before
        assert inline(world, id_) == -1
    world.poll()
    world.get_record(id_)
    assert inline(world, id_) == 0


def test_the_point_moves_only_after_all_that_is_stale_has_gone(nodes: tuple[House, House], monkeypatch: pytest.MonkeyPatch) -> None:
    """Else a composition that begins in between would call old records new."""
    house, _ = nodes
    house.user("ann", SHIP)
    world = world_of(house)
    before, evict = world.point, world._evict
    seen = []

    def noted(id_: str) -> None:
        seen.append(world.point)
        evict(id_)

    monkeypatch.setattr(world, "_evict", noted)
    house.call("PutUserPolicy", user_name="ann", policy_name="more", policy_document=SHIP)
    world.poll()
    assert seen == [before]
    house.call("PutUserPolicy", user_name="ann", policy_name="again", policy_document=SHIP)
    moved = world.point
    world.committed(changes.parse(house.revision), ["an id"])
    assert seen == [before, moved]
    assert world.point == changes.parse(house.revision)


def test_a_newer_snapshot_takes_the_cache_with_it(nodes: tuple[House, House]) -> None:
    house, _ = nodes
    house.user("ann", SHIP)
    house.user("bob")
    ann, bob = (house.call("GetUser", user_name=name).user.user_id for name in ("ann", "bob"))
    world = world_of(house)
    world.get_record(ann)
    before = world.point
    house.call("DeleteUserPolicy", user_name="ann", policy_name="inline-0")
    world.get_record(bob)
    assert world.point.number == before.number + 1
    assert inline(world, ann) == -1


def test_a_composition_is_made_again_when_the_world_moves_meanwhile(nodes: tuple[House, House]) -> None:
    house, _ = nodes
    house.user("ann", SHIP)
    id_ = house.call("GetUser", user_name="ann").user.user_id
    world = world_of(house)
    tries: list[int] = []

    def compose(reader: object) -> int:
        tries.append(len(tries))
        made = world.get_record(id_)
        assert isinstance(made, PrincipalRecord)
        if len(tries) <= 2:
            house.call("PutUserPolicy", user_name="ann", policy_name=f"more-{len(tries)}", policy_document=SHIP)
            world.poll()
        return len(made.inline)

    assert world.consistent(compose) == (3, world.point)
    assert tries == [0, 1, 2]


def test_a_composition_with_the_world_held_still_is_of_one_snapshot(nodes: tuple[House, House]) -> None:
    """A write that the cache has not seen comes between what is in memory and what must be loaded."""
    house, _ = nodes
    house.user("ann", SHIP)
    house.user("bob", SHIP)
    ann, bob = (house.call("GetUser", user_name=name).user.user_id for name in ("ann", "bob"))
    world = world_of(house)
    tries: list[int] = []

    def compose(reader: Reader) -> tuple[int, int]:
        tries.append(1)
        world.get_record(ann)
        with world._lock:
            world._evict(bob)
        first = reader.get_record(ann)
        if len(tries) <= 4:
            for name in ("ann", "bob"):
                house.call("PutUserPolicy", user_name=name, policy_name=f"more-{len(tries)}", policy_document=SHIP)
        second = reader.get_record(bob)
        assert isinstance(first, PrincipalRecord)
        assert isinstance(second, PrincipalRecord)
        return len(first.inline), len(second.inline)

    (anns, bobs), point = world.consistent(compose)
    assert anns == bobs
    assert point == world.point


def test_a_composition_that_is_always_overtaken_is_made_with_the_world_held_still(nodes: tuple[House, House]) -> None:
    house, _ = nodes
    world = world_of(house)
    tries: list[int] = []

    def compose(reader: object) -> int:
        tries.append(1)
        if len(tries) <= 3:
            house.call("CreateUser", user_name=f"u{len(tries)}")
            world.poll()
        return len(tries)

    assert world.consistent(compose)[0] == 4


def test_who_holds_the_world_still_rests_at_no_step(nodes: tuple[House, House]) -> None:
    world, taken = world_of(nodes[0]), list[str]()
    with policy.stepping(lambda: taken.append("rest")):
        with world.steady():
            steps.step()
        assert taken == []
        steps.step()
    assert taken == ["rest"]


def test_the_cache_keeps_within_its_budget_and_still_answers_right(nodes: tuple[House, House]) -> None:
    house, _ = nodes
    for number in range(12):
        house.user(f"u{number}", *(allow(f"orders:{n}") for n in range(number % 4)))
    ids = [house.call("GetUser", user_name=f"u{number}").user.user_id for number in range(12)]
    world = world_of(house, budget=30_000)
    for turn in range(3):
        for number in (*range(12), *range(11, -1, -1)):
            acting, _ = world.acting(Subject(ids[number], house.account_id), NOW)
            assert (turn, number, len(acting.identity)) == (turn, number, number % 4)
            assert world.size[1] <= 30_000
    assert world.size[0] > 1
    assert world.size[1] == sum(slot.cost for slot in world._records._slots.values())


def test_a_record_that_is_larger_than_the_budget_is_used_and_not_kept(nodes: tuple[House, House]) -> None:
    house, _ = nodes
    house.user("ann", SHIP)
    id_ = house.call("GetUser", user_name="ann").user.user_id
    world = world_of(house, budget=5_000)
    assert len(world.acting(Subject(id_, house.account_id), NOW)[0].identity) == 1
    assert inline(world, id_) == -1


def test_an_id_of_nothing_is_nothing_until_it_is_something(nodes: tuple[House, House]) -> None:
    house, _ = nodes
    world = world_of(house)
    assert get_id(world, f"arn:aws:iam::{house.account_id}:user/ann") is None
    made = house.call("CreateUser", user_name="ann").user
    world.poll()
    assert get_id(world, made.arn) == made.user_id
    house.call("UpdateUser", user_name="ann", new_path="/x/")
    world.poll()
    assert get_id(world, made.arn) is None
    assert get_id(world, made.arn.replace("user/", "user/x/")) == made.user_id


@pytest.mark.parametrize("history", ["shorter", "as long", "longer"])
def test_a_database_that_was_restored_is_another_world(nodes: tuple[House, House], history: str) -> None:
    house, _ = nodes
    house.user("ann", SHIP)
    id_ = house.call("GetUser", user_name="ann").user.user_id
    world = world_of(house)
    world.get_record(id_)
    assert inline(world, id_) == 1
    with house.node.database.engine.begin() as connection:  # somebody brings a backup back: the last writes are not in it
        newest = connection.execute(text("SELECT max(number) FROM revisions")).scalar_one()
        connection.execute(text("DELETE FROM inline_policies"))
        for table in ("changes", "revisions"):
            connection.execute(text(f"DELETE FROM {table} WHERE number >= :number"), {"number": newest - 1})
        for number in range(newest - 1, newest - 1 + {"shorter": 1, "as long": 2, "longer": 4}[history]):
            row = {"number": number, "nonce": f"{number:016x}", "at": "2026-01-01 00:00:00.000000+00:00"}
            connection.execute(text("INSERT INTO revisions (number, nonce, committed_at) VALUES (:number, :nonce, :at)"), row)
    world.poll()
    assert inline(world, id_) == -1
    assert len(world.acting(Subject(id_, house.account_id), NOW)[0].identity) == 0


def test_a_transaction_finds_out_about_another_history_by_itself(nodes: tuple[House, House]) -> None:
    house, _ = nodes
    house.user("ann", SHIP)
    id_ = house.call("GetUser", user_name="ann").user.user_id
    world = world_of(house)
    world.get_record(id_)
    with house.node.database.engine.begin() as connection:
        connection.execute(text("UPDATE revisions SET nonce = 'ffffffffffffffff' WHERE number = :number"), {"number": world.point.number})
    with house.node.database.read() as session:
        world.sync(session)
    assert inline(world, id_) == -1


def test_the_feed_goes_on_after_whatever_went_wrong(nodes: tuple[House, House], monkeypatch: pytest.MonkeyPatch) -> None:
    house, _ = nodes
    world = world_of(house)
    feed = Feed(world)
    looks, renewed = [], world.renewed

    def failing(deadline: float | None = None) -> changes.Point:
        looks.append(1)
        if len(looks) < 3:
            raise [ValueError("a defect"), SekishoError("an outage")][len(looks) - 1]
        return renewed(deadline)

    monkeypatch.setattr(world, "renewed", failing)
    feed.start()
    try:
        house.call("CreateUser", user_name="ann")
        limit = time.monotonic() + 20
        while world.point != house.node.world.point and time.monotonic() < limit:
            time.sleep(0.01)
        assert world.point == house.node.world.point
        assert len(looks) >= 3
    finally:
        feed.stop()


def test_the_feed_goes_on_where_the_database_cannot_say_how_far_it_is_behind(
    nodes: tuple[House, House], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Not every server that speaks PostgreSQL's protocol has its functions of standbys; and what is not said, is not known."""
    house, _ = nodes
    world = world_of(house)
    looks: list[int] = []

    def failing(_database: db.Database) -> float:
        looks.append(1)
        raise SekishoError("there is no such function")

    monkeypatch.setattr(standby, "lag", failing)
    monkeypatch.setattr(world, "_version", None)  # as on PostgreSQL
    feed = Feed(world)
    feed.start()
    try:
        house.call("CreateUser", user_name="ann")
        limit = time.monotonic() + 60
        while world.point != house.node.world.point and time.monotonic() < limit:
            time.sleep(0.01)
        assert world.point == house.node.world.point
        assert looks
        assert world.confirmed.lag == math.inf
    finally:
        feed.stop()


def of_no_other_test(house: House) -> str:
    """A policy whose program nobody has asked anything: programs are found by their text."""
    return allow("orders:*", "authorize:Authorize", f"made:In{house.account_id}")


def test_what_a_program_remembers_of_made_up_actions_is_charged(nodes: tuple[House, House]) -> None:
    """512 bytes an action; what is too much for the budget goes, as if it had been kept so large."""
    house, _ = nodes
    house.node.feed.stop()
    world, user = house.node.world, house.user("ann", of_no_other_test(house))
    sizes = []
    for names in (range(1), range(1, 201)):
        for name in names:
            house.call("Authorize", _as=user, action=f"orders:Made{name}", resource="*")
        for _ in range(2):  # the first look may end what another has begun
            world.reweigh(1000)
        sizes.append(world.size[1])
    assert sizes[1] - sizes[0] == 200 * 512
    id_ = house.call("GetUser", user_name="ann").user.user_id
    assert world.cached_record(id_) is not None
    world._records._budget = sizes[0]
    world.reweigh(1000)
    assert world.size[1] <= sizes[0]
    assert world.size[1] == sum(slot.cost for slot in world._records._slots.values())


def test_the_feed_looks_at_what_records_have_grown_to(nodes: tuple[House, House]) -> None:
    house, _ = nodes
    user = house.user("ann", of_no_other_test(house))
    before = house.node.world.size[1]
    for number in range(200):
        house.call("Authorize", _as=user, action=f"orders:Made{number}", resource="*")
    limit = time.monotonic() + 60
    while house.node.world.size[1] < before + 200 * 512:
        assert time.monotonic() < limit
        time.sleep(0.01)


def test_an_id_is_loaded_by_exact_path_and_spelling(nodes: tuple[House, House]) -> None:
    house, _ = nodes
    made = house.call("CreateUser", user_name="Ann", path="/sales/").user
    wanted = {
        ("user", "/sales/", "Ann"): made.user_id,
        ("user", "/sales/", "ann"): None,
        ("user", "/", "Ann"): None,
        ("user", "/sales/", "nobody"): None,
        ("role", "/sales/", "Ann"): None,
        ("root", "/", "root"): house.account_id,
    }
    with house.node.database.read() as session:
        for parts, id_ in wanted.items():
            assert loaders.load_id(session, arn.Entity(house.account_id, *parts)) == id_
        assert loaders.load_id(session, arn.Entity("999999999999", "root", "/", "root")) is None
