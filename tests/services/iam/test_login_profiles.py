"""Passwords of users, over the whole pipeline."""

import json
import threading
from typing import Any

import pytest
from sqlalchemy import select

from sekisho import sigv4
from sekisho.credentials import passwords
from sekisho.store.tables import AuditRecord, LoginProfile, PasswordHistory, User
from tests.harness import House
from tests.services.conftest import Refused
from tests.services.iam.documents import allow

GOOD, BETTER = "Correct horse 7", "Battery staple 8"
REUSED = ("PasswordPolicyViolation", "Policy constraint violation with password reuse prevention during password change.")
NONE = ("NoSuchEntity", "Login Profile for User ann cannot be found.")


@pytest.fixture
def ann(house: House) -> sigv4.Credentials:
    return house.user("ann", allow("iam:ChangePassword", on="arn:aws:iam::*:user/${aws:username}"))


def stored(house: House, user: str = "ann") -> LoginProfile | None:
    """The row of a user's password."""
    with house.node.database.read() as session:
        return session.scalars(select(LoginProfile).join(User).where(User.account_id == house.account_id, User.name == user)).one_or_none()


def fits(house: House, password: str) -> bool:
    row = stored(house)
    return row is not None and passwords.fits(password, row.password_hash)


def test_a_password_comes_changes_and_goes(house: House, refused: Refused, ann: sigv4.Credentials) -> None:
    assert refused("GetLoginProfile", user_name="ann") == NONE
    made = house.call("CreateLoginProfile", user_name="ann", password=GOOD).login_profile
    assert (made.user_name, made.password_reset_required, made.HasField("max_signin_session_duration")) == ("ann", False, False)
    assert made.create_date.seconds > 0
    assert fits(house, GOOD)
    assert house.call("GetLoginProfile", user_name="ann").login_profile == made
    assert refused("CreateLoginProfile", user_name="ann", password=GOOD) == (
        "EntityAlreadyExists",
        "Login Profile for user ann already exists.",
    )
    assert refused("DeleteUser", user_name="ann")[0] == "DeleteConflict"
    house.call("UpdateLoginProfile", user_name="ann", password_reset_required=True)
    assert fits(house, GOOD)
    house.call("UpdateLoginProfile", user_name="ann", password=BETTER)
    assert fits(house, BETTER)
    assert house.call("GetLoginProfile", user_name="ann").login_profile.password_reset_required is True
    house.call("DeleteLoginProfile", user_name="ann")
    assert refused("DeleteLoginProfile", user_name="ann") == NONE
    assert refused("UpdateLoginProfile", user_name="ann", password=GOOD) == NONE
    assert stored(house) is None


def test_a_user_is_deleted_with_its_old_passwords(house: House, refused: Refused) -> None:
    house.call("CreateUser", user_name="bob")
    house.call("CreateLoginProfile", user_name="bob", password=GOOD)
    assert refused("DeleteUser", user_name="bob") == ("DeleteConflict", "Cannot delete entity, must delete login profile first.")
    house.call("DeleteLoginProfile", user_name="bob")
    house.call("DeleteUser", user_name="bob")
    with house.node.database.read() as session:
        left = select(PasswordHistory).join(User).where(User.account_id == house.account_id)
        assert session.scalars(left).all() == []


def test_nothing_shows_the_password(house: House, ann: sigv4.Credentials) -> None:
    house.call("CreateLoginProfile", user_name="ann", password=GOOD)
    house.call("ChangePassword", _as=ann, old_password=GOOD, new_password=BETTER)
    with house.node.database.read() as session:
        records = session.scalars(select(AuditRecord).where(AuditRecord.account_id == house.account_id)).all()
        assert all(word not in record.request + record.response for record in records for word in (GOOD, BETTER, "argon2"))
        (changed,) = [json.loads(record.request) for record in records if record.event_name == "ChangePassword"]
    assert changed == {"oldPassword": "HIDDEN_DUE_TO_SECURITY_REASONS", "newPassword": "HIDDEN_DUE_TO_SECURITY_REASONS"}


def test_a_user_changes_its_own(house: House, refused: Refused, ann: sigv4.Credentials) -> None:
    assert refused("ChangePassword", _as=ann, old_password=GOOD, new_password=BETTER) == NONE
    house.call("CreateLoginProfile", user_name="ann", password=GOOD, password_reset_required=True)
    assert refused("ChangePassword", _as=ann, old_password=BETTER, new_password=BETTER) == (
        "AccessDenied",
        "The old password was incorrect.",
    )
    assert refused("ChangePassword", _as=ann, old_password=GOOD, new_password=GOOD) == REUSED
    assert refused("ChangePassword", _as=ann, old_password=GOOD, new_password="short")[0] == "PasswordPolicyViolation"
    assert fits(house, GOOD)
    house.call("ChangePassword", _as=ann, old_password=GOOD, new_password=BETTER)
    assert fits(house, BETTER)
    assert house.call("GetLoginProfile", user_name="ann").login_profile.password_reset_required is False


def test_who_may_change_a_password(house: House, refused: Refused) -> None:
    bob = house.user("bob")
    house.call("CreateLoginProfile", user_name="bob", password=GOOD)
    ask: dict[str, Any] = {"_as": bob, "old_password": GOOD, "new_password": BETTER}
    code, message = refused("ChangePassword", **ask)
    assert (code, f"iam:ChangePassword on resource: arn:aws:iam::{house.account_id}:user/bob" in message) == ("AccessDenied", True)
    house.call("UpdateAccountPasswordPolicy", allow_users_to_change_password=True)
    house.call("ChangePassword", **ask)
    deny = '{"Version":"2012-10-17","Statement":[{"Effect":"Deny","Action":"iam:ChangePassword","Resource":"*"}]}'
    house.call("PutUserPolicy", user_name="bob", policy_name="deny", policy_document=deny)
    assert refused("ChangePassword", _as=bob, old_password=BETTER, new_password=GOOD)[0] == "AccessDenied"
    root = {"old_password": GOOD, "new_password": BETTER}
    assert refused("ChangePassword", **root) == ("InvalidUserType", "Only IAM Users can change their own password.")


def test_a_boundary_limits_what_the_account_permits(house: House, refused: Refused) -> None:
    limit = house.call("CreatePolicy", policy_name="limit", policy_document=allow("s3:*")).policy.arn
    bob = house.user("bob", permissions_boundary=limit)
    house.call("CreateLoginProfile", user_name="bob", password=GOOD)
    house.call("UpdateAccountPasswordPolicy", allow_users_to_change_password=True)
    assert refused("ChangePassword", _as=bob, old_password=GOOD, new_password=BETTER)[0] == "AccessDenied"


def test_old_passwords_are_ruled_out_as_far_back_as_the_policy_says(house: House, refused: Refused, ann: sigv4.Credentials) -> None:
    house.call("CreateLoginProfile", user_name="ann", password="Horse-Battery-0")
    for number in (1, 2, 3):
        house.call("UpdateLoginProfile", user_name="ann", password=f"Horse-Battery-{number}")
    house.call("UpdateAccountPasswordPolicy", password_reuse_prevention=2)
    for number in (2, 3):
        assert refused("UpdateLoginProfile", user_name="ann", password=f"Horse-Battery-{number}") == REUSED
    assert refused("ChangePassword", _as=ann, old_password="Horse-Battery-3", new_password="Horse-Battery-2") == REUSED
    house.call("DeleteLoginProfile", user_name="ann")
    assert refused("CreateLoginProfile", user_name="ann", password="Horse-Battery-3") == REUSED
    house.call("CreateLoginProfile", user_name="ann", password="Horse-Battery-1")
    house.call("DeleteAccountPasswordPolicy")
    house.call("UpdateLoginProfile", user_name="ann", password="Horse-Battery-1")


def test_no_more_than_24_passwords_are_remembered(house: House, ann: sigv4.Credentials) -> None:
    house.call("CreateLoginProfile", user_name="ann", password=GOOD)
    with house.node.database.write((house.account_id,)) as session:
        row = session.scalars(select(PasswordHistory).join(User).where(User.account_id == house.account_id)).one()
        session.add_all(PasswordHistory(user_id=row.user_id, number=row.number + n, password_hash=row.password_hash) for n in range(1, 30))
    house.call("UpdateLoginProfile", user_name="ann", password=BETTER)
    with house.node.database.read() as session:
        numbers = session.scalars(select(PasswordHistory.number).join(User).where(User.account_id == house.account_id)).all()
    assert sorted(numbers) == list(range(8, 32))


def test_what_is_not_possible(house: House, refused: Refused, ann: sigv4.Credentials) -> None:
    nobody = ("NoSuchEntity", "The user with name nobody cannot be found.")
    assert refused("CreateLoginProfile", user_name="nobody", password=GOOD) == nobody
    assert refused("GetLoginProfile", user_name="nobody") == nobody
    assert refused("CreateLoginProfile", user_name="ann") == (
        "ValidationError",
        "Value null at 'password' failed to satisfy constraint: Member must not be null",
    )
    assert refused("CreateLoginProfile", user_name="ann", password=GOOD, max_signin_session_duration=3600)[0] == "InvalidInput"
    assert refused("CreateLoginProfile", password=GOOD) == (
        "InvalidInput",
        "A root user has no password here: nobody signs in to a console.",
    )
    code, message = refused("CreateLoginProfile", user_name="ann", password="x" * 129)
    assert (code, "x" * 129 in message) == ("ValidationError", False)
    assert stored(house) is None


def test_who_may_not_is_told_nothing(house: House, refused: Refused) -> None:
    bob = house.user("bob")
    for user in ("ann", "bob", "nobody"):
        for password in (GOOD, "short"):
            code, message = refused("CreateLoginProfile", _as=bob, user_name=user, password=password)
            assert (code, "is not authorized to perform: iam:CreateLoginProfile" in message) == ("AccessDenied", True)


def test_hashing_holds_no_lock(house: House, ann: sigv4.Credentials, monkeypatch: pytest.MonkeyPatch) -> None:
    hashing, done = threading.Event(), threading.Event()
    original = passwords.hashed

    def slow(password: str) -> str:
        hashing.set()
        assert done.wait(20), "another write of the account had to wait for the hash"
        return original(password)

    monkeypatch.setattr(passwords, "hashed", slow)
    thread = threading.Thread(target=lambda: house.call("CreateLoginProfile", user_name="ann", password=GOOD))
    thread.start()
    assert hashing.wait(20)
    house.call("CreateUser", user_name="meanwhile")
    done.set()
    thread.join(20)
    assert fits(house, GOOD)


def test_a_password_that_was_set_meanwhile_is_not_lost(house: House, ann: sigv4.Credentials, monkeypatch: pytest.MonkeyPatch) -> None:
    house.call("CreateLoginProfile", user_name="ann", password="Horse-Battery-0")
    house.call("UpdateAccountPasswordPolicy", password_reuse_prevention=5)
    original, calls = passwords.hashed, []

    def interrupted(password: str) -> str:
        calls.append(password)
        if len(calls) == 1:
            house.call("UpdateLoginProfile", user_name="ann", password="Horse-Battery-1")
        return original(password)

    monkeypatch.setattr(passwords, "hashed", interrupted)
    house.call("UpdateLoginProfile", user_name="ann", password="Horse-Battery-2")
    assert calls == ["Horse-Battery-2", "Horse-Battery-1", "Horse-Battery-2"]
    assert fits(house, "Horse-Battery-2")
    with house.node.database.read() as session:
        numbers = session.scalars(select(PasswordHistory.number).join(User).where(User.account_id == house.account_id)).all()
    assert sorted(numbers) == [1, 2, 3]
