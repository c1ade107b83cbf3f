"""A key follows on another: published, used, and the one before ended; rows are sealed anew while others write them."""

import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import LargeBinary, select, update

from sekisho.credentials import access_keys, resealing, rotation
from sekisho.credentials.key_ring import ACCESS_KEYS, MFA, PURPOSES, SESSIONS, TRAIL, KeyRing, UnknownKey
from sekisho.credentials.ring_document import KeyRingUnusable
from sekisho.credentials.rotation import KINDS
from sekisho.store import db
from sekisho.store.tables import AccessKey, Base, Change
from tests import harness
from tests.harness import House

NOON = datetime(2026, 11, 26, 12, tzinfo=UTC)
PLACE = ("table", "column", "row")


class Clock:
    """A clock that is set."""

    def __init__(self) -> None:
        self.now = NOON

    def __call__(self) -> datetime:
        return self.now


@pytest.fixture
def house(database_url: str, tmp_path: Path) -> Iterator[House]:
    with harness.house(database_url, tmp_path) as made:
        yield made


@pytest.fixture
def clock() -> Clock:
    return Clock()


def said(ring: KeyRing, purpose: str, now: datetime = NOON) -> list[tuple[str, str]]:
    """The keys of a purpose with their states, in the order of the file."""
    document = ring.document()
    return [(entry.id, rotation.state(document, entry, now)) for entry in document.entries if entry.purpose == purpose]


def test_every_purpose_is_rotated_with_one_kind() -> None:
    assert sorted(purpose for kind in KINDS.values() for purpose in kind.purposes) == sorted(PURPOSES)


def test_a_published_key_opens_and_seals_nothing(tmp_path: Path) -> None:
    ring, other = KeyRing.create(tmp_path / "ring"), KeyRing.open(tmp_path / "ring")
    first = ring.current(SESSIONS).id
    new = rotation.publish(ring, KINDS["session"], NOON).next(SESSIONS)
    assert new is not None
    assert said(ring, SESSIONS) == [(new.id, "next"), (first, "current")]
    assert other.current(SESSIONS).id == first
    assert other.key(SESSIONS, new.id).id == new.id
    assert rotation.publish(ring, KINDS["session"], NOON).next(SESSIONS) == new, "a second time there is no second key"
    assert rotation.begun(ring.document(), KINDS["session"]) == "published"


def test_the_key_before_opens_until_it_ends(tmp_path: Path, clock: Clock) -> None:
    ring = KeyRing.create(tmp_path / "ring", clock=clock)
    sealed, tag = ring.seal(SESSIONS, b"plain", PLACE), ring.mac(SESSIONS, b"data")
    first = ring.current(SESSIONS).id
    rotation.publish(ring, KINDS["session"], NOON)
    rotation.use(ring, KINDS["session"])
    assert rotation.begun(ring.document(), KINDS["session"]) == "used"
    rotation.retire(ring, KINDS["session"], NOON)
    assert rotation.begun(ring.document(), KINDS["session"]) == ""
    second = ring.current(SESSIONS).id
    assert said(ring, SESSIONS) == [(first, "retiring"), (second, "current")]
    clock.now = NOON + timedelta(hours=37) - timedelta(seconds=1)
    assert ring.unseal(SESSIONS, sealed, PLACE) == b"plain"
    assert ring.is_mac(SESSIONS, b"data", tag)
    assert [key.id for key in ring.keys(SESSIONS)] == [first, second]
    clock.now = NOON + timedelta(hours=37)
    with pytest.raises(UnknownKey, match=f"the key {first} for sessions has ended"):
        ring.unseal(SESSIONS, sealed, PLACE)
    assert not ring.is_mac(SESSIONS, b"data", tag)
    assert [key.id for key in ring.keys(SESSIONS)] == [second]
    assert said(ring, SESSIONS, clock.now) == [(first, "retired"), (second, "current")]
    third = rotation.publish(ring, KINDS["session"], clock.now).next(SESSIONS)
    assert third is not None
    assert said(ring, SESSIONS, clock.now) == [(third.id, "next"), (second, "current")], "what has ended is erased"


def test_keys_of_the_trail_are_kept(tmp_path: Path, clock: Clock) -> None:
    ring = KeyRing.create(tmp_path / "ring", clock=clock)
    first = ring.current(TRAIL).id
    for _ in range(2):
        rotation.publish(ring, KINDS["trail"], clock.now)
        rotation.use(ring, KINDS["trail"])
        rotation.retire(ring, KINDS["trail"], clock.now)
    assert [state for _, state in said(ring, TRAIL)] == ["kept", "kept", "current"]
    assert rotation.begun(ring.document(), KINDS["trail"]) == ""
    clock.now += timedelta(days=10_000)
    assert ring.key(TRAIL, first).id == first


def test_a_key_is_revoked_at_once_in_every_process(tmp_path: Path) -> None:
    ring, other = KeyRing.create(tmp_path / "ring"), KeyRing.open(tmp_path / "ring")
    sealed, first = other.seal(SESSIONS, b"plain", PLACE), ring.current(SESSIONS).id
    rotation.revoke(ring, SESSIONS, first, NOON)
    other.refresh()
    with pytest.raises(UnknownKey):
        other.unseal(SESSIONS, sealed, PLACE)
    second = other.current(SESSIONS).id
    new = rotation.publish(ring, KINDS["session"], NOON).next(SESSIONS)
    assert new is not None
    rotation.revoke(ring, SESSIONS, second, NOON)
    assert said(ring, SESSIONS) == [(new.id, "current")], "the one that was published takes its place"


def test_the_release_before_seals_with_the_key_that_is_used(tmp_path: Path) -> None:
    """That one takes the last key of a purpose, whatever else a key says."""
    ring = KeyRing.create(tmp_path / "ring")
    for change in (rotation.publish, lambda *given: rotation.use(*given[:2]), rotation.retire):
        change(ring, KINDS["session"], NOON)
        entries = [entry for entry in ring.document().entries if entry.purpose == SESSIONS]
        assert entries[-1].id == ring.current(SESSIONS).id


def test_an_exchange_of_the_master_key_leaves_both_until_it_ends(tmp_path: Path) -> None:
    path, first, second = tmp_path / "ring", bytes(range(32)), bytes(range(1, 33))
    ring, running = KeyRing.create(path, first), KeyRing.open(path, first)
    sealed = ring.seal(MFA, b"plain", PLACE)
    ring.rewrap(second, overlap=True)
    running.refresh()
    assert (running.old, KeyRing.open(path, second).old) == (True, False)
    started = KeyRing.open(path, first)
    assert started.unseal(MFA, sealed, PLACE) == KeyRing.open(path, second).unseal(MFA, sealed, PLACE) == b"plain"
    with pytest.raises(KeyRingUnusable, match="is wrapped with a newer master key, which is needed to change it"):
        started.rotate(SESSIONS)
    with pytest.raises(KeyRingUnusable, match="is wrapped with another master key, or damaged"):
        KeyRing.open(path, bytes(32))
    ring.finish_rewrap()
    with pytest.raises(KeyRingUnusable):
        KeyRing.open(path, first)
    running.refresh()
    assert running.unseal(MFA, running.seal(MFA, b"more", PLACE), PLACE) == b"more", "a process that runs goes on"


def test_a_key_that_is_revoked_during_an_exchange_is_gone_for_both(tmp_path: Path) -> None:
    path, first, second = tmp_path / "ring", bytes(range(32)), bytes(range(1, 33))
    ring = KeyRing.create(path, first)
    ring.rewrap(second, overlap=True)
    gone = ring.current(SESSIONS).id
    rotation.revoke(ring, SESSIONS, gone, NOON)
    assert gone.encode() not in path.read_bytes()
    ring.export(tmp_path / "part", (ACCESS_KEYS,))
    for master in (first, second):
        assert set(KeyRing.open(tmp_path / "part", master).held()) == {ACCESS_KEYS}
    assert b'"mfa"' not in (tmp_path / "part").read_bytes()


def test_every_sealed_column_is_known() -> None:
    """A column of bytes is sealed, or stands here with what it has."""
    plain = {
        "authenticators.public_key",
        "service_credentials.password_hash",
        "trail_digests.content",
        "trail_files.content",
        "trail_keys.public_key",
    }
    columns = {
        f"{table.name}.{column.name}"
        for table in Base.metadata.tables.values()
        for column in table.columns
        if isinstance(column.type, LargeBinary)
    }
    assert columns - plain == {f"{one.table.__tablename__}.{one.name}" for one in resealing.SEALED}


def rotated(house: House, kind: str) -> None:
    """The new keys of a kind are used."""
    rotation.publish(house.node.ring, KINDS[kind], NOON)
    rotation.use(house.node.ring, KINDS[kind])


def test_rows_are_sealed_anew(house: House) -> None:
    ann = house.user("ann")
    device = house.call("CreateVirtualMFADevice", virtual_mfa_device_name="phone").virtual_mfa_device
    database, ring = house.node.database, house.node.ring
    with database.read() as session:
        before = {row.id: row.secret for row in session.scalars(select(AccessKey))}
        changes = session.query(Change).count()
    rotated(house, "wrapping")
    with database.read() as session:
        assert resealing.stale(session, ring, KINDS["wrapping"].purposes) == 3
        assert resealing.counts(session, ACCESS_KEYS) == {before[ann.access_key_id][1:5].hex(): 2}
    assert list(resealing.reseal(database, ring, ACCESS_KEYS, batch=1)) == [(1, 0), (1, 0)]
    assert list(resealing.reseal(database, ring, MFA)) == [(1, 0)]
    assert list(resealing.reseal(database, ring, ACCESS_KEYS)) == []
    with database.read() as session:
        after = {row.id: row.secret for row in session.scalars(select(AccessKey))}
        assert resealing.stale(session, ring, KINDS["wrapping"].purposes) == 0
        assert session.query(Change).count() == changes, "no record of memory is stale"
    assert after.keys() == before.keys()
    for id_, secret in after.items():
        assert ring.is_current(ACCESS_KEYS, secret)
        assert access_keys.unseal(id_, secret, ring) == access_keys.unseal(id_, before[id_], ring)
    assert house.call("GetCallerIdentity", _as=ann).arn.endswith(":user/ann")
    assert device.serial_number


def test_a_row_that_is_written_meanwhile_keeps_what_was_written(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    ann = house.user("ann")
    database, ring = house.node.database, house.node.ring
    rotated(house, "wrapping")
    seal: Callable[..., bytes] = ring.seal
    meanwhile = seal(ACCESS_KEYS, b"another", ("access_keys", "secret", ann.access_key_id))

    def late(*given: Any) -> bytes:
        with database.write(()) as session:
            session.execute(update(AccessKey).where(AccessKey.id == ann.access_key_id).values(secret=meanwhile))
        return seal(*given)

    monkeypatch.setattr(ring, "seal", late)
    list(resealing.reseal(database, ring, ACCESS_KEYS))
    with database.read() as session:
        row = session.get(AccessKey, ann.access_key_id)
        assert row is not None
        assert row.secret == meanwhile


def test_a_row_that_no_key_opens_stays_and_holds_up_no_other(house: House) -> None:
    ann = house.user("ann")
    database, ring = house.node.database, house.node.ring
    with database.write(()) as session:
        row = session.get(AccessKey, ann.access_key_id)
        assert row is not None
        row.secret = row.secret[:-1] + bytes([row.secret[-1] ^ 1])
        broken = row.secret
    rotated(house, "wrapping")
    assert list(resealing.reseal(database, ring, ACCESS_KEYS)) == [(1, 1)]
    with database.read() as session:
        assert [row.secret for row in session.scalars(select(AccessKey).where(AccessKey.id == ann.access_key_id))] == [broken]


def test_who_may_still_write_what_the_old_key_sealed_is_waited_for(house: House) -> None:
    database = house.node.database
    resealing.settle(database, time.monotonic() + 60)
    with database.write(()), pytest.raises(Exception, match=r"run this again when they have|The deadline of the call passed"):
        resealing.settle(db.Database(database.url) if database.sqlite else database, 0.0)
