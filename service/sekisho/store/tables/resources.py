"""What teams leave with us: the definitions of their services, and their resources with tags and policies."""

from datetime import datetime

from sqlalchemy import BigInteger, ForeignKey, Index, text
from sqlalchemy.orm import Mapped, mapped_column

from sekisho.store.db import Base


class DefinedService(Base):
    """A service that an account has defined, by its action prefix; `definition` is what `policy.definitions.write` makes, and the numbers
    say how many of each it has, so that a list reads none of them.
    """

    __tablename__ = "service_definitions"
    touches = ()

    account_id: Mapped[str] = mapped_column(ForeignKey("accounts.id"), primary_key=True)
    name: Mapped[str] = mapped_column(primary_key=True)
    definition: Mapped[str]
    actions: Mapped[int]
    resource_types: Mapped[int]
    condition_keys: Mapped[int]
    created_at: Mapped[datetime]
    updated_at: Mapped[datetime]


class RegisteredResource(Base):
    """A resource of an account. `id` is `world.resources.key`: the ARN, with the account behind it where the ARN has none.

    `type` is what the ARN says; lists are in the order of service, type and id.
    """

    __tablename__ = "resources"
    __table_args__ = (
        Index("ix_resources_account_id", "account_id", "service", "type", "id"),
        # Few have a policy of their own, and a plan asks for any that has.
        Index(
            "ix_resources_policy",
            "account_id",
            "service",
            "id",
            sqlite_where=text("policy IS NOT NULL"),
            postgresql_where=text("policy IS NOT NULL"),
        ),
    )
    touches = ("id",)

    id: Mapped[str] = mapped_column(primary_key=True)
    account_id: Mapped[str] = mapped_column(ForeignKey("accounts.id"))
    arn: Mapped[str]
    service: Mapped[str]
    type: Mapped[str]
    policy: Mapped[str | None]
    created_at: Mapped[datetime]
    updated_at: Mapped[datetime]


class ResourceTag(Base):
    """A tag of a registered resource. `key_key` is the key in lower case, by which a resource has it once: condition keys have no case."""

    __tablename__ = "resource_tags"
    __table_args__ = (Index("ix_resource_tags_account_id", "account_id", "key", "value"),)
    touches = ("resource_id",)

    resource_id: Mapped[str] = mapped_column(ForeignKey("resources.id", ondelete="CASCADE"), primary_key=True)
    key_key: Mapped[str] = mapped_column(primary_key=True)
    account_id: Mapped[str] = mapped_column(ForeignKey("accounts.id"))
    key: Mapped[str]
    value: Mapped[str]


class ResourceService(Base):
    """A service of which an account has registered resources: the accounts' records say these, so that only such ARNs are looked up."""

    __tablename__ = "resource_services"
    touches = ("account_id",)

    account_id: Mapped[str] = mapped_column(ForeignKey("accounts.id"), primary_key=True)
    service: Mapped[str] = mapped_column(primary_key=True)


class ResourceCount(Base):
    """How many resources an account has registered of a service. Written with each of them, by who is alone in the account."""

    __tablename__ = "resource_counts"
    touches = ()

    account_id: Mapped[str] = mapped_column(ForeignKey("accounts.id"), primary_key=True)
    service: Mapped[str] = mapped_column(primary_key=True)
    held: Mapped[int] = mapped_column(BigInteger)
