"""The audit trail: who called what, with what answer; and the chain that shows what became of the records since.

A record has its place by the `revision` of its write, or, where it came by the spool, by its `spooled` number: both rise in the order of
the commits and leave nothing out. The sealer walks along both, and links the records of each account to a chain, in the order of
`ordinal`, which is over all accounts. Whatever reads the trail in order reads links.
"""

from datetime import datetime
from typing import Any

from sqlalchemy import BigInteger, ForeignKey, Index, UniqueConstraint, text
from sqlalchemy.orm import Mapped, mapped_column

from sekisho.store.db import Base

MANAGEMENT = "Management"
DATA = "Data"

_PLACELESS = text("revision IS NULL AND spooled IS NULL")
_LOOKED_UP = text("category = 'Management'")
_UNPUBLISHED = text("published_at IS NULL")

UNSAID: dict[str, Any] = {
    "category": MANAGEMENT,
    "event_type": "AwsApiCall",
    "region": "",
    "username": "",
    "identity": "{}",
    "resources": "[]",
    "tls": "{}",
    "shared_id": None,
}
"""The values of a record where whoever wrote it gave none: an operator's own, or one that a release before the trail has spooled."""


class AuditRecord(Base):
    """One call, in the terms of a CloudTrail record. `identity` (who called, as `userIdentity` shows it), `request`, `response`,
    `resources` (a list) and `tls` are JSON without secrets.

    A write's record stands in its own transaction and has its revision. What commits no row (issued credentials, reads, denials, failures)
    arrives from the spool and has none. Denials that came too thick to be kept one by one are one record: of the first of them, at `at`,
    with their `count`, and the time of the last as `last_at`. A release before the trail left the columns below `last_at` empty.
    """

    __tablename__ = "audit_records"
    __table_args__ = (
        Index("ix_audit_records_account_id_at", "account_id", "at"),
        Index("ix_audit_records_account_id_username_at", "account_id", "username", "at"),
        Index("ix_audit_records_account_id_event_name_at", "account_id", "event_name", "at"),
        Index("ix_audit_records_account_id_event_source_at", "account_id", "event_source", "at"),
        Index("ix_audit_records_account_id_access_key_id_at", "account_id", "access_key_id", "at"),
        # By which the few writes of an account that reads much are found. Data events have no place in it: nobody looks them up.
        Index(
            "ix_audit_records_account_id_read_only_at",
            "account_id",
            "read_only",
            "at",
            sqlite_where=_LOOKED_UP,
            postgresql_where=_LOOKED_UP,
        ),
        Index("ix_audit_records_revision", "revision"),
        Index("ix_audit_records_spooled", "spooled", unique=True),
        # Few, or none: records that a release before the trail has spooled, until they are given a number.
        Index("ix_audit_records_placeless", "at", "id", sqlite_where=_PLACELESS, postgresql_where=_PLACELESS),
    )
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
    spooled: Mapped[int | None] = mapped_column(BigInteger)
    category: Mapped[str] = mapped_column(server_default=UNSAID["category"])
    event_type: Mapped[str] = mapped_column(server_default=UNSAID["event_type"])
    region: Mapped[str] = mapped_column(server_default=UNSAID["region"])
    username: Mapped[str] = mapped_column(server_default=UNSAID["username"])
    identity: Mapped[str] = mapped_column(server_default=UNSAID["identity"])
    resources: Mapped[str] = mapped_column(server_default=UNSAID["resources"])
    tls: Mapped[str] = mapped_column(server_default=UNSAID["tls"])
    shared_id: Mapped[str | None]
    """The same in the records of one call that several accounts have (`sharedEventID`)."""


class TrailLink(Base):
    """A record's place in its account's chain: `hash` is keyed, and of the link before, the record and its place."""

    __tablename__ = "trail_links"
    __table_args__ = (UniqueConstraint("account_id", "sequence"), Index("ix_trail_links_account_id_ordinal", "account_id", "ordinal"))
    touches = ()

    ordinal: Mapped[int] = mapped_column(BigInteger, primary_key=True, autoincrement=False)
    account_id: Mapped[str]
    sequence: Mapped[int] = mapped_column(BigInteger)
    record_id: Mapped[str] = mapped_column(unique=True)
    hash: Mapped[str]


class TrailResource(Base):
    """A resource that a record is about, by which it is looked up."""

    __tablename__ = "trail_resources"
    __table_args__ = (
        Index("ix_trail_resources_account_id_type_ordinal", "account_id", "type", "ordinal"),
        # Retention and whoever verifies come with ordinals, and would look through all that an account has for a few of them.
        Index("ix_trail_resources_ordinal", "ordinal"),
    )
    touches = ()

    account_id: Mapped[str] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(primary_key=True)
    ordinal: Mapped[int] = mapped_column(BigInteger, primary_key=True, autoincrement=False)
    type: Mapped[str]


class TrailAnchor(Base):
    """Where what is left of an account's chain begins: the last link that retention took away, at `at`.

    `seal` is a keyed hash of all of it, which nobody can make who can only write rows.
    """

    __tablename__ = "trail_anchors"
    touches = ()

    account_id: Mapped[str] = mapped_column(primary_key=True)
    sequence: Mapped[int] = mapped_column(BigInteger)
    ordinal: Mapped[int] = mapped_column(BigInteger)
    hash: Mapped[str]
    at: Mapped[datetime]
    seal: Mapped[str]


class TrailCursor(Base):
    """The position of one of those who walk along the trail."""

    __tablename__ = "trail_cursors"
    touches = ()

    name: Mapped[str] = mapped_column(primary_key=True)
    position: Mapped[int] = mapped_column(BigInteger)


class TrailCheckpoint(Base):
    """A signed statement of how far the chains had come; `content` is JSON. It is published outside the database, too."""

    __tablename__ = "trail_checkpoints"
    __table_args__ = (
        # Looked for each second, among all that there are.
        Index("ix_trail_checkpoints_unpublished", "number", sqlite_where=_UNPUBLISHED, postgresql_where=_UNPUBLISHED),
    )
    touches = ()

    number: Mapped[int] = mapped_column(BigInteger, primary_key=True, autoincrement=False)
    at: Mapped[datetime]
    ordinal: Mapped[int] = mapped_column(BigInteger)
    content: Mapped[str]
    signature: Mapped[str]
    published_at: Mapped[datetime | None]


class TrailKey(Base):
    """A pair of keys that signs checkpoints and digest files, of all accounts; the private one is sealed.

    `fingerprint` is what digest files name it by: the MD5 of the public key in DER, as CloudTrail has it.
    """

    __tablename__ = "trail_keys"
    touches = ()

    fingerprint: Mapped[str] = mapped_column(primary_key=True)
    public_key: Mapped[bytes]
    private_key: Mapped[bytes]
    begins_at: Mapped[datetime]
    ends_at: Mapped[datetime]


class TrailRetention(Base):
    """The days that an account keeps records, where that is not the usual number."""

    __tablename__ = "trail_retentions"
    touches = ()

    account_id: Mapped[str] = mapped_column(ForeignKey("accounts.id"), primary_key=True)
    days: Mapped[int]
