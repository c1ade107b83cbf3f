"""Accounts: what everything else belongs to."""

from datetime import datetime

from sqlalchemy.orm import Mapped, mapped_column

from sekisho.db import Base


class Account(Base):
    """An account of twelve digits, or `aws`, to which the AWS-managed policies belong."""

    __tablename__ = "accounts"
    touches = ("id",)

    id: Mapped[str] = mapped_column(primary_key=True)
    name: Mapped[str]
    status: Mapped[str] = mapped_column(default="ACTIVE")
    created_at: Mapped[datetime]
