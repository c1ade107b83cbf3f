"""Trails, event data stores and the queries that are asked of them.

Code of the release before knows none of them, and delivers nothing.
"""

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None
compatible_from = "0003"

KEY = sa.String().with_variant(sa.String(collation="C"), "postgresql")
MOMENT = sa.DateTime(timezone=True)


def text(name: str, *, nullable: bool = False) -> sa.Column[str]:
    return sa.Column(name, KEY, nullable=nullable)


def flag(name: str) -> sa.Column[bool]:
    return sa.Column(name, sa.Boolean(), nullable=False)


def moment(name: str, *, nullable: bool = True) -> sa.Column[object]:
    return sa.Column(name, MOMENT, nullable=nullable)


def number(name: str) -> sa.Column[int]:
    return sa.Column(name, sa.BigInteger(), nullable=False, server_default="0")


def upgrade() -> None:
    op.create_table(
        "trails",
        text("id"),
        text("account_id"),
        text("name"),
        text("home_region"),
        text("organization_id", nullable=True),
        text("s3_bucket_name"),
        text("s3_key_prefix", nullable=True),
        text("sns_topic_name", nullable=True),
        text("kms_key_id", nullable=True),
        text("cloud_watch_logs_log_group_arn", nullable=True),
        text("cloud_watch_logs_role_arn", nullable=True),
        flag("include_global_service_events"),
        flag("is_multi_region_trail"),
        flag("is_organization_trail"),
        flag("log_file_validation_enabled"),
        text("event_selectors", nullable=True),
        text("advanced_event_selectors", nullable=True),
        text("insight_selectors", nullable=True),
        moment("created_at", nullable=False),
        flag("is_logging"),
        moment("started_at"),
        moment("stopped_at"),
        number("position"),
        moment("latest_delivery_at"),
        moment("latest_delivery_attempted_at"),
        text("latest_delivery_error", nullable=True),
        moment("latest_digest_at"),
        text("latest_digest_error", nullable=True),
        sa.ForeignKeyConstraint(["account_id"], ["accounts.id"], name=op.f("fk_trails_account_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_trails")),
        sa.UniqueConstraint("account_id", "name", name=op.f("uq_trails_account_id_name")),
    )
    op.create_index("ix_trails_organization_id", "trails", ["organization_id"])
    op.create_table(
        "event_data_stores",
        text("id"),
        text("account_id"),
        text("name"),
        text("organization_id", nullable=True),
        text("status"),
        flag("multi_region_enabled"),
        flag("termination_protection_enabled"),
        sa.Column("retention_period", sa.Integer(), nullable=False),
        text("billing_mode"),
        text("kms_key_id", nullable=True),
        text("advanced_event_selectors"),
        text("insight_selectors", nullable=True),
        text("insights_destination", nullable=True),
        text("ingestion"),
        moment("created_at", nullable=False),
        moment("updated_at", nullable=False),
        moment("deleted_at"),
        sa.ForeignKeyConstraint(["account_id"], ["accounts.id"], name=op.f("fk_event_data_stores_account_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_event_data_stores")),
        sa.UniqueConstraint("account_id", "name", name=op.f("uq_event_data_stores_account_id_name")),
    )
    op.create_index("ix_event_data_stores_organization_id", "event_data_stores", ["organization_id"])
    op.create_table(
        "event_queries",
        text("id"),
        text("account_id"),
        text("store_id"),
        text("statement"),
        text("parameters"),
        text("alias", nullable=True),
        text("delivery_s3_uri", nullable=True),
        text("status"),
        moment("created_at", nullable=False),
        moment("started_at"),
        moment("finished_at"),
        text("error_message", nullable=True),
        number("matched"),
        number("scanned"),
        number("bytes_scanned"),
        sa.ForeignKeyConstraint(["account_id"], ["accounts.id"], name=op.f("fk_event_queries_account_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_event_queries")),
    )
    op.create_index("ix_event_queries_account_id_store_id_created_at", "event_queries", ["account_id", "store_id", "created_at"])
    op.create_index("ix_event_queries_status_created_at", "event_queries", ["status", "created_at"])
    op.create_index("ix_event_queries_created_at", "event_queries", ["created_at"])
    op.create_table(
        "event_query_pages",
        text("query_id"),
        sa.Column("number", sa.Integer(), autoincrement=False, nullable=False),
        text("rows"),
        sa.ForeignKeyConstraint(["query_id"], ["event_queries.id"], name=op.f("fk_event_query_pages_query_id")),
        sa.PrimaryKeyConstraint("query_id", "number", name=op.f("pk_event_query_pages")),
    )
    op.create_table(
        "trail_tags",
        text("resource_id"),
        text("key"),
        text("value", nullable=True),
        sa.PrimaryKeyConstraint("resource_id", "key", name=op.f("pk_trail_tags")),
    )


def downgrade() -> None:
    for table in ("trail_tags", "event_query_pages", "event_queries", "event_data_stores", "trails"):
        op.drop_table(table)
