"""Passwords of users, as Argon2 hashes, and what an account demands of them. No decision depends on any of it."""

from datetime import datetime

from sqlalchemy import ForeignKey
from sqlalchemy.orm import Mapped, mapped_column

from sekisho.store.db import Base


class LoginProfile(Base):
    """That a user has a password."""

    __tablename__ = "login_profiles"
    touches = ()

    user_id: Mapped[str] = mapped_column(ForeignKey("users.id"), primary_key=True)
    password_hash: Mapped[str]
    password_reset_required: Mapped[bool]
    created_at: Mapped[datetime]
    changed_at: Mapped[datetime]


class PasswordHistory(Base):
    """A password that a user has or had, the newest with the highest number; it stays when the login profile goes."""

    __tablename__ = "password_history"
    touches = ()

    user_id: Mapped[str] = mapped_column(ForeignKey("users.id"), primary_key=True)
    number: Mapped[int] = mapped_column(primary_key=True)
    password_hash: Mapped[str]


class PasswordPolicy(Base):
    """What an account demands of its users' passwords; an account without a row has the default."""

    __tablename__ = "password_policies"
    touches = ()

    account_id: Mapped[str] = mapped_column(ForeignKey("accounts.id"), primary_key=True)
    minimum_password_length: Mapped[int]
    require_symbols: Mapped[bool]
    require_numbers: Mapped[bool]
    require_uppercase_characters: Mapped[bool]
    require_lowercase_characters: Mapped[bool]
    allow_users_to_change_password: Mapped[bool]
    max_password_age: Mapped[int | None]
    password_reuse_prevention: Mapped[int | None]
    hard_expiry: Mapped[bool | None]
