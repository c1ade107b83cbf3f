"""Memory on the disk: what a node begins from when its database is gone, and everything that it must not begin from."""

import random
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy.orm import Session

from sekisho import accounts, policy, sigv4
from sekisho.api.authorize.v1 import decisions_pb2 as pb
from sekisho.credentials.key_ring import KeyRing
from sekisho.errors import SekishoError, ServiceUnavailable
from sekisho.memory import keeper, lines, snapshot
from sekisho.memory.cache import World
from sekisho.memory.keeper import Keeper
from sekisho.memory.names import Name
from sekisho.memory.snapshot import SnapshotRejected
from sekisho.node import assembly
from sekisho.node.assembly import Kept
from sekisho.store import changes, db
from sekisho.store.changes import Point
from sekisho.store.tables import AccessKey, Revision
from sekisho.world import AccountRecord, GroupRecord, KeyRecord, PolicyRecord, PrincipalRecord, Record
from tests import harness
from tests.harness import House
from tests.services.iam.documents import allow, trust

NOW = datetime(2026, 11, 26, 12, 0, 0, 250_000, UTC)
DAY = timedelta(hours=24)
DOCUMENT = allow("orders:Ship")
SECRET = "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY"  # AWS's own example


def attached(text: str = DOCUMENT, **at: str) -> policy.Attached:
    """A policy where it is attached."""
    return policy.Attached(policy.compiled(text), **at)


RECORDS: dict[str, Record] = {
    "AIDAEXAMPLE": PrincipalRecord(
        "AIDAEXAMPLE",
        "111122223333",
        "user",
        "ann",
        "arn:aws:iam::111122223333:user/ann",
        tags={"team": "one two", "é": "\ud800"},
        inline=(attached(name="inline"),),
        policy_ids=("ANPAEXAMPLE",),
        group_ids=("AGPAEXAMPLE",),
        boundary_id="ANPAEXAMPLE",
    ),
    "AROAEXAMPLE": PrincipalRecord(
        "AROAEXAMPLE", "111122223333", "role", "r", "arn:aws:iam::111122223333:role/p/r", trust=attached(name="t"), max_session_seconds=7200
    ),
    "AGPAEXAMPLE": GroupRecord("AGPAEXAMPLE", (attached(name="g"),), ("ANPAEXAMPLE",)),
    "ANPAEXAMPLE": PolicyRecord("ANPAEXAMPLE", "arn:aws:iam::111122223333:policy/p", attached(arn="arn:p", version="v3")),
    "111122223333": AccountRecord("111122223333", "ACTIVE"),
    "AKIAIOSFODNN7EXAMPLE": KeyRecord("AKIAIOSFODNN7EXAMPLE", "111122223333", "AIDAEXAMPLE", "Active", SECRET),
}


@pytest.fixture
def ring(tmp_path: Path) -> KeyRing:
    return KeyRing.create(tmp_path / "keyring.json")


def of(records: dict[str, Any], **other: Any) -> snapshot.Snapshot:
    """A snapshot of these records."""
    fields: dict[str, Any] = {"point": Point(7, "a" * 16), "confirmed_at": NOW, "points": [Point(6, "b" * 16), Point(7, "a" * 16)]}
    return snapshot.Snapshot(**{**fields, "records": records, "absent": [], "names": {}, "absent_names": [], **other})


def test_all_that_decisions_are_made_of_comes_back(ring: KeyRing, tmp_path: Path) -> None:
    names = {("111122223333", "user", "ann"): Name("AIDAEXAMPLE", "/", "Ann")}
    made = of(RECORDS, names=names, absent=["AKIANOBODY", "odd id\n"], absent_names=[("111122223333", "role", "none")])
    assert snapshot.write(tmp_path / "s", made, ring) == len(RECORDS)
    found = snapshot.read(tmp_path / "s", ring, NOW, oldest=DAY)
    assert list(found.records) == list(RECORDS), "the one that was asked for last comes last"
    assert {key: lines.read(line, ring) for key, line in found.records.items() if isinstance(line, bytes)} == RECORDS
    assert (found.point, found.confirmed_at, list(found.points)) == (made.point, NOW, made.points)
    assert (dict(found.names), list(found.absent), list(found.absent_names)) == (names, made.absent, made.absent_names)
    assert (tmp_path / "s").stat().st_mode & 0o777 == 0o600


def test_no_secret_of_a_key_is_in_the_clear(ring: KeyRing, tmp_path: Path) -> None:
    snapshot.write(tmp_path / "s", of(RECORDS), ring)
    content = (tmp_path / "s").read_bytes()
    inflated = zlib.decompress(content[76:])
    assert b"AKIAIOSFODNN7EXAMPLE" in inflated
    for text in (content, inflated):
        assert SECRET.encode() not in text
        assert b"wJalrXUtnFEMI" not in text
    with pytest.raises(SekishoError):  # whoever has the key of snapshots alone opens no secret
        lines.read(
            snapshot.read(tmp_path / "s", ring, NOW, oldest=DAY).records["AKIAIOSFODNN7EXAMPLE"],  # type: ignore[arg-type]
            KeyRing.open(tmp_path / "keyring.json", purposes=("snapshot",)),
        )


def test_a_changed_snapshot_is_rejected_every_time(ring: KeyRing, tmp_path: Path) -> None:
    snapshot.write(tmp_path / "s", of(RECORDS), ring)
    good, chance, path = (tmp_path / "s").read_bytes(), random.Random(11), tmp_path / "changed"
    for number in range(1_000):
        changed = bytearray(good)
        if number % 3 == 0:
            del changed[chance.randrange(len(good)) :]
        elif number % 3 == 1:
            changed[chance.randrange(len(good))] ^= 1 << chance.randrange(8)
        else:
            at = chance.randrange(len(good))
            changed[at:at] = chance.randbytes(chance.randrange(1, 40))
        path.write_bytes(changed)
        with pytest.raises(SnapshotRejected):
            snapshot.read(path, ring, NOW, oldest=DAY)
    for index in range(76):  # each byte before the body
        changed = bytearray(good)
        changed[index] ^= 0x10
        path.write_bytes(changed)
        with pytest.raises(SnapshotRejected):
            snapshot.read(path, ring, NOW, oldest=DAY)
    path.write_bytes(good)
    assert snapshot.read(path, ring, NOW, oldest=DAY).records.keys() == RECORDS.keys()


def test_a_forged_one_is_rejected_before_it_is_inflated(ring: KeyRing, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    snapshot.write(tmp_path / "s", of(RECORDS), KeyRing.create(tmp_path / "other.json"))
    monkeypatch.setattr(zlib, "decompressobj", lambda: pytest.fail("inflated"))
    with pytest.raises(SnapshotRejected, match="it was not made with this key ring, or was changed"):
        snapshot.read(tmp_path / "s", ring, NOW, oldest=DAY)


@pytest.mark.parametrize(
    ("now", "message"),
    [
        (NOW + DAY, ""),
        (NOW + DAY + timedelta(seconds=1), "it is of 2026-11-26T12:00:00+00:00, which is too long ago, or is still to come"),
        (NOW - timedelta(minutes=5), ""),
        (NOW - timedelta(minutes=6), "it is of 2026-11-26T12:00:00+00:00, which is too long ago, or is still to come"),
    ],
)
def test_the_moment_of_a_snapshot(ring: KeyRing, tmp_path: Path, now: datetime, message: str) -> None:
    snapshot.write(tmp_path / "s", of(RECORDS), ring)
    if not message:
        snapshot.read(tmp_path / "s", ring, now, oldest=DAY)
        return
    with pytest.raises(SnapshotRejected) as caught:
        snapshot.read(tmp_path / "s", ring, now, oldest=DAY)
    assert caught.value.message == message


def test_a_snapshot_of_a_version_with_other_fields_is_rejected(ring: KeyRing, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A field that this version does not know may have been a limit."""
    with monkeypatch.context() as patched:
        patched.setattr(lines, "SHAPES", {**lines.SHAPES, "AccountRecord": ["id", "status", "unit_id"]})
        patched.setattr(lines, "written", lambda record, ring: b"[]")
        snapshot.write(tmp_path / "s", of(RECORDS), ring)
    with pytest.raises(SnapshotRejected, match="of a version whose records are others"):
        snapshot.read(tmp_path / "s", ring, NOW, oldest=DAY)


def test_a_record_that_cannot_be_written_whole_is_left_out(ring: KeyRing, tmp_path: Path) -> None:
    program = policy.compile_policy(policy.parse(DOCUMENT))  # without its text
    for odd in (GroupRecord("AGPAODD", (policy.Attached(program),)), GroupRecord("AGPAODD", (object(),))):  # type: ignore[arg-type]
        assert snapshot.write(tmp_path / "s", of({"AGPAODD": odd, "111122223333": RECORDS["111122223333"]}), ring) == 1
        assert list(snapshot.read(tmp_path / "s", ring, NOW, oldest=DAY).records) == ["111122223333"]


def test_a_snapshot_is_bounded_and_keeps_what_was_asked_for_last(ring: KeyRing, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    many = {f"{number:012d}": AccountRecord(f"{number:012d}", "ACTIVE") for number in range(1_000)}
    monkeypatch.setattr(snapshot, "MAX_BYTES", 20_000)
    count = snapshot.write(tmp_path / "s", of(many), ring)
    assert 100 < count < 1_000
    assert list(snapshot.read(tmp_path / "s", ring, NOW, oldest=DAY).records) == list(many)[-count:]
    monkeypatch.setattr(snapshot, "MAX_BYTES", 1_000)
    with pytest.raises(SnapshotRejected, match="larger than any that is written"):
        snapshot.read(tmp_path / "s", ring, NOW, oldest=DAY)


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
        world.confirmed.at -= 590
        assert ask(node, ann) == "OUTCOME_ALLOWED"
        world.confirmed.at -= 20
        assert ask(node, ann) == "Stale"
        with pytest.raises(SekishoError) as caught:
            node.call("GetSessionToken", _as=ann)
        assert (caught.value.code, caught.value.grpc) == ("Stale", "UNAVAILABLE")
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
    snapshot.write(folder / "0.snapshot", of(RECORDS), ring_of_other)
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
