"""CloudTrail's own things: trails, event data stores, and the queries that are asked of these."""

from datetime import datetime

from sqlalchemy import BigInteger, ForeignKey, Index, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from sekisho.store.db import Base


class Trail(Base):
    """A trail: the events of an account, or of all accounts of its organization, that are delivered to a bucket.

    `event_selectors`, `advanced_event_selectors` and `insight_selectors` are JSON lists as the API has them; a trail has selectors of one
    kind, and the usual ones where both are None. `position` is the ordinal up to which delivery has done its work; it and the columns
    `latest_…` are written by delivery alone, outside of calls.
    """

    __tablename__ = "trails"
    __table_args__ = (UniqueConstraint("account_id", "name"), Index("ix_trails_organization_id", "organization_id"))
    touches = ("account_id",)  # whose record says which decisions are recorded

    id: Mapped[str] = mapped_column(primary_key=True)
    account_id: Mapped[str] = mapped_column(ForeignKey("accounts.id"))
    name: Mapped[str]
    home_region: Mapped[str]
    organization_id: Mapped[str | None]
    """The organization whose accounts the trail is about; None for a trail of its account alone."""
    s3_bucket_name: Mapped[str]
    s3_key_prefix: Mapped[str | None]
    sns_topic_name: Mapped[str | None]
    kms_key_id: Mapped[str | None]
    cloud_watch_logs_log_group_arn: Mapped[str | None]
    cloud_watch_logs_role_arn: Mapped[str | None]
    include_global_service_events: Mapped[bool]
    is_multi_region_trail: Mapped[bool]
    is_organization_trail: Mapped[bool]
    log_file_validation_enabled: Mapped[bool]
    event_selectors: Mapped[str | None]
    advanced_event_selectors: Mapped[str | None]
    insight_selectors: Mapped[str | None]
    created_at: Mapped[datetime]
    is_logging: Mapped[bool]
    started_at: Mapped[datetime | None]
    stopped_at: Mapped[datetime | None]
    position: Mapped[int] = mapped_column(BigInteger, server_default="0")
    latest_delivery_at: Mapped[datetime | None]
    latest_delivery_attempted_at: Mapped[datetime | None]
    latest_delivery_error: Mapped[str | None]
    latest_digest_at: Mapped[datetime | None]
    latest_digest_error: Mapped[str | None]


class EventDataStore(Base):
    """A view of the records of an account, or of all accounts of its organization, that queries are asked of: nothing is copied.

    `advanced_event_selectors` and `insight_selectors` are JSON lists as the API has them. `ingestion` is a JSON list of the spans of time
    whose events it has, each a begin and an end, in seconds since 1970; the last has no end while the store takes events in.
    """

    __tablename__ = "event_data_stores"
    __table_args__ = (UniqueConstraint("account_id", "name"), Index("ix_event_data_stores_organization_id", "organization_id"))
    touches = ("account_id",)

    id: Mapped[str] = mapped_column(primary_key=True)
    account_id: Mapped[str] = mapped_column(ForeignKey("accounts.id"))
    name: Mapped[str]
    organization_id: Mapped[str | None]
    status: Mapped[str]
    multi_region_enabled: Mapped[bool]
    termination_protection_enabled: Mapped[bool]
    retention_period: Mapped[int]
    """Days."""
    billing_mode: Mapped[str]
    kms_key_id: Mapped[str | None]
    advanced_event_selectors: Mapped[str]
    insight_selectors: Mapped[str | None]
    insights_destination: Mapped[str | None]
    ingestion: Mapped[str]
    created_at: Mapped[datetime]
    updated_at: Mapped[datetime]
    deleted_at: Mapped[datetime | None]
    """Since when it waits for its end, from which it can be brought back."""


class EventQuery(Base):
    """A query that was asked of an event data store. `account_id` is who asked: nobody else sees it or its results."""

    __tablename__ = "event_queries"
    __table_args__ = (
        Index("ix_event_queries_account_id_store_id_created_at", "account_id", "store_id", "created_at"),
        Index("ix_event_queries_status_created_at", "status", "created_at"),
        Index("ix_event_queries_created_at", "created_at"),
    )
    touches = ()

    id: Mapped[str] = mapped_column(primary_key=True)
    account_id: Mapped[str] = mapped_column(ForeignKey("accounts.id"))
    store_id: Mapped[str]
    statement: Mapped[str]
    parameters: Mapped[str]
    """A JSON list of texts."""
    alias: Mapped[str | None]
    delivery_s3_uri: Mapped[str | None]
    status: Mapped[str]
    created_at: Mapped[datetime]
    started_at: Mapped[datetime | None]
    finished_at: Mapped[datetime | None]
    error_message: Mapped[str | None]
    matched: Mapped[int] = mapped_column(BigInteger, server_default="0")
    scanned: Mapped[int] = mapped_column(BigInteger, server_default="0")
    bytes_scanned: Mapped[int] = mapped_column(BigInteger, server_default="0")


class EventQueryPage(Base):
    """Some of the rows that a query found: a JSON list of rows, each a list of columns, each a name and a text."""

    __tablename__ = "event_query_pages"
    touches = ()

    query_id: Mapped[str] = mapped_column(ForeignKey("event_queries.id"), primary_key=True)
    number: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    rows: Mapped[str]


class TrailTag(Base):
    """A tag of a trail or an event data store, by its `id`."""

    __tablename__ = "trail_tags"
    touches = ()

    resource_id: Mapped[str] = mapped_column(primary_key=True)
    key: Mapped[str] = mapped_column(primary_key=True)
    value: Mapped[str | None]
