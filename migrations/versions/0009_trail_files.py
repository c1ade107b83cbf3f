"""Deliveries of trails: files, digest files, and the spans of time in which each trail logs.

Code of the release before knows none of them, and delivers nothing.
"""

import sqlalchemy as sa
from alembic import op

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None
compatible_from = "0003"

KEY = sa.String().with_variant(sa.String(collation="C"), "postgresql")
MOMENT = sa.DateTime(timezone=True)


def text(name: str, *, nullable: bool = False) -> sa.Column[str]:
    return sa.Column(name, KEY, nullable=nullable)


def moment(name: str, *, nullable: bool = False) -> sa.Column[object]:
    return sa.Column(name, MOMENT, nullable=nullable)


def upgrade() -> None:
    op.create_table(
        "trail_spans",
        text("id"),
        text("trail_id"),
        moment("began_at"),
        moment("ended_at", nullable=True),
        sa.Column("is_closed", sa.Boolean(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_trail_spans")),
    )
    op.create_index("ix_trail_spans_trail_id_began_at", "trail_spans", ["trail_id", "began_at"])
    op.create_table(
        "trail_files",
        text("id"),
        text("trail_id"),
        text("account_id"),
        text("region"),
        text("bucket"),
        text("key"),
        sa.Column("last", sa.BigInteger(), nullable=False),
        sa.Column("records", sa.Integer(), nullable=False),
        moment("oldest_at"),
        moment("newest_at"),
        text("hash"),
        sa.Column("content", sa.LargeBinary(), nullable=True),
        text("state"),
        moment("planned_at"),
        moment("delivered_at", nullable=True),
        text("digest_id", nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_trail_files")),
    )
    op.create_index("ix_trail_files_trail_id_state", "trail_files", ["trail_id", "state"])
    op.create_index("ix_trail_files_delivered_at", "trail_files", ["delivered_at"])
    op.create_table(
        "trail_digests",
        text("id"),
        text("trail_id"),
        text("account_id"),
        text("region"),
        text("bucket"),
        text("key"),
        moment("ends_at"),
        text("hash"),
        text("signature"),
        sa.Column("content", sa.LargeBinary(), nullable=True),
        text("state"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_trail_digests")),
    )
    of_account = ["trail_id", "account_id", "region", "ends_at"]
    op.create_index("ix_trail_digests_trail_id_account_id_region_ends_at", "trail_digests", of_account)


def downgrade() -> None:
    for table in ("digests", "files", "spans"):
        op.drop_table(f"trail_{table}")
