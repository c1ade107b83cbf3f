"""What an account demands of its users' passwords.

Beneath it are the rules of NIST SP 800-63B-4 (section 3.1.1.2), which no policy lowers: a password that is the only proof has at least 15
characters, and none is one that many have chosen.
Source: https://docs.aws.amazon.com/IAM/latest/UserGuide/id_credentials_passwords_account-policy.html
"""

from collections.abc import Callable

from sekisho import policy
from sekisho.api.iam.v1 import password_policies_pb2 as pb
from sekisho.calls import permission
from sekisho.calls.call import Call
from sekisho.credentials import common_passwords
from sekisho.operations import Resource, operation
from sekisho.services.iam.errors import NoSuchEntity, PasswordPolicyViolation
from sekisho.store.tables import PasswordPolicy

REMEMBERED = 24
"""The most old passwords that a policy can rule out."""

_SYMBOLS = frozenset("!@#$%^&*()_+-=[]{}|'")
_FOR_ALL_USERS = policy.Attached(
    policy.compiled(
        '{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":["iam:ChangePassword","iam:GetAccountPasswordPolicy"],"Resource":"*"}]}'
    ),
    name="AllowUsersToChangePassword",
)
_DEFAULT_LENGTH = 8
_DEFAULT_TYPES = 3
ALONE = 15
"""Characters of a password of a user who has no MFA device."""

# What a password may have to have: the column that demands it, what it is called, and how a character of it is known.
_TYPES: tuple[tuple[str, str, Callable[[str], bool]], ...] = (
    ("require_uppercase_characters", "uppercase letter", lambda c: "A" <= c <= "Z"),
    ("require_lowercase_characters", "lowercase letter", lambda c: "a" <= c <= "z"),
    ("require_numbers", "number", lambda c: "0" <= c <= "9"),
    ("require_symbols", "symbol", lambda c: c in _SYMBOLS),
)


@operation
def update_account_password_policy(call: Call, request: pb.UpdateAccountPasswordPolicyRequest) -> pb.UpdateAccountPasswordPolicyResponse:
    """In place of the one that there is, as a whole. Passwords that there are stay as they are."""
    row = call.session.get(PasswordPolicy, call.account_id)
    if row is None:
        row = PasswordPolicy(account_id=call.account_id)
        call.add(row)
    row.minimum_password_length = request.minimum_password_length or 6
    row.require_symbols = request.require_symbols
    row.require_numbers = request.require_numbers
    row.require_uppercase_characters = request.require_uppercase_characters
    row.require_lowercase_characters = request.require_lowercase_characters
    row.allow_users_to_change_password = request.allow_users_to_change_password
    row.max_password_age = request.max_password_age or None
    row.password_reuse_prevention = request.password_reuse_prevention or None
    row.hard_expiry = request.hard_expiry if request.HasField("hard_expiry") else None
    return pb.UpdateAccountPasswordPolicyResponse()


@operation
def get_account_password_policy(call: Call, request: pb.GetAccountPasswordPolicyRequest) -> pb.GetAccountPasswordPolicyResponse:
    """An account without one has a default, which is not shown."""
    permit(call, Resource("*"))
    row = call.session.get(PasswordPolicy, call.account_id)
    if row is None:
        raise NoSuchEntity(f"The Password Policy with domain name {call.account_id} cannot be found.")
    shown = pb.PasswordPolicy(
        minimum_password_length=row.minimum_password_length,
        require_symbols=row.require_symbols,
        require_numbers=row.require_numbers,
        require_uppercase_characters=row.require_uppercase_characters,
        require_lowercase_characters=row.require_lowercase_characters,
        allow_users_to_change_password=row.allow_users_to_change_password,
        expire_passwords=row.max_password_age is not None,
        max_password_age=row.max_password_age,
        password_reuse_prevention=row.password_reuse_prevention,
        hard_expiry=row.hard_expiry,
    )
    return pb.GetAccountPasswordPolicyResponse(password_policy=shown)


@operation
def delete_account_password_policy(call: Call, request: pb.DeleteAccountPasswordPolicyRequest) -> pb.DeleteAccountPasswordPolicyResponse:
    """The default holds from now on."""
    row = call.session.get(PasswordPolicy, call.account_id)
    if row is None:
        raise NoSuchEntity("The account policy with name PasswordPolicy cannot be found.")
    call.session.delete(row)
    return pb.DeleteAccountPasswordPolicyResponse()


def permit(call: Call, of: Resource) -> None:
    """Raise AccessDenied unless the caller's policies allow the operation, or the account's password policy lets all its users do it.

    The latter is as if every user had the permission: a boundary still limits it, and an explicit deny wins.
    """
    row = call.session.get(PasswordPolicy, call.account_id)
    for_all_users = row is not None and row.allow_users_to_change_password and call.caller.principal.kind == "user"
    permission.demand(call, call.operation.action, of, {}, beside=(_FOR_ALL_USERS,) if for_all_users else ())


def check(row: PasswordPolicy | None, password: str, account_name: str, *, user_name: str, alone: bool) -> None:
    """Raise PasswordPolicyViolation when a password is not what the policy demands; without a row, what AWS demands by default; or when it
    is common, the user's own name, or too short to be `alone`, without an MFA device.

    Which passwords were used before is not asked here: that takes hashing.
    """
    _check_policy(row, password, account_name)
    if alone and len(password) < ALONE:
        raise PasswordPolicyViolation(f"Password should have a minimum length of {ALONE} for a user without an MFA device")
    if password.casefold() in (user_name.casefold(), account_name.casefold()) or common_passwords.is_common(password):
        raise PasswordPolicyViolation("Password should not be commonly used, or the name of the user or the account")


def _check_policy(row: PasswordPolicy | None, password: str, account_name: str) -> None:
    least = row.minimum_password_length if row is not None else _DEFAULT_LENGTH
    missing = {column: f"Password should have at least one {name}" for column, name, of in _TYPES if not any(map(of, password))}
    if len(password) < least:
        raise PasswordPolicyViolation(f"Password should have a minimum length of {least}")
    if row is not None:
        broken = [sentence for column, sentence in missing.items() if getattr(row, column)]
        if broken:
            raise PasswordPolicyViolation(", ".join(broken))
        return
    lacking = _DEFAULT_TYPES - (len(_TYPES) - len(missing))
    if lacking > 0:
        sentences = ", ".join(missing.values())
        raise PasswordPolicyViolation(f"Password should meet {lacking} more of the following requirements: {sentences}")
    if password == account_name:
        raise PasswordPolicyViolation("Password should not be the name of the account")
