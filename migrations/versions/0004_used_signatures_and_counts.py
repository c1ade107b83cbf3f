"""Signatures that were used, counts of denials, and the keys of MFA devices that have a path."""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None
compatible_from = "0003"

KEY = sa.String().with_variant(sa.String(collation="C"), "postgresql")


def upgrade() -> None:
    if op.get_bind().dialect.name == "postgresql":  # in the order of those who write meanwhile, so that nobody waits in a ring
        op.execute("LOCK TABLE accounts, entities, audit_records IN ACCESS EXCLUSIVE MODE")
    op.create_table(
        "used_signatures",
        sa.Column("minute", sa.Integer(), nullable=False),
        sa.Column("account_id", KEY, nullable=False),
        sa.Column("signature", KEY, nullable=False),
        sa.Column("used_at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("minute", "account_id", "signature", name=op.f("pk_used_signatures")),
    )
    op.add_column("audit_records", sa.Column("count", sa.Integer(), nullable=False, server_default="1"))
    op.add_column("audit_records", sa.Column("last_at", sa.DateTime(timezone=True), nullable=True))
    # A device's name is unique with its path only. Those that were made before that was known have the key of a name alone.
    op.execute("UPDATE entities SET name_key = lower(substr(path, 2) || name) WHERE kind = 'mfa'")


def downgrade() -> None:
    op.execute("UPDATE entities SET name_key = lower(name) WHERE kind = 'mfa'")
    op.drop_column("audit_records", "last_at")
    op.drop_column("audit_records", "count")
    op.drop_table("used_signatures")
