"""Definitions of services, registered resources with their tags, and of which services an account has registered any.

Code of the release before neither registers resources nor looks them up: it asks whoever asks it for owner, tags and policy.
"""

import sqlalchemy as sa
from alembic import op

revision = "0017"
down_revision = "0016"
branch_labels = None
depends_on = None
compatible_from = "0003"

KEY = sa.String().with_variant(sa.String(collation="C"), "postgresql")
MOMENT = sa.DateTime(timezone=True)


def upgrade() -> None:
    op.create_table(
        "service_definitions",
        sa.Column("account_id", KEY, nullable=False),
        sa.Column("name", KEY, nullable=False),
        sa.Column("definition", KEY, nullable=False),
        sa.Column("actions", sa.Integer(), nullable=False),
        sa.Column("resource_types", sa.Integer(), nullable=False),
        sa.Column("condition_keys", sa.Integer(), nullable=False),
        sa.Column("created_at", MOMENT, nullable=False),
        sa.Column("updated_at", MOMENT, nullable=False),
        sa.ForeignKeyConstraint(["account_id"], ["accounts.id"], name=op.f("fk_service_definitions_account_id")),
        sa.PrimaryKeyConstraint("account_id", "name", name=op.f("pk_service_definitions")),
    )
    op.create_table(
        "resources",
        sa.Column("id", KEY, nullable=False),
        sa.Column("account_id", KEY, nullable=False),
        sa.Column("arn", KEY, nullable=False),
        sa.Column("service", KEY, nullable=False),
        sa.Column("type", KEY, nullable=False),
        sa.Column("policy", KEY, nullable=True),
        sa.Column("created_at", MOMENT, nullable=False),
        sa.Column("updated_at", MOMENT, nullable=False),
        sa.ForeignKeyConstraint(["account_id"], ["accounts.id"], name=op.f("fk_resources_account_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_resources")),
    )
    op.create_index("ix_resources_account_id", "resources", ["account_id", "service", "type", "id"], unique=False)
    own = sa.text("policy IS NOT NULL")
    op.create_index("ix_resources_policy", "resources", ["account_id", "service", "id"], sqlite_where=own, postgresql_where=own)
    op.create_table(
        "resource_tags",
        sa.Column("resource_id", KEY, nullable=False),
        sa.Column("key_key", KEY, nullable=False),
        sa.Column("account_id", KEY, nullable=False),
        sa.Column("key", KEY, nullable=False),
        sa.Column("value", KEY, nullable=False),
        sa.ForeignKeyConstraint(["account_id"], ["accounts.id"], name=op.f("fk_resource_tags_account_id")),
        sa.ForeignKeyConstraint(["resource_id"], ["resources.id"], name=op.f("fk_resource_tags_resource_id"), ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("resource_id", "key_key", name=op.f("pk_resource_tags")),
    )
    op.create_index("ix_resource_tags_account_id", "resource_tags", ["account_id", "key", "value"], unique=False)
    for name, more in (("resource_services", ()), ("resource_counts", (sa.Column("held", sa.BigInteger(), nullable=False),))):
        op.create_table(
            name,
            sa.Column("account_id", KEY, nullable=False),
            sa.Column("service", KEY, nullable=False),
            *more,
            sa.ForeignKeyConstraint(["account_id"], ["accounts.id"], name=op.f(f"fk_{name}_account_id")),
            sa.PrimaryKeyConstraint("account_id", "service", name=op.f(f"pk_{name}")),
        )


def downgrade() -> None:
    op.drop_table("resource_counts")
    op.drop_table("resource_services")
    op.drop_index("ix_resource_tags_account_id", "resource_tags")
    op.drop_table("resource_tags")
    op.drop_index("ix_resources_policy", "resources")
    op.drop_index("ix_resources_account_id", "resources")
    op.drop_table("resources")
    op.drop_table("service_definitions")
