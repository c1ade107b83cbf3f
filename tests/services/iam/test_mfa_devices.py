"""Virtual MFA devices, over the whole pipeline."""

import json
import threading
from datetime import datetime
from typing import Any

import pytest
from sqlalchemy import event, select

from sekisho.store.tables import AuditRecord
from tests import clock
from tests.harness import House
from tests.services.conftest import Refused
from tests.services.iam.documents import allow
from tests.services.iam.mfa import enabled, phone

WRONG = ("InvalidAuthenticationCode", "Authentication code for device is not valid.")


@pytest.fixture(autouse=True)
def ann(house: House, stopped_clock: datetime) -> None:
    house.call("CreateUser", user_name="ann")


def missing(serial: str) -> tuple[str, str]:
    return ("NoSuchEntity", f"MFA Device with serial number {serial} does not exist.")


def test_a_new_device_shows_its_seed_once(house: House) -> None:
    tags = [{"key": "k", "value": "v"}]
    made = house.call("CreateVirtualMFADevice", virtual_mfa_device_name="Phone", path="/x/", tags=tags).virtual_mfa_device
    assert made.serial_number == f"arn:aws:iam::{house.account_id}:mfa/x/Phone"
    assert len(made.base32_string_seed) == 64
    assert made.qr_code_png.startswith(b"\x89PNG\r\n\x1a\n")
    assert [(tag.key, tag.value) for tag in made.tags] == [("k", "v")]
    (listed,) = house.call("ListVirtualMFADevices").virtual_mfa_devices
    assert {field.name for field, _ in listed.ListFields()} == {"serial_number"}
    with house.node.database.read() as session:
        (record,) = session.scalars(
            select(AuditRecord).where(AuditRecord.account_id == house.account_id, AuditRecord.event_name == "CreateVirtualMFADevice")
        )
    shown = json.loads(record.response)["virtualMFADevice"]
    assert (shown["base32StringSeed"], shown["qRCodePNG"]) == ("HIDDEN_DUE_TO_SECURITY_REASONS",) * 2


def test_a_device_comes_to_a_user_and_leaves_again(house: House, refused: Refused) -> None:
    made = phone(house)
    before = clock.now().timestamp()
    house.call("EnableMFADevice", user_name="ann", serial_number=made.serial, **made.pair())
    (device,) = house.call("ListMFADevices", user_name="ann").mfa_devices
    assert (device.user_name, device.serial_number) == ("ann", made.serial)
    assert int(before) <= device.enable_date.seconds
    (listed,) = house.call("ListVirtualMFADevices").virtual_mfa_devices
    assert (listed.user.user_name, listed.enable_date) == ("ann", device.enable_date)
    got = house.call("GetMFADevice", serial_number=made.serial)
    assert (got.user_name, got.serial_number, got.enable_date) == ("ann", made.serial, device.enable_date)
    assert refused("DeleteVirtualMFADevice", serial_number=made.serial) == (
        "DeleteConflict",
        "MFA VirtualDevice in use. Must deactivate first.",
    )
    assert refused("DeleteUser", user_name="ann") == ("DeleteConflict", "Cannot delete entity, must delete MFA device first.")
    house.call("DeactivateMFADevice", user_name="ann", serial_number=made.serial)
    assert not house.call("GetMFADevice", serial_number=made.serial).HasField("user_name")
    assert refused("DeactivateMFADevice", user_name="ann", serial_number=made.serial) == ("NoSuchEntity", "MFA Device invalid for user.")
    house.call("DeleteUser", user_name="ann")
    house.call("DeleteVirtualMFADevice", serial_number=made.serial)
    assert refused("DeleteVirtualMFADevice", serial_number=made.serial) == missing(made.serial)


def test_codes_must_be_those_of_the_device_and_follow_each_other(house: House, refused: Refused) -> None:
    made = phone(house)
    ask: dict[str, Any] = {"user_name": "ann", "serial_number": made.serial}
    assert refused("EnableMFADevice", **ask, authentication_code1=made.code(), authentication_code2=made.code()) == WRONG
    assert refused("EnableMFADevice", **ask, authentication_code1=made.code(0), authentication_code2=made.code(-1)) == WRONG
    assert refused("EnableMFADevice", **ask, **made.pair(-20)) == WRONG
    assert refused("EnableMFADevice", **ask, **phone(house, "other").pair()) == WRONG
    assert refused("EnableMFADevice", **ask, authentication_code1="12345", authentication_code2="abcdef")[0] == "ValidationError"
    assert list(house.call("ListMFADevices", user_name="ann").mfa_devices) == []
    house.call("EnableMFADevice", **ask, **made.pair())


def test_a_pair_of_codes_is_used_once(house: House, refused: Refused) -> None:
    made = phone(house)
    codes = made.pair()
    house.call("EnableMFADevice", user_name="ann", serial_number=made.serial, **codes)
    house.call("DeactivateMFADevice", user_name="ann", serial_number=made.serial)
    assert refused("EnableMFADevice", user_name="ann", serial_number=made.serial, **codes) == WRONG
    assert refused("ResyncMFADevice", user_name="ann", serial_number=made.serial, **codes) == (
        "NoSuchEntity",
        "MFA Device invalid for user.",
    )


def test_a_device_belongs_to_one_user(house: House, refused: Refused) -> None:
    house.call("CreateUser", user_name="bob")
    made = enabled(house, "ann")
    said = ("EntityAlreadyExists", "MFA Device is already in use.")
    assert refused("EnableMFADevice", user_name="bob", serial_number=made.serial, **made.pair()) == said
    assert refused("EnableMFADevice", user_name="ann", serial_number=made.serial, **made.pair()) == said
    other = ("NoSuchEntity", "MFA Device invalid for user.")
    assert refused("DeactivateMFADevice", user_name="bob", serial_number=made.serial) == other
    assert refused("ResyncMFADevice", user_name="bob", serial_number=made.serial, **made.pair()) == other
    assert refused("GetMFADevice", user_name="bob", serial_number=made.serial) == other
    assert house.call("GetMFADevice", user_name="ann", serial_number=made.serial).user_name == "ann"


def test_eight_a_user(house: House, refused: Refused) -> None:
    for number in range(8):
        enabled(house, "ann", f"phone-{number}")
    ninth = phone(house, "ninth")
    assert refused("EnableMFADevice", user_name="ann", serial_number=ninth.serial, **ninth.pair()) == (
        "LimitExceeded",
        "Cannot exceed quota for MFADevicesPerUser: 8",
    )


def test_a_device_whose_clock_is_wrong_is_set_right(house: House, refused: Refused) -> None:
    made = enabled(house, "ann")
    house.call("ResyncMFADevice", user_name="ann", serial_number=made.serial, **made.pair(60))
    assert 59 <= made.row.drift <= 60
    assert refused("ResyncMFADevice", user_name="ann", serial_number=made.serial, **made.pair(60)) == WRONG
    assert refused("ResyncMFADevice", user_name="ann", serial_number=made.serial, **made.pair(500)) == WRONG


def test_lists(house: House) -> None:
    enabled(house, "ann", "b")
    for name in ("C", "a"):
        phone(house, name)

    def names(**fields: Any) -> list[str]:
        devices = house.call("ListVirtualMFADevices", **fields).virtual_mfa_devices
        return [device.serial_number.rpartition("/")[2] for device in devices]

    assert names() == names(assignment_status="Any") == ["a", "b", "C"]
    assert names(assignment_status="Assigned") == ["b"]
    assert names(assignment_status="Unassigned") == ["a", "C"]
    page = house.call("ListVirtualMFADevices", max_items=2)
    assert (len(page.virtual_mfa_devices), page.is_truncated, names(marker=page.marker)) == (2, True, ["C"])


def test_a_name_is_unique_with_its_path(house: House, refused: Refused) -> None:
    """Source: AWS's own sentence, "MFADevice entity at the same path and name already exists." (issue 9)."""
    made = {path: house.call("CreateVirtualMFADevice", virtual_mfa_device_name="d", path=path) for path in ("/", "/x/", "/x/y/")}
    serials = [one.virtual_mfa_device.serial_number for one in made.values()]
    assert serials == [f"arn:aws:iam::{house.account_id}:mfa/{name}" for name in ("d", "x/d", "x/y/d")]
    for path in made:
        said = ("EntityAlreadyExists", "MFA device already exists.")
        assert refused("CreateVirtualMFADevice", virtual_mfa_device_name="D", path=path) == said
        assert refused("CreateVirtualMFADevice", virtual_mfa_device_name="d", path=path.upper()) == said
    house.call("DeleteVirtualMFADevice", serial_number=serials[1])
    assert refused("GetMFADevice", serial_number=serials[1]) == missing(serials[1])
    left = [device.serial_number for device in house.call("ListVirtualMFADevices").virtual_mfa_devices]
    assert left == [serials[0], serials[2]]
    assert house.call("GetMFADevice", serial_number=serials[2]).serial_number == serials[2]
    for wrong in (f"arn:aws:iam::{house.account_id}:mfa/y/d", f"arn:aws:iam::{house.account_id}:mfa//d"):
        assert refused("GetMFADevice", serial_number=wrong) == missing(wrong)


def test_names(house: House, refused: Refused) -> None:
    phone(house, "Phone")
    assert refused("CreateVirtualMFADevice", virtual_mfa_device_name="phone") == (
        "EntityAlreadyExists",
        "MFA device already exists.",
    )
    assert refused("CreateVirtualMFADevice", virtual_mfa_device_name="p" * 227) == (
        "InvalidInput",
        "The serial number of the device would have more than 256 characters.",
    )
    for serial in (f"arn:aws:iam::{house.account_id}:mfa/none", f"arn:aws:iam::{house.account_id}:mfa/phone", "GAHT12345678"):
        assert refused(
            "EnableMFADevice", user_name="ann", serial_number=serial, authentication_code1="123456", authentication_code2="123456"
        ) == missing(serial)
        for name in ("GetMFADevice", "DeleteVirtualMFADevice", "ListMFADeviceTags"):
            assert refused(name, serial_number=serial) == missing(serial)
    own = f"arn:aws:iam::{house.account_id}:mfa/Phone"
    assert refused("GetMFADevice", _as=house.account(), serial_number=own) == missing(own)
    nobody = ("NoSuchEntity", "The user with name nobody cannot be found.")
    assert (
        refused("EnableMFADevice", user_name="nobody", serial_number=own, authentication_code1="123456", authentication_code2="123456")
        == nobody
    )
    assert refused("ListMFADevices", user_name="nobody") == nobody


def test_a_user_sees_to_its_own_devices(house: House, refused: Refused) -> None:
    own = [
        allow("iam:*MFADevice*", on="arn:aws:iam::*:user/${aws:username}"),
        allow("iam:CreateVirtualMFADevice", "iam:TagMFADevice", on="arn:aws:iam::*:mfa/${aws:username}"),
    ]
    bob = house.user("bob", *own)
    assert refused("CreateVirtualMFADevice", _as=bob, virtual_mfa_device_name="ann")[0] == "AccessDenied"
    house.call("CreateVirtualMFADevice", _as=bob, virtual_mfa_device_name="bob")
    made = enabled(house, "bob", "bobs")
    assert [device.serial_number for device in house.call("ListMFADevices", _as=bob).mfa_devices] == [made.serial]
    assert house.call("GetMFADevice", _as=bob, serial_number=made.serial).user_name == "bob"
    of_ann = enabled(house, "ann", "anns")
    assert refused("GetMFADevice", _as=bob, serial_number=of_ann.serial)[0] == "AccessDenied"
    assert refused("DeactivateMFADevice", _as=bob, user_name="ann", serial_number=of_ann.serial)[0] == "AccessDenied"
    house.call("DeactivateMFADevice", _as=bob, serial_number=made.serial)
    assert list(house.call("ListMFADevices").mfa_devices) == []


def test_anothers_device_is_denied_as_one_that_is_not_there(house: House, refused: Refused) -> None:
    """To a user who is permitted to ask for its own alone; with the same sentence, and the same number of statements, looked up or not."""
    bob = house.user("bob", allow("iam:GetMFADevice", on="arn:aws:iam::*:user/${aws:username}"))
    others = {"another's": enabled(house, "ann", "anns").serial, "nobody's": phone(house, "spare").serial}
    others["missing"] = others["nobody's"].replace("spare", "nothing")

    def ask(serial: str, **fields: str) -> tuple[str, str, int]:
        sent = []
        engine = house.node.database.engine
        event.listen(engine, "before_cursor_execute", count := lambda *given: sent.append(threading.get_ident()))
        try:
            code, message = refused("GetMFADevice", _as=bob, serial_number=serial, **fields)
        finally:
            event.remove(engine, "before_cursor_execute", count)
        return code, message.replace(serial, "SERIAL"), sent.count(threading.get_ident())

    for fields in ({}, {"user_name": "bob"}, {"user_name": "ann"}):
        house.node.world._records.clear()
        house.node.world._names.clear()
        for look in ("cold", "warm"):
            answers = {what: ask(serial, **fields) for what, serial in others.items()}
            assert {code for code, _, _ in answers.values()} == {"AccessDenied"}, (fields, look)
            assert len({message for _, message, _ in answers.values()}) == 1, (fields, look)
            if look == "warm":
                assert len({statements for _, _, statements in answers.values()}) == 1, (fields, answers)
