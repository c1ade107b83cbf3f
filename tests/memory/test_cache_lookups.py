"""Answers of the world in memory about names, entities and records, and what it keeps of what it loads."""

import shutil
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy.orm import Session

from sekisho import arn
from sekisho.memory import cold, loaders, vitals
from sekisho.memory.cache import World
from sekisho.memory.names import Name
from sekisho.memory.places import Busy
from sekisho.memory.reader import Reader
from sekisho.memory.records import entity_key
from sekisho.store import changes, db
from sekisho.store.changes import Point
from sekisho.store.tables import AccessKey, Attachment, Group, Membership, Role, User
from sekisho.world import AccountRecord, EntityRecord, GroupRecord, KeyRecord, PrincipalRecord, Subject
from tests.memory import tables
from tests.memory.tables import ACCOUNT, ANN, BOB, NOW, named, revise, revisions, world_of
from tests.memory.test_loaders import document, managed

CLERK, STAFF, SHIP, SELL = "AROACLERKEXAMPLE", "AGPASTAFFEXAMPLE", "ANPASHIPEXAMPLE", "ANPASELLEXAMPLE"


@pytest.fixture(scope="module")
def file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A database at revision 3: ann, with a key, in the group staff, which has a policy beside her own; and a role."""
    folder = tmp_path_factory.mktemp("file")
    with tables.database(folder) as made:
        tables.ann(made)
        trust = {"description": None, "trust_policy": document("sts:AssumeRole")}
        tables.write(made, *managed(SHIP, "Ship", 1, "ship:*"), *managed(SELL, "Sell", 1, "sell:*"))
        tables.write(made, named(Group, STAFF, "staff"), named(Role, CLERK, "Clerk", path="/r/", **trust))
        tables.write(made, Membership(user_id=ANN, group_id=STAFF, created_at=NOW))
        tables.write(made, *(Attachment(owner_id=one, policy_id=id_, created_at=NOW) for one, id_ in ((ANN, SELL), (STAFF, SHIP))))
        revisions(made, range(1, 4))
    return folder / "memory.db"


@pytest.fixture
def database(file: Path, tmp_path: Path) -> Iterator[db.Database]:
    """A copy of it, which costs less than its rows."""
    shutil.copy(file, tmp_path / "memory.db")
    with db.Database(f"sqlite:///{tmp_path / 'memory.db'}") as made:
        yield made


@pytest.fixture
def world(database: db.Database) -> Iterator[World]:
    made = world_of(database)
    made.poll()
    yield made
    made.close()


def entity(kind: str, name: str, path: str = "/", account: str = ACCOUNT) -> arn.Entity:
    """The entity that an ARN names."""
    return arn.Entity(account, kind, path, name)


def test_an_id_is_of_what_an_arn_names_to_the_letter(world: World) -> None:
    wanted = {
        entity("user", "Ann"): ANN,
        entity("user", "ann"): None,
        entity("user", "Ann", "/sales/"): None,
        entity("user", "nobody"): None,
        entity("role", "Clerk", "/r/"): CLERK,
        entity("role", "Clerk"): None,
        entity("assumed-role", "Clerk/s-1"): None,
        arn.Entity(ACCOUNT, "assumed-role", "/Clerk/", "s-1"): CLERK,
        arn.Entity(ACCOUNT, "assumed-role", "/clerk/", "s-1"): None,
        arn.Entity(ACCOUNT, "assumed-role", "/nobody/", "s-1"): None,
        entity("root", "root"): ACCOUNT,
        entity("root", "root", account="9" * 12): None,
    }
    for _ in range(2):
        assert {one: world.get_id(one) for one in wanted} == wanted
    world._records.keep("9" * 12, GroupRecord("9" * 12, (), ()))
    assert world.get_id(entity("root", "root", account="9" * 12)) is None, "what is no account has no root user"


def names_counted() -> tuple[float, float]:
    """Look-ups of names that memory has answered, and that it has not."""
    return vitals.NAME_HITS.numbers[0], vitals.NAME_MISSES.numbers[0]


@pytest.mark.parametrize("name", ["Ann", "nobody"])
def test_a_name_is_loaded_once(world: World, name: str) -> None:
    hits, misses = names_counted()
    with cold.unwaiting(), pytest.raises(cold.Cold) as caught:
        world.get_id(entity("user", name))
    assert caught.value.wanted == f"{ACCOUNT}:user/{name.lower()}"
    assert names_counted() == (hits, misses)
    world.get_id(entity("user", name))
    assert names_counted() == (hits, misses + 1)
    with cold.unwaiting():
        world.get_id(entity("user", name))
    assert names_counted() == (hits + 1, misses + 1)


def test_with_a_principal_comes_what_a_decision_follows(world: World) -> None:
    assert isinstance(world.get_record(ANN), PrincipalRecord)
    with cold.unwaiting():
        for id_ in (STAFF, SHIP, SELL):
            assert world.get_record(id_) is not None
    assert world.size[0] == 4


def test_what_is_known_already_does_not_come_again(world: World) -> None:
    group = GroupRecord(STAFF, (), ())
    world._records.keep(STAFF, group)
    world._records.keep_absent(SELL)
    world.get_record(ANN)
    assert world.cached_record(STAFF) is group
    assert (world.cached_record(SELL), world.is_absent(SELL), world.cached_record(SHIP)) == (None, True, None)


def test_what_an_older_snapshot_says_is_not_kept(database: db.Database, world: World) -> None:
    with database.read(first=changes.LATEST) as old:
        revise(database, 4, "x")
        world.poll()
        assert isinstance(world.load_record(ANN, old), PrincipalRecord)
        assert world.load_record(BOB, old) is None
        assert world.get_entity(entity("user", "ann"), old, lambda: old) is not None
        assert world.get_entity(entity("user", "bob"), old, lambda: old) is None
    assert (world.size[0], world.is_absent(BOB), world._names.all()) == (0, False, ({}, []))


def test_the_secret_of_a_key_that_is_not_there_is_opened_in_its_place(database: db.Database) -> None:
    opened: list[str] = []

    def unseal(row: AccessKey) -> str:
        opened.append(row.id)
        return "secret"

    made = World(database, unseal, decoy=AccessKey(id="decoy", secret=b""))
    made.poll()
    assert made.get_record("AKIAANN") == KeyRecord("AKIAANN", ACCOUNT, ANN, "Active", "secret")
    assert [made.get_record("AKIANOBODY") for _ in range(2)] == [None, None]
    assert opened == ["AKIAANN", "decoy"]


@pytest.mark.parametrize("private", [True, False])
def test_private_keys_are_for_those_who_may_read_them(database: db.Database, monkeypatch: pytest.MonkeyPatch, private: bool) -> None:
    given: list[Any] = []
    monkeypatch.setattr(loaders, "load_record", lambda *_, private: given.append(private))
    made = world_of(database, private=private)
    made.get_record("iss-1")
    assert given == [private]
    assert world_of(database)._private is True


class Opened:
    """Opens one session for whoever asks, and counts."""

    def __init__(self, session: Session) -> None:
        self.session, self.count = session, 0

    def __call__(self) -> Session:
        self.count += 1
        return self.session


ANNS = EntityRecord(ANN, ACCOUNT, "user", "Ann", "/", f"arn:aws:iam::{ACCOUNT}:user/Ann", NOW)


def test_an_entity_is_loaded_once_and_its_name_with_it(database: db.Database, world: World) -> None:
    with database.read(first=changes.LATEST) as session:
        opened = Opened(session)
        for given, name in ((None, "ann"), (session, "ANN"), (None, "Ann")):
            assert world.get_entity(entity("user", name), given, opened) == ANNS
        assert opened.count == 1
        assert world._names.get_name((ACCOUNT, "user", "ann")) == Name(ANN, "/", "Ann")
        for _ in range(2):
            assert world.get_entity(entity("user", "nobody"), None, opened) is None
        assert (opened.count, world._names.is_absent((ACCOUNT, "user", "nobody"))) == (2, True)


def test_an_entity_whose_name_alone_is_known_is_loaded(database: db.Database, world: World) -> None:
    world.get_id(entity("user", "Ann"))
    with database.read(first=changes.LATEST) as session:
        opened = Opened(session)
        assert world.get_entity(entity("user", "ann"), None, opened) == ANNS
        world._records.keep(entity_key(ANN), EntityRecord(ANN, ACCOUNT, "user", "Zoe", "/", "", NOW))
        assert world.get_entity(entity("user", "ann"), None, opened) == ANNS, "it has another name there"
        world._records.keep(entity_key(ANN), AccountRecord(ACCOUNT, "ACTIVE"))
        assert world.get_entity(entity("user", "ann"), None, opened) == ANNS
        assert opened.count == 3


def test_a_call_that_has_a_session_sees_what_that_sees(database: db.Database, world: World) -> None:
    """Memory that is newer does not answer it."""
    with database.read(first=changes.LATEST) as session:
        world.get_entity(entity("user", "ann"), session, lambda: session)
        revise(database, 4, "x")
        world.poll()
        opened = Opened(session)
        assert world.get_entity(entity("user", "ann"), session, opened) == ANNS
        assert opened.count == 1
        assert world.get_entity(entity("user", "ann"), None, opened) == ANNS
        assert opened.count == 1


def test_after_a_call_has_changed_something_nothing_is_from_memory_or_kept(
    database: db.Database, world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    with Session(database.engine) as session:
        monkeypatch.setattr(changes, "is_changed", lambda given: given is session)
        monkeypatch.setattr(changes, "begun_at", lambda _: world.point)
        session.add(named(User, BOB, "Bob"))
        opened = Opened(session)
        for _ in range(2):
            found = world.get_entity(entity("user", "bob"), session, opened)
            assert found is not None
            assert found.id == BOB
        assert opened.count == 2
        assert (world.size[0], world._names.all()) == (0, ({}, []))
        assert world.get_entity(entity("user", "bob"), None, opened) is not None


def test_what_a_write_of_its_own_came_after_is_not_kept(database: db.Database, world: World) -> None:
    world.committed(Point(5, "5" * 16), [])
    world.get_record(ANN)
    assert world.size[0] == 0
    world.committed(Point(4, "4" * 16), [])  # an older one, which came late
    assert world._written == 5


def test_a_composition_that_is_always_overtaken_is_made_with_the_world_held_still(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    tries: list[bool] = []

    def compose(reader: Reader) -> int:
        tries.append(reader._session is not None)
        if len(tries) < 4:
            world.committed(Point(world.point.number + 1, f"{world.point.number + 1:016x}"), ())
        else:
            assert len(world.places._asked) == 1
        return len(tries)

    monkeypatch.setattr(World, "sync", lambda self, _session: self.point)
    assert world.consistent(compose) == (4, world.point)
    assert tries == [False, False, False, True]
    assert world.consistent(lambda _: "once") == ("once", world.point)


def test_a_subject_is_composed_of_one_revision(world: World) -> None:
    acting, point = world.acting(Subject(ANN, ACCOUNT), NOW + timedelta(days=1))
    assert (acting.arn, point) == (f"arn:aws:iam::{ACCOUNT}:user/Ann", world.point)


def test_whoever_holds_the_world_still_waits_for_a_place(world: World) -> None:
    with cold.unwaiting(), pytest.raises(cold.Cold), world.steady():
        raise AssertionError("it is cold")
    world.places._asked = {1: 0.0, 2: 0.0}
    with pytest.raises(Busy), world.steady():
        raise AssertionError("there is no place")


def test_a_load_needs_a_place_and_a_look_does_not(world: World) -> None:
    world.places._asked = {1: 0.0, 2: 0.0}
    with pytest.raises(Busy):
        world.get_record(BOB)
    with world.snapshot(), cold.unwaiting(), pytest.raises(cold.Cold) as caught, world.snapshot(wanted="AIDANOBODY"):
        raise AssertionError("it is cold")
    assert caught.value.wanted == "AIDANOBODY"
    world.places._asked = {}
    with world.snapshot(wanted=BOB):
        assert list(world.places._asked.values()) == [float("inf")], "the database has answered"
    with world.snapshot():
        assert world.places._asked == {}
