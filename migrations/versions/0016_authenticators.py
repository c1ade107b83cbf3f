"""Passkeys, hardware devices, MFA devices of root users, and proofs that were wrong by whom.

Code of the release before takes a virtual device of a root user for one that is nobody's, and knows nothing of the others; when it deletes
a user, the user's passkeys go with it.
"""

import sqlalchemy as sa
from alembic import op

revision = "0016"
down_revision = "0014"
branch_labels = None
depends_on = None
compatible_from = "0003"

KEY = sa.String().with_variant(sa.String(collation="C"), "postgresql")
MOMENT = sa.DateTime(timezone=True)


def upgrade() -> None:
    op.create_table(
        "authenticators",
        sa.Column("id", KEY, nullable=False),
        sa.Column("account_id", KEY, nullable=False),
        sa.Column("kind", KEY, nullable=False),
        sa.Column("serial", KEY, nullable=False),
        sa.Column("owner_id", KEY, nullable=True),
        sa.Column("created_at", MOMENT, nullable=False),
        sa.Column("enabled_at", MOMENT, nullable=True),
        sa.Column("seed", sa.LargeBinary(), nullable=True),
        sa.Column("last_step", sa.BigInteger(), nullable=True),
        sa.Column("drift", sa.Integer(), nullable=False),
        sa.Column("credential_id", KEY, nullable=True),
        sa.Column("public_key", sa.LargeBinary(), nullable=True),
        sa.Column("sign_count", sa.BigInteger(), nullable=False),
        sa.Column("failures", sa.Integer(), nullable=False),
        sa.Column("failed_at", MOMENT, nullable=True),
        sa.ForeignKeyConstraint(["account_id"], ["accounts.id"], name=op.f("fk_authenticators_account_id")),
        sa.ForeignKeyConstraint(["owner_id"], ["entities.id"], name=op.f("fk_authenticators_owner_id"), ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_authenticators")),
        sa.UniqueConstraint("account_id", "serial", name=op.f("uq_authenticators_account_id_serial")),
        sa.UniqueConstraint("account_id", "credential_id", name=op.f("uq_authenticators_account_id_credential_id")),
    )
    op.create_index(op.f("ix_authenticators_owner_id"), "authenticators", ["owner_id"], unique=False)
    op.create_table(
        "proof_failures",
        sa.Column("owner_id", KEY, nullable=False),
        sa.Column("proof", KEY, nullable=False),
        sa.Column("failures", sa.Integer(), nullable=False),
        sa.Column("failed_at", MOMENT, nullable=False),
        sa.ForeignKeyConstraint(["owner_id"], ["entities.id"], name=op.f("fk_proof_failures_owner_id"), ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("owner_id", "proof", name=op.f("pk_proof_failures")),
    )
    op.add_column("mfa_devices", sa.Column("of_root", sa.Boolean(), nullable=False, server_default=sa.false()))


def downgrade() -> None:
    op.drop_column("mfa_devices", "of_root")
    op.drop_table("proof_failures")
    op.drop_index(op.f("ix_authenticators_owner_id"), "authenticators")
    op.drop_table("authenticators")
