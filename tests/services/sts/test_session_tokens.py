"""GetSessionToken: for oneself, with and without MFA. Rules: SEMANTICS 25-26."""

import time
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from sekisho import sigv4
from sekisho.api.sts.v1 import federation_tokens_pb2 as federation
from sekisho.api.sts.v1 import session_tokens_pb2 as pb
from sekisho.calls import one_time_proofs, passkey_proofs
from sekisho.credentials.sessions import Session
from sekisho.errors import AccessDenied, SekishoError, Unimplemented
from sekisho.services.sts import session_policies, session_tokens
from sekisho.world import Subject
from tests.calls import fakes
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


def asked(request: Any, subject: Subject = fakes.ANN) -> Any:
    """The response to a request, a part of a second after the whole."""
    name = type(request).__name__.removesuffix("Request")
    call = fakes.FakeNode(ring="ring").call(name, subject)
    call.now = fakes.NOW + timedelta(microseconds=999_999)
    return call.operation.function(call, request)


def plain(kind: Any, seconds: int, **fields: Any) -> Session:
    """A session of ann that lasts so long."""
    ends = fakes.NOW + timedelta(seconds=seconds)
    return Session(kind, fakes.ACCOUNT, "user", fakes.USER, fakes.USER_ARN, fakes.NOW, ends, **fields)


ROOT = Subject(fakes.ACCOUNT, fakes.ACCOUNT)


@pytest.mark.parametrize(
    ("who", "seconds", "lasts"),
    [(fakes.ANN, 0, 43_200), (fakes.ANN, 129_600, 129_600), (fakes.ANN, 900, 900), (ROOT, 0, 3600), (ROOT, 3601, 3600), (ROOT, 900, 900)],
)
def test_how_long_a_session_lasts(issued: list[Session], who: Subject, seconds: int, lasts: int) -> None:
    asked(pb.GetSessionTokenRequest(duration_seconds=seconds), who)
    asked(federation.GetFederationTokenRequest(duration_seconds=seconds, name="bob"), who)
    assert [one.expires_at - one.issued_at for one in issued] == [timedelta(seconds=lasts)] * 2
    assert [one.issued_at for one in issued] == [fakes.NOW] * 2


def test_what_a_session_for_oneself_is(issued: list[Session], monkeypatch: pytest.MonkeyPatch) -> None:
    made = asked(pb.GetSessionTokenRequest())
    assert (made.credentials.access_key_id, made.credentials.secret_access_key) == ("ASIA1", "secret")
    assert made.credentials.session_token == "token"
    assert made.credentials.expiration.ToDatetime(UTC) == fakes.NOW + timedelta(seconds=43_200)
    monkeypatch.setattr(one_time_proofs, "take", lambda *_: True)
    asked(pb.GetSessionTokenRequest(serial_number="device", token_code="123456"))
    assert issued == [plain("session-token", 43_200, mfa=False), plain("session-token", 43_200, mfa=True, mfa_at=fakes.NOW)]
    asked(pb.GetSessionTokenRequest(), ROOT)
    assert (issued[2].principal_kind, issued[2].principal_id) == ("root", fakes.ACCOUNT)


DOCUMENT = '{"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":"orders:*","Resource":"*"}}'


@pytest.mark.parametrize(
    ("fields", "session_fields", "size"),
    [
        ({}, {}, 0),
        ({"policy": DOCUMENT}, {"policy": DOCUMENT}, 17),
        ({"tags": [{"key": "b", "value": "1"}, {"key": "a", "value": ""}]}, {"tags": (("b", "1"), ("a", ""))}, 17),
    ],
)
def test_what_a_session_for_somebody_else_is(issued: list[Session], fields: dict[str, Any], session_fields: Any, size: int) -> None:
    made = asked(federation.GetFederationTokenRequest(name="bob", **fields))
    assert issued == [plain("federation", 43_200, session_name="bob", **session_fields)]
    assert (made.packed_policy_size, made.HasField("packed_policy_size")) == (size, True)
    named = f"arn:aws:sts::{fakes.ACCOUNT}:federated-user/bob"
    assert (made.federated_user.federated_user_id, made.federated_user.arn) == (f"{fakes.ACCOUNT}:bob", named)
    assert made.credentials.session_token == "token"
    call = fakes.FakeNode().call("GetFederationToken")
    assert session_tokens.federated_user(call, federation.GetFederationTokenRequest(name="bob"), "name").arn == named


def test_managed_policies_are_of_the_account_of_whoever_asks(issued: list[Session], monkeypatch: pytest.MonkeyPatch) -> None:
    given: list[str] = []

    def policies(_call: object, request: Any, account: str) -> tuple[str, tuple[str, ...]]:
        given.append(account)
        return "", tuple(one.arn for one in request.policy_arns)

    monkeypatch.setattr(session_policies, "policies", policies)
    made = asked(federation.GetFederationTokenRequest(name="bob", policy_arns=[{"arn": "p"}]))
    assert (given, issued[0].policy_arns, made.packed_policy_size) == ([fakes.ACCOUNT], ("p",), 17)


@pytest.mark.parametrize("request_", [pb.GetSessionTokenRequest, federation.GetFederationTokenRequest])
def test_no_session_gets_another_and_no_size_is_taken(request_: Any) -> None:
    name = request_.__name__.removesuffix("Request")
    with pytest.raises(AccessDenied) as caught:
        asked(request_(), fakes.deploying())
    assert caught.value.message == f"Cannot call {name} with session credentials"
    with pytest.raises(Unimplemented):
        asked(request_(minimum_session_token_size=1))


@pytest.mark.parametrize(
    ("fields", "wanted"),
    [
        ({}, False),
        ({"serial_number": "d", "token_code": "1"}, True),
        ({"serial_number": "d", "passkey_assertion": "p"}, True),
        ({"serial_number": "d", "token_code": "2"}, FAILED[1]),
        ({"serial_number": "d", "passkey_assertion": "q"}, FAILED[1]),
        ({"serial_number": "d"}, NEEDS_BOTH[1]),
        ({"token_code": "1"}, NEEDS_BOTH[1]),
        ({"passkey_assertion": "p"}, NEEDS_BOTH[1]),
        ({"token_code": "1", "passkey_assertion": "p"}, NEEDS_BOTH[1]),
        ({"serial_number": "d", "token_code": "1", "passkey_assertion": "p"}, NEEDS_BOTH[1]),
    ],
)
def test_a_proof_is_of_one_device_and_of_one_kind(monkeypatch: pytest.MonkeyPatch, fields: dict[str, Any], wanted: bool | str) -> None:
    monkeypatch.setattr(one_time_proofs, "take", lambda call, *given: (call, given) == ("call", ("d", "1")))
    monkeypatch.setattr(passkey_proofs, "take", lambda call, *given: (call, given) == ("call", ("d", "p")))
    call: Any = "call"
    if isinstance(wanted, bool):
        assert session_tokens.mfa(call, pb.GetSessionTokenRequest(**fields)) is wanted
        return
    with pytest.raises(AccessDenied) as caught:
        session_tokens.mfa(call, pb.GetSessionTokenRequest(**fields))
    assert caught.value.message == wanted
