"""Analyzers, their archive rules, what they look at and what they find; previews, recommendations and generated policies.

Code of the release before knows nothing of them: what it changes meanwhile is looked at by the next scan.
"""

import sqlalchemy as sa
from alembic import op

revision = "0018"
down_revision = "0017"
branch_labels = None
depends_on = None
compatible_from = "0003"

KEY = sa.String().with_variant(sa.String(collation="C"), "postgresql")
MOMENT = sa.DateTime(timezone=True)


def upgrade() -> None:
    op.create_table(
        "scan_turns",
        sa.Column("id", sa.Integer(), nullable=False, autoincrement=False),
        sa.Column("turn", sa.BigInteger(), nullable=False),
        sa.Column("number", sa.BigInteger(), nullable=False),
        sa.Column("nonce", KEY, nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_scan_turns")),
    )
    op.create_table(
        "access_findings",
        sa.Column("id", KEY, nullable=False),
        sa.Column("analyzer_id", KEY, nullable=False),
        sa.Column("account_id", KEY, nullable=False),
        sa.Column("source_id", KEY, nullable=False),
        sa.Column("type", KEY, nullable=False),
        sa.Column("resource", KEY, nullable=False),
        sa.Column("resource_type", KEY, nullable=False),
        sa.Column("owner", KEY, nullable=False),
        sa.Column("status", KEY, nullable=False),
        sa.Column("principal", KEY, nullable=False),
        sa.Column("actions", KEY, nullable=False),
        sa.Column("condition", KEY, nullable=False),
        sa.Column("is_public", sa.Boolean(), nullable=False),
        sa.Column("restriction", KEY, nullable=False),
        sa.Column("error", KEY, nullable=True),
        sa.Column("details", KEY, nullable=False),
        sa.Column("created_at", MOMENT, nullable=False),
        sa.Column("analyzed_at", MOMENT, nullable=False),
        sa.Column("updated_at", MOMENT, nullable=False),
        sa.ForeignKeyConstraint(["account_id"], ["accounts.id"], name=op.f("fk_access_findings_account_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_access_findings")),
    )
    op.create_index(op.f("ix_access_findings_analyzer_id_resource"), "access_findings", ["analyzer_id", "resource"], unique=False)
    op.create_index(op.f("ix_access_findings_analyzer_id_source_id"), "access_findings", ["analyzer_id", "source_id"], unique=False)
    op.create_index(
        op.f("ix_access_findings_analyzer_id_status_created_at"),
        "access_findings",
        ["analyzer_id", "status", "created_at", "id"],
        unique=False,
    )
    op.create_index(op.f("ix_access_findings_status_updated_at"), "access_findings", ["status", "updated_at"], unique=False)
    op.create_table(
        "access_previews",
        sa.Column("id", KEY, nullable=False),
        sa.Column("analyzer_id", KEY, nullable=False),
        sa.Column("account_id", KEY, nullable=False),
        sa.Column("configurations", KEY, nullable=False),
        sa.Column("findings", KEY, nullable=False),
        sa.Column("status", KEY, nullable=False),
        sa.Column("status_reason", KEY, nullable=True),
        sa.Column("created_at", MOMENT, nullable=False),
        sa.ForeignKeyConstraint(["account_id"], ["accounts.id"], name=op.f("fk_access_previews_account_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_access_previews")),
    )
    op.create_index(op.f("ix_access_previews_analyzer_id_created_at"), "access_previews", ["analyzer_id", "created_at"], unique=False)
    op.create_index(op.f("ix_access_previews_created_at"), "access_previews", ["created_at"], unique=False)
    op.create_table(
        "analyzed_resources",
        sa.Column("analyzer_id", KEY, nullable=False),
        sa.Column("source_id", KEY, nullable=False),
        sa.Column("resource", KEY, nullable=False),
        sa.Column("account_id", KEY, nullable=False),
        sa.Column("resource_type", KEY, nullable=False),
        sa.Column("owner", KEY, nullable=False),
        sa.Column("is_public", sa.Boolean(), nullable=False),
        sa.Column("actions", KEY, nullable=False),
        sa.Column("error", KEY, nullable=True),
        sa.Column("turn", sa.BigInteger(), nullable=False),
        sa.Column("created_at", MOMENT, nullable=False),
        sa.Column("analyzed_at", MOMENT, nullable=False),
        sa.Column("updated_at", MOMENT, nullable=False),
        sa.ForeignKeyConstraint(["account_id"], ["accounts.id"], name=op.f("fk_analyzed_resources_account_id")),
        sa.PrimaryKeyConstraint("analyzer_id", "source_id", name=op.f("pk_analyzed_resources")),
    )
    op.create_index(op.f("ix_analyzed_resources_analyzer_id_resource"), "analyzed_resources", ["analyzer_id", "resource"], unique=False)
    op.create_index(op.f("ix_analyzed_resources_analyzer_id_turn"), "analyzed_resources", ["analyzer_id", "turn"], unique=False)
    op.create_index(op.f("ix_analyzed_resources_source_id"), "analyzed_resources", ["source_id"], unique=False)
    op.create_table(
        "analyzer_tags",
        sa.Column("analyzer_id", KEY, nullable=False),
        sa.Column("key", KEY, nullable=False),
        sa.Column("account_id", KEY, nullable=False),
        sa.Column("value", KEY, nullable=False),
        sa.ForeignKeyConstraint(["account_id"], ["accounts.id"], name=op.f("fk_analyzer_tags_account_id")),
        sa.PrimaryKeyConstraint("analyzer_id", "key", name=op.f("pk_analyzer_tags")),
    )
    op.create_table(
        "analyzers",
        sa.Column("id", KEY, nullable=False),
        sa.Column("account_id", KEY, nullable=False),
        sa.Column("name", KEY, nullable=False),
        sa.Column("type", KEY, nullable=False),
        sa.Column("organization_id", KEY, nullable=True),
        sa.Column("configuration", KEY, nullable=False),
        sa.Column("created_at", MOMENT, nullable=False),
        sa.Column("deleted_at", MOMENT, nullable=True),
        sa.Column("scan_after", KEY, nullable=True),
        sa.Column("scan_began_at", MOMENT, nullable=True),
        sa.Column("scan_turn", sa.BigInteger(), nullable=False),
        sa.Column("scanned_at", MOMENT, nullable=True),
        sa.Column("zone", KEY, nullable=False),
        sa.Column("last_resource", KEY, nullable=True),
        sa.Column("last_resource_at", MOMENT, nullable=True),
        sa.ForeignKeyConstraint(["account_id"], ["accounts.id"], name=op.f("fk_analyzers_account_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_analyzers")),
        sa.UniqueConstraint("account_id", "name", name=op.f("uq_analyzers_account_id_name")),
    )
    op.create_index(op.f("ix_analyzers_organization_id"), "analyzers", ["organization_id"], unique=False)
    op.create_table(
        "archive_rules",
        sa.Column("analyzer_id", KEY, nullable=False),
        sa.Column("name", KEY, nullable=False),
        sa.Column("account_id", KEY, nullable=False),
        sa.Column("filter", KEY, nullable=False),
        sa.Column("created_at", MOMENT, nullable=False),
        sa.Column("updated_at", MOMENT, nullable=False),
        sa.ForeignKeyConstraint(["account_id"], ["accounts.id"], name=op.f("fk_archive_rules_account_id")),
        sa.PrimaryKeyConstraint("analyzer_id", "name", name=op.f("pk_archive_rules")),
    )
    op.create_table(
        "finding_recommendations",
        sa.Column("finding_id", KEY, nullable=False),
        sa.Column("analyzer_id", KEY, nullable=False),
        sa.Column("account_id", KEY, nullable=False),
        sa.Column("resource", KEY, nullable=False),
        sa.Column("status", KEY, nullable=False),
        sa.Column("steps", KEY, nullable=False),
        sa.Column("error_code", KEY, nullable=True),
        sa.Column("error_message", KEY, nullable=True),
        sa.Column("started_at", MOMENT, nullable=False),
        sa.Column("completed_at", MOMENT, nullable=True),
        sa.ForeignKeyConstraint(["account_id"], ["accounts.id"], name=op.f("fk_finding_recommendations_account_id")),
        sa.PrimaryKeyConstraint("finding_id", name=op.f("pk_finding_recommendations")),
    )
    op.create_table(
        "policy_generations",
        sa.Column("id", KEY, nullable=False),
        sa.Column("account_id", KEY, nullable=False),
        sa.Column("principal_arn", KEY, nullable=False),
        sa.Column("principal_id", KEY, nullable=False),
        sa.Column("details", KEY, nullable=False),
        sa.Column("status", KEY, nullable=False),
        sa.Column("policy", KEY, nullable=True),
        sa.Column("is_complete", sa.Boolean(), nullable=False),
        sa.Column("error_code", KEY, nullable=True),
        sa.Column("error_message", KEY, nullable=True),
        sa.Column("started_at", MOMENT, nullable=False),
        sa.Column("completed_at", MOMENT, nullable=True),
        sa.ForeignKeyConstraint(["account_id"], ["accounts.id"], name=op.f("fk_policy_generations_account_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_policy_generations")),
    )
    op.create_index(op.f("ix_policy_generations_account_id_started_at"), "policy_generations", ["account_id", "started_at"], unique=False)
    op.create_index(op.f("ix_policy_generations_status_started_at"), "policy_generations", ["status", "started_at"], unique=False)
    op.create_table(
        "scan_requests",
        sa.Column("analyzer_id", KEY, nullable=False),
        sa.Column("resource", KEY, nullable=False),
        sa.Column("owner", KEY, nullable=False),
        sa.Column("account_id", KEY, nullable=False),
        sa.Column("asked_at", MOMENT, nullable=False),
        sa.ForeignKeyConstraint(["account_id"], ["accounts.id"], name=op.f("fk_scan_requests_account_id")),
        sa.PrimaryKeyConstraint("analyzer_id", "resource", "owner", name=op.f("pk_scan_requests")),
    )


def downgrade() -> None:
    op.drop_index(op.f("ix_policy_generations_status_started_at"), "policy_generations")
    op.drop_index(op.f("ix_policy_generations_account_id_started_at"), "policy_generations")
    op.drop_index(op.f("ix_analyzers_organization_id"), "analyzers")
    op.drop_index(op.f("ix_analyzed_resources_source_id"), "analyzed_resources")
    op.drop_index(op.f("ix_analyzed_resources_analyzer_id_turn"), "analyzed_resources")
    op.drop_index(op.f("ix_analyzed_resources_analyzer_id_resource"), "analyzed_resources")
    op.drop_index(op.f("ix_access_previews_created_at"), "access_previews")
    op.drop_index(op.f("ix_access_previews_analyzer_id_created_at"), "access_previews")
    op.drop_index(op.f("ix_access_findings_status_updated_at"), "access_findings")
    op.drop_index(op.f("ix_access_findings_analyzer_id_status_created_at"), "access_findings")
    op.drop_index(op.f("ix_access_findings_analyzer_id_source_id"), "access_findings")
    op.drop_index(op.f("ix_access_findings_analyzer_id_resource"), "access_findings")
    op.drop_table("scan_turns")
    op.drop_table("access_findings")
    op.drop_table("access_previews")
    op.drop_table("analyzed_resources")
    op.drop_table("analyzer_tags")
    op.drop_table("analyzers")
    op.drop_table("archive_rules")
    op.drop_table("finding_recommendations")
    op.drop_table("policy_generations")
    op.drop_table("scan_requests")
