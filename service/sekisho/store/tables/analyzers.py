"""Access Analyzer's own things: analyzers, their archive rules, what they look at and what they find.

What is found is written by the scan, outside the change log: no decision depends on it. All rows have the account of their analyzer, by
which they are found, and go with it.
"""

from datetime import datetime

from sqlalchemy import BigInteger, ForeignKey, Index, UniqueConstraint, text
from sqlalchemy.orm import Mapped, mapped_column

from sekisho.store.db import Base


class Analyzer(Base):
    """An analyzer: what it looks at, and for what.

    One that is deleted has a `deleted_at`, and its id for a name, until the scan has cleared away what it found. `scan_after` is the last
    resource that a scan of everything has looked at, empty before the first, None when there is no such scan under way; `scan_began_at`
    and `scan_turn` are when that began, by the clock and by the turns of the scan. `zone` is a hash of the zone of trust that was looked
    at last: another one is a reason to look at everything again.
    """

    __tablename__ = "analyzers"
    __table_args__ = (UniqueConstraint("account_id", "name"),)
    touches = ("id",)  # of no record: by it the scan hears that there is something to do

    id: Mapped[str] = mapped_column(primary_key=True)
    account_id: Mapped[str] = mapped_column(ForeignKey("accounts.id"))
    name: Mapped[str]
    type: Mapped[str]
    organization_id: Mapped[str | None] = mapped_column(index=True)
    """The organization whose accounts it looks at; None for its account alone."""
    configuration: Mapped[str]
    """A JSON object as the API has it."""
    created_at: Mapped[datetime]
    deleted_at: Mapped[datetime | None]
    scan_after: Mapped[str | None]
    scan_began_at: Mapped[datetime | None]
    scan_turn: Mapped[int] = mapped_column(BigInteger)
    scanned_at: Mapped[datetime | None]
    """When a scan of everything ended last."""
    zone: Mapped[str]
    last_resource: Mapped[str | None]
    last_resource_at: Mapped[datetime | None]


class AnalyzerTag(Base):
    """A tag of an analyzer."""

    __tablename__ = "analyzer_tags"
    touches = ()

    analyzer_id: Mapped[str] = mapped_column(primary_key=True)
    key: Mapped[str] = mapped_column(primary_key=True)
    account_id: Mapped[str] = mapped_column(ForeignKey("accounts.id"))
    value: Mapped[str]


class ArchiveRule(Base):
    """An archive rule; `filter` is a JSON object of criteria by property, as the API has it."""

    __tablename__ = "archive_rules"
    touches = ()

    analyzer_id: Mapped[str] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(primary_key=True)
    account_id: Mapped[str] = mapped_column(ForeignKey("accounts.id"))
    filter: Mapped[str]
    created_at: Mapped[datetime]
    updated_at: Mapped[datetime]


class AnalyzedResource(Base):
    """A resource that an analyzer looks at. `source_id` is what the change log calls it: the unique id of a role or user, else the ARN.

    `turn` is the turn of the scan in which it was looked at last.
    """

    __tablename__ = "analyzed_resources"
    __table_args__ = (
        Index("ix_analyzed_resources_source_id", "source_id"),
        Index("ix_analyzed_resources_analyzer_id_resource", "analyzer_id", "resource"),
        Index("ix_analyzed_resources_analyzer_id_turn", "analyzer_id", "turn"),
        # Few could not be analyzed, and they are looked at again after a while.
        Index(
            "ix_analyzed_resources_error",
            "analyzed_at",
            sqlite_where=text("error IS NOT NULL"),
            postgresql_where=text("error IS NOT NULL"),
        ),
    )
    touches = ()

    analyzer_id: Mapped[str] = mapped_column(primary_key=True)
    source_id: Mapped[str] = mapped_column(primary_key=True)
    resource: Mapped[str]
    account_id: Mapped[str] = mapped_column(ForeignKey("accounts.id"))
    resource_type: Mapped[str]
    owner: Mapped[str]
    """The account of the resource, which of an organization's analyzer need not be the analyzer's."""
    is_public: Mapped[bool]
    actions: Mapped[str]
    """A JSON list: all that those outside of the zone of trust are granted."""
    error: Mapped[str | None]
    turn: Mapped[int] = mapped_column(BigInteger)
    created_at: Mapped[datetime]
    analyzed_at: Mapped[datetime]
    updated_at: Mapped[datetime]


class AccessFinding(Base):
    """A finding. Its id follows from its analyzer and from what is found, so that one thing is found once, whoever looks how often.

    `principal` and `condition` are JSON objects, `actions` a JSON list; `details` is a JSON object of what findings of unused access have
    beside.
    """

    __tablename__ = "access_findings"
    __table_args__ = (
        Index("ix_access_findings_analyzer_id_source_id", "analyzer_id", "source_id"),
        Index("ix_access_findings_analyzer_id_status_created_at", "analyzer_id", "status", "created_at", "id"),
        Index("ix_access_findings_analyzer_id_resource", "analyzer_id", "resource"),
        Index("ix_access_findings_status_updated_at", "status", "updated_at"),
    )
    touches = ()

    id: Mapped[str] = mapped_column(primary_key=True)
    analyzer_id: Mapped[str]
    account_id: Mapped[str] = mapped_column(ForeignKey("accounts.id"))
    source_id: Mapped[str]
    type: Mapped[str]
    resource: Mapped[str]
    resource_type: Mapped[str]
    owner: Mapped[str]
    status: Mapped[str]
    principal: Mapped[str]
    actions: Mapped[str]
    condition: Mapped[str]
    is_public: Mapped[bool]
    restriction: Mapped[str]
    """What a resource control policy of the organization does about it, as the API says it."""
    error: Mapped[str | None]
    details: Mapped[str]
    created_at: Mapped[datetime]
    analyzed_at: Mapped[datetime]
    updated_at: Mapped[datetime]


class AccessPreview(Base):
    """A preview with its findings, which are worked out while it is made: `configurations` and `findings` are JSON as the API has them."""

    __tablename__ = "access_previews"
    __table_args__ = (
        Index("ix_access_previews_analyzer_id_created_at", "analyzer_id", "created_at"),
        Index("ix_access_previews_created_at", "created_at"),
    )
    touches = ()

    id: Mapped[str] = mapped_column(primary_key=True)
    analyzer_id: Mapped[str]
    account_id: Mapped[str] = mapped_column(ForeignKey("accounts.id"))
    configurations: Mapped[str]
    findings: Mapped[str]
    status: Mapped[str]
    status_reason: Mapped[str | None]
    created_at: Mapped[datetime]


class FindingRecommendation(Base):
    """What to do about a finding; `steps` is a JSON list as the API has it."""

    __tablename__ = "finding_recommendations"
    touches = ()

    finding_id: Mapped[str] = mapped_column(primary_key=True)
    analyzer_id: Mapped[str]
    account_id: Mapped[str] = mapped_column(ForeignKey("accounts.id"))
    resource: Mapped[str]
    status: Mapped[str]
    steps: Mapped[str]
    error_code: Mapped[str | None]
    error_message: Mapped[str | None]
    started_at: Mapped[datetime]
    completed_at: Mapped[datetime | None]


class PolicyGeneration(Base):
    """A policy that is made of what a user or role has done. `details` is a JSON object of the events that are read; `policy` is None until
    there is one.
    """

    __tablename__ = "policy_generations"
    __table_args__ = (
        Index("ix_policy_generations_account_id_started_at", "account_id", "started_at"),
        Index("ix_policy_generations_status_started_at", "status", "started_at"),
    )
    touches = ("id",)  # of no record: by it who makes policies hears that there is one to be made

    id: Mapped[str] = mapped_column(primary_key=True)
    account_id: Mapped[str] = mapped_column(ForeignKey("accounts.id"))
    principal_arn: Mapped[str]
    principal_id: Mapped[str]
    details: Mapped[str]
    status: Mapped[str]
    policy: Mapped[str | None]
    is_complete: Mapped[bool]
    error_code: Mapped[str | None]
    error_message: Mapped[str | None]
    started_at: Mapped[datetime]
    completed_at: Mapped[datetime | None]


class ScanRequest(Base):
    """A resource that somebody wants looked at now, and whose it is; it goes when that is done."""

    __tablename__ = "scan_requests"
    touches = ()

    analyzer_id: Mapped[str] = mapped_column(primary_key=True)
    resource: Mapped[str] = mapped_column(primary_key=True)
    owner: Mapped[str] = mapped_column(primary_key=True)
    account_id: Mapped[str] = mapped_column(ForeignKey("accounts.id"))
    asked_at: Mapped[datetime]


class ScanTurn(Base):
    """How far the scan has come in the change log, and how often it has written: two who scan at once write each thing once."""

    __tablename__ = "scan_turns"
    touches = ()

    id: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    turn: Mapped[int] = mapped_column(BigInteger)
    number: Mapped[int] = mapped_column(BigInteger)
    nonce: Mapped[str]
    """Of the revision that it has come to: another one is another history, after which everything is looked at again."""
