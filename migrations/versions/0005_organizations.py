"""Organizations: units, accounts in them, policies and what they are attached to, handshakes, delegation; contacts and regions of accounts.

Code of the release before runs on it, and knows no organization: it restricts nobody by one until it is replaced.
"""

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None
compatible_from = "0003"

KEY = sa.String().with_variant(sa.String(collation="C"), "postgresql")
MOMENT = sa.DateTime(timezone=True)


def upgrade() -> None:
    op.create_table(
        "account_contacts",
        sa.Column("account_id", KEY, nullable=False),
        sa.Column("kind", KEY, nullable=False),
        sa.Column("content", KEY, nullable=False),
        sa.ForeignKeyConstraint(["account_id"], ["accounts.id"], name=op.f("fk_account_contacts_account_id")),
        sa.PrimaryKeyConstraint("account_id", "kind", name=op.f("pk_account_contacts")),
    )
    op.create_table(
        "account_regions",
        sa.Column("account_id", KEY, nullable=False),
        sa.Column("region", KEY, nullable=False),
        sa.Column("enabled_at", MOMENT, nullable=False),
        sa.ForeignKeyConstraint(["account_id"], ["accounts.id"], name=op.f("fk_account_regions_account_id")),
        sa.PrimaryKeyConstraint("account_id", "region", name=op.f("pk_account_regions")),
    )
    op.create_table(
        "account_emails",
        sa.Column("account_id", KEY, nullable=False),
        sa.Column("email", KEY, nullable=False),
        sa.Column("email_key", KEY, nullable=False),
        sa.ForeignKeyConstraint(["account_id"], ["accounts.id"], name=op.f("fk_account_emails_account_id")),
        sa.PrimaryKeyConstraint("account_id", name=op.f("pk_account_emails")),
        sa.UniqueConstraint("email_key", name=op.f("uq_account_emails_email_key")),
    )
    op.create_table(
        "organizations",
        sa.Column("id", KEY, nullable=False),
        sa.Column("management_account_id", KEY, nullable=False),
        sa.Column("root_id", KEY, nullable=False),
        sa.Column("feature_set", KEY, nullable=False),
        sa.Column("created_at", MOMENT, nullable=False),
        sa.ForeignKeyConstraint(["management_account_id"], ["accounts.id"], name=op.f("fk_organizations_management_account_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_organizations")),
        sa.UniqueConstraint("management_account_id", name=op.f("uq_organizations_management_account_id")),
        sa.UniqueConstraint("root_id", name=op.f("uq_organizations_root_id")),
    )
    op.create_table(
        "organization_units",
        sa.Column("id", KEY, nullable=False),
        sa.Column("organization_id", KEY, nullable=False),
        sa.Column("parent_id", KEY, nullable=True),
        sa.Column("name", KEY, nullable=False),
        sa.Column("created_at", MOMENT, nullable=False),
        sa.ForeignKeyConstraint(["organization_id"], ["organizations.id"], name=op.f("fk_organization_units_organization_id")),
        sa.ForeignKeyConstraint(["parent_id"], ["organization_units.id"], name=op.f("fk_organization_units_parent_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_organization_units")),
        sa.UniqueConstraint("parent_id", "name", name=op.f("uq_organization_units_parent_id_name")),
    )
    op.create_index(op.f("ix_organization_units_organization_id"), "organization_units", ["organization_id"], unique=False)
    op.create_table(
        "organization_accounts",
        sa.Column("account_id", KEY, nullable=False),
        sa.Column("organization_id", KEY, nullable=False),
        sa.Column("unit_id", KEY, nullable=False),
        sa.Column("joined_method", KEY, nullable=False),
        sa.Column("joined_at", MOMENT, nullable=False),
        sa.ForeignKeyConstraint(["account_id"], ["accounts.id"], name=op.f("fk_organization_accounts_account_id")),
        sa.ForeignKeyConstraint(["organization_id"], ["organizations.id"], name=op.f("fk_organization_accounts_organization_id")),
        sa.ForeignKeyConstraint(["unit_id"], ["organization_units.id"], name=op.f("fk_organization_accounts_unit_id")),
        sa.PrimaryKeyConstraint("account_id", name=op.f("pk_organization_accounts")),
    )
    op.create_index(
        op.f("ix_organization_accounts_organization_id_account_id"),
        "organization_accounts",
        ["organization_id", "account_id"],
        unique=False,
    )
    op.create_index(op.f("ix_organization_accounts_unit_id_account_id"), "organization_accounts", ["unit_id", "account_id"], unique=False)
    op.create_table(
        "organization_policy_types",
        sa.Column("root_id", KEY, nullable=False),
        sa.Column("type", KEY, nullable=False),
        sa.ForeignKeyConstraint(["root_id"], ["organization_units.id"], name=op.f("fk_organization_policy_types_root_id")),
        sa.PrimaryKeyConstraint("root_id", "type", name=op.f("pk_organization_policy_types")),
    )
    op.create_table(
        "organization_policies",
        sa.Column("id", KEY, nullable=False),
        sa.Column("organization_id", KEY, nullable=False),
        sa.Column("type", KEY, nullable=False),
        sa.Column("name", KEY, nullable=False),
        sa.Column("description", KEY, nullable=False),
        sa.Column("content", KEY, nullable=False),
        sa.Column("created_at", MOMENT, nullable=False),
        sa.Column("updated_at", MOMENT, nullable=False),
        sa.ForeignKeyConstraint(["organization_id"], ["organizations.id"], name=op.f("fk_organization_policies_organization_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_organization_policies")),
        sa.UniqueConstraint("organization_id", "type", "name", name=op.f("uq_organization_policies_organization_id_type_name")),
    )
    op.create_table(
        "organization_attachments",
        sa.Column("target_id", KEY, nullable=False),
        sa.Column("policy_id", KEY, nullable=False),
        sa.Column("organization_id", KEY, nullable=False),
        sa.Column("type", KEY, nullable=False),
        sa.Column("created_at", MOMENT, nullable=False),
        sa.ForeignKeyConstraint(["organization_id"], ["organizations.id"], name=op.f("fk_organization_attachments_organization_id")),
        sa.PrimaryKeyConstraint("target_id", "policy_id", name=op.f("pk_organization_attachments")),
    )
    op.create_index(
        op.f("ix_organization_attachments_organization_id_policy_id"),
        "organization_attachments",
        ["organization_id", "policy_id", "target_id"],
        unique=False,
    )
    op.create_table(
        "organization_handshakes",
        sa.Column("id", KEY, nullable=False),
        sa.Column("organization_id", KEY, nullable=False),
        sa.Column("management_account_id", KEY, nullable=False),
        sa.Column("feature_set", KEY, nullable=False),
        sa.Column("action", KEY, nullable=False),
        sa.Column("state", KEY, nullable=False),
        sa.Column("account_id", KEY, nullable=False),
        sa.Column("party_type", KEY, nullable=False),
        sa.Column("party", KEY, nullable=False),
        sa.Column("notes", KEY, nullable=True),
        sa.Column("tags", KEY, nullable=False),
        sa.Column("parent_id", KEY, nullable=True),
        sa.Column("requested_at", MOMENT, nullable=False),
        sa.Column("expires_at", MOMENT, nullable=False),
        sa.Column("ended_at", MOMENT, nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_organization_handshakes")),
    )
    op.create_index(op.f("ix_organization_handshakes_account_id_id"), "organization_handshakes", ["account_id", "id"], unique=False)
    op.create_index(
        op.f("ix_organization_handshakes_organization_id_id"), "organization_handshakes", ["organization_id", "id"], unique=False
    )
    op.create_table(
        "organization_administrators",
        sa.Column("account_id", KEY, nullable=False),
        sa.Column("service_principal", KEY, nullable=False),
        sa.Column("organization_id", KEY, nullable=False),
        sa.Column("enabled_at", MOMENT, nullable=False),
        sa.ForeignKeyConstraint(["account_id"], ["accounts.id"], name=op.f("fk_organization_administrators_account_id")),
        sa.ForeignKeyConstraint(["organization_id"], ["organizations.id"], name=op.f("fk_organization_administrators_organization_id")),
        sa.PrimaryKeyConstraint("account_id", "service_principal", name=op.f("pk_organization_administrators")),
    )
    op.create_index(
        op.f("ix_organization_administrators_organization_id"), "organization_administrators", ["organization_id"], unique=False
    )
    op.create_table(
        "organization_services",
        sa.Column("organization_id", KEY, nullable=False),
        sa.Column("service_principal", KEY, nullable=False),
        sa.Column("enabled_at", MOMENT, nullable=False),
        sa.ForeignKeyConstraint(["organization_id"], ["organizations.id"], name=op.f("fk_organization_services_organization_id")),
        sa.PrimaryKeyConstraint("organization_id", "service_principal", name=op.f("pk_organization_services")),
    )
    op.create_table(
        "organization_account_requests",
        sa.Column("id", KEY, nullable=False),
        sa.Column("organization_id", KEY, nullable=False),
        sa.Column("account_name", KEY, nullable=False),
        sa.Column("state", KEY, nullable=False),
        sa.Column("account_id", KEY, nullable=True),
        sa.Column("failure_reason", KEY, nullable=True),
        sa.Column("requested_at", MOMENT, nullable=False),
        sa.Column("completed_at", MOMENT, nullable=True),
        sa.ForeignKeyConstraint(["organization_id"], ["organizations.id"], name=op.f("fk_organization_account_requests_organization_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_organization_account_requests")),
    )
    op.create_index(
        op.f("ix_organization_account_requests_organization_id"), "organization_account_requests", ["organization_id"], unique=False
    )
    op.create_table(
        "organization_resource_policies",
        sa.Column("organization_id", KEY, nullable=False),
        sa.Column("id", KEY, nullable=False),
        sa.Column("content", KEY, nullable=False),
        sa.ForeignKeyConstraint(["organization_id"], ["organizations.id"], name=op.f("fk_organization_resource_policies_organization_id")),
        sa.PrimaryKeyConstraint("organization_id", name=op.f("pk_organization_resource_policies")),
        sa.UniqueConstraint("id", name=op.f("uq_organization_resource_policies_id")),
    )
    op.create_table(
        "organization_tags",
        sa.Column("resource_id", KEY, nullable=False),
        sa.Column("key", KEY, nullable=False),
        sa.Column("organization_id", KEY, nullable=False),
        sa.Column("value", KEY, nullable=False),
        sa.ForeignKeyConstraint(["organization_id"], ["organizations.id"], name=op.f("fk_organization_tags_organization_id")),
        sa.PrimaryKeyConstraint("resource_id", "key", name=op.f("pk_organization_tags")),
    )
    op.create_index(op.f("ix_organization_tags_organization_id"), "organization_tags", ["organization_id"], unique=False)


def downgrade() -> None:
    op.drop_index(op.f("ix_organization_tags_organization_id"), "organization_tags")
    op.drop_table("organization_tags")
    op.drop_table("organization_resource_policies")
    op.drop_index(op.f("ix_organization_account_requests_organization_id"), "organization_account_requests")
    op.drop_table("organization_account_requests")
    op.drop_table("organization_services")
    op.drop_index(op.f("ix_organization_administrators_organization_id"), "organization_administrators")
    op.drop_table("organization_administrators")
    op.drop_index(op.f("ix_organization_handshakes_organization_id_id"), "organization_handshakes")
    op.drop_index(op.f("ix_organization_handshakes_account_id_id"), "organization_handshakes")
    op.drop_table("organization_handshakes")
    op.drop_index(op.f("ix_organization_attachments_organization_id_policy_id"), "organization_attachments")
    op.drop_table("organization_attachments")
    op.drop_table("organization_policies")
    op.drop_table("organization_policy_types")
    op.drop_index(op.f("ix_organization_accounts_unit_id_account_id"), "organization_accounts")
    op.drop_index(op.f("ix_organization_accounts_organization_id_account_id"), "organization_accounts")
    op.drop_table("organization_accounts")
    op.drop_index(op.f("ix_organization_units_organization_id"), "organization_units")
    op.drop_table("organization_units")
    op.drop_table("organizations")
    op.drop_table("account_emails")
    op.drop_table("account_regions")
    op.drop_table("account_contacts")
