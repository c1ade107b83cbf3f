"""X.509 certificates: of servers, with their private keys, and of users, who sign with them."""

from datetime import datetime

from sqlalchemy import ForeignKey, Index, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from sekisho.store.db import Base
from sekisho.store.tables.entities import Entity


class ServerCertificate(Entity):
    """A certificate of a server; the private key is sealed with the row's id as associated data."""

    __tablename__ = "server_certificates"
    __mapper_args__ = {"polymorphic_identity": "server-certificate"}  # noqa: RUF012  # SQLAlchemy reads a plain dict here

    id: Mapped[str] = mapped_column(ForeignKey("entities.id", ondelete="CASCADE"), primary_key=True)
    body: Mapped[str]
    chain: Mapped[str | None]
    private_key: Mapped[bytes]
    expires_at: Mapped[datetime]


class SigningCertificate(Base):
    """A certificate of a user; `fingerprint` is the SHA-256 of its bytes in hexadecimal, which an account has once."""

    __tablename__ = "signing_certificates"
    __table_args__ = (UniqueConstraint("account_id", "fingerprint"), Index("ix_signing_certificates_owner_id", "owner_id"))
    touches = ()

    id: Mapped[str] = mapped_column(primary_key=True)
    account_id: Mapped[str] = mapped_column(ForeignKey("accounts.id"))
    owner_id: Mapped[str] = mapped_column(ForeignKey("entities.id"))
    fingerprint: Mapped[str]
    body: Mapped[str]
    status: Mapped[str] = mapped_column(default="Active")
    created_at: Mapped[datetime]
