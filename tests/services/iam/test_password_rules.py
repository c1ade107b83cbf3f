"""What a password must be, by the policy of its account and beneath it."""

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

TYPES = ("uppercase_characters", "lowercase_characters", "numbers", "symbols")
MISSING = {
    name: f"Password should have at least one {called}"
    for name, called in zip(TYPES, ("uppercase letter", "lowercase letter", "number", "symbol"), strict=True)
}
SYMBOLS = "!@#$%^&*()_+-=[]{}|'"


def refusal(rule: Any, password: str, account: str = "account", user: str = "user", *, alone: bool = False) -> str:
    """What is said against a password, nothing when it is good."""
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
