"""Identity providers whose identities may assume roles: OpenID Connect and SAML."""

from datetime import datetime

from sqlalchemy import JSON, ForeignKey
from sqlalchemy.orm import Mapped, mapped_column

from sekisho.store.db import Base
from sekisho.store.tables.entities import Entity


class OpenIdConnectProvider(Entity):
    """An OpenID Connect provider; its name is the issuer without `https://`. Lists keep the order in which they were given."""

    __tablename__ = "open_id_connect_providers"
    __mapper_args__ = {"polymorphic_identity": "oidc-provider"}  # noqa: RUF012  # SQLAlchemy reads a plain dict here

    id: Mapped[str] = mapped_column(ForeignKey("entities.id", ondelete="CASCADE"), primary_key=True)
    client_ids: Mapped[list[str]] = mapped_column(JSON)
    thumbprints: Mapped[list[str]] = mapped_column(JSON)


class SamlProvider(Entity):
    """A SAML provider; `issuer` is the entity id in its metadata."""

    __tablename__ = "saml_providers"
    __mapper_args__ = {"polymorphic_identity": "saml-provider"}  # noqa: RUF012  # SQLAlchemy reads a plain dict here

    id: Mapped[str] = mapped_column(ForeignKey("entities.id", ondelete="CASCADE"), primary_key=True)
    document: Mapped[str]
    issuer: Mapped[str]
    valid_until: Mapped[datetime]
    encryption_mode: Mapped[str | None]


class SamlPrivateKey(Base):
    """A key that opens the assertions of a SAML provider, sealed with the row's id as associated data."""

    __tablename__ = "saml_private_keys"
    touches = ("provider_id",)

    id: Mapped[str] = mapped_column(primary_key=True)
    provider_id: Mapped[str] = mapped_column(ForeignKey("saml_providers.id"), index=True)
    private_key: Mapped[bytes]
    created_at: Mapped[datetime]
