"""Instance profiles, passwords, MFA devices, aliases, quotas of one account, credential reports."""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None

KEY = sa.String().with_variant(sa.String(collation="C"), "postgresql")
MOMENT = sa.DateTime(timezone=True)


def upgrade() -> None:
    op.create_table(
        "account_aliases",
        sa.Column("alias", KEY, nullable=False),
        sa.Column("account_id", KEY, nullable=False),
        sa.Column("created_at", MOMENT, nullable=False),
        sa.ForeignKeyConstraint(["account_id"], ["accounts.id"], name=op.f("fk_account_aliases_account_id")),
        sa.PrimaryKeyConstraint("alias", name=op.f("pk_account_aliases")),
        sa.UniqueConstraint("account_id", name=op.f("uq_account_aliases_account_id")),
    )
    op.create_table(
        "quota_overrides",
        sa.Column("account_id", KEY, nullable=False),
        sa.Column("quota", KEY, nullable=False),
        sa.Column("value", sa.Integer(), nullable=False),
        sa.ForeignKeyConstraint(["account_id"], ["accounts.id"], name=op.f("fk_quota_overrides_account_id")),
        sa.PrimaryKeyConstraint("account_id", "quota", name=op.f("pk_quota_overrides")),
    )
    op.create_table(
        "credential_reports",
        sa.Column("account_id", KEY, nullable=False),
        sa.Column("content", KEY, nullable=False),
        sa.Column("generated_at", MOMENT, nullable=False),
        sa.ForeignKeyConstraint(["account_id"], ["accounts.id"], name=op.f("fk_credential_reports_account_id")),
        sa.PrimaryKeyConstraint("account_id", name=op.f("pk_credential_reports")),
    )
    op.create_table(
        "deletion_tasks",
        sa.Column("id", KEY, nullable=False),
        sa.Column("account_id", KEY, nullable=False),
        sa.Column("role_arn", KEY, nullable=False),
        sa.Column("deleted_at", MOMENT, nullable=False),
        sa.ForeignKeyConstraint(["account_id"], ["accounts.id"], name=op.f("fk_deletion_tasks_account_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_deletion_tasks")),
    )
    op.create_table(
        "password_policies",
        sa.Column("account_id", KEY, nullable=False),
        sa.Column("minimum_password_length", sa.Integer(), nullable=False),
        sa.Column("require_symbols", sa.Boolean(), nullable=False),
        sa.Column("require_numbers", sa.Boolean(), nullable=False),
        sa.Column("require_uppercase_characters", sa.Boolean(), nullable=False),
        sa.Column("require_lowercase_characters", sa.Boolean(), nullable=False),
        sa.Column("allow_users_to_change_password", sa.Boolean(), nullable=False),
        sa.Column("max_password_age", sa.Integer(), nullable=True),
        sa.Column("password_reuse_prevention", sa.Integer(), nullable=True),
        sa.Column("hard_expiry", sa.Boolean(), nullable=True),
        sa.ForeignKeyConstraint(["account_id"], ["accounts.id"], name=op.f("fk_password_policies_account_id")),
        sa.PrimaryKeyConstraint("account_id", name=op.f("pk_password_policies")),
    )
    op.create_table(
        "login_profiles",
        sa.Column("user_id", KEY, nullable=False),
        sa.Column("password_hash", KEY, nullable=False),
        sa.Column("password_reset_required", sa.Boolean(), nullable=False),
        sa.Column("created_at", MOMENT, nullable=False),
        sa.Column("changed_at", MOMENT, nullable=False),
        sa.ForeignKeyConstraint(["user_id"], ["users.id"], name=op.f("fk_login_profiles_user_id")),
        sa.PrimaryKeyConstraint("user_id", name=op.f("pk_login_profiles")),
    )
    op.create_table(
        "password_history",
        sa.Column("user_id", KEY, nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("password_hash", KEY, nullable=False),
        sa.ForeignKeyConstraint(["user_id"], ["users.id"], name=op.f("fk_password_history_user_id")),
        sa.PrimaryKeyConstraint("user_id", "number", name=op.f("pk_password_history")),
    )
    op.create_table(
        "mfa_devices",
        sa.Column("id", KEY, nullable=False),
        sa.Column("seed", sa.LargeBinary(), nullable=False),
        sa.Column("user_id", KEY, nullable=True),
        sa.Column("enabled_at", MOMENT, nullable=True),
        sa.Column("last_step", sa.BigInteger(), nullable=True),
        sa.Column("drift", sa.Integer(), nullable=False),
        sa.Column("failures", sa.Integer(), nullable=False),
        sa.Column("failed_at", MOMENT, nullable=True),
        sa.ForeignKeyConstraint(["id"], ["entities.id"], name=op.f("fk_mfa_devices_id"), ondelete="CASCADE"),
        sa.ForeignKeyConstraint(["user_id"], ["users.id"], name=op.f("fk_mfa_devices_user_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_mfa_devices")),
    )
    op.create_index(op.f("ix_mfa_devices_user_id"), "mfa_devices", ["user_id"], unique=False)
    op.create_table(
        "instance_profiles",
        sa.Column("id", KEY, nullable=False),
        sa.Column("role_id", KEY, nullable=True),
        sa.ForeignKeyConstraint(["id"], ["entities.id"], name=op.f("fk_instance_profiles_id"), ondelete="CASCADE"),
        sa.ForeignKeyConstraint(["role_id"], ["roles.id"], name=op.f("fk_instance_profiles_role_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_instance_profiles")),
    )
    op.create_index(op.f("ix_instance_profiles_role_id"), "instance_profiles", ["role_id"], unique=False)


def downgrade() -> None:
    op.drop_index(op.f("ix_instance_profiles_role_id"), "instance_profiles")
    op.drop_table("instance_profiles")
    op.drop_index(op.f("ix_mfa_devices_user_id"), "mfa_devices")
    op.drop_table("mfa_devices")
    op.drop_table("password_history")
    op.drop_table("login_profiles")
    op.drop_table("password_policies")
    op.drop_table("deletion_tasks")
    op.drop_table("credential_reports")
    op.drop_table("quota_overrides")
    op.drop_table("account_aliases")
