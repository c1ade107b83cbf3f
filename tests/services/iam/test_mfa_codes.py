"""Operations on MFA devices whose rows are fakes."""

from types import SimpleNamespace
from typing import Any

import pytest

from sekisho.api.iam.v1 import mfa_devices_pb2
from sekisho.calls import devices
from sekisho.credentials import one_time
from sekisho.errors import SekishoError
from sekisho.services.iam import entities, mfa_devices, users
from sekisho.store.tables import MfaDevice, Root, User
from tests.calls.fakes import ACCOUNT, NOW

WRONG = "Authentication code for device is not valid."
ANN = User(id="AIDAANN", account_id=ACCOUNT, name="Ann", name_key="ann", path="/")


def device(name: str, **columns: Any) -> MfaDevice:
    return MfaDevice(**{"id": name, "account_id": ACCOUNT, "name": name, "name_key": name, "path": "/", "of_root": False} | columns)


def serial(name: str) -> str:
    return f"arn:aws:iam::{ACCOUNT}:mfa/{name}"


@pytest.mark.parametrize(
    ("after", "most", "names", "marker"),
    [
        ("", 0, "abc", None),
        ("", 3, "abc", None),
        ("", 2, "ab", serial("b")),
        (serial("a"), 1, "b", serial("b")),
        (serial("b"), 5, "c", None),
        (serial("c"), 5, "", None),
    ],
)
@pytest.mark.parametrize("owner", [ANN, Root(id=ACCOUNT, name="root")])
def test_a_page_of_devices(monkeypatch: pytest.MonkeyPatch, owner: Any, after: str, most: int, names: str, marker: str | None) -> None:
    cursor = SimpleNamespace(open=lambda text: [text], marker=lambda values: str(*values))
    monkeypatch.setattr(entities, "cursor", lambda *_: cursor)
    monkeypatch.setattr(users, "find_named_or_own", lambda *_: owner)
    rows = [device(name, enabled_at=NOW) for name in "abc"]
    monkeypatch.setattr(devices, "load_of", lambda session, account_id, id_: rows if (account_id, id_) == (ACCOUNT, owner.id) else [])
    call: Any = SimpleNamespace(session=None, account_id=ACCOUNT)
    found = mfa_devices.list_mfa_devices(call, mfa_devices_pb2.ListMFADevicesRequest(marker=after, max_items=most))
    assert [one.serial_number for one in found.mfa_devices] == [serial(name) for name in names]
    assert {one.user_name for one in found.mfa_devices} <= {"Ann" if owner is ANN else ""}
    assert (found.HasField("is_truncated"), found.is_truncated) == (True, marker is not None)
    assert (found.marker if found.HasField("marker") else None) == marker


class Codes:
    """A node on which the codes of one device are proved, or not."""

    def __init__(self, patched: pytest.MonkeyPatch, row: MfaDevice | None, step: int | None) -> None:
        self.asked: list[Any] = []
        patched.setattr(entities, "find", lambda *_: ANN)
        patched.setattr(devices, "get_device", lambda session, account_id, serial_number: row)
        patched.setattr(devices, "load_of", lambda *_: ["device"] * 7)
        patched.setattr(devices, "seed", lambda *_: b"seed")

        def pair(seed: bytes, first: str, second: str, now: Any, *, window: int, after: int | None) -> int | None:
            self.asked.append((seed, first, second, now, window, after))
            return step

        patched.setattr(one_time, "pair", pair)
        self.call: Any = SimpleNamespace(session=None, account_id=ACCOUNT, now=NOW, node=SimpleNamespace(ring=None))


FIELDS: dict[str, Any] = {"serial_number": "s", "authentication_code1": "1", "authentication_code2": "2"}
ENABLE, RESYNC = mfa_devices_pb2.EnableMFADeviceRequest(**FIELDS), mfa_devices_pb2.ResyncMFADeviceRequest(**FIELDS)


def said(function: Any, *given: Any) -> tuple[str, str]:
    with pytest.raises(SekishoError) as caught:
        function(*given)
    return caught.value.code, caught.value.message


def test_two_codes_give_a_device_to_a_user(monkeypatch: pytest.MonkeyPatch) -> None:
    row = device("a", last_step=3, drift=5, failures=4)
    codes = Codes(monkeypatch, row, 9)
    mfa_devices.enable_mfa_device(codes.call, ENABLE)
    assert (row.user_id, row.last_step, row.drift, row.failures, row.enabled_at) == (ANN.id, 9, 0, 0, NOW)
    assert codes.asked == [(b"seed", "1", "2", NOW, one_time.WINDOW, 3)]
    assert said(mfa_devices.enable_mfa_device, codes.call, ENABLE) == ("EntityAlreadyExists", "MFA Device is already in use.")
    monkeypatch.setattr(devices, "load_of", lambda *_: ["device"] * 8)
    row.user_id = None
    sentence = "Cannot exceed quota for MFADevicesPerUser: 8"
    assert said(mfa_devices.enable_mfa_device, codes.call, ENABLE) == ("LimitExceeded", sentence)
    codes = Codes(monkeypatch, row, None)
    assert said(mfa_devices.enable_mfa_device, codes.call, ENABLE) == ("InvalidAuthenticationCode", WRONG)
    codes = Codes(monkeypatch, None, 9)
    sentence = "MFA Device with serial number s does not exist."
    assert said(mfa_devices.enable_mfa_device, codes.call, ENABLE) == ("NoSuchEntity", sentence)


def test_two_codes_say_how_wrong_the_clock_of_a_device_is(monkeypatch: pytest.MonkeyPatch) -> None:
    step = one_time.step(NOW)
    row = device("a", user_id=ANN.id, last_step=3, drift=5, failures=4)
    codes = Codes(monkeypatch, row, step - 7)
    mfa_devices.resync_mfa_device(codes.call, RESYNC)
    assert (row.last_step, row.drift, row.failures) == (step - 7, -7, 0)
    assert codes.asked == [(b"seed", "1", "2", NOW, one_time.RESYNC_WINDOW, 3)]
    row.user_id = "AIDABOB"
    assert said(mfa_devices.resync_mfa_device, codes.call, RESYNC) == ("NoSuchEntity", "MFA Device invalid for user.")
    row.user_id = ANN.id
    monkeypatch.setattr(devices, "shows_codes", lambda _: False)
    assert said(mfa_devices.resync_mfa_device, codes.call, RESYNC) == ("InvalidAuthenticationCode", WRONG)
