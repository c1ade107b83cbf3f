"""The pairs of keys that sign checkpoints and digests."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.serialization import load_der_public_key
from sqlalchemy import update

from sekisho.credentials.envelopes import SealBroken
from sekisho.credentials.key_ring import KeyRing, UnknownKey
from sekisho.journal.trail import keys
from sekisho.node.roles import ROLES
from sekisho.store import db
from sekisho.store.tables import TrailKey

NOW = datetime(2026, 5, 4, 3, 2, 1, 987654, UTC)


@pytest.fixture
def database(database_url: str) -> Iterator[db.Database]:
    with db.Database(database_url) as made:
        yield made


@pytest.fixture
def ring(tmp_path: Path) -> KeyRing:
    return KeyRing.create(tmp_path / "keyring.json")


def test_one_pair_signs_for_a_year(database: db.Database, ring: KeyRing) -> None:
    name, private = keys.current(database, ring, NOW)
    again, same = keys.current(database, ring, NOW + timedelta(days=364))
    assert (again, same.private_numbers()) == (name, private.private_numbers())
    other, _ = keys.current(database, ring, NOW + timedelta(days=365))
    assert other != name
    assert keys.current(database, ring, NOW + timedelta(days=365))[0] == other


def test_what_it_signs_is_known_by_its_public_key(database: db.Database, ring: KeyRing) -> None:
    name, private = keys.current(database, ring, NOW)
    other = keys.current(database, ring, NOW + timedelta(days=400))[0]
    with database.read() as session:
        public = {row.fingerprint: row.public_key for row in keys.listed(session)}
    signature = keys.sign(private, b"heads")
    assert keys.is_signed(public[name], b"heads", signature)
    assert not keys.is_signed(public[name], b"heads!", signature)
    assert not keys.is_signed(public[other], b"heads", signature)
    assert not keys.is_signed(public[name], b"heads", "not digits")
    assert not keys.is_signed(b"no key", b"heads", signature)
    assert load_der_public_key(public[name]).public_numbers() == private.public_key().public_numbers()  # type: ignore[union-attr]
    assert keys.fingerprint(public[name]) == name
    assert len(name) == 32


def test_listed_between_two_times(database: db.Database, ring: KeyRing) -> None:
    first, second = (keys.current(database, ring, NOW + timedelta(days=days))[0] for days in (0, 400))
    with database.read() as session:

        def names(begins: datetime | None, ends: datetime | None) -> list[str]:
            return [row.fingerprint for row in keys.listed(session, begins, ends)]

        assert names(None, None) == [first, second]
        assert names(NOW + timedelta(days=366), None) == [second]
        assert names(None, NOW + timedelta(days=399)) == [first]
        assert names(NOW + timedelta(days=370), NOW + timedelta(days=390)) == []


def test_many_who_begin_at_once_have_one(database: db.Database, ring: KeyRing) -> None:
    with ThreadPoolExecutor(6) as pool:
        found = {name for name, _ in pool.map(lambda _: keys.current(database, ring, NOW), range(6))}
    assert len(found) == 1
    with database.read() as session:
        assert len(keys.listed(session)) == 1


def test_the_private_key_opens_in_its_row_alone(database: db.Database, ring: KeyRing) -> None:
    first = keys.current(database, ring, NOW)[0]
    later = NOW + timedelta(days=400)
    second = keys.current(database, ring, later)[0]
    with database.write(()) as session:
        sealed = session.get_one(TrailKey, first).private_key
        session.execute(update(TrailKey).where(TrailKey.fingerprint == second).values(private_key=sealed))
    with pytest.raises(SealBroken):
        keys.current(database, ring, later)


def test_a_data_node_has_no_key_of_the_trail(database: db.Database, ring: KeyRing, tmp_path: Path) -> None:
    keys.current(database, ring, NOW)
    purposes = ROLES["data"].purposes
    assert purposes is not None
    ring.export(tmp_path / "data.json", purposes)
    with pytest.raises(UnknownKey):
        keys.current(database, KeyRing.open(tmp_path / "data.json"), NOW)


def test_a_ring_of_a_release_before_the_trail_is_completed(database: db.Database, tmp_path: Path) -> None:
    path = tmp_path / "old.json"
    KeyRing.create(path, purposes=("access-keys", "sessions", "mfa", "paging", "snapshot", "signing", "certificates"))
    old = KeyRing.open(path)
    with pytest.raises(UnknownKey):
        keys.current(database, old, NOW)
    old.complete()
    assert keys.current(database, KeyRing.open(path), NOW)[0]
