"""The first schema: accounts, identities, policies, keys, the change log and the audit trail."""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

KEY = sa.String().with_variant(sa.String(collation="C"), "postgresql")
NUMBER = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    op.create_table(
        "accounts",
        sa.Column("id", KEY, nullable=False),
        sa.Column("name", KEY, nullable=False),
        sa.Column("status", KEY, nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_accounts")),
    )
    op.create_table(
        "audit_records",
        sa.Column("id", KEY, nullable=False),
        sa.Column("account_id", KEY, nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("revision", sa.BigInteger(), nullable=True),
        sa.Column("event_source", KEY, nullable=False),
        sa.Column("event_name", KEY, nullable=False),
        sa.Column("read_only", sa.Boolean(), nullable=False),
        sa.Column("principal_id", KEY, nullable=False),
        sa.Column("principal_arn", KEY, nullable=False),
        sa.Column("access_key_id", KEY, nullable=False),
        sa.Column("source_ip", KEY, nullable=False),
        sa.Column("user_agent", KEY, nullable=False),
        sa.Column("request", KEY, nullable=False),
        sa.Column("response", KEY, nullable=False),
        sa.Column("error_code", KEY, nullable=True),
        sa.Column("error_message", KEY, nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_audit_records")),
    )
    with op.batch_alter_table("audit_records", schema=None) as batch_op:
        batch_op.create_index("ix_audit_records_account_id_at", ["account_id", "at"], unique=False)

    op.create_table(
        "revisions",
        sa.Column("number", NUMBER, autoincrement=False, nullable=False),
        sa.Column("nonce", KEY, nullable=False),
        sa.Column("committed_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("number", name=op.f("pk_revisions")),
    )
    op.create_table(
        "changes",
        sa.Column("number", NUMBER, nullable=False),
        sa.Column("id", KEY, nullable=False),
        sa.ForeignKeyConstraint(["number"], ["revisions.number"], name=op.f("fk_changes_number")),
        sa.PrimaryKeyConstraint("number", "id", name=op.f("pk_changes")),
    )
    op.create_table(
        "entities",
        sa.Column("id", KEY, nullable=False),
        sa.Column("account_id", KEY, nullable=False),
        sa.Column("kind", KEY, nullable=False),
        sa.Column("name", KEY, nullable=False),
        sa.Column("name_key", KEY, nullable=False),
        sa.Column("path", KEY, nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(["account_id"], ["accounts.id"], name=op.f("fk_entities_account_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_entities")),
        sa.UniqueConstraint("account_id", "kind", "name_key", name=op.f("uq_entities_account_id_kind_name_key")),
    )
    with op.batch_alter_table("entities", schema=None) as batch_op:
        batch_op.create_index("ix_entities_account_id_kind_path", ["account_id", "kind", "path"], unique=False)

    op.create_table(
        "access_keys",
        sa.Column("id", KEY, nullable=False),
        sa.Column("account_id", KEY, nullable=False),
        sa.Column("owner_id", KEY, nullable=False),
        sa.Column("secret", sa.LargeBinary(), nullable=False),
        sa.Column("status", KEY, nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("last_used_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("last_used_service", KEY, nullable=True),
        sa.Column("last_used_region", KEY, nullable=True),
        sa.ForeignKeyConstraint(["account_id"], ["accounts.id"], name=op.f("fk_access_keys_account_id")),
        sa.ForeignKeyConstraint(["owner_id"], ["entities.id"], name=op.f("fk_access_keys_owner_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_access_keys")),
    )
    with op.batch_alter_table("access_keys", schema=None) as batch_op:
        batch_op.create_index("ix_access_keys_owner_id", ["owner_id"], unique=False)

    op.create_table(
        "groups",
        sa.Column("id", KEY, nullable=False),
        sa.ForeignKeyConstraint(["id"], ["entities.id"], name=op.f("fk_groups_id"), ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_groups")),
    )
    op.create_table(
        "inline_policies",
        sa.Column("owner_id", KEY, nullable=False),
        sa.Column("name", KEY, nullable=False),
        sa.Column("name_key", KEY, nullable=False),
        sa.Column("document", KEY, nullable=False),
        sa.ForeignKeyConstraint(["owner_id"], ["entities.id"], name=op.f("fk_inline_policies_owner_id")),
        sa.PrimaryKeyConstraint("owner_id", "name", name=op.f("pk_inline_policies")),
        sa.UniqueConstraint("owner_id", "name_key", name=op.f("uq_inline_policies_owner_id_name_key")),
    )
    op.create_table(
        "policies",
        sa.Column("id", KEY, nullable=False),
        sa.Column("description", KEY, nullable=True),
        sa.Column("default_version", sa.Integer(), nullable=False),
        sa.Column("last_version", sa.Integer(), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(["id"], ["entities.id"], name=op.f("fk_policies_id"), ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_policies")),
    )
    op.create_table(
        "roots",
        sa.Column("id", KEY, nullable=False),
        sa.ForeignKeyConstraint(["id"], ["entities.id"], name=op.f("fk_roots_id"), ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_roots")),
    )
    op.create_table(
        "tags",
        sa.Column("owner_id", KEY, nullable=False),
        sa.Column("key", KEY, nullable=False),
        sa.Column("key_key", KEY, nullable=False),
        sa.Column("value", KEY, nullable=False),
        sa.ForeignKeyConstraint(["owner_id"], ["entities.id"], name=op.f("fk_tags_owner_id")),
        sa.PrimaryKeyConstraint("owner_id", "key", name=op.f("pk_tags")),
        sa.UniqueConstraint("owner_id", "key_key", name=op.f("uq_tags_owner_id_key_key")),
    )
    op.create_table(
        "attachments",
        sa.Column("owner_id", KEY, nullable=False),
        sa.Column("policy_id", KEY, nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(["owner_id"], ["entities.id"], name=op.f("fk_attachments_owner_id")),
        sa.ForeignKeyConstraint(["policy_id"], ["policies.id"], name=op.f("fk_attachments_policy_id")),
        sa.PrimaryKeyConstraint("owner_id", "policy_id", name=op.f("pk_attachments")),
    )
    with op.batch_alter_table("attachments", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_attachments_policy_id"), ["policy_id"], unique=False)

    op.create_table(
        "policy_versions",
        sa.Column("policy_id", KEY, nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("document", KEY, nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(["policy_id"], ["policies.id"], name=op.f("fk_policy_versions_policy_id")),
        sa.PrimaryKeyConstraint("policy_id", "number", name=op.f("pk_policy_versions")),
    )
    op.create_table(
        "roles",
        sa.Column("id", KEY, nullable=False),
        sa.Column("boundary_id", KEY, nullable=True),
        sa.Column("description", KEY, nullable=True),
        sa.Column("trust_policy", KEY, nullable=False),
        sa.Column("max_session_seconds", sa.Integer(), nullable=False),
        sa.Column("max_signin_session_seconds", sa.Integer(), nullable=True),
        sa.Column("last_used_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("last_used_region", KEY, nullable=True),
        sa.ForeignKeyConstraint(["boundary_id"], ["policies.id"], name=op.f("fk_roles_boundary_id")),
        sa.ForeignKeyConstraint(["id"], ["entities.id"], name=op.f("fk_roles_id"), ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_roles")),
    )
    with op.batch_alter_table("roles", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_roles_boundary_id"), ["boundary_id"], unique=False)

    op.create_table(
        "users",
        sa.Column("id", KEY, nullable=False),
        sa.Column("boundary_id", KEY, nullable=True),
        sa.Column("password_last_used_at", sa.DateTime(timezone=True), nullable=True),
        sa.ForeignKeyConstraint(["boundary_id"], ["policies.id"], name=op.f("fk_users_boundary_id")),
        sa.ForeignKeyConstraint(["id"], ["entities.id"], name=op.f("fk_users_id"), ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_users")),
    )
    with op.batch_alter_table("users", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_users_boundary_id"), ["boundary_id"], unique=False)

    op.create_table(
        "memberships",
        sa.Column("user_id", KEY, nullable=False),
        sa.Column("group_id", KEY, nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(["group_id"], ["groups.id"], name=op.f("fk_memberships_group_id")),
        sa.ForeignKeyConstraint(["user_id"], ["users.id"], name=op.f("fk_memberships_user_id")),
        sa.PrimaryKeyConstraint("user_id", "group_id", name=op.f("pk_memberships")),
    )
    with op.batch_alter_table("memberships", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_memberships_group_id"), ["group_id"], unique=False)


def downgrade() -> None:
    with op.batch_alter_table("memberships", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_memberships_group_id"))

    op.drop_table("memberships")
    with op.batch_alter_table("users", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_users_boundary_id"))

    op.drop_table("users")
    with op.batch_alter_table("roles", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_roles_boundary_id"))

    op.drop_table("roles")
    op.drop_table("policy_versions")
    with op.batch_alter_table("attachments", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_attachments_policy_id"))

    op.drop_table("attachments")
    op.drop_table("tags")
    op.drop_table("roots")
    op.drop_table("policies")
    op.drop_table("inline_policies")
    op.drop_table("groups")
    with op.batch_alter_table("access_keys", schema=None) as batch_op:
        batch_op.drop_index("ix_access_keys_owner_id")

    op.drop_table("access_keys")
    with op.batch_alter_table("entities", schema=None) as batch_op:
        batch_op.drop_index("ix_entities_account_id_kind_path")

    op.drop_table("entities")
    op.drop_table("changes")
    op.drop_table("revisions")
    with op.batch_alter_table("audit_records", schema=None) as batch_op:
        batch_op.drop_index("ix_audit_records_account_id_at")

    op.drop_table("audit_records")
    op.drop_table("accounts")
