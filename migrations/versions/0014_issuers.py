"""The issuers of accounts' tokens for other services, and their pairs of keys."""

import sqlalchemy as sa
from alembic import op

revision = "0014"
down_revision = "0013"
branch_labels = None
depends_on = None
compatible_from = "0003"

KEY = sa.String().with_variant(sa.String(collation="C"), "postgresql")
MOMENT = sa.DateTime(timezone=True)


def upgrade() -> None:
    op.create_table(
        "issuers",
        sa.Column("id", KEY, nullable=False),
        sa.Column("account_id", KEY, nullable=False),
        sa.Column("url", KEY, nullable=False),
        sa.Column("enabled_at", MOMENT, nullable=False),
        sa.Column("disabled_at", MOMENT, nullable=True),
        sa.ForeignKeyConstraint(["account_id"], ["accounts.id"], name=op.f("fk_issuers_account_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_issuers")),
        sa.UniqueConstraint("account_id", name=op.f("uq_issuers_account_id")),
    )
    op.create_table(
        "issuer_keys",
        sa.Column("id", KEY, nullable=False),
        sa.Column("issuer_id", KEY, nullable=False),
        sa.Column("account_id", KEY, nullable=False),
        sa.Column("algorithm", KEY, nullable=False),
        sa.Column("public_key", KEY, nullable=False),
        sa.Column("begins_at", MOMENT, nullable=False),
        sa.ForeignKeyConstraint(["account_id"], ["accounts.id"], name=op.f("fk_issuer_keys_account_id")),
        sa.ForeignKeyConstraint(["issuer_id"], ["issuers.id"], name=op.f("fk_issuer_keys_issuer_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_issuer_keys")),
    )
    op.create_index("ix_issuer_keys_account_id", "issuer_keys", ["account_id"])
    op.create_index("ix_issuer_keys_issuer_id", "issuer_keys", ["issuer_id"])
    op.create_table(
        "issuer_private_keys",
        sa.Column("id", KEY, nullable=False),
        sa.Column("account_id", KEY, nullable=False),
        sa.Column("private_key", sa.LargeBinary(), nullable=False),
        sa.ForeignKeyConstraint(["account_id"], ["accounts.id"], name=op.f("fk_issuer_private_keys_account_id")),
        sa.ForeignKeyConstraint(["id"], ["issuer_keys.id"], name=op.f("fk_issuer_private_keys_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_issuer_private_keys")),
    )
    op.create_index("ix_issuer_private_keys_account_id", "issuer_private_keys", ["account_id"])


def downgrade() -> None:
    op.drop_table("issuer_private_keys")
    op.drop_table("issuer_keys")
    op.drop_table("issuers")
