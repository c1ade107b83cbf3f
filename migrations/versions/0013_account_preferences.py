"""What an account prefers of STS: the version of the tokens of its global endpoint."""

import sqlalchemy as sa
from alembic import op

revision = "0013"
down_revision = "0011"
branch_labels = None
depends_on = None
compatible_from = "0003"

KEY = sa.String().with_variant(sa.String(collation="C"), "postgresql")


def upgrade() -> None:
    op.create_table(
        "account_preferences",
        sa.Column("account_id", KEY, nullable=False),
        sa.Column("global_endpoint_token_version", sa.Integer(), nullable=False),
        sa.ForeignKeyConstraint(["account_id"], ["accounts.id"], name=op.f("fk_account_preferences_account_id")),
        sa.PrimaryKeyConstraint("account_id", name=op.f("pk_account_preferences")),
    )


def downgrade() -> None:
    op.drop_table("account_preferences")
