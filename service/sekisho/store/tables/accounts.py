"""Accounts: what everything else belongs to, what they are called, how much they may hold, and how much they do."""

from datetime import datetime

from sqlalchemy import ForeignKey
from sqlalchemy.orm import Mapped, mapped_column

from sekisho.store.db import Base


class Account(Base):
    """An account of twelve digits, or `aws`, to which the AWS-managed policies belong."""

    __tablename__ = "accounts"
    touches = ("id",)

    id: Mapped[str] = mapped_column(primary_key=True)
    name: Mapped[str]
    status: Mapped[str] = mapped_column(default="ACTIVE")
    created_at: Mapped[datetime]
    closed_at: Mapped[datetime | None]


class AccountAlias(Base):
    """Another name for an account, which no other account has."""

    __tablename__ = "account_aliases"
    touches = ()

    alias: Mapped[str] = mapped_column(primary_key=True)
    account_id: Mapped[str] = mapped_column(ForeignKey("accounts.id"), unique=True)
    created_at: Mapped[datetime]


class AccountContact(Base):
    """Whom to reach about an account: one contact of each kind, as JSON of its message."""

    __tablename__ = "account_contacts"
    touches = ()

    account_id: Mapped[str] = mapped_column(ForeignKey("accounts.id"), primary_key=True)
    kind: Mapped[str] = mapped_column(primary_key=True)
    content: Mapped[str]


class AccountRegion(Base):
    """A region that an account has enabled, beside those that every account uses."""

    __tablename__ = "account_regions"
    touches = ()

    account_id: Mapped[str] = mapped_column(ForeignKey("accounts.id"), primary_key=True)
    region: Mapped[str] = mapped_column(primary_key=True)
    enabled_at: Mapped[datetime]


class AccountPreference(Base):
    """The preferences of an account about STS, where it has said so."""

    __tablename__ = "account_preferences"
    touches = ()

    account_id: Mapped[str] = mapped_column(ForeignKey("accounts.id"), primary_key=True)
    global_endpoint_token_version: Mapped[int]


class QuotaOverride(Base):
    """A quota of an account that an operator has set to another value than the usual one."""

    __tablename__ = "quota_overrides"
    touches = ()

    account_id: Mapped[str] = mapped_column(ForeignKey("accounts.id"), primary_key=True)
    quota: Mapped[str] = mapped_column(primary_key=True)
    value: Mapped[int]


class EntityCount(Base):
    """How many entities of a kind an account has: what a quota is compared with, at one price however many there are.

    Triggers on `entities` keep it (migration 0006), in the transaction of whoever inserts or deletes, so a release that does not know the
    table counts as well. Nothing else writes it.
    """

    __tablename__ = "entity_counts"
    touches = ()

    account_id: Mapped[str] = mapped_column(ForeignKey("accounts.id", ondelete="CASCADE"), primary_key=True)
    kind: Mapped[str] = mapped_column(primary_key=True)
    held: Mapped[int]
