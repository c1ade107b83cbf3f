"""A data node that begins from its snapshot: what it answers without its database, and what it forgets when that is back."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy.orm import Session

from sekisho import sigv4
from sekisho.api.authorize.v1 import decisions_pb2 as pb
from sekisho.credentials import accounts
from sekisho.credentials.key_ring import KeyRing
from sekisho.errors import SekishoError, ServiceUnavailable
from sekisho.memory import keeper, snapshot
from sekisho.memory.cache import World
from sekisho.memory.keeper import Keeper
from sekisho.node import assembly
from sekisho.node.assembly import Kept
from sekisho.store import changes, db
from sekisho.store.tables import AccessKey, Revision
from sekisho.world import AccountRecord
from tests import harness
from tests.harness import House
from tests.services.iam.documents import allow, trust

NOW = datetime(2026, 11, 26, 12, 0, 0, tzinfo=UTC)
DAY = timedelta(hours=24)


class Gone(db.Database):
    """A database that can be gone."""

    gone = False

    @contextmanager
    def read(self, *, deadline: float | None = None, first: str = "") -> Iterator[Session]:
        """As the database, unless it is gone."""
        if self.gone:
            raise ServiceUnavailable("gone")
        with super().read(deadline=deadline, first=first) as session:
            yield session

    def glance(self, query: str, *, deadline: float | None = None) -> db.Row | None:
        """As the database, unless it is gone."""
        if self.gone:
            raise ServiceUnavailable("gone")
        return super().glance(query, deadline=deadline)


class Follower:
    """A data node that is started again and again beside a house, from the snapshot that it wrote."""

    def __init__(self, house: House, folder: Path) -> None:
        self.house, self.folder = house, folder
        self.database = Gone(house.node.database.url)
        self.purposes = ("access-keys", "sessions", "snapshot")
        self.checked: list[bool] = []

    @contextmanager
    def started(self, *, gone: bool = False, **options: Any) -> Iterator[House]:
        """The node, with the same account."""
        self.database.gone = gone
        (self.folder / "snapshots").mkdir(exist_ok=True)
        ring = KeyRing.open(self.folder / "keyring.json", purposes=self.purposes)
        kept = Kept(self.folder / "snapshots" / "0.snapshot", 3600.0, DAY, lambda _: self.checked.append(True))
        known = accounts.NewAccount(self.house.account_id, self.house.root.access_key_id, self.house.root.secret_access_key)
        spool = self.folder / "data-spool.db"
        with assembly.opened(self.database, ring, spool, audience="sekisho", writes=False, kept=kept, **options) as node:
            node.world.loads = self.database
            yield House(node, known)


@pytest.fixture
def follower(database_url: str, tmp_path: Path) -> Iterator[Follower]:
    with harness.house(database_url, tmp_path) as house:
        made = Follower(house, tmp_path)
        yield made
        made.database.close()


def ask(node: House, who: sigv4.Credentials, **fields: Any) -> str:
    """The outcome of a question, or the code of its error."""
    try:
        return pb.Outcome.Name(node.call("Authorize", _as=who, action="orders:Ship", resource="*", **fields).outcome)
    except SekishoError as error:
        return error.code


def test_a_node_that_starts_without_its_database_answers_what_it_knew(follower: Follower) -> None:
    house = follower.house
    ann = house.user("ann", allow("orders:Ship", "authorize:Authorize", "sts:AssumeRole"))
    cold = house.user("cold", allow("orders:Ship", "authorize:Authorize"))
    role = house.call("CreateRole", role_name="clerk", assume_role_policy_document=trust(f"arn:aws:iam::{house.account_id}:user/ann")).role
    named = {"principal_arn": f"arn:aws:iam::{house.account_id}:user/ann"}
    with follower.started() as node:
        assert ask(node, ann) == "OUTCOME_ALLOWED"
        assert ask(node, house.root, **named) == "OUTCOME_ALLOWED"
        clerk = node.assume(role.arn, _as=ann)
    for asks in (False, True, True):  # at the end from what the first two have left unopened, too
        with follower.started(gone=True) as node:
            if not asks:
                continue
            assert node.node.world.size[0] == 0, "nothing is compiled or opened before somebody asks"
            assert ask(node, ann) == "OUTCOME_ALLOWED"
            assert ask(node, ann, at_least=house.revision) == "OUTCOME_ALLOWED"
            assert ask(node, house.root, **named) == "OUTCOME_ALLOWED"
            assert node.call("GetCallerIdentity", _as=clerk).arn.endswith(":assumed-role/clerk/session")
            again = node.assume(role.arn, _as=ann)
            assert node.call("GetCallerIdentity", _as=again).arn.endswith(":assumed-role/clerk/session")
            assert ask(node, cold) == "ServiceUnavailable"
            wrong = sigv4.Credentials(ann.access_key_id, "x" * 40)
            assert ask(node, wrong) == "SignatureDoesNotMatch"
    assert follower.checked == []
    with follower.started() as node:
        assert ask(node, cold) == "OUTCOME_ALLOWED"
    assert follower.checked, "nothing is read before the database was looked at"


@pytest.mark.parametrize("change", ["deleted", "revoked", "inactive"])
def test_what_was_taken_back_meanwhile_is_gone_at_the_first_look(follower: Follower, change: str) -> None:
    house = follower.house
    ann = house.user("ann", allow("orders:Ship", "authorize:Authorize"))
    with follower.started() as node:
        assert ask(node, ann) == "OUTCOME_ALLOWED"
    house.call("DeleteUserPolicy", user_name="ann", policy_name="inline-0") if change != "inactive" else None
    if change == "deleted":
        house.call("DeleteAccessKey", user_name="ann", access_key_id=ann.access_key_id)
        house.call("DeleteUser", user_name="ann")
    if change == "inactive":
        house.call("UpdateAccessKey", user_name="ann", access_key_id=ann.access_key_id, status="Inactive")
    refused = "AccessDenied" if change == "revoked" else "InvalidClientTokenId"
    with follower.started() as node:
        assert ask(node, ann) == refused
        assert ask(node, ann, at_least=house.revision) == refused
    with follower.started(gone=True) as node:
        assert ask(node, ann) in (refused, "ServiceUnavailable")
    with follower.started(gone=True) as node:
        follower.database.gone = False
        node.node.world.poll()
        assert ask(node, ann) == refused


def test_a_snapshot_of_another_history_is_dropped_at_the_first_look(follower: Follower) -> None:
    house = follower.house
    ann = house.user("ann", allow("orders:Ship", "authorize:Authorize"))
    with follower.started() as node:
        assert ask(node, ann) == "OUTCOME_ALLOWED"
    with house.node.database.write(()) as session:  # a restored backup, in which another write came at this number
        newest = session.get_one(Revision, changes.parse(house.revision).number)
        newest.nonce = "0123456789abcdef"
        key = session.get_one(AccessKey, ann.access_key_id)
        key.status = "Inactive"
    with follower.started() as node:
        assert ask(node, ann) == "InvalidClientTokenId"
        assert node.node.world.point.nonce == "0123456789abcdef"


def test_a_database_that_does_not_fit_is_not_read(follower: Follower) -> None:
    house = follower.house
    ann, cold = (house.user(name, allow("orders:Ship", "authorize:Authorize")) for name in ("ann", "cold"))
    with follower.started() as node:
        assert ask(node, ann) == "OUTCOME_ALLOWED"
    with follower.started(gone=True) as node:

        def unfit(_: Session) -> None:
            raise ServiceUnavailable("another schema")

        node.node.world._check = unfit
        follower.database.gone = False
        house.call("CreateUser", user_name="bob")
        assert ask(node, ann) == "OUTCOME_ALLOWED"
        assert ask(node, cold) == "ServiceUnavailable"


def test_a_node_answers_no_longer_than_it_may_without_its_database(follower: Follower) -> None:
    house = follower.house
    ann = house.user("ann", allow("orders:Ship", "authorize:Authorize", "sts:GetSessionToken"))
    with follower.started(max_staleness=600.0) as node:
        world: World = node.node.world
        assert ask(node, ann) == "OUTCOME_ALLOWED"
        follower.database.gone = True
        node.node.feed.stop()
        for _ in range(2):
            assert node.call("GetCallerIdentity", _as=ann).arn.endswith(":user/ann")
        world.confirmed.at -= 590
        assert ask(node, ann) == "OUTCOME_ALLOWED"
        world.confirmed.at -= 20
        assert ask(node, ann) == "Stale"
        for name in ("GetSessionToken", "GetCallerIdentity"):  # also what was found out about the caller before
            with pytest.raises(SekishoError) as caught:
                node.call(name, _as=ann)
            assert (name, caught.value.code, caught.value.grpc) == (name, "Stale", "UNAVAILABLE")
        follower.database.gone = False
        world.poll()
        assert ask(node, ann) == "OUTCOME_ALLOWED"
        world.confirmed.at -= 300
    with follower.started(gone=True, max_staleness=300.0) as node:  # the age of the snapshot counts
        assert node.node.world.confirmed.age > 300
        assert ask(node, ann) == "Stale"


def test_a_secret_whose_key_was_forgotten_is_as_if_it_had_never_been_there(follower: Follower) -> None:
    ann = follower.house.user("ann", allow("orders:Ship", "authorize:Authorize"))
    with follower.started() as node:
        assert ask(node, ann) == "OUTCOME_ALLOWED"
    ring = KeyRing.open(follower.folder / "keyring.json")
    old = ring.current("access-keys").id
    ring.rotate("access-keys")
    ring.forget("access-keys", old)
    with follower.started(gone=True) as node:
        assert ask(node, ann) == "ServiceUnavailable"


def test_a_node_that_knows_nothing_leaves_the_snapshot_alone(follower: Follower) -> None:
    ann = follower.house.user("ann", allow("orders:Ship", "authorize:Authorize"))
    with follower.started() as node:
        assert ask(node, ann) == "OUTCOME_ALLOWED"
    path = follower.folder / "snapshots" / "0.snapshot"
    before = path.read_bytes()
    empty = World(follower.database, lambda _: "")
    Keeper(empty, KeyRing.open(follower.folder / "keyring.json"), path, every=1.0).write()
    assert path.read_bytes() == before


def test_it_begins_from_another_workers_file_when_its_own_is_not_good(follower: Follower, ring_of_other: KeyRing) -> None:
    ann = follower.house.user("ann", allow("orders:Ship", "authorize:Authorize"))
    with follower.started() as node:
        assert ask(node, ann) == "OUTCOME_ALLOWED"
    folder = follower.folder / "snapshots"
    (folder / "0.snapshot").rename(folder / "3.snapshot")
    snapshot.write(folder / "0.snapshot", follower.house.node.world.taken(datetime.now(UTC)), ring_of_other)
    with follower.started(gone=True) as node:
        assert ask(node, ann) == "OUTCOME_ALLOWED"


@pytest.fixture
def ring_of_other(tmp_path: Path) -> KeyRing:
    return KeyRing.create(tmp_path / "foreign.json")


def test_a_world_that_has_begun_takes_no_snapshot(follower: Follower) -> None:
    taken = follower.house.node.world.taken(NOW)
    with pytest.raises(ValueError, match="has begun already"):
        follower.house.node.world.restore(taken, NOW, lambda line: AccountRecord("", ""), lambda _: None)
    assert not keeper.restore(follower.house.node.world, follower.house.node.ring, [], NOW, oldest=DAY, check=lambda _: None)


def test_a_file_of_sqlite_that_is_gone_is_not_made_anew(tmp_path: Path) -> None:
    with db.Database(f"sqlite:///{tmp_path / 'none.db'}", make=False) as database:
        for _ in range(2):
            with pytest.raises(SekishoError) as caught, database.read():
                pass
            assert (caught.value.code, caught.value.grpc) == ("ServiceUnavailable", "UNAVAILABLE")
    assert list(tmp_path.iterdir()) == []
