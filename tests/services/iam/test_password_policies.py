"""What an account demands of passwords, over the whole pipeline."""

from typing import Any

import pytest

from tests.harness import House
from tests.services.conftest import Refused
from tests.services.iam import mfa
from tests.services.iam.documents import allow

NO_POLICY = "The Password Policy with domain name {} cannot be found."


def test_a_policy_comes_changes_and_goes(house: House, refused: Refused) -> None:
    assert refused("GetAccountPasswordPolicy") == ("NoSuchEntity", NO_POLICY.format(house.account_id))
    house.call("UpdateAccountPasswordPolicy", minimum_password_length=12, require_symbols=True, max_password_age=90, hard_expiry=True)
    shown = house.call("GetAccountPasswordPolicy").password_policy
    assert (shown.minimum_password_length, shown.require_symbols, shown.require_numbers) == (12, True, False)
    assert (shown.expire_passwords, shown.max_password_age, shown.hard_expiry) == (True, 90, True)
    assert not shown.HasField("password_reuse_prevention")
    house.call("UpdateAccountPasswordPolicy")
    shown = house.call("GetAccountPasswordPolicy").password_policy
    assert (shown.minimum_password_length, shown.require_symbols, shown.expire_passwords) == (6, False, False)
    assert not shown.HasField("max_password_age")
    house.call("DeleteAccountPasswordPolicy")
    assert refused("DeleteAccountPasswordPolicy") == ("NoSuchEntity", "The account policy with name PasswordPolicy cannot be found.")


@pytest.mark.parametrize(
    "fields",
    [
        {"minimum_password_length": 5},
        {"minimum_password_length": 129},
        {"max_password_age": 0},
        {"max_password_age": 1096},
        {"password_reuse_prevention": 25},
    ],
)
def test_values_that_no_policy_has(refused: Refused, fields: dict[str, int]) -> None:
    assert refused("UpdateAccountPasswordPolicy", **fields)[0] == "ValidationError"


@pytest.mark.parametrize(
    ("policy", "password", "sentence"),
    [
        (None, "Aa1-567", "Password should have a minimum length of 8"),
        (None, "Qm34wtk8", ""),
        (None, "qm-45w78", ""),
        (
            None,
            "aa345678",
            (
                "Password should meet 1 more of the following requirements: "
                "Password should have at least one uppercase letter, Password should have at least one symbol"
            ),
        ),
        (
            None,
            "éééééééé",
            (
                "Password should meet 3 more of the following requirements: Password should have at least one uppercase letter, "
                "Password should have at least one lowercase letter, Password should have at least one number, "
                "Password should have at least one symbol"
            ),
        ),
        ({}, "qmzwtk", ""),
        ({}, "aaaaa", "Password should have a minimum length of 6"),
        ({"minimum_password_length": 14}, "Aa1-567890123", "Password should have a minimum length of 14"),
        ({"require_uppercase_characters": True}, "aaaaaa", "Password should have at least one uppercase letter"),
        ({"require_lowercase_characters": True}, "AAAAAA", "Password should have at least one lowercase letter"),
        ({"require_numbers": True}, "aaaaaa", "Password should have at least one number"),
        ({"require_symbols": True}, "aaaaaa", "Password should have at least one symbol"),
        ({"require_symbols": True}, "aaaaa a", "Password should have at least one symbol"),
        ({"require_symbols": True}, "qmzwt'", ""),
        (
            {"require_numbers": True, "require_symbols": True},
            "aaaaaa",
            "Password should have at least one number, Password should have at least one symbol",
        ),
    ],
)
@pytest.mark.usefixtures("stopped_clock")
def test_what_a_password_must_be(house: House, refused: Refused, policy: dict[str, Any] | None, password: str, sentence: str) -> None:
    house.call("CreateUser", user_name="ann")
    mfa.enabled(house, "ann")  # with a device, the account's policy decides about the length
    if policy is not None:
        house.call("UpdateAccountPasswordPolicy", **policy)
    if sentence:
        assert refused("CreateLoginProfile", user_name="ann", password=password) == ("PasswordPolicyViolation", sentence)
    else:
        house.call("CreateLoginProfile", user_name="ann", password=password)


def test_who_may_read_it(house: House, refused: Refused) -> None:
    bob = house.user("bob")
    house.call("UpdateAccountPasswordPolicy")
    code, message = refused("GetAccountPasswordPolicy", _as=bob)
    assert (code, "iam:GetAccountPasswordPolicy on resource: *" in message) == ("AccessDenied", True)
    house.call("UpdateAccountPasswordPolicy", allow_users_to_change_password=True)
    assert house.call("GetAccountPasswordPolicy", _as=bob).password_policy.allow_users_to_change_password is True
    assert refused("UpdateAccountPasswordPolicy", _as=bob)[0] == "AccessDenied"


ALONE = ("PasswordPolicyViolation", "Password should have a minimum length of 15 for a user without an MFA device")
COMMON = ("PasswordPolicyViolation", "Password should not be commonly used, or the name of the user or the account")


@pytest.mark.usefixtures("stopped_clock")
def test_a_password_that_is_the_only_proof_has_fifteen_characters(house: House, refused: Refused) -> None:
    house.call("CreateUser", user_name="ann")
    assert refused("CreateLoginProfile", user_name="ann", password="Qm34wtk8-Qx9zp") == ALONE
    house.call("UpdateAccountPasswordPolicy", minimum_password_length=8)  # which does not lower it
    assert refused("CreateLoginProfile", user_name="ann", password="Qm34wtk8-Qx9zp") == ALONE
    house.call("CreateLoginProfile", user_name="ann", password="Qm34wtk8-Qx9zp1")
    assert refused("UpdateLoginProfile", user_name="ann", password="Qm34wtk8") == ALONE
    mfa.enabled(house, "ann")
    house.call("UpdateLoginProfile", user_name="ann", password="Qm34wtk8")
    house.call("UpdateAccountPasswordPolicy", minimum_password_length=20)
    assert refused("UpdateLoginProfile", user_name="ann", password="Qm34wtk8-Qx9zp1") == (
        "PasswordPolicyViolation",
        "Password should have a minimum length of 20",
    )


@pytest.mark.parametrize(
    "password",
    [
        *("Password-1", "P@ssw0rd", "Qwerty123456!", "Iloveyou-2026", "LETMEIN-2024!", "Dragon-Dragon-1", "Aa1-Aa1-Aa1-Aa1-"),
        *("Abcdefghijklmnop", "PASSWORDpassword1", "zyxwvutsrqponmlk", "Ann-Of-The-Dock"),
    ],
)  # fmt: skip
@pytest.mark.usefixtures("stopped_clock")
def test_a_common_password_is_refused(house: House, refused: Refused, password: str) -> None:
    house.call("CreateUser", user_name="Ann-of-the-dock")
    mfa.enabled(house, "Ann-of-the-dock")
    house.call("UpdateAccountPasswordPolicy")
    assert refused("CreateLoginProfile", user_name="Ann-of-the-dock", password=password) == COMMON


@pytest.mark.usefixtures("stopped_clock")
def test_who_changes_a_password_is_held_to_the_same(house: House, refused: Refused) -> None:
    ann = house.user("ann", allow("iam:ChangePassword"))
    old = "Qm34wtk8-Qx9zp1"
    house.call("CreateLoginProfile", user_name="ann", password=old)
    assert refused("ChangePassword", _as=ann, old_password=old, new_password="Qm34wtk8") == ALONE
    assert refused("ChangePassword", _as=ann, old_password=old, new_password="Password-password-1") == COMMON
