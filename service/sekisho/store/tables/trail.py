"""The audit trail: who called what, with what answer."""

from datetime import datetime

from sqlalchemy import BigInteger, Index
from sqlalchemy.orm import Mapped, mapped_column

from sekisho.store.db import Base


class AuditRecord(Base):
    """One call, in the terms of a CloudTrail record; `request` and `response` are JSON without secrets.

    A write's record stands in its own transaction and has its revision. What commits no row (issued credentials, denials, failures)
    arrives from the spool and has none. Denials that came too thick to be kept one by one are one record: of the first of them, at `at`,
    with their `count`, and the time of the last as `last_at`.
    """

    __tablename__ = "audit_records"
    __table_args__ = (Index("ix_audit_records_account_id_at", "account_id", "at"),)
    touches = ()

    id: Mapped[str] = mapped_column(primary_key=True)
    account_id: Mapped[str]
    at: Mapped[datetime]
    revision: Mapped[int | None] = mapped_column(BigInteger)
    event_source: Mapped[str]
    event_name: Mapped[str]
    read_only: Mapped[bool]
    principal_id: Mapped[str]
    principal_arn: Mapped[str]
    access_key_id: Mapped[str]
    source_ip: Mapped[str]
    user_agent: Mapped[str]
    request: Mapped[str]
    response: Mapped[str]
    error_code: Mapped[str | None]
    error_message: Mapped[str | None]
    count: Mapped[int] = mapped_column(server_default="1")
    last_at: Mapped[datetime | None]
