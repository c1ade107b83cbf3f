"""What an account demands of passwords, over the whole pipeline."""

from types import SimpleNamespace
from typing import Any

import pytest

from sekisho.api.iam.v1 import password_policies_pb2
from sekisho.calls import permission
from sekisho.errors import SekishoError
from sekisho.operations import Resource
from sekisho.services.iam import password_policies
from sekisho.services.iam.errors import PasswordPolicyViolation
from sekisho.store.tables import PasswordPolicy
from tests.calls.fakes import ACCOUNT
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


TYPES = ("uppercase_characters", "lowercase_characters", "numbers", "symbols")
MISSING = {
    name: f"Password should have at least one {called}"
    for name, called in zip(TYPES, ("uppercase letter", "lowercase letter", "number", "symbol"), strict=True)
}
SYMBOLS = "!@#$%^&*()_+-=[]{}|'"


def refusal(rule: Any, password: str, account: str = "account", user: str = "user", *, alone: bool = False) -> str:
    """The sentence against a password, nothing when it is good."""
    try:
        password_policies.check(rule, password, account, user_name=user, alone=alone)
    except PasswordPolicyViolation as error:
        return error.message
    return ""


def rule(*demanded: str, length: int = 6) -> Any:
    return SimpleNamespace(minimum_password_length=length, **{f"require_{name}": name in demanded for name in TYPES})


@pytest.mark.parametrize(
    ("demanded", "good", "bad"),
    [
        ("uppercase_characters", "AZ", "az09@[`{é"),
        ("lowercase_characters", "az", "AZ09@[`{é"),
        ("numbers", "09", "AZaz/:é"),
        ("symbols", SYMBOLS, 'AZaz09 ~.:;<>?,/\\"`é'),
    ],
)
def test_one_character_of_a_type_is_enough(demanded: str, good: str, bad: str) -> None:
    for one in good:
        assert refusal(rule(demanded), "ひびきの森" + one) == "", one
    for one in bad:
        assert refusal(rule(demanded), "ひびきの森" + one) == MISSING[demanded], one


def test_what_is_demanded_is_told_in_its_order() -> None:
    assert refusal(rule(*TYPES), "ひびきの森は") == ", ".join(MISSING.values())
    assert refusal(rule("numbers", "uppercase_characters"), "ひびきの森は") == f"{MISSING['uppercase_characters']}, {MISSING['numbers']}"
    assert refusal(rule(length=7), "ひびきの森は") == "Password should have a minimum length of 7"
    assert refusal(rule(length=6), "ひびきの森は") == ""


def test_without_a_policy_three_of_the_types_and_another_name_than_the_accounts() -> None:
    assert refusal(None, "Qm3wtk8") == "Password should have a minimum length of 8"
    for good in ("Qm34wtk8", "qm-45w78", "QM-45W78", "Qm-wtkzh", "Qm-4wtk8"):
        assert refusal(None, good) == ""
    more = "Password should meet {} more of the following requirements: {}"
    assert refusal(None, "qm45wtk8") == more.format(1, f"{MISSING['uppercase_characters']}, {MISSING['symbols']}")
    assert refusal(None, "ひびきの森はああ") == more.format(3, ", ".join(MISSING.values()))
    assert refusal(None, "Qm34wtk8", "Qm34wtk8") == "Password should not be the name of the account"


def test_no_policy_lowers_what_is_beneath_it() -> None:
    common = "Password should not be commonly used, or the name of the user or the account"
    alone = "Password should have a minimum length of 15 for a user without an MFA device"
    assert refusal(rule(), "Qm34wtk8-Qx9zp", alone=True) == alone
    assert refusal(rule(), "Qm34wtk8-Qx9zp1", alone=True) == refusal(rule(), "Qm34wtk8-Qx9zp") == ""
    assert refusal(rule(), "Qm34wtK8", "qM34WTk8") == common
    assert refusal(rule(), "Qm34wtK8", user="qM34WTk8") == common
    assert refusal(rule(), "P@ssw0rd") == common


def said(function: Any, *given: Any) -> tuple[str, str]:
    with pytest.raises(SekishoError) as caught:
        function(*given)
    return caught.value.code, caught.value.message


FLAGS = (
    "require_symbols",
    "require_numbers",
    "require_uppercase_characters",
    "require_lowercase_characters",
    "allow_users_to_change_password",
)


@pytest.mark.parametrize("flag", FLAGS)
@pytest.mark.parametrize("there", [True, False])
def test_a_policy_is_what_the_request_says_of_it(monkeypatch: pytest.MonkeyPatch, flag: str, there: bool) -> None:
    monkeypatch.setattr(password_policies, "permit", lambda call, of: None)
    before = PasswordPolicy(
        account_id=ACCOUNT, **dict.fromkeys(FLAGS, True), max_password_age=7, password_reuse_prevention=7, hard_expiry=True
    )
    rows = [before] if there else []
    session = SimpleNamespace(get=lambda table, id_: rows[0] if rows and id_ == ACCOUNT else None)
    call: Any = SimpleNamespace(account_id=ACCOUNT, session=session, add=rows.append)

    def shown(**fields: Any) -> Any:
        password_policies.update_account_password_policy(call, password_policies_pb2.UpdateAccountPasswordPolicyRequest(**fields))
        assert rows == ([before] if there else rows[:1])
        return password_policies.get_account_password_policy(call, password_policies_pb2.GetAccountPasswordPolicyRequest()).password_policy

    none = dict.fromkeys(FLAGS, False)
    expected: dict[str, Any] = none | {flag: True, "minimum_password_length": 9, "expire_passwords": True, "max_password_age": 3}
    expected |= {"password_reuse_prevention": 4, "hard_expiry": False}
    wanted = {name: value for name, value in expected.items() if name != "expire_passwords"}
    assert shown(**wanted) == password_policies_pb2.PasswordPolicy(**expected)
    assert shown() == password_policies_pb2.PasswordPolicy(**none, minimum_password_length=6, expire_passwords=False)


def test_an_account_without_a_policy_shows_none(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[Any] = []
    monkeypatch.setattr(permission, "demand", lambda call, action, of, keys, *, beside: asked.append((action, of, keys, beside)))
    operation, principal = SimpleNamespace(action="iam:Get"), SimpleNamespace(kind="user")
    row: Any = None
    session = SimpleNamespace(get=lambda table, id_: row, delete=asked.append)
    call: Any = SimpleNamespace(account_id=ACCOUNT, session=session, operation=operation, caller=SimpleNamespace(principal=principal))
    sentence = f"The Password Policy with domain name {ACCOUNT} cannot be found."
    assert said(password_policies.get_account_password_policy, call, None) == ("NoSuchEntity", sentence)
    sentence = "The account policy with name PasswordPolicy cannot be found."
    assert said(password_policies.delete_account_password_policy, call, None) == ("NoSuchEntity", sentence)
    assert asked == [("iam:Get", Resource("*"), {}, ())]
    for kind, allowed, beside in (("user", True, 1), ("user", False, 0), ("root", True, 0), ("assumed-role", True, 0)):
        row, principal.kind = SimpleNamespace(allow_users_to_change_password=allowed), kind
        password_policies.permit(call, Resource("arn"))
        assert (asked[-1][:3], len(asked[-1][3])) == (("iam:Get", Resource("arn"), {}), beside)
    password_policies.delete_account_password_policy(call, password_policies_pb2.DeleteAccountPasswordPolicyRequest())
    assert asked[-1] is row
