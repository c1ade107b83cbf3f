"""Certificates, public keys and passwords of users, identity providers, and who used which action when."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

KEY = sa.String().with_variant(sa.String(collation="C"), "postgresql")


def upgrade() -> None:
    op.create_table(
        "accesses",
        sa.Column("principal_id", KEY, nullable=False),
        sa.Column("service", KEY, nullable=False),
        sa.Column("action", KEY, nullable=False),
        sa.Column("account_id", KEY, nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("region", KEY, nullable=False),
        sa.PrimaryKeyConstraint("principal_id", "service", "action", name=op.f("pk_accesses")),
    )
    with op.batch_alter_table("accesses", schema=None) as batch_op:
        batch_op.create_index("ix_accesses_account_id_service", ["account_id", "service"], unique=False)

    op.create_table(
        "access_reports",
        sa.Column("id", KEY, nullable=False),
        sa.Column("account_id", KEY, nullable=False),
        sa.Column("entity_arn", KEY, nullable=False),
        sa.Column("granularity", KEY, nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(["account_id"], ["accounts.id"], name=op.f("fk_access_reports_account_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_access_reports")),
    )
    with op.batch_alter_table("access_reports", schema=None) as batch_op:
        batch_op.create_index("ix_access_reports_account_id_created_at", ["account_id", "created_at"], unique=False)

    op.create_table(
        "open_id_connect_providers",
        sa.Column("id", KEY, nullable=False),
        sa.Column("client_ids", sa.JSON(), nullable=False),
        sa.Column("thumbprints", sa.JSON(), nullable=False),
        sa.ForeignKeyConstraint(["id"], ["entities.id"], name=op.f("fk_open_id_connect_providers_id"), ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_open_id_connect_providers")),
    )
    op.create_table(
        "saml_providers",
        sa.Column("id", KEY, nullable=False),
        sa.Column("document", KEY, nullable=False),
        sa.Column("issuer", KEY, nullable=False),
        sa.Column("valid_until", sa.DateTime(timezone=True), nullable=False),
        sa.Column("encryption_mode", KEY, nullable=True),
        sa.ForeignKeyConstraint(["id"], ["entities.id"], name=op.f("fk_saml_providers_id"), ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_saml_providers")),
    )
    op.create_table(
        "server_certificates",
        sa.Column("id", KEY, nullable=False),
        sa.Column("body", KEY, nullable=False),
        sa.Column("chain", KEY, nullable=True),
        sa.Column("private_key", sa.LargeBinary(), nullable=False),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(["id"], ["entities.id"], name=op.f("fk_server_certificates_id"), ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_server_certificates")),
    )
    op.create_table(
        "service_credentials",
        sa.Column("id", KEY, nullable=False),
        sa.Column("account_id", KEY, nullable=False),
        sa.Column("owner_id", KEY, nullable=False),
        sa.Column("service", KEY, nullable=False),
        sa.Column("login", KEY, nullable=False),
        sa.Column("password_hash", sa.LargeBinary(), nullable=False),
        sa.Column("status", KEY, nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=True),
        sa.ForeignKeyConstraint(["account_id"], ["accounts.id"], name=op.f("fk_service_credentials_account_id")),
        sa.ForeignKeyConstraint(["owner_id"], ["entities.id"], name=op.f("fk_service_credentials_owner_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_service_credentials")),
        sa.UniqueConstraint("account_id", "service", "login", name=op.f("uq_service_credentials_account_id_service_login")),
    )
    with op.batch_alter_table("service_credentials", schema=None) as batch_op:
        batch_op.create_index("ix_service_credentials_owner_id", ["owner_id"], unique=False)

    op.create_table(
        "signing_certificates",
        sa.Column("id", KEY, nullable=False),
        sa.Column("account_id", KEY, nullable=False),
        sa.Column("owner_id", KEY, nullable=False),
        sa.Column("fingerprint", KEY, nullable=False),
        sa.Column("body", KEY, nullable=False),
        sa.Column("status", KEY, nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(["account_id"], ["accounts.id"], name=op.f("fk_signing_certificates_account_id")),
        sa.ForeignKeyConstraint(["owner_id"], ["entities.id"], name=op.f("fk_signing_certificates_owner_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_signing_certificates")),
        sa.UniqueConstraint("account_id", "fingerprint", name=op.f("uq_signing_certificates_account_id_fingerprint")),
    )
    with op.batch_alter_table("signing_certificates", schema=None) as batch_op:
        batch_op.create_index("ix_signing_certificates_owner_id", ["owner_id"], unique=False)

    op.create_table(
        "ssh_public_keys",
        sa.Column("id", KEY, nullable=False),
        sa.Column("account_id", KEY, nullable=False),
        sa.Column("owner_id", KEY, nullable=False),
        sa.Column("fingerprint", KEY, nullable=False),
        sa.Column("body", KEY, nullable=False),
        sa.Column("status", KEY, nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(["account_id"], ["accounts.id"], name=op.f("fk_ssh_public_keys_account_id")),
        sa.ForeignKeyConstraint(["owner_id"], ["entities.id"], name=op.f("fk_ssh_public_keys_owner_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_ssh_public_keys")),
        sa.UniqueConstraint("owner_id", "fingerprint", name=op.f("uq_ssh_public_keys_owner_id_fingerprint")),
    )
    op.create_table(
        "policy_origins",
        sa.Column("policy_id", KEY, nullable=False),
        sa.Column("imported", sa.Boolean(), nullable=False),
        sa.ForeignKeyConstraint(["policy_id"], ["policies.id"], name=op.f("fk_policy_origins_policy_id")),
        sa.PrimaryKeyConstraint("policy_id", name=op.f("pk_policy_origins")),
    )
    op.create_table(
        "saml_private_keys",
        sa.Column("id", KEY, nullable=False),
        sa.Column("provider_id", KEY, nullable=False),
        sa.Column("private_key", sa.LargeBinary(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(["provider_id"], ["saml_providers.id"], name=op.f("fk_saml_private_keys_provider_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_saml_private_keys")),
    )
    with op.batch_alter_table("saml_private_keys", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_saml_private_keys_provider_id"), ["provider_id"], unique=False)


def downgrade() -> None:
    with op.batch_alter_table("saml_private_keys", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_saml_private_keys_provider_id"))

    op.drop_table("saml_private_keys")
    op.drop_table("policy_origins")
    op.drop_table("ssh_public_keys")
    with op.batch_alter_table("signing_certificates", schema=None) as batch_op:
        batch_op.drop_index("ix_signing_certificates_owner_id")

    op.drop_table("signing_certificates")
    with op.batch_alter_table("service_credentials", schema=None) as batch_op:
        batch_op.drop_index("ix_service_credentials_owner_id")

    op.drop_table("service_credentials")
    op.drop_table("server_certificates")
    op.drop_table("saml_providers")
    op.drop_table("open_id_connect_providers")
    with op.batch_alter_table("access_reports", schema=None) as batch_op:
        batch_op.drop_index("ix_access_reports_account_id_created_at")

    op.drop_table("access_reports")
    with op.batch_alter_table("accesses", schema=None) as batch_op:
        batch_op.drop_index("ix_accesses_account_id_service")

    op.drop_table("accesses")
