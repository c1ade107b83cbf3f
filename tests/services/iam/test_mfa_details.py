"""MFA devices of all kinds side by side: lists, pictures, and what a device keeps while it changes hands."""

from datetime import datetime
from typing import Any

import pytest

from sekisho.credentials import one_time
from sekisho.services.iam import mfa_devices
from sekisho.store.tables import Authenticator, MfaDevice, User
from sekisho.store.tables.mfa_devices import PASSKEY
from tests import clock
from tests.harness import House
from tests.services.conftest import Refused
from tests.services.iam.documents import allow
from tests.services.iam.mfa import enabled, phone

WRONG = ("InvalidAuthenticationCode", "Authentication code for device is not valid.")


@pytest.fixture(autouse=True)
def ann(house: House, stopped_clock: datetime) -> None:
    house.call("CreateUser", user_name="ann")


def passkey(house: House, user: str, serial: str) -> str:
    """A passkey of a user, past the service that registers them."""
    with house.node.database.write((house.account_id,)) as session:
        owner = session.query(User).filter_by(account_id=house.account_id, name=user).one()
        columns: dict[str, Any] = {"id": f"{house.account_id}-{serial}", "account_id": house.account_id, "owner_id": owner.id}
        session.add(Authenticator(**columns, kind=PASSKEY, serial=serial, created_at=clock.now(), enabled_at=clock.now()))
    return serial


def test_a_picture_names_device_and_account(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    said: list[tuple[str, str]] = []
    uri = one_time.uri

    def noted(seed: bytes, name: str, account: str) -> str:
        said.append((name, account))
        return uri(seed, name, account)

    monkeypatch.setattr(one_time, "uri", noted)
    phone(house, "Phone")
    house.call("CreateAccountAlias", account_alias=f"alias-{house.account_id}")
    phone(house, "other", path="/x/")
    assert said == [("Phone", house.account_id), ("other", f"alias-{house.account_id}")]
    png = mfa_devices._picture("text")
    assert png.startswith(b"\x89PNG")
    assert int.from_bytes(png[16:20]) == (21 + 2 * 4) * 5  # the smallest code, and the white around it


def test_a_serial_number_has_256_characters_at_most(house: House, refused: Refused) -> None:
    room = 256 - len(f"arn:aws:iam::{house.account_id}:mfa/")
    path = "/" + "p" * (room - 11) + "/"
    assert len(phone(house, "n" * 10, path=path).serial) == 256
    said = ("InvalidInput", "The serial number of the device would have more than 256 characters.")
    assert refused("CreateVirtualMFADevice", virtual_mfa_device_name="n" * 11, path=path) == said


def test_a_device_of_the_root_user_is_of_nobody_with_a_name(house: House) -> None:
    made = phone(house)
    made.set(of_root=True, enabled_at=clock.now())
    got = house.call("GetMFADevice", serial_number=made.serial)
    assert (got.HasField("user_name"), got.serial_number, got.HasField("enable_date")) == (False, made.serial, True)
    (listed,) = house.call("ListVirtualMFADevices", assignment_status="Assigned").virtual_mfa_devices
    assert (listed.serial_number, listed.HasField("user")) == (made.serial, False)
    assert list(house.call("ListVirtualMFADevices", assignment_status="Unassigned").virtual_mfa_devices) == []
    (own,) = house.call("ListMFADevices").mfa_devices
    assert (own.serial_number, own.HasField("user_name")) == (made.serial, False)


def test_a_passkey_shows_no_codes_and_is_no_virtual_device(house: House, refused: Refused) -> None:
    serial = passkey(house, "ann", "passkey-of-ann")
    codes: dict[str, Any] = {"authentication_code1": "123456", "authentication_code2": "654321"}
    assert refused("ResyncMFADevice", user_name="ann", serial_number=serial, **codes) == WRONG
    assert house.call("GetMFADevice", serial_number=serial, user_name="ann").user_name == "ann"
    missing = ("NoSuchEntity", f"MFA Device with serial number {serial} does not exist.")
    calls: list[tuple[str, dict[str, Any]]] = [
        ("DeleteVirtualMFADevice", {}),
        ("TagMFADevice", {"tags": [{"key": "k", "value": "v"}]}),
        ("UntagMFADevice", {"tag_keys": ["k"]}),
        ("ListMFADeviceTags", {}),
    ]
    for name, fields in calls:
        assert refused(name, serial_number=serial, **fields) == missing


def test_whose_a_device_is_decides_who_may_see_it(house: House, refused: Refused) -> None:
    bob = house.user("bob", allow("iam:GetMFADevice", on="arn:aws:iam::*:user/${aws:username}"))
    own, serial = enabled(house, "bob", "Phone").serial, passkey(house, "bob", "passkey-of-bob")
    assert house.call("GetMFADevice", _as=bob, serial_number=own).user_name == "bob"
    assert house.call("GetMFADevice", _as=bob, serial_number=serial).user_name == "bob"
    for other in (
        own.replace("Phone", "phone"),
        own.replace(house.account_id, "999988887777"),
        own.replace("mfa/", "sms-mfa/"),
        "passkey-of-none",
    ):
        code, message = refused("GetMFADevice", _as=bob, serial_number=other)
        assert (code, message.endswith(f"on resource: {other} because no identity-based policy allows the iam:GetMFADevice action")) == (
            "AccessDenied",
            True,
        ), message
    house.call("DeactivateMFADevice", user_name="bob", serial_number=own)
    assert refused("GetMFADevice", _as=bob, serial_number=own)[0] == "AccessDenied"


def test_a_deleted_device_takes_its_tags_along(house: House) -> None:
    made = phone(house, tags=[{"key": "k", "value": "v"}])
    house.call("DeleteVirtualMFADevice", serial_number=made.serial)
    made = phone(house)
    assert list(house.call("ListMFADeviceTags", serial_number=made.serial).tags) == []
    with house.node.database.read() as session:
        assert session.query(MfaDevice).filter_by(account_id=house.account_id).count() == 1
