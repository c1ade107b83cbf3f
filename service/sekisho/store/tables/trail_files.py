"""Deliveries of trails: the files that are due, the digest files that name them, and the spans of time in which each trail logs.

A file and a digest file are written down, content and all, before a bucket is asked to hold them; what a bucket holds is forgotten here
after a while. `trail_id` is that of a row of `trails`, which may be gone: its rows are then removed by who delivers.
"""

from datetime import datetime

from sqlalchemy import BigInteger, Index
from sqlalchemy.orm import Mapped, mapped_column

from sekisho.store.db import Base

PLANNED, DELIVERED = "PLANNED", "DELIVERED"


class TrailSpan(Base):
    """A span of time in which a trail logs: of events at its beginning, at its end and between. `is_closed` says that all of its events
    have been delivered and named; a trail without a span that is open has nothing to deliver.
    """

    __tablename__ = "trail_spans"
    __table_args__ = (Index("ix_trail_spans_trail_id_began_at", "trail_id", "began_at"),)
    touches = ()

    id: Mapped[str] = mapped_column(primary_key=True)
    trail_id: Mapped[str]
    began_at: Mapped[datetime]
    ended_at: Mapped[datetime | None]
    is_closed: Mapped[bool]


class TrailFile(Base):
    """A file of a trail: events of one account and region. All that are planned of a trail are of the same links, those above the trail's
    position up to `last`; when the last of them is delivered, the trail's position is there.

    `hash` is of the content before it was compressed; `content` is there while it is PLANNED. `digest_id` is that of the digest file
    that names it.
    """

    __tablename__ = "trail_files"
    __table_args__ = (Index("ix_trail_files_trail_id_state", "trail_id", "state"), Index("ix_trail_files_delivered_at", "delivered_at"))
    touches = ()

    id: Mapped[str] = mapped_column(primary_key=True)
    trail_id: Mapped[str]
    account_id: Mapped[str]
    region: Mapped[str]
    bucket: Mapped[str]
    key: Mapped[str]
    last: Mapped[int] = mapped_column(BigInteger)
    records: Mapped[int]
    oldest_at: Mapped[datetime]
    newest_at: Mapped[datetime]
    hash: Mapped[str]
    content: Mapped[bytes | None]
    state: Mapped[str]
    planned_at: Mapped[datetime]
    delivered_at: Mapped[datetime | None]
    digest_id: Mapped[str | None]


class TrailDigest(Base):
    """A digest file of a trail: of one account, region and period. `hash` and `signature` are what the next one says of it; `content` is
    there while it is PLANNED.
    """

    __tablename__ = "trail_digests"
    __table_args__ = (Index("ix_trail_digests_trail_id_account_id_region_ends_at", "trail_id", "account_id", "region", "ends_at"),)
    touches = ()

    id: Mapped[str] = mapped_column(primary_key=True)
    trail_id: Mapped[str]
    account_id: Mapped[str]
    region: Mapped[str]
    bucket: Mapped[str]
    key: Mapped[str]
    ends_at: Mapped[datetime]
    hash: Mapped[str]
    signature: Mapped[str]
    content: Mapped[bytes | None]
    state: Mapped[str]
