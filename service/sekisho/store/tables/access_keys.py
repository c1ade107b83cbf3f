"""Long-term access keys of users and root users."""

from datetime import datetime

from sqlalchemy import ForeignKey, Index
from sqlalchemy.orm import Mapped, mapped_column

from sekisho.store.db import Base


class AccessKey(Base):
    """An access key; the secret is sealed with the row's id as associated data. `last_used_…` is written outside the change log."""

    __tablename__ = "access_keys"
    __table_args__ = (Index("ix_access_keys_owner_id", "owner_id"),)
    touches = ("id",)

    id: Mapped[str] = mapped_column(primary_key=True)
    account_id: Mapped[str] = mapped_column(ForeignKey("accounts.id"))
    owner_id: Mapped[str] = mapped_column(ForeignKey("entities.id"))
    secret: Mapped[bytes]
    status: Mapped[str] = mapped_column(default="Active")
    created_at: Mapped[datetime]
    last_used_at: Mapped[datetime | None]
    last_used_service: Mapped[str | None]
    last_used_region: Mapped[str | None]
