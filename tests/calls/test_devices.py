"""MFA devices of all kinds: by serial number, by owner, and to whom they are given, in a database of their tables alone."""

from pathlib import Path
from typing import Any

import pytest
from sqlalchemy.orm import Session

from sekisho.calls import devices
from sekisho.credentials import one_time
from sekisho.credentials.key_ring import KeyRing
from sekisho.store.tables import Authenticator, Entity, MfaDevice, Root, User
from tests.calls.fakes import ACCOUNT, NOW, OTHER, USER

TABLES = (Entity, MfaDevice, Authenticator)
PHONE = f"arn:aws:iam::{ACCOUNT}:mfa/x/Phone"
PASSKEY = f"arn:aws:iam::{ACCOUNT}:u2f/user/ann/laptop"
ANN, ROOT = User(id=USER), Root(id=ACCOUNT)


def virtual(name: str = "Phone", path: str = "/x/", account: str = ACCOUNT, **more: Any) -> MfaDevice:
    key = f"{path[1:]}{name}".lower()
    given: dict[str, Any] = {"user_id": None, "of_root": False} | more
    return MfaDevice(id=f"{account}{key}", account_id=account, name=name, name_key=key, path=path, created_at=NOW, seed=b"", **given)


def other(serial: str = "GAHT1", kind: str = "hardware", account: str = ACCOUNT, **more: Any) -> Authenticator:
    given: dict[str, Any] = {"credential_id": f"{account}{serial}"} | more
    return Authenticator(id=f"{account}{serial}", account_id=account, kind=kind, serial=serial, created_at=NOW, **given)


def test_a_device_is_known_by_its_serial_number() -> None:
    assert devices.serial(virtual()) == PHONE
    assert devices.serial(other("GAHT1")) == "GAHT1"
    assert devices.serial(other(PASSKEY, "passkey")) == PASSKEY


@pytest.mark.parametrize(
    ("device", "owner"),
    [
        (virtual(user_id=USER), USER),
        (virtual(of_root=True), ACCOUNT),
        (virtual(), None),
        (other(owner_id=USER), USER),
        (other(owner_id=ACCOUNT), ACCOUNT),
        (other(owner_id=None), None),
    ],
)
def test_whose_a_device_is(device: Any, owner: str | None) -> None:
    assert devices.owner_id(device) == owner


@pytest.mark.parametrize(("device", "shows"), [(virtual(), True), (other(), True), (other(PASSKEY, "passkey"), False)])
def test_a_passkey_shows_no_codes(device: Any, shows: bool) -> None:
    assert devices.shows_codes(device) is shows


@pytest.mark.parametrize("owner", [ANN, ROOT])
@pytest.mark.parametrize("device", [virtual, other])
def test_a_device_is_given_to_its_owner(device: Any, owner: Any) -> None:
    for before in ({"user_id": "AIDAELSE"}, {"of_root": True}) if device is virtual else ({"owner_id": "AIDAELSE"},):
        row = device(**before)
        devices.give(row, owner)
        assert devices.owner_id(row) == owner.id
        if device is virtual:
            assert (row.user_id, row.of_root) == ((None, True) if owner is ROOT else (USER, False))


def test_a_device_that_is_taken_away_stays_and_a_passkey_goes(session: Session) -> None:
    phone, token = virtual(user_id=USER, enabled_at=NOW), other(owner_id=USER, enabled_at=NOW)
    passkey, root_phone = other(PASSKEY, "passkey", owner_id=USER, enabled_at=NOW), virtual("b", of_root=True, enabled_at=NOW)
    session.add_all([phone, token, passkey, root_phone])
    session.flush()
    for row in (phone, token, passkey, root_phone):
        devices.take_away(session, row)
    session.flush()
    assert (phone.user_id, phone.of_root, phone.enabled_at) == (None, False, None)
    assert (root_phone.user_id, root_phone.of_root, root_phone.enabled_at) == (None, False, None)
    assert (token.owner_id, token.enabled_at) == (None, None)
    assert session.get(Authenticator, token.id) is token
    assert session.get(Authenticator, passkey.id) is None


def test_a_seed_is_of_its_row_and_a_passkey_has_none(tmp_path: Path) -> None:
    ring = KeyRing.create(tmp_path / "keyring.json")
    phone, token = virtual(), other()
    phone.seed, token.seed = one_time.seal(phone.id, b"one", ring), one_time.seal(token.id, b"two", ring, table="authenticators")
    assert (devices.seed(phone, ring), devices.seed(token, ring)) == (b"one", b"two")
    with pytest.raises(ValueError, match=r"^a passkey has no seed$"):
        devices.seed(other(PASSKEY, "passkey", seed=None), ring)


@pytest.mark.parametrize(
    ("serial", "found"),
    [
        (PHONE, "virtual"),
        (f"arn:aws:iam::{ACCOUNT}:mfa/x/phone", None),
        (f"arn:aws:iam::{ACCOUNT}:mfa/Phone", None),
        (f"arn:aws:iam::{ACCOUNT}:mfa/X/Phone", None),
        (f"arn:aws:iam::{OTHER}:mfa/x/Phone", None),
        (f"arn:aws:iam::{ACCOUNT}:user/x/Phone", None),
        (f"arn:aws:iam::{ACCOUNT}:user/tablet", None),
        (f"arn:aws:iam::{ACCOUNT}:mfa/tablet", "tablet"),
        ("GAHT1", "hardware"),
        ("GAHT2", None),
        (PASSKEY, "passkey"),
        ("arn:nonsense", None),
    ],
)
def test_a_device_is_found_by_exactly_its_serial_number(session: Session, serial: str, found: str | None) -> None:
    rows: dict[str, Any] = {
        "virtual": virtual(),
        "tablet": virtual("tablet", "/"),
        "hardware": other(),
        "passkey": other(PASSKEY, "passkey"),
    }
    session.add_all([*rows.values(), virtual(account=OTHER), other(account=OTHER), other("GAHT2", account=OTHER)])
    session.flush()
    assert devices.get_device(session, ACCOUNT, serial) is rows.get(found or "")


def test_the_devices_of_an_owner_are_told_by_serial_number(session: Session) -> None:
    anns = [virtual("a", "/", user_id=USER), virtual("b", "/", user_id=USER), other("GAHT1", owner_id=USER), other("AAA", owner_id=USER)]
    roots = [virtual("c", "/", of_root=True), other("GAHT3", owner_id=ACCOUNT)]
    nobodys = [virtual("d", "/"), other("GAHT4"), virtual("e", "/", account=OTHER, of_root=True), other("G", account=OTHER, owner_id=USER)]
    elsewhere = [virtual("f", "/", account=OTHER, user_id=USER)]
    session.add_all([*anns, *roots, *nobodys, *elsewhere])
    session.flush()
    assert [devices.serial(row) for row in devices.load_of(session, ACCOUNT, USER)] == [
        "AAA",
        "GAHT1",
        f"arn:aws:iam::{ACCOUNT}:mfa/a",
        f"arn:aws:iam::{ACCOUNT}:mfa/b",
    ]
    assert [devices.serial(row) for row in devices.load_of(session, ACCOUNT, ACCOUNT)] == ["GAHT3", f"arn:aws:iam::{ACCOUNT}:mfa/c"]
    assert devices.load_of(session, ACCOUNT, "AIDAELSE") == []
