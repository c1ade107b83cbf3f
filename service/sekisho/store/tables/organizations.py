"""Organizations: the tree of units, the accounts that hang in it, the policies that are attached to either, and what accounts agree on.

A change touches what holds the value and nothing beneath: a policy's text the policy, an attachment its target, a move the account.
"""

from datetime import datetime

from sqlalchemy import ForeignKey, Index, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from sekisho.store.db import Base


class AccountEmail(Base):
    """The address of an account's root user, which no other account has, in whatever case."""

    __tablename__ = "account_emails"
    touches = ()

    account_id: Mapped[str] = mapped_column(ForeignKey("accounts.id"), primary_key=True)
    email: Mapped[str]
    email_key: Mapped[str] = mapped_column(unique=True)


class Organization(Base):
    """An organization, with the account that manages it. The record of the root says who that is."""

    __tablename__ = "organizations"
    touches = ("root_id",)

    id: Mapped[str] = mapped_column(primary_key=True)
    management_account_id: Mapped[str] = mapped_column(ForeignKey("accounts.id"), unique=True)
    root_id: Mapped[str] = mapped_column(unique=True)
    feature_set: Mapped[str]
    created_at: Mapped[datetime]


class Unit(Base):
    """The root of an organization, which alone has no parent, or an organizational unit."""

    __tablename__ = "organization_units"
    __table_args__ = (UniqueConstraint("parent_id", "name"),)
    touches = ("id",)

    id: Mapped[str] = mapped_column(primary_key=True)
    organization_id: Mapped[str] = mapped_column(ForeignKey("organizations.id"), index=True)
    parent_id: Mapped[str | None] = mapped_column(ForeignKey("organization_units.id"))
    name: Mapped[str]
    created_at: Mapped[datetime]


class Member(Base):
    """An account in an organization, and the unit that it hangs in."""

    __tablename__ = "organization_accounts"
    __table_args__ = (
        Index("ix_organization_accounts_organization_id_account_id", "organization_id", "account_id"),
        Index("ix_organization_accounts_unit_id_account_id", "unit_id", "account_id"),
    )
    touches = ("account_id",)

    account_id: Mapped[str] = mapped_column(ForeignKey("accounts.id"), primary_key=True)
    organization_id: Mapped[str] = mapped_column(ForeignKey("organizations.id"))
    unit_id: Mapped[str] = mapped_column(ForeignKey("organization_units.id"))
    joined_method: Mapped[str]
    joined_at: Mapped[datetime]


class PolicyType(Base):
    """A type of policy that is enabled in a root."""

    __tablename__ = "organization_policy_types"
    touches = ("root_id",)

    root_id: Mapped[str] = mapped_column(ForeignKey("organization_units.id"), primary_key=True)
    type: Mapped[str] = mapped_column(primary_key=True)


class OrganizationFeature(Base):
    """A feature of central root access that is enabled for all accounts beneath a root; the record of the root has it."""

    __tablename__ = "organization_features"
    touches = ("root_id",)

    root_id: Mapped[str] = mapped_column(ForeignKey("organization_units.id"), primary_key=True)
    feature: Mapped[str] = mapped_column(primary_key=True)
    enabled_at: Mapped[datetime]


class OrganizationPolicy(Base):
    """A policy of an organization. Those of AWS's own have no row: they are the same everywhere."""

    __tablename__ = "organization_policies"
    __table_args__ = (UniqueConstraint("organization_id", "type", "name"),)
    touches = ("id",)

    id: Mapped[str] = mapped_column(primary_key=True)
    organization_id: Mapped[str] = mapped_column(ForeignKey("organizations.id"))
    type: Mapped[str]
    name: Mapped[str]
    description: Mapped[str]
    content: Mapped[str]
    created_at: Mapped[datetime]
    updated_at: Mapped[datetime]


class Target(Base):
    """A policy on a root, a unit or an account. The policy may be one of AWS's own, hence no reference."""

    __tablename__ = "organization_attachments"
    __table_args__ = (Index("ix_organization_attachments_organization_id_policy_id", "organization_id", "policy_id", "target_id"),)
    touches = ("target_id",)

    target_id: Mapped[str] = mapped_column(primary_key=True)
    policy_id: Mapped[str] = mapped_column(primary_key=True)
    organization_id: Mapped[str] = mapped_column(ForeignKey("organizations.id"))
    type: Mapped[str]
    created_at: Mapped[datetime]


class Handshake(Base):
    """What one side asked and the other has to answer; it shows the organization as it was, which may be gone."""

    __tablename__ = "organization_handshakes"
    __table_args__ = (
        Index("ix_organization_handshakes_organization_id_id", "organization_id", "id"),
        Index("ix_organization_handshakes_account_id_id", "account_id", "id"),
    )
    touches = ()

    id: Mapped[str] = mapped_column(primary_key=True)
    organization_id: Mapped[str]
    management_account_id: Mapped[str]
    feature_set: Mapped[str]
    action: Mapped[str]
    state: Mapped[str]
    account_id: Mapped[str]
    party_type: Mapped[str]
    party: Mapped[str]
    notes: Mapped[str | None]
    tags: Mapped[str]
    parent_id: Mapped[str | None]
    requested_at: Mapped[datetime]
    expires_at: Mapped[datetime]
    ended_at: Mapped[datetime | None]


class Administrator(Base):
    """An account to which the administration of a service is delegated; the record of the account has it."""

    __tablename__ = "organization_administrators"
    touches = ("account_id",)

    account_id: Mapped[str] = mapped_column(ForeignKey("accounts.id"), primary_key=True)
    service_principal: Mapped[str] = mapped_column(primary_key=True)
    organization_id: Mapped[str] = mapped_column(ForeignKey("organizations.id"), index=True)
    enabled_at: Mapped[datetime]


class TrustedService(Base):
    """A service that has access to an organization."""

    __tablename__ = "organization_services"
    touches = ()

    organization_id: Mapped[str] = mapped_column(ForeignKey("organizations.id"), primary_key=True)
    service_principal: Mapped[str] = mapped_column(primary_key=True)
    enabled_at: Mapped[datetime]


class AccountRequest(Base):
    """A request to create an account, and what came of it."""

    __tablename__ = "organization_account_requests"
    touches = ()

    id: Mapped[str] = mapped_column(primary_key=True)
    organization_id: Mapped[str] = mapped_column(ForeignKey("organizations.id"), index=True)
    account_name: Mapped[str]
    state: Mapped[str]
    account_id: Mapped[str | None]
    failure_reason: Mapped[str | None]
    requested_at: Mapped[datetime]
    completed_at: Mapped[datetime | None]


class OrganizationResourcePolicy(Base):
    """The policy by which an organization lets its members do what is the management account's."""

    __tablename__ = "organization_resource_policies"
    touches = ()

    organization_id: Mapped[str] = mapped_column(ForeignKey("organizations.id"), primary_key=True)
    id: Mapped[str] = mapped_column(unique=True)
    content: Mapped[str]


class OrganizationTag(Base):
    """A tag of an account, a unit, a root, a policy or the resource policy; keys differ by case."""

    __tablename__ = "organization_tags"
    touches = ()

    resource_id: Mapped[str] = mapped_column(primary_key=True)
    key: Mapped[str] = mapped_column(primary_key=True)
    organization_id: Mapped[str] = mapped_column(ForeignKey("organizations.id"), index=True)
    value: Mapped[str]
