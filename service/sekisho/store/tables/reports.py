"""What is written down for a later call to fetch: credential reports, and what became of the deletion of service-linked roles."""

from datetime import datetime

from sqlalchemy import ForeignKey
from sqlalchemy.orm import Mapped, mapped_column

from sekisho.store.db import Base


class CredentialReport(Base):
    """The newest credential report of an account, as CSV."""

    __tablename__ = "credential_reports"
    touches = ()

    account_id: Mapped[str] = mapped_column(ForeignKey("accounts.id"), primary_key=True)
    content: Mapped[str]
    generated_at: Mapped[datetime]


class DeletionTask(Base):
    """A service-linked role that was deleted, by the id of the task that AWS would have made of it."""

    __tablename__ = "deletion_tasks"
    touches = ()

    id: Mapped[str] = mapped_column(primary_key=True)
    account_id: Mapped[str] = mapped_column(ForeignKey("accounts.id"))
    role_arn: Mapped[str]
    deleted_at: Mapped[datetime]
