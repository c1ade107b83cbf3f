"""Which actions principals asked for, and the reports about it. Written outside the change log: no decision depends on it."""

from datetime import datetime

from sqlalchemy import ForeignKey, Index
from sqlalchemy.orm import Mapped, mapped_column

from sekisho.store.db import Base


class Access(Base):
    """The last time that a principal asked for an action; the principal may be gone since."""

    __tablename__ = "accesses"
    __table_args__ = (Index("ix_accesses_account_id_service", "account_id", "service"),)
    touches = ()

    principal_id: Mapped[str] = mapped_column(primary_key=True)
    service: Mapped[str] = mapped_column(primary_key=True)
    action: Mapped[str] = mapped_column(primary_key=True)
    account_id: Mapped[str]
    at: Mapped[datetime]
    region: Mapped[str]


class AccessReport(Base):
    """A report that was asked for: about which entity, and how detailed."""

    __tablename__ = "access_reports"
    __table_args__ = (Index("ix_access_reports_account_id_created_at", "account_id", "created_at"),)
    touches = ()

    id: Mapped[str] = mapped_column(primary_key=True)
    account_id: Mapped[str] = mapped_column(ForeignKey("accounts.id"))
    entity_arn: Mapped[str]
    granularity: Mapped[str]
    created_at: Mapped[datetime]


class OrganizationAccessReport(Base):
    """A report on an organization that was asked for: about what beneath which path, and of which policy, None for all that apply."""

    __tablename__ = "organization_access_reports"
    __table_args__ = (Index("ix_organization_access_reports_account_id_created_at", "account_id", "created_at"),)
    touches = ()

    id: Mapped[str] = mapped_column(primary_key=True)
    account_id: Mapped[str] = mapped_column(ForeignKey("accounts.id"))
    entity_path: Mapped[str]
    policy_id: Mapped[str | None]
    created_at: Mapped[datetime]
