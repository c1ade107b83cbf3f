"""What has a unique id, a name and a path: root users, users, groups, roles (and policies, in `policies.py`).

The id (AIDA…, AROA…) is what every other row refers to. A name that was deleted and is created again is another entity.
"""

from datetime import datetime
from typing import ClassVar

from sqlalchemy import ForeignKey, Index, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from sekisho.store.db import Base


class Entity(Base):
    """The part that all kinds share. `name_key` is the name in lower case: names are unique whatever their case."""

    __tablename__ = "entities"
    __table_args__ = (
        UniqueConstraint("account_id", "kind", "name_key"),
        Index("ix_entities_account_id_kind_path", "account_id", "kind", "path"),
    )
    __mapper_args__ = {"polymorphic_on": "kind", "polymorphic_abstract": True}  # noqa: RUF012  # SQLAlchemy reads a plain dict here
    touches: ClassVar[tuple[str, ...] | None] = ("id",)

    id: Mapped[str] = mapped_column(primary_key=True)
    account_id: Mapped[str] = mapped_column(ForeignKey("accounts.id"))
    kind: Mapped[str]
    name: Mapped[str]
    name_key: Mapped[str]
    path: Mapped[str] = mapped_column(default="/")
    created_at: Mapped[datetime]


def kind_of(table: type[Entity]) -> str:
    """The word for the table's rows in ARNs and messages: `user`."""
    return str(table.__mapper_args__["polymorphic_identity"])


class Root(Entity):
    """The root user of an account; its id is the account's."""

    __tablename__ = "roots"
    __mapper_args__ = {"polymorphic_identity": "root"}  # noqa: RUF012  # SQLAlchemy reads a plain dict here

    id: Mapped[str] = mapped_column(ForeignKey("entities.id", ondelete="CASCADE"), primary_key=True)


class User(Entity):
    """A user; `boundary_id` is the policy that bounds its permissions."""

    __tablename__ = "users"
    __mapper_args__ = {"polymorphic_identity": "user"}  # noqa: RUF012  # SQLAlchemy reads a plain dict here

    id: Mapped[str] = mapped_column(ForeignKey("entities.id", ondelete="CASCADE"), primary_key=True)
    boundary_id: Mapped[str | None] = mapped_column(ForeignKey("policies.id"), index=True)
    password_last_used_at: Mapped[datetime | None]


class Group(Entity):
    """A group of users."""

    __tablename__ = "groups"
    __mapper_args__ = {"polymorphic_identity": "group"}  # noqa: RUF012  # SQLAlchemy reads a plain dict here

    id: Mapped[str] = mapped_column(ForeignKey("entities.id", ondelete="CASCADE"), primary_key=True)


class Role(Entity):
    """A role. `trust_policy` is the document with principals as unique ids, which is what trust is decided by."""

    __tablename__ = "roles"
    __mapper_args__ = {"polymorphic_identity": "role"}  # noqa: RUF012  # SQLAlchemy reads a plain dict here

    id: Mapped[str] = mapped_column(ForeignKey("entities.id", ondelete="CASCADE"), primary_key=True)
    boundary_id: Mapped[str | None] = mapped_column(ForeignKey("policies.id"), index=True)
    description: Mapped[str | None]
    trust_policy: Mapped[str]
    max_session_seconds: Mapped[int] = mapped_column(default=3600)
    max_signin_session_seconds: Mapped[int | None]
    last_used_at: Mapped[datetime | None]
    last_used_region: Mapped[str | None]


class Membership(Base):
    """A user in a group."""

    __tablename__ = "memberships"
    touches = ("user_id",)

    user_id: Mapped[str] = mapped_column(ForeignKey("users.id"), primary_key=True)
    group_id: Mapped[str] = mapped_column(ForeignKey("groups.id"), primary_key=True, index=True)
    created_at: Mapped[datetime]
