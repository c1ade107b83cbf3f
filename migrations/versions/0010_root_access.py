"""Central root access, access reports of organizations, and since when an account is closed.

Code of the release before closes accounts without saying when; whoever looks for those that are to go says it then.
"""

import sqlalchemy as sa
from alembic import op

revision = "0010"
down_revision = "0009"
branch_labels = None
depends_on = None
compatible_from = "0003"

KEY = sa.String().with_variant(sa.String(collation="C"), "postgresql")
MOMENT = sa.DateTime(timezone=True)


def upgrade() -> None:
    op.create_table(
        "organization_features",
        sa.Column("root_id", KEY, nullable=False),
        sa.Column("feature", KEY, nullable=False),
        sa.Column("enabled_at", MOMENT, nullable=False),
        sa.ForeignKeyConstraint(["root_id"], ["organization_units.id"], name=op.f("fk_organization_features_root_id")),
        sa.PrimaryKeyConstraint("root_id", "feature", name=op.f("pk_organization_features")),
    )
    op.create_table(
        "organization_access_reports",
        sa.Column("id", KEY, nullable=False),
        sa.Column("account_id", KEY, nullable=False),
        sa.Column("entity_path", KEY, nullable=False),
        sa.Column("policy_id", KEY, nullable=True),
        sa.Column("created_at", MOMENT, nullable=False),
        sa.ForeignKeyConstraint(["account_id"], ["accounts.id"], name=op.f("fk_organization_access_reports_account_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_organization_access_reports")),
    )
    op.create_index("ix_organization_access_reports_account_id_created_at", "organization_access_reports", ["account_id", "created_at"])
    op.add_column("accounts", sa.Column("closed_at", MOMENT, nullable=True))


def downgrade() -> None:
    op.drop_column("accounts", "closed_at")
    op.drop_table("organization_access_reports")
    op.drop_table("organization_features")
