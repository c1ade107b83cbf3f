"""How the world in memory moves: by what the change log says, by a write of its own, or all at once."""

import math
import shutil
import time
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from sqlalchemy import text

from sekisho import arn
from sekisho.errors import RequestTimeout
from sekisho.memory import cache, cold
from sekisho.memory.cache import World
from sekisho.memory.confirmation import Stale
from sekisho.memory.folded import Folded
from sekisho.memory.history import Behind
from sekisho.memory.places import Busy
from sekisho.store import changes, db, standby
from sekisho.store.changes import ORIGIN, Entry, Point
from sekisho.world import AccountRecord
from tests import scraped
from tests.memory import tables
from tests.memory.tables import ACCOUNT, ANN, BOB, OTHER, revise, revisions, world_of


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Files of databases with ann: one without a revision, one at revision 3. Tests have copies, which cost less than rows."""
    folder = tmp_path_factory.mktemp("files")
    with tables.database(folder) as made:
        tables.ann(made)
    shutil.copy(folder / "memory.db", folder / "0.db")
    with db.Database(f"sqlite:///{folder / 'memory.db'}") as made:
        revisions(made, range(1, 4))
    shutil.copy(folder / "memory.db", folder / "3.db")
    return folder


@pytest.fixture
def database(files: Path, tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[db.Database]:
    """At revision 3 where there is a world, else without a revision."""
    shutil.copy(files / ("3.db" if "world" in request.fixturenames else "0.db"), tmp_path / "memory.db")
    with db.Database(f"sqlite:///{tmp_path / 'memory.db'}") as made:
        yield made


@pytest.fixture
def world(database: db.Database) -> Iterator[World]:
    """One at revision 3, with ann, her account and her name in memory, and that there is no bob and nobody of that name."""
    made = world_of(database)
    made.poll()
    fill(made)
    yield made
    made.close()


def user(name: str) -> arn.Entity:
    """The name of a user."""
    return arn.Entity(ACCOUNT, "user", "/", name)


def fill(world: World) -> None:
    """Have memory know what it is asked about."""
    assert world.get_record(ANN) is not None
    assert world.get_record(ACCOUNT) == AccountRecord(ACCOUNT, "ACTIVE")
    assert world.get_record(BOB) is None
    assert (world.get_id(user("Ann")), world.get_id(user("Bob"))) == (ANN, None)


def known(world: World) -> list[bool]:
    """Which of ann, her account, bob, the name of ann and that of bob memory knows about."""

    def is_known(name: str) -> bool:
        try:
            with cold.unwaiting():
                world.get_id(user(name))
        except cold.Cold:
            return False
        return True

    records = [world.cached_record(ANN) is not None, world.cached_record(ACCOUNT) is not None, world.is_absent(BOB)]
    return [*records, is_known("Ann"), is_known("Bob")]


ALL, NONE = [True] * 5, [False] * 5


def test_what_a_revision_touched_is_stale_and_nothing_else(database: db.Database, world: World) -> None:
    assert known(world) == ALL
    heard: list[object] = []
    end = world.hear(heard.append)
    before, turn = world.point, world._turn
    point = revise(database, 4, ANN)
    assert world.poll() == world.point == world.cached_point(4) == point
    assert known(world) == [False, True, True, False, False]  # all absent names of the kind go
    assert world._turn > turn
    assert heard == [{ACCOUNT}]
    since = world.since(before)
    assert since is not None
    assert (since.point, since.entries, since.points) == (point, [Entry(4, ACCOUNT, (ANN,))], [point])
    end()
    revise(database, 5, BOB, account=None)
    world.poll()
    assert heard == [{ACCOUNT}]
    assert not world.is_absent(BOB)


def test_hearers_are_told_of_all_accounts_or_of_any(database: db.Database, world: World) -> None:
    heard: list[object] = []
    world.hear(heard.append)
    revise(database, 4, OTHER)
    revise(database, 5, ANN, account="777788889999")
    world.poll()
    revise(database, 6, ANN, account=None)
    world.poll()
    world.poll()  # nothing new
    assert heard == [{ACCOUNT, OTHER, "777788889999"}, None]


def test_a_write_of_its_own_is_applied_at_once(world: World) -> None:
    heard: list[object] = []
    world.hear(heard.append)
    before, turn, point = world.point, world._turn, Point(4, "4" * 16)
    world.committed(point, iter([ANN]), OTHER)
    assert (world.point, world.cached_point(4)) == (point, point)
    assert known(world) == [False, True, True, False, False]
    assert world._turn > turn
    assert heard == [{OTHER}]
    since = world.since(before)
    assert since is not None
    assert since.entries == [Entry(4, OTHER, (ANN,))]


def test_a_write_of_its_own_after_one_that_is_not_known_does_not_move_it(database: db.Database, world: World) -> None:
    heard: list[object] = []
    world.hear(heard.append)
    before, turn = world.point, world._turn
    world.committed(Point(5, "5" * 16), [ANN], ACCOUNT)
    assert (world.point, world._turn, heard) == (before, turn + 1, [])
    assert known(world) == [False, True, True, False, False]
    revise(database, 4, "other")
    world.get_record(ANN)  # from a database without the write
    world.get_id(user("Ann"))
    assert world.point.number == 4
    assert known(world) == [False, True, True, False, False]
    revise(database, 5, ANN)
    fill(world)
    assert known(world) == ALL


def test_a_finding_ends_with_a_record_of_it_and_holds_otherwise(database: db.Database, world: World) -> None:
    record = world.cached_record(ANN)
    world.keep_finding("of ann", "value", ACCOUNT, [(ANN, record)], 1)
    revise(database, 4, BOB)
    world.poll()
    assert world.get_finding("of ann") == "value"
    world.reweigh(64)
    assert world.findings.size[0] == 1
    world.committed(Point(6, "6" * 16), [ANN])
    assert world.get_finding("of ann") is None
    world.reweigh(64)
    assert world.findings.size[0] == 0


@pytest.mark.parametrize("nonce", ["0" * 15 + "4", "f" * 16], ids=["longer", "another"])
def test_another_history_drops_everything(database: db.Database, world: World, nonce: str) -> None:
    heard: list[object] = []
    world.hear(heard.append)
    world.keep_finding("of ann", "value", ACCOUNT, [(ANN, world.cached_record(ANN))], 1)
    assert world.get_finding("of ann") == "value"
    world.committed(Point(9, "9" * 16), [])
    world._folded = Folded({"x": b"x"}, lambda _: AccountRecord("x", "ACTIVE"))
    with database.engine.begin() as connection:
        connection.execute(text("UPDATE revisions SET nonce = 'eeeeeeeeeeeeeeee' WHERE number = 3"))
    point = revise(database, 4, BOB, nonce=nonce) if nonce[0] == "0" else Point(3, "e" * 16)
    turn = world._turn
    world.poll()
    assert world.point == point
    assert known(world) == NONE
    assert not world._folded
    assert world._turn > turn
    assert heard == [None]
    assert world.cached_point(3) == Point(3, "e" * 16)
    assert world.get_finding("of ann") is None
    fill(world)  # and is kept: a write of the history before says nothing of this one
    assert known(world) == ALL


def test_a_database_that_is_behind_changes_nothing(database: db.Database, world: World) -> None:
    with database.engine.begin() as connection:
        for table in ("changes", "revisions"):
            connection.execute(text(f"DELETE FROM {table} WHERE number = 3"))
    world.confirmed.at = before = time.monotonic() - 50
    assert world.poll() == Point(3, f"{3:016x}")
    assert known(world) == ALL
    assert world.confirmed.at == before
    with pytest.raises(Behind) as caught, world.snapshot():
        pass
    assert caught.value.message == "The database is behind what this worker has answered from already."
    with database.read() as session:
        assert world.sync(session, since=Point(2, f"{2:016x}")) == Point(2, f"{2:016x}")
        assert known(world) == ALL
        world.sync(session, since=world.point)  # one that takes writes has lost what memory has
    assert (world.point, known(world)) == (Point(2, f"{2:016x}"), NONE)


def test_what_a_history_without_revisions_says_is_kept(database: db.Database, world: World) -> None:
    with database.engine.begin() as connection:
        for table in ("changes", "revisions"):
            connection.execute(text(f"DELETE FROM {table}"))
    with database.read() as session:
        world.sync(session, since=world.point)
    for made in (world, world_of(database)):
        fill(made)
        assert (made.point, known(made)) == (ORIGIN, ALL)


def test_the_first_look_remembers_the_revisions_that_the_database_has(database: db.Database) -> None:
    for number in (1, 2, 4, 5, 6):  # the third was pruned
        revise(database, number, ANN)
    world = world_of(database)
    world.poll()
    assert [world.cached_point(number) is not None for number in range(8)] == [True, True, True, False, True, True, True, False]
    assert world.since(Point(2, f"{2:016x}")) is None
    since = world.since(Point(4, f"{4:016x}"))
    assert since is not None
    assert [entry.number for entry in since.entries] == [5, 6]
    assert [point.number for point in since.points] == [5, 6]
    assert world.since(Point(4, "f" * 16)) is None
    assert (world.touched([ACCOUNT], Point(5, "")), world.touched([ACCOUNT], world.point)) == (True, False)


def test_what_another_thread_has_applied_meanwhile_is_not_applied_again(database: db.Database, world: World) -> None:
    heard: list[object] = []
    world.hear(heard.append)
    turn = world._turn
    with database.read() as session:
        world._advance(session, world.point)
    assert (world._turn, heard) == (turn, [])


def test_a_gap_after_what_was_applied_drops_everything(database: db.Database, world: World) -> None:
    heard: list[object] = []
    world.hear(heard.append)
    before = world.point
    revise(database, 5, BOB)
    world.poll()
    assert (world.point.number, known(world), heard) == (5, NONE, [None])
    assert (world.since(before), world.since(Point(4, f"{4:016x}"))) == (None, None)


@pytest.mark.parametrize("bound", ["MOST", "MOST_IDS"])
def test_more_than_is_remembered_is_applied_all_the_same(
    database: db.Database, world: World, monkeypatch: pytest.MonkeyPatch, bound: str
) -> None:
    monkeypatch.setattr(cache, bound, 2)
    heard: list[object] = []
    world.hear(heard.append)
    before = world.point
    for number, id_ in enumerate((ANN, BOB, "x"), 4):
        revise(database, number, id_)
    world.poll()
    assert (world.point.number, known(world), heard) == (6, [False, True, False, False, False], [None])
    assert world.since(before) is None
    revise(database, 7, ACCOUNT)
    after = world.point
    world.poll()
    since = world.since(after)
    assert since is not None
    assert [entry.number for entry in since.entries] == [7]
    assert heard == [None, {ACCOUNT}]


def test_as_much_as_is_remembered_is_remembered(database: db.Database, world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cache, "MOST", 2)
    before = world.point
    revisions(database, (4, 5), ANN)
    world.poll()
    since = world.since(before)
    assert since is not None
    assert [entry.number for entry in since.entries] == [4, 5]


def test_too_many_ids_at_the_first_look(database: db.Database, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cache, "MOST_IDS", 2)
    revisions(database, range(1, 3), "a", "b")
    world = world_of(database)
    assert world.poll() == Point(2, f"{2:016x}")
    assert world.since(Point(1, f"{1:016x}")) is None
    assert world.since(world.point) is not None


def test_a_look_says_how_far_it_was_behind(database: db.Database, world: World) -> None:
    revisions(database, range(4, 9))
    world.poll()
    assert scraped.value("sekisho_feed_lag_revisions") == 5


def test_a_look_that_finds_nothing_new_confirms_memory(database: db.Database, world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    for version in (world._version, None):  # of SQLite, then as on PostgreSQL
        monkeypatch.setattr(world, "_version", version)
        for number in (world.point.number, world.point.number + 1):
            if number > world.point.number:
                revise(database, number, BOB)
            for _ in range(2):
                world.confirmed.at = time.monotonic() - 100
                assert world.renewed() == world.point
                assert (world.point.number, world.confirmed.age < 50) == (number, True)


def test_of_sqlite_there_is_no_other_that_it_could_lag_behind(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(standby, "lag", lambda _: 7.0)
    world.look_at_lag()
    assert world.confirmed.lag == 0.0
    monkeypatch.setattr(world, "_version", None)
    world.look_at_lag()
    assert world.confirmed.lag == 7.0

    def silent(_: db.Database) -> float:
        raise RequestTimeout("late")

    monkeypatch.setattr(standby, "lag", silent)
    with pytest.raises(RequestTimeout):
        world.look_at_lag()
    assert world.confirmed.lag == math.inf


def test_only_a_file_of_sqlite_says_itself_whether_it_was_written() -> None:
    server: Any = SimpleNamespace(sqlite=False)
    made = world_of(server)
    assert made._version is None
    made.close()  # which has nothing to give back


def test_memory_that_is_stale_composes_nothing(database: db.Database) -> None:
    world = world_of(database, max_staleness=60.0)
    assert world.consistent(lambda _: 1) == (1, ORIGIN)
    world.confirmed.at -= 100
    with pytest.raises(Stale):
        world.consistent(lambda _: 1)


def test_a_load_that_the_database_does_not_answer_is_refused(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    deadlines: list[float] = []

    def silent(*, deadline: float | None, first: str) -> None:
        deadlines.append(deadline - time.monotonic() if deadline is not None else 0.0)
        raise RequestTimeout("late")

    monkeypatch.setattr(world.loads, "read", silent)
    for look in (lambda: world.get_record("AIDANOBODY"), lambda: world.get_id(user("nobody"))):
        with pytest.raises(Busy) as caught:
            look()
        assert caught.value.message == "The database did not answer in time."
    with pytest.raises(RequestTimeout):
        world.poll()
    assert 0 < deadlines[0] <= cache.LOAD


def test_what_is_loaded_comes_over_connections_of_its_own(database: db.Database, tmp_path: Path) -> None:
    (tmp_path / "other").mkdir()
    with tables.database(tmp_path / "other") as loads:
        world = world_of(database, loads=loads)
        assert world_of(database).loads is database
        assert world.get_record(ANN) is None, "the other database has none"
        tables.ann(loads)
        world = world_of(database, loads=loads)
        assert world.get_record(ANN) is not None


def test_a_check_is_made_once_and_before_anything_is_read(world: World) -> None:
    checked: list[object] = []

    def check(session: object) -> None:
        checked.append(session)
        if len(checked) == 1:
            raise RequestTimeout("another schema")

    world._check = check
    with pytest.raises(RequestTimeout):
        world.poll()
    world.poll()
    world.poll()
    assert len(checked) == 2


def test_the_point_that_a_session_sees_is_said(database: db.Database, world: World) -> None:
    with database.read(first=changes.LATEST) as session:
        assert world.sync(session) == world.point == Point(3, f"{3:016x}")
    point = revise(database, 4, BOB)
    with database.read(first=changes.LATEST) as session:
        assert world.sync(session) == point
