"""Managed policies with their versions, inline policies, and what is attached to whom."""

from datetime import datetime

from sqlalchemy import ForeignKey, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from sekisho.store.db import Base
from sekisho.store.tables.entities import Entity


class Policy(Entity):
    """A managed policy; its documents are its versions. `last_version` is the highest number ever given, so none is given twice."""

    __tablename__ = "policies"
    __mapper_args__ = {"polymorphic_identity": "policy"}  # noqa: RUF012  # SQLAlchemy reads a plain dict here

    id: Mapped[str] = mapped_column(ForeignKey("entities.id", ondelete="CASCADE"), primary_key=True)
    description: Mapped[str | None]
    default_version: Mapped[int]
    last_version: Mapped[int]
    updated_at: Mapped[datetime]


class PolicyVersion(Base):
    """One document of a managed policy."""

    __tablename__ = "policy_versions"
    touches = ("policy_id",)

    policy_id: Mapped[str] = mapped_column(ForeignKey("policies.id"), primary_key=True)
    number: Mapped[int] = mapped_column(primary_key=True)
    document: Mapped[str]
    created_at: Mapped[datetime]


class InlinePolicy(Base):
    """A document that belongs to one user, group or role."""

    __tablename__ = "inline_policies"
    __table_args__ = (UniqueConstraint("owner_id", "name_key"),)
    touches = ("owner_id",)

    owner_id: Mapped[str] = mapped_column(ForeignKey("entities.id"), primary_key=True)
    name: Mapped[str] = mapped_column(primary_key=True)
    name_key: Mapped[str]
    document: Mapped[str]


class Attachment(Base):
    """A managed policy on a user, group or role."""

    __tablename__ = "attachments"
    touches = ("owner_id",)

    owner_id: Mapped[str] = mapped_column(ForeignKey("entities.id"), primary_key=True)
    policy_id: Mapped[str] = mapped_column(ForeignKey("policies.id"), primary_key=True, index=True)
    created_at: Mapped[datetime]


class PolicyOrigin(Base):
    """Where an AWS-managed policy comes from: with this program, which keeps it up to date, or from an operator's file."""

    __tablename__ = "policy_origins"
    touches = ()

    policy_id: Mapped[str] = mapped_column(ForeignKey("policies.id"), primary_key=True)
    imported: Mapped[bool]
