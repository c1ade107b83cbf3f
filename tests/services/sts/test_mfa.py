"""MFA in AssumeRole: it satisfies the trust policy, and the session knows nothing of it. Rule: SEMANTICS 25."""

from datetime import datetime

import pytest

from sekisho import sigv4
from tests.harness import House
from tests.services.conftest import Refused
from tests.services.iam.documents import allow
from tests.services.iam.mfa import Phone, enabled
from tests.services.sts.roles import may, trusting
from tests.services.sts.test_session_tokens import FAILED, NEEDS_BOTH, session

WITH_MFA = {"Bool": {"aws:MultiFactorAuthPresent": "true"}, "NumericLessThan": {"aws:MultiFactorAuthAge": "300"}}


@pytest.fixture
def ann(house: House) -> sigv4.Credentials:
    return house.user("ann", allow("sts:AssumeRole"))


@pytest.fixture
def device(house: House, ann: sigv4.Credentials, stopped_clock: datetime) -> Phone:
    return enabled(house, "ann")


@pytest.fixture
def vault(house: House) -> str:
    document = trusting(house.account_id, when=WITH_MFA)
    arn: str = house.call("CreateRole", role_name="vault", assume_role_policy_document=document).role.arn
    house.call("PutRolePolicy", role_name="vault", policy_name="open", policy_document=allow("vault:Open"))
    house.call("PutRolePolicy", role_name="vault", policy_name="mfa", policy_document=allow("vault:Burn", when=WITH_MFA))
    return arn


def test_with_a_code_the_trust_policy_is_satisfied_and_the_session_has_no_mfa(
    house: House, refused: Refused, ann: sigv4.Credentials, device: Phone, vault: str
) -> None:
    assert refused("AssumeRole", _as=ann, role_arn=vault, role_session_name="s1")[0] == "AccessDenied"
    made = house.assume(vault, _as=ann, serial_number=device.serial, token_code=device.code())
    assert may(house, made, "vault:Open")
    assert not may(house, made, "vault:Burn")


def test_a_code_is_used_once_over_all_operations(house: House, refused: Refused, ann: sigv4.Credentials, device: Phone, vault: str) -> None:
    code = device.code()
    session(house, ann, serial_number=device.serial, token_code=code)
    assert refused("AssumeRole", _as=ann, role_arn=vault, role_session_name="s1", serial_number=device.serial, token_code=code) == FAILED


def test_a_session_with_mfa_satisfies_it_without_a_further_code(house: House, ann: sigv4.Credentials, device: Phone, vault: str) -> None:
    house.assume(vault, _as=session(house, ann, serial_number=device.serial, token_code=device.code()))


def test_a_session_without_mfa_does_not_until_it_gives_a_code(
    house: House, refused: Refused, ann: sigv4.Credentials, device: Phone, vault: str
) -> None:
    plain = session(house, ann)
    assert refused("AssumeRole", _as=plain, role_arn=vault, role_session_name="s1")[0] == "AccessDenied"
    house.assume(vault, _as=plain, serial_number=device.serial, token_code=device.code())


def test_a_wrong_code_says_nothing_of_the_role(house: House, refused: Refused, ann: sigv4.Credentials, device: Phone, vault: str) -> None:
    for role in (vault, f"arn:aws:iam::{house.account_id}:role/none"):
        ask = {"_as": ann, "role_arn": role, "role_session_name": "s1"}
        assert refused("AssumeRole", **ask, serial_number=device.serial, token_code=device.code(9)) == FAILED
        assert refused("AssumeRole", **ask, token_code=device.code()) == NEEDS_BOTH


def test_a_role_session_has_no_device(house: House, refused: Refused, ann: sigv4.Credentials, device: Phone, vault: str) -> None:
    house.call("CreateRole", role_name="plain", assume_role_policy_document=trusting(house.account_id))
    house.call("PutRolePolicy", role_name="plain", policy_name="p", policy_document=allow("sts:AssumeRole"))
    assumed = house.assume(f"arn:aws:iam::{house.account_id}:role/plain", _as=ann)
    ask = {"role_arn": vault, "role_session_name": "s1", "serial_number": device.serial, "token_code": device.code()}
    assert refused("AssumeRole", _as=assumed, **ask) == FAILED
