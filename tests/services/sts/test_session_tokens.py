"""GetSessionToken: for oneself, with and without MFA. Rules: SEMANTICS 25-26."""

import time
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime
from typing import Any

import pytest

from sekisho import sigv4
from sekisho.errors import SekishoError
from tests.harness import House
from tests.services.conftest import Refused
from tests.services.iam.documents import allow, trust
from tests.services.iam.mfa import Phone, enabled
from tests.services.sts.roles import may

FAILED = ("AccessDenied", "MultiFactorAuthentication failed with invalid MFA one time pass code. ")
NEEDS_BOTH = ("AccessDenied", "MultiFactorAuthentication failed, must provide both MFA serial number and one time pass code. ")


def session(house: House, caller: sigv4.Credentials | None = None, **fields: Any) -> sigv4.Credentials:
    """Credentials of GetSessionToken."""
    made = house.call("GetSessionToken", _as=caller, **fields).credentials
    return sigv4.Credentials(made.access_key_id, made.secret_access_key, made.session_token)


@pytest.fixture
def ann(house: House) -> sigv4.Credentials:
    return house.user("ann", allow("iam:ListUsers", "orders:Ship"), allow("sts:AssumeRole"))


@pytest.fixture
def device(house: House, ann: sigv4.Credentials, stopped_clock: datetime) -> Phone:
    return enabled(house, "ann")


def test_the_session_acts_as_the_user(house: House, ann: sigv4.Credentials) -> None:
    made = session(house, ann)
    identity, own = (house.call("GetCallerIdentity", _as=who) for who in (made, ann))
    assert (identity.arn, identity.user_id, identity.account) == (own.arn, own.user_id, house.account_id)
    assert identity.arn == f"arn:aws:iam::{house.account_id}:user/ann"
    assert may(house, made)
    assert not may(house, made, "orders:Cancel")


def test_without_mfa_it_calls_no_iam_and_little_of_sts(house: House, ann: sigv4.Credentials, refused: Refused) -> None:
    made = session(house, ann)
    assert refused("ListUsers", _as=made) == ("AccessDenied", "Cannot call ListUsers with session credentials")
    for name, fields in (
        ("GetSessionToken", {}),
        ("GetFederationToken", {"name": "bob"}),
        ("GetAccessKeyInfo", {"access_key_id": "A" * 20}),
    ):
        assert refused(name, _as=made, **fields) == ("AccessDenied", f"Cannot call {name} with session credentials")


def test_with_mfa_it_calls_iam_and_says_so(house: House, ann: sigv4.Credentials, device: Phone) -> None:
    made = session(house, ann, serial_number=device.serial, token_code=device.code())
    assert [user.user_name for user in house.call("ListUsers", _as=made).users] == ["ann"]
    when = {"Bool": {"aws:MultiFactorAuthPresent": "true"}, "NumericLessThan": {"aws:MultiFactorAuthAge": "60"}}
    house.call("PutUserPolicy", user_name="ann", policy_name="mfa", policy_document=allow("orders:Refund", when=when))
    assert may(house, made, "orders:Refund")
    assert not may(house, ann, "orders:Refund")
    assert not may(house, session(house, ann), "orders:Refund")


def test_without_mfa_the_key_is_there_and_false(house: House, ann: sigv4.Credentials) -> None:
    house.call(
        "PutUserPolicy",
        user_name="ann",
        policy_name="no-mfa",
        policy_document=allow("orders:Refund", when={"Bool": {"aws:MultiFactorAuthPresent": "false"}}),
    )
    assert may(house, session(house, ann), "orders:Refund")
    assert not may(house, ann, "orders:Refund")


def test_a_code_is_used_once(house: House, ann: sigv4.Credentials, device: Phone, refused: Refused) -> None:
    code = device.code()
    session(house, ann, serial_number=device.serial, token_code=code)
    assert refused("GetSessionToken", _as=ann, serial_number=device.serial, token_code=code) == FAILED


def test_of_many_who_use_a_code_at_once_one_succeeds(house: House, ann: sigv4.Credentials, device: Phone) -> None:
    code = device.code()
    house.call("GetCallerIdentity", _as=ann)  # who is in memory waits for no place to be looked up

    def tried(_: int) -> str:
        try:
            house.call("GetSessionToken", _as=ann, serial_number=device.serial, token_code=code)
        except SekishoError as error:
            return error.code
        return "ok"

    with ThreadPoolExecutor(8) as pool:
        assert sorted(pool.map(tried, range(8))) == ["AccessDenied"] * 7 + ["ok"]


def test_codes_that_are_not_the_callers(house: House, ann: sigv4.Credentials, device: Phone, refused: Refused) -> None:
    bob = house.user("bob")
    other = enabled(house, "bob", "other")
    for who, serial, code in (
        (ann, other.serial, other.code()),
        (ann, device.serial, other.code()),
        (bob, device.serial, device.code()),
        (None, device.serial, device.code()),
        (ann, device.serial, device.code(5)),
        (ann, device.serial + "x", device.code()),
    ):
        assert refused("GetSessionToken", _as=who, serial_number=serial, token_code=code) == FAILED
    session(house, ann, serial_number=device.serial, token_code=device.code())


@pytest.mark.parametrize("fields", [{"token_code": "123456"}, {"serial_number": "arn:aws:iam::1:mfa/x"}], ids=["no_serial", "no_code"])
def test_a_serial_number_and_a_code_go_together(refused: Refused, ann: sigv4.Credentials, fields: dict[str, str]) -> None:
    assert refused("GetSessionToken", _as=ann, **fields) == NEEDS_BOTH


def test_a_drifting_device_is_taken_as_it_is(house: House, ann: sigv4.Credentials, device: Phone, refused: Refused) -> None:
    house.call("ResyncMFADevice", user_name="ann", serial_number=device.serial, **device.pair(60))
    assert refused("GetSessionToken", _as=ann, serial_number=device.serial, token_code=device.code()) == FAILED
    session(house, ann, serial_number=device.serial, token_code=device.code(61))


@pytest.mark.parametrize(
    ("as_root", "asked", "lasts"),
    [(False, None, 43_200), (False, 900, 900), (False, 129_600, 129_600), (True, None, 3600), (True, 7200, 3600), (True, 900, 900)],
)
def test_how_long_it_lasts(house: House, as_root: bool, asked: int | None, lasts: int) -> None:
    caller = None if as_root else house.user("bob")
    fields: dict[str, Any] = {"duration_seconds": asked} if asked is not None else {}
    before = int(time.time())
    ends = house.call("GetSessionToken", _as=caller, **fields).credentials.expiration.seconds
    assert before + lasts <= ends <= int(time.time()) + lasts


@pytest.mark.parametrize("seconds", [899, 129_601])
def test_durations_that_are_not_possible(refused: Refused, ann: sigv4.Credentials, seconds: int) -> None:
    assert refused("GetSessionToken", _as=ann, duration_seconds=seconds)[0] == "ValidationError"


def test_a_root_user_gets_one_of_root(house: House) -> None:
    made = session(house)
    assert house.call("GetCallerIdentity", _as=made).arn == f"arn:aws:iam::{house.account_id}:root"
    assert may(house, made, "orders:Anything")


def test_no_policy_can_deny_it(house: House) -> None:
    deny = '{"Version":"2012-10-17","Statement":[{"Effect":"Deny","Action":"*","Resource":"*"}]}'
    session(house, house.user("bob", deny))


def test_a_role_session_cannot_get_one(house: House, ann: sigv4.Credentials, refused: Refused) -> None:
    house.call("CreateRole", role_name="r", assume_role_policy_document=trust(f"arn:aws:iam::{house.account_id}:user/ann"))
    assumed = house.assume(f"arn:aws:iam::{house.account_id}:role/r", _as=ann)
    for name, fields in (("GetSessionToken", {}), ("GetFederationToken", {"name": "bob"})):
        assert refused(name, _as=assumed, **fields)[0] == "AccessDenied"


def test_a_session_may_assume_a_role(house: House, ann: sigv4.Credentials) -> None:
    house.call("CreateRole", role_name="r", assume_role_policy_document=trust(f"arn:aws:iam::{house.account_id}:user/ann"))
    assumed = house.assume(f"arn:aws:iam::{house.account_id}:role/r", _as=session(house, ann))
    assert house.call("GetCallerIdentity", _as=assumed).arn == f"arn:aws:sts::{house.account_id}:assumed-role/r/session"


def test_a_token_size_is_not_promised(refused: Refused, ann: sigv4.Credentials) -> None:
    assert refused("GetSessionToken", _as=ann, minimum_session_token_size=10)[0] == "Unimplemented"
