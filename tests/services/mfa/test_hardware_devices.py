"""Hardware devices whose seed somebody tells, and MFA devices of root users, over the whole pipeline."""

from base64 import b32encode
from datetime import datetime
from typing import Any

import pytest

from sekisho.credentials import one_time
from sekisho.credentials.envelopes import SealBroken
from sekisho.store.tables import Authenticator
from tests import clock
from tests.harness import House
from tests.services.conftest import Refused
from tests.services.iam.documents import allow
from tests.services.iam.mfa import enabled, phone
from tests.services.mfa.conftest import person
from tests.services.sts.roles import may
from tests.services.sts.test_session_tokens import FAILED, session

SERIAL = "GAHT12345678"
SEED = bytes(range(20))
BASE32 = b32encode(SEED).decode()


@pytest.fixture(autouse=True)
def moment(stopped_clock: datetime) -> datetime:
    return stopped_clock


def code(ahead: int = 0) -> str:
    return one_time.code(SEED, one_time.step(clock.now()) + ahead)


def pair(ahead: int = 0) -> dict[str, Any]:
    return {"authentication_code1": code(ahead - 1), "authentication_code2": code(ahead)}


def test_a_device_comes_to_a_user_and_leaves_again(house: House, refused: Refused) -> None:
    ann = house.user("ann", allow("orders:Ship"))
    made = house.call("CreateHardwareDevice", serial_number=SERIAL, base32_string_seed=BASE32).device
    assert (made.serial_number, made.HasField("user_name"), made.HasField("enable_date")) == (SERIAL, False, False)
    house.call("EnableMFADevice", user_name="ann", serial_number=SERIAL, **pair(-1))
    (listed,) = house.call("ListHardwareDevices").devices
    (device,) = house.call("ListMFADevices", user_name="ann").mfa_devices
    assert (listed.user_name, device.user_name, device.serial_number) == ("ann", "ann", SERIAL)
    assert house.call("GetMFADevice", serial_number=SERIAL, user_name="ann").serial_number == SERIAL
    assert list(house.call("ListVirtualMFADevices").virtual_mfa_devices) == []
    assert may(house, session(house, ann, serial_number=SERIAL, token_code=code()), "orders:Ship")
    assert refused("GetSessionToken", _as=ann, serial_number=SERIAL, token_code=code()) == FAILED
    assert refused("DeleteHardwareDevice", serial_number=SERIAL) == ("DeleteConflict", "MFA device in use. Must deactivate first.")
    house.call("ResyncMFADevice", user_name="ann", serial_number=SERIAL, **pair(60))
    house.call("DeactivateMFADevice", user_name="ann", serial_number=SERIAL)
    assert refused("GetSessionToken", _as=ann, serial_number=SERIAL, token_code=code(1)) == FAILED
    house.call("DeleteHardwareDevice", serial_number=SERIAL)
    assert list(house.call("ListHardwareDevices").devices) == []


WRONG = {
    "no base32": ("1" * 32, "InvalidInput"),
    "too short": (b32encode(bytes(15)).decode(), "InvalidInput"),
    "too long": (b32encode(bytes(65)).decode(), "InvalidInput"),
    "a letter too many": (BASE32 + "A", "InvalidInput"),
}


@pytest.mark.parametrize("case", WRONG)
def test_a_seed_must_be_one(house: House, refused: Refused, case: str) -> None:
    seed, expected = WRONG[case]
    assert refused("CreateHardwareDevice", serial_number=SERIAL, base32_string_seed=seed)[0] == expected
    assert list(house.call("ListHardwareDevices").devices) == []


def test_padding_and_case_of_a_seed_do_not_matter(house: House) -> None:
    house.call("CreateUser", user_name="ann")
    house.call("CreateHardwareDevice", serial_number=SERIAL, base32_string_seed=b32encode(SEED).decode().lower())
    house.call("EnableMFADevice", user_name="ann", serial_number=SERIAL, **pair())


def test_a_serial_number_is_taken_once_in_an_account_and_is_no_arn(house: House, refused: Refused) -> None:
    house.call("CreateHardwareDevice", serial_number=SERIAL, base32_string_seed=BASE32)
    assert refused("CreateHardwareDevice", serial_number=SERIAL, base32_string_seed=BASE32)[0] == "EntityAlreadyExists"
    assert refused("CreateHardwareDevice", serial_number="arn:aws:iam::1:mfa/x", base32_string_seed=BASE32)[0] == "ValidationError"
    house.call("CreateHardwareDevice", _as=house.account(), serial_number=SERIAL, base32_string_seed=BASE32)


def test_the_seed_is_sealed_to_its_row(house: House) -> None:
    house.call("CreateHardwareDevice", serial_number=SERIAL, base32_string_seed=BASE32)
    with house.node.database.read() as reading:
        row = reading.query(Authenticator).filter_by(account_id=house.account_id).one()
        sealed = bytes(row.seed or b"")
    assert SEED not in sealed
    assert one_time.unseal(row.id, sealed, house.node.ring, table="authenticators") == SEED
    with pytest.raises(SealBroken):
        one_time.unseal(row.id, sealed, house.node.ring)


def test_it_takes_permission(house: House, refused: Refused) -> None:
    eve = house.user("eve", allow("iam:*"))
    for name, fields in (
        ("CreateHardwareDevice", {"serial_number": SERIAL, "base32_string_seed": BASE32}),
        ("DeleteHardwareDevice", {"serial_number": SERIAL}),
        ("ListHardwareDevices", {}),
    ):
        assert f"not authorized to perform: mfa:{name}" in refused(name, _as=eve, **fields)[1]


def test_the_root_user_has_devices_of_all_kinds(house: House, refused: Refused) -> None:
    made = phone(house, "root-account-mfa-device")
    assert house.call("GetAccountSummary").summary_map["AccountMFAEnabled"] == 0
    house.call("EnableRootDevice", serial_number=made.serial, **made.pair(-1))
    house.call("CreateHardwareDevice", serial_number=SERIAL, base32_string_seed=BASE32)
    house.call("EnableRootDevice", serial_number=SERIAL, **pair(-1))
    own = person(house, house.root)
    of, _, name = own.serial.rpartition("/")
    assert (of.split("/"), name.partition("-")[0]) == ([f"arn:aws:iam::{house.account_id}:u2f", "root"], "laptop")
    listed = [device.serial_number for device in house.call("ListMFADevices").mfa_devices]
    assert listed == sorted([made.serial, SERIAL, own.serial])
    assert house.call("GetAccountSummary").summary_map["AccountMFAEnabled"] == 1
    assert [one.serial_number for one in house.call("ListVirtualMFADevices", assignment_status="Assigned").virtual_mfa_devices]
    assert not house.call("ListVirtualMFADevices", assignment_status="Unassigned").virtual_mfa_devices
    proofs: tuple[dict[str, Any], ...] = (
        {"serial_number": made.serial, "token_code": made.code()},
        {"serial_number": SERIAL, "token_code": code()},
        own.proof(),
    )
    for proof in proofs:
        house.call("CreateUser", _as=session(house, house.root, **proof), user_name=f"by-{len(proof['serial_number'])}")
    house.call("CreateUser", user_name="ann")
    assert refused("EnableMFADevice", user_name="ann", serial_number=made.serial, **made.pair(1))[0] == "EntityAlreadyExists"
    assert refused("DeleteVirtualMFADevice", serial_number=made.serial)[0] == "DeleteConflict"
    assert refused("DeactivateMFADevice", user_name="ann", serial_number=made.serial)[1] == "MFA Device invalid for user."
    for serial in listed:
        house.call("DeactivateMFADevice", serial_number=serial)
    assert list(house.call("ListMFADevices").mfa_devices) == []
    assert house.call("GetAccountSummary").summary_map["AccountMFAEnabled"] == 0
    house.call("DeleteVirtualMFADevice", serial_number=made.serial)


def test_the_root_users_device_is_enabled_by_itself_alone(house: House, refused: Refused) -> None:
    made = phone(house)
    admin = house.user("admin", allow("*"))
    assert refused("EnableRootDevice", _as=admin, serial_number=made.serial, **made.pair())[0] == "AccessDenied"
    assert refused("EnableRootDevice", serial_number=made.serial, **made.pair(9))[0] == "InvalidAuthenticationCode"
    assert refused("EnableRootDevice", serial_number="GAHT00000000", **made.pair())[0] == "NoSuchEntity"
    other = enabled(house, "admin", "other")
    assert refused("EnableRootDevice", serial_number=other.serial, **other.pair())[0] == "EntityAlreadyExists"
    elsewhere = house.account()
    assert refused("EnableRootDevice", _as=elsewhere, serial_number=made.serial, **made.pair())[0] == "NoSuchEntity"


def test_the_credential_report_knows_all_kinds(house: House) -> None:
    person(house, house.user("ann", allow("iam:EnableMFADevice")))
    house.call("CreateUser", user_name="bob")
    house.call("GenerateCredentialReport")
    lines = house.call("GetCredentialReport").content.decode().splitlines()
    column = lines[0].split(",").index("mfa_active")
    assert {line.split(",")[0]: line.split(",")[column] for line in lines[1:]} == {"<root_account>": "false", "ann": "true", "bob": "false"}
