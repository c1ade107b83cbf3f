"""Credentials of users for services that take no signatures: SSH public keys, and user names with passwords."""

from datetime import datetime

from sqlalchemy import ForeignKey, Index, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from sekisho.store.db import Base


class SshPublicKey(Base):
    """An SSH public key as `ssh-rsa …` without a comment; `fingerprint` is its MD5 as AWS shows it, which a user has once."""

    __tablename__ = "ssh_public_keys"
    __table_args__ = (UniqueConstraint("owner_id", "fingerprint"),)
    touches = ()

    id: Mapped[str] = mapped_column(primary_key=True)
    account_id: Mapped[str] = mapped_column(ForeignKey("accounts.id"))
    owner_id: Mapped[str] = mapped_column(ForeignKey("entities.id"))
    fingerprint: Mapped[str]
    body: Mapped[str]
    status: Mapped[str] = mapped_column(default="Active")
    created_at: Mapped[datetime]


class ServiceCredential(Base):
    """A credential for one service: a user name and a password, or an alias and a secret, of which a SHA-256 is kept.

    The passwords are random and long, so that no slow hash is needed to keep them from being guessed.
    """

    __tablename__ = "service_credentials"
    __table_args__ = (
        UniqueConstraint("account_id", "service", "login"),
        Index("ix_service_credentials_owner_id", "owner_id"),
    )
    touches = ()

    id: Mapped[str] = mapped_column(primary_key=True)
    account_id: Mapped[str] = mapped_column(ForeignKey("accounts.id"))
    owner_id: Mapped[str] = mapped_column(ForeignKey("entities.id"))
    service: Mapped[str]
    login: Mapped[str]
    password_hash: Mapped[bytes]
    status: Mapped[str] = mapped_column(default="Active")
    created_at: Mapped[datetime]
    expires_at: Mapped[datetime | None]
