"""Issuers of tokens for other services: one an account, with the pairs of keys that sign them."""

from datetime import datetime

from sqlalchemy import ForeignKey
from sqlalchemy.orm import Mapped, mapped_column

from sekisho.store.db import Base


class Issuer(Base):
    """The issuer of an account, which keeps its id whenever the account's federation is enabled again; `url` is what tokens say."""

    __tablename__ = "issuers"
    touches = ("id", "account_id")

    id: Mapped[str] = mapped_column(primary_key=True)
    account_id: Mapped[str] = mapped_column(ForeignKey("accounts.id"), unique=True)
    url: Mapped[str]
    enabled_at: Mapped[datetime]
    disabled_at: Mapped[datetime | None]


class IssuerKey(Base):
    """The public key of a pair, as a JWK; its id is its thumbprint (RFC 7638)."""

    __tablename__ = "issuer_keys"
    touches = ("issuer_id",)

    id: Mapped[str] = mapped_column(primary_key=True)
    issuer_id: Mapped[str] = mapped_column(ForeignKey("issuers.id"), index=True)
    account_id: Mapped[str] = mapped_column(ForeignKey("accounts.id"), index=True)
    algorithm: Mapped[str]
    public_key: Mapped[str]
    begins_at: Mapped[datetime]


class IssuerPrivateKey(Base):
    """The private key of a pair, sealed with the pair's id as associated data. Nodes that only read have no business with it."""

    __tablename__ = "issuer_private_keys"
    touches = ()  # made and deleted with the pair

    id: Mapped[str] = mapped_column(ForeignKey("issuer_keys.id"), primary_key=True)
    account_id: Mapped[str] = mapped_column(ForeignKey("accounts.id"), index=True)
    private_key: Mapped[bytes]
