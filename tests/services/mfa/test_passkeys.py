"""Passkeys, over the whole pipeline: registered, listed, used in place of a code, and everything that is refused."""

import json
import re
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import cbor2
import pytest
from sqlalchemy import select

from sekisho.errors import SekishoError
from sekisho.store.tables import AuditRecord, Authenticator
from tests import clock, harness
from tests.harness import House
from tests.services.conftest import Refused
from tests.services.iam.documents import allow
from tests.services.iam.mfa import enabled
from tests.services.mfa.authenticator import ATTESTED, PRESENT, VERIFIED, Passkey, data, text
from tests.services.mfa.conftest import Person, person
from tests.services.sts.roles import may, trusting
from tests.services.sts.test_session_tokens import FAILED, NEEDS_BOTH, session

NOT_ONE = ("InvalidPasskey", "The passkey was not made for this server, this user and the options that were given last.")


@pytest.fixture(autouse=True)
def moment(stopped_clock: datetime) -> datetime:
    return stopped_clock


def test_a_passkey_is_a_device_with_awss_serial_number(house: House, ann: Person, refused: Refused) -> None:
    assert re.fullmatch(f"arn:aws:iam::{house.account_id}:u2f/user/ann/laptop-[A-Z2-7]{{26}}", ann.serial)
    (listed,) = house.call("ListMFADevices", user_name="ann").mfa_devices
    got = house.call("GetMFADevice", serial_number=ann.serial)
    for shown in (listed, got):
        assert (shown.user_name, shown.serial_number) == ("ann", ann.serial)
        assert shown.enable_date.seconds == int(clock.now().timestamp())
    assert list(house.call("ListVirtualMFADevices").virtual_mfa_devices) == []
    gone = ("NoSuchEntity", f"MFA Device with serial number {ann.serial} does not exist.")
    assert refused("DeleteVirtualMFADevice", serial_number=ann.serial) == gone
    assert refused("DeleteUser", user_name="ann")[0] == "DeleteConflict"
    pair = {"authentication_code1": "123456", "authentication_code2": "654321"}
    assert refused("EnableMFADevice", user_name="ann", serial_number=ann.serial, **pair)[0] == "EntityAlreadyExists"
    assert refused("ResyncMFADevice", user_name="ann", serial_number=ann.serial, **pair)[0] == "InvalidAuthenticationCode"
    summary = house.call("GetAccountSummary").summary_map
    assert (summary["MFADevices"], summary["MFADevicesInUse"], summary["AccountMFAEnabled"]) == (1, 1, 0)
    house.call("DeactivateMFADevice", user_name="ann", serial_number=ann.serial)
    assert list(house.call("ListMFADevices", user_name="ann").mfa_devices) == []
    assert refused("GetMFADevice", serial_number=ann.serial) == gone
    assert refused("BeginPasskeyAssertion", _as=ann.keys)[0] == "NoSuchEntity"


def test_what_a_browser_is_given(house: House, ann: Person) -> None:
    made = json.loads(house.call("BeginPasskeyRegistration", _as=ann.keys).options)
    assert (made["rp"], made["attestation"], made["timeout"]) == ({"name": "Sekisho", "id": "example.com"}, "none", 300_000)
    assert made["authenticatorSelection"]["userVerification"] == "required"
    assert made["user"]["name"] == f"ann@{house.account_id}"
    assert [data(one["id"]) for one in made["excludeCredentials"]] == [ann.passkey.id]
    asked = json.loads(ann.options())
    assert (asked["rpId"], asked["userVerification"]) == ("example.com", "required")
    assert [data(one["id"]) for one in asked["allowCredentials"]] == [ann.passkey.id]
    assert asked["challenge"] != json.loads(ann.options())["challenge"]


def test_it_is_used_where_a_code_can_be(house: House, ann: Person) -> None:
    made = session(house, ann.keys, **ann.proof())
    assert may(house, made, "orders:Ship")
    house.call("GetCallerIdentity", _as=made)
    trust = trusting(house.account_id, when={"Bool": {"aws:MultiFactorAuthPresent": "true"}})
    role = house.call("CreateRole", role_name="vault", assume_role_policy_document=trust).role.arn
    with pytest.raises(SekishoError, match="not authorized to perform: sts:AssumeRole"):
        house.assume(role, _as=ann.keys)
    house.assume(role, _as=ann.keys, **ann.proof())
    house.assume(role, _as=made)
    plain = replace(ann, keys=session(house, ann.keys))
    house.assume(role, _as=plain.keys, **plain.proof())  # a session without MFA can step up, as with a code


def test_one_that_does_not_count_is_used_again_and_again(house: House) -> None:
    bob = person(house, house.user("bob", allow("iam:EnableMFADevice")), Passkey(counts=False))
    for _ in range(3):
        session(house, bob.keys, **bob.proof())


P256 = Passkey().cose()
CALLED_I = bytes(16) + (32).to_bytes(2) + b"i" * 32
WRONG_MAKING: dict[str, dict[str, Any]] = {
    "another origin": {"origin": "https://example.org"},
    "the origin of a domain that begins alike": {"origin": "https://console.example.com.evil.org"},
    "an origin without TLS": {"origin": "http://console.example.com"},
    "another rp id": {"rp_id": "example.org"},
    "a page within another's": {"cross_origin": True},
    "the type of an assertion": {"type": "webauthn.get"},
    "a user who was not verified": {"flags": PRESENT | ATTESTED},
    "a user who was not there": {"flags": VERIFIED | ATTESTED},
    "no key": {"flags": PRESENT | VERIFIED},
    "a challenge of somebody's own": {"challenge": text(b"0" * 48)},
    "an empty challenge": {"challenge": ""},
    "a format that is not read": {"fmt": "tpm"},
    "a statement of no format": {"statement": {"sig": b"x"}},
    "packed without a signature": {"fmt": "packed", "statement": {"alg": -7}},
    "packed with a wrong one": {"fmt": "packed", "statement": {"alg": -7, "sig": b"x" * 70}},
    "packed with certificates": {"fmt": "packed", "statement": {"alg": -7, "sig": b"x" * 70, "x5c": [b"x"]}},
    "an id that is too short": {"attested": bytes(16) + (4).to_bytes(2) + b"abcd" + cbor2.dumps({1: 2})},
    "an id that goes beyond the end": {"attested": bytes(16) + (60_000).to_bytes(2) + b"abcd"},
    "no CBOR": {"attestation": b"\xff" * 40},
    "an array that claims to be endless": {"attestation": b"\x9b\x00\x00\x00\x7f\xff\xff\xff\xff"},
    "a string that claims to be endless": {"attestation": b"\x5b\x00\x00\x00\x7f\xff\xff\xff\xff"},
    "arrays within arrays": {"attestation": b"\x81" * 9000},
    "an unknown curve": {
        "attested": CALLED_I + cbor2.dumps({1: 2, 3: -7, -1: 9, -2: b"x", -3: b"y"}),
        "id": b"i" * 32,
    },
    "an id of another credential": {"attested": CALLED_I + P256},
    "a point that is on no curve": {
        "attested": CALLED_I + cbor2.dumps({1: 2, 3: -7, -1: 1, -2: b"x" * 32, -3: b"y" * 32}),
        "id": b"i" * 32,
    },
    "an RSA key that nobody could check in time": {
        "attested": CALLED_I + cbor2.dumps({1: 3, 3: -257, -1: b"\xff" * 2048, -2: b"\1\0\1"}),
        "id": b"i" * 32,
    },
    "an algorithm that is not admitted": {
        "attested": CALLED_I + cbor2.dumps({1: 2, 3: -8, -1: 1, -2: b"x" * 32, -3: b"y" * 32}),
        "id": b"i" * 32,
    },
}


@pytest.mark.parametrize("case", WRONG_MAKING)
def test_what_is_not_made_for_us_is_no_passkey(house: House, refused: Refused, case: str) -> None:
    keys = house.user("eve", allow("iam:EnableMFADevice"))
    options = house.call("BeginPasskeyRegistration", _as=keys).options
    credential = Passkey().register(options, **WRONG_MAKING[case])
    assert refused("CompletePasskeyRegistration", _as=keys, label="x", credential=credential) == NOT_ONE
    assert list(house.call("ListMFADevices", user_name="eve").mfa_devices) == []


@pytest.mark.parametrize("credential", ["{}", "[]", "null", '{"id": 7}', "[" * 16_000, "no JSON"])
def test_what_is_no_credential_is_no_passkey(house: House, refused: Refused, credential: str) -> None:
    keys = house.user("eve", allow("iam:EnableMFADevice"))
    assert refused("CompletePasskeyRegistration", _as=keys, label="x", credential=credential) == NOT_ONE


def test_options_make_one_passkey_of_one_user_in_their_time(house: House, ann: Person, refused: Refused, moment: datetime) -> None:
    bob = house.user("bob", allow("iam:EnableMFADevice"))
    of_bob = house.call("BeginPasskeyRegistration", _as=bob).options
    ask: dict[str, Any] = {"label": "x", "credential": Passkey().register(of_bob)}
    assert refused("CompletePasskeyRegistration", _as=ann.keys, **ask) == NOT_ONE
    assert refused("CompletePasskeyRegistration", user_name="bob", **ask) == NOT_ONE  # of another caller, too
    with clock.stopped(moment + timedelta(minutes=5, seconds=2)):
        assert refused("CompletePasskeyRegistration", _as=bob, **ask) == NOT_ONE
    house.call("CompletePasskeyRegistration", _as=bob, **ask)
    again = {"label": "y", "credential": Passkey().register(of_bob)}
    assert refused("CompletePasskeyRegistration", _as=bob, **again)[1] == "The options were used already; begin again."
    # what was given for an assertion makes no passkey
    assert refused("CompletePasskeyRegistration", _as=ann.keys, label="x", credential=Passkey().register(ann.options())) == NOT_ONE


def test_a_passkey_is_one_persons(house: House, ann: Person, refused: Refused) -> None:
    bob = house.user("bob", allow("iam:EnableMFADevice"))
    options = house.call("BeginPasskeyRegistration", _as=bob).options
    assert refused("CompletePasskeyRegistration", _as=bob, label="x", credential=ann.passkey.register(options)) == (
        "EntityAlreadyExists",
        "MFA Device is already in use.",
    )


def test_an_administrator_registers_one_for_somebody(house: House) -> None:
    house.call("CreateUser", user_name="cleo", path="/x/")
    options = house.call("BeginPasskeyRegistration", user_name="cleo").options
    made = house.call("CompletePasskeyRegistration", user_name="cleo", label="key", credential=Passkey().register(options))
    assert made.serial_number.startswith(f"arn:aws:iam::{house.account_id}:u2f/user/cleo/key-")


def test_registering_takes_the_permission_to_enable_devices(house: House, ann: Person, refused: Refused) -> None:
    eve = house.user("eve")
    for name, fields in (("BeginPasskeyRegistration", {}), ("CompletePasskeyRegistration", {"label": "x", "credential": "{}"})):
        assert "not authorized to perform: iam:EnableMFADevice on resource: " in refused(name, _as=eve, **fields)[1]
    only_self = house.user("finn", allow("iam:EnableMFADevice", on=f"arn:aws:iam::{house.account_id}:user/finn"))
    house.call("BeginPasskeyRegistration", _as=only_self)
    assert refused("BeginPasskeyRegistration", _as=only_self, user_name="ann")[0] == "AccessDenied"
    assert refused("BeginPasskeyRegistration", _as=only_self, user_name="nobody")[0] == "AccessDenied"
    assert refused("BeginPasskeyRegistration", user_name="nobody")[0] == "NoSuchEntity"
    plain = session(house, ann.keys)
    assert refused("BeginPasskeyRegistration", _as=plain)[1] == "Cannot call BeginPasskeyRegistration with session credentials"
    house.call("BeginPasskeyRegistration", _as=session(house, ann.keys, **ann.proof()))


def test_eight_devices_of_all_kinds(house: House, refused: Refused) -> None:
    bob = person(house, house.user("bob", allow("iam:EnableMFADevice")))
    for number in range(3):
        enabled(house, "bob", f"phone-{number}")
        person(house, bob.keys, label=f"key-{number}")
    options = house.call("BeginPasskeyRegistration", _as=bob.keys).options
    person(house, bob.keys, label="last")
    full = ("LimitExceeded", "Cannot exceed quota for MFADevicesPerUser: 8")
    assert refused("CompletePasskeyRegistration", _as=bob.keys, label="x", credential=Passkey().register(options)) == full
    assert refused("BeginPasskeyRegistration", _as=bob.keys) == full
    with pytest.raises(SekishoError, match="Cannot exceed quota for MFADevicesPerUser: 8"):
        enabled(house, "bob", "ninth")
    pages = [house.call("ListMFADevices", user_name="bob", max_items=5)]
    pages.append(house.call("ListMFADevices", user_name="bob", max_items=5, marker=pages[0].marker))
    serials = [device.serial_number for page in pages for device in page.mfa_devices]
    assert ([len(page.mfa_devices) for page in pages], len(set(serials)), serials) == ([5, 3], 8, sorted(serials))
    assert [page.is_truncated for page in pages] == [True, False]


WRONG_SIGNING: dict[str, dict[str, Any]] = {
    "another origin": {"origin": "https://example.org"},
    "another rp id": {"rp_id": "example.org"},
    "a page within another's": {"cross_origin": True},
    "the type of a registration": {"type": "webauthn.create"},
    "a user who was not verified": {"flags": PRESENT},
    "a user who was not there": {"flags": VERIFIED},
    "a count that stood still": {"count": 1},
    "a count that went back": {"count": 0},
    "another passkey": {"id": b"i" * 32},
    "another user's handle": {"user_handle": b"AIDAOTHER"},
    "a challenge of somebody's own": {"challenge": text(b"0" * 48)},
    "no signature": {"signature": b""},
    "a signature of something else": {"signature": b"0" * 70},
}


@pytest.mark.parametrize("case", WRONG_SIGNING)
def test_a_wrong_assertion_proves_nothing(house: House, ann: Person, refused: Refused, case: str) -> None:
    session(house, ann.keys, **ann.proof())  # the count is 1
    assert refused("GetSessionToken", _as=ann.keys, **ann.proof(**WRONG_SIGNING[case])) == FAILED
    session(house, ann.keys, **ann.proof())


@pytest.mark.parametrize("assertion", ["{}", "[]", '{"id": 7}', "[" * 16_000])
def test_what_is_no_assertion_proves_nothing(house: House, ann: Person, refused: Refused, assertion: str) -> None:
    assert refused("GetSessionToken", _as=ann.keys, serial_number=ann.serial, passkey_assertion=assertion) == FAILED


def test_an_assertion_is_of_one_key_one_caller_and_one_time(house: House, ann: Person, refused: Refused, moment: datetime) -> None:
    bob = person(house, house.user("bob", allow("iam:EnableMFADevice")))
    stolen = ann.proof()
    assert refused("GetSessionToken", _as=bob.keys, **stolen) == FAILED
    assert refused("GetSessionToken", _as=bob.keys, **{**stolen, "serial_number": bob.serial}) == FAILED
    # signed by the right key over somebody else's challenge
    crossed = {"serial_number": bob.serial, "passkey_assertion": bob.passkey.sign(ann.options())}
    assert refused("GetSessionToken", _as=bob.keys, **crossed) == FAILED
    # signed over the challenge of a registration
    making = house.call("BeginPasskeyRegistration", _as=ann.keys).options
    assert refused("GetSessionToken", _as=ann.keys, serial_number=ann.serial, passkey_assertion=ann.passkey.sign(making)) == FAILED
    with clock.stopped(moment + timedelta(minutes=5, seconds=2)):
        assert refused("GetSessionToken", _as=ann.keys, **stolen) == FAILED
    session(house, ann.keys, **stolen)
    assert refused("GetSessionToken", _as=ann.keys, **stolen) == FAILED
    # a second signature over a challenge that was used
    options = ann.options()
    session(house, ann.keys, serial_number=ann.serial, passkey_assertion=ann.passkey.sign(options))
    again = {"serial_number": ann.serial, "passkey_assertion": ann.passkey.sign(options)}
    assert refused("GetSessionToken", _as=ann.keys, **again) == FAILED


def test_of_another_account_it_is_nothing(house: House, ann: Person) -> None:
    elsewhere = house.account()
    with pytest.raises(SekishoError, match=re.escape(FAILED[1])):
        session(house, elsewhere, **ann.proof())
    with pytest.raises(SekishoError, match="has no such passkey"):
        house.call("BeginPasskeyAssertion", _as=elsewhere, serial_number=ann.serial)


def test_a_clone_is_refused_and_the_key_that_counts_on_is_not(house: House, ann: Person, refused: Refused) -> None:
    clone = replace(ann, passkey=replace(ann.passkey))
    for _ in range(2):
        session(house, ann.keys, **ann.proof())
    assert refused("GetSessionToken", _as=ann.keys, **clone.proof()) == FAILED
    session(house, ann.keys, **ann.proof())


def test_of_many_uses_at_once_one_wins(house: House, ann: Person) -> None:
    proof = ann.proof()

    def use(_: int) -> bool:
        try:
            session(house, ann.keys, **proof)
        except SekishoError:
            return False
        return True

    with ThreadPoolExecutor(6) as pool:
        assert sum(pool.map(use, range(12))) == 1


def test_a_code_and_an_assertion_are_not_given_together(house: House, ann: Person, refused: Refused) -> None:
    proof = ann.proof()
    assert refused("GetSessionToken", _as=ann.keys, **proof, token_code="123456") == NEEDS_BOTH
    assert refused("GetSessionToken", _as=ann.keys, passkey_assertion=proof["passkey_assertion"]) == NEEDS_BOTH
    assert refused("GetSessionToken", _as=ann.keys, serial_number=ann.serial, token_code="123456") == FAILED
    phone = enabled(house, "ann")
    assert refused("GetSessionToken", _as=ann.keys, **{**ann.proof(), "serial_number": phone.serial}) == FAILED


def test_sessions_of_roles_have_none(house: House, ann: Person, refused: Refused) -> None:
    role = house.call("CreateRole", role_name="r", assume_role_policy_document=trusting(house.account_id)).role.arn
    assert refused("BeginPasskeyAssertion", _as=house.assume(role, _as=ann.keys))[0] == "NoSuchEntity"


def test_nothing_of_it_is_shown_in_the_record(house: House, ann: Person) -> None:
    proof = ann.proof()
    session(house, ann.keys, **proof)
    with house.node.database.read() as reading:
        records = list(reading.scalars(select(AuditRecord).where(AuditRecord.account_id == house.account_id)))
        row = reading.scalars(select(Authenticator).where(Authenticator.account_id == house.account_id)).one()
    signature = json.loads(proof["passkey_assertion"])["response"]["signature"]
    assert not any(signature in f"{record.request}{record.response}" for record in records)
    assert (row.sign_count, row.credential_id) == (1, text(ann.passkey.id))


def test_a_server_that_was_told_no_domain_makes_none(shared: harness.House, house: House, ann: Person, refused: Refused) -> None:
    proof = ann.proof()
    house.node = shared.node
    assert refused("BeginPasskeyRegistration", _as=ann.keys)[0] == "PasskeysNotConfigured"
    assert refused("BeginPasskeyAssertion", _as=ann.keys)[0] == "PasskeysNotConfigured"
    assert refused("GetSessionToken", _as=ann.keys, **proof) == FAILED
