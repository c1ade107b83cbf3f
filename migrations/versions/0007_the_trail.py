"""The trail: what a CloudTrail event shows beside what records had, their places in the order of commits, chains and checkpoints.

Code of the release before goes on writing records, with their revision; what it brings from its spool has no place until it is given one.
"""

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None
compatible_from = "0003"

KEY = sa.String().with_variant(sa.String(collation="C"), "postgresql")
MOMENT = sa.DateTime(timezone=True)

SAID = {
    "category": "Management",
    "event_type": "AwsApiCall",
    "region": "",
    "username": "",
    "identity": "{}",
    "resources": "[]",
    "tls": "{}",
}
LOOKED_UP = ("username", "event_name", "event_source", "access_key_id")


def upgrade() -> None:
    if op.get_bind().dialect.name == "postgresql":  # in the order of those who write meanwhile, so that nobody waits in a ring
        op.execute("LOCK TABLE accounts, audit_records IN ACCESS EXCLUSIVE MODE")
    op.add_column("audit_records", sa.Column("spooled", sa.BigInteger(), nullable=True))
    for name, default in SAID.items():
        op.add_column("audit_records", sa.Column(name, KEY, nullable=False, server_default=default))
    op.add_column("audit_records", sa.Column("shared_id", KEY, nullable=True))
    for name in LOOKED_UP:
        op.create_index(f"ix_audit_records_account_id_{name}_at", "audit_records", ["account_id", name, "at"])
    op.create_index("ix_audit_records_revision", "audit_records", ["revision"])
    op.create_index("ix_audit_records_spooled", "audit_records", ["spooled"], unique=True)
    placeless = sa.text("revision IS NULL AND spooled IS NULL")
    op.create_index("ix_audit_records_placeless", "audit_records", ["at", "id"], sqlite_where=placeless, postgresql_where=placeless)
    op.create_table(
        "trail_links",
        sa.Column("ordinal", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("account_id", KEY, nullable=False),
        sa.Column("sequence", sa.BigInteger(), nullable=False),
        sa.Column("record_id", KEY, nullable=False),
        sa.Column("hash", KEY, nullable=False),
        sa.PrimaryKeyConstraint("ordinal", name=op.f("pk_trail_links")),
        sa.UniqueConstraint("account_id", "sequence", name=op.f("uq_trail_links_account_id_sequence")),
        sa.UniqueConstraint("record_id", name=op.f("uq_trail_links_record_id")),
    )
    op.create_index("ix_trail_links_account_id_ordinal", "trail_links", ["account_id", "ordinal"])
    op.create_table(
        "trail_resources",
        sa.Column("account_id", KEY, nullable=False),
        sa.Column("name", KEY, nullable=False),
        sa.Column("ordinal", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("type", KEY, nullable=False),
        sa.PrimaryKeyConstraint("account_id", "name", "ordinal", name=op.f("pk_trail_resources")),
    )
    op.create_index("ix_trail_resources_account_id_type_ordinal", "trail_resources", ["account_id", "type", "ordinal"])
    op.create_index("ix_trail_resources_ordinal", "trail_resources", ["ordinal"])
    op.create_table(
        "trail_anchors",
        sa.Column("account_id", KEY, nullable=False),
        sa.Column("sequence", sa.BigInteger(), nullable=False),
        sa.Column("ordinal", sa.BigInteger(), nullable=False),
        sa.Column("hash", KEY, nullable=False),
        sa.Column("at", MOMENT, nullable=False),
        sa.Column("seal", KEY, nullable=False),
        sa.PrimaryKeyConstraint("account_id", name=op.f("pk_trail_anchors")),
    )
    op.create_table(
        "trail_cursors",
        sa.Column("name", KEY, nullable=False),
        sa.Column("position", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_trail_cursors")),
    )
    op.create_table(
        "trail_checkpoints",
        sa.Column("number", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("at", MOMENT, nullable=False),
        sa.Column("ordinal", sa.BigInteger(), nullable=False),
        sa.Column("content", KEY, nullable=False),
        sa.Column("signature", KEY, nullable=False),
        sa.Column("published_at", MOMENT, nullable=True),
        sa.PrimaryKeyConstraint("number", name=op.f("pk_trail_checkpoints")),
    )
    unpublished = sa.text("published_at IS NULL")
    op.create_index(
        "ix_trail_checkpoints_unpublished", "trail_checkpoints", ["number"], sqlite_where=unpublished, postgresql_where=unpublished
    )
    op.create_table(
        "trail_keys",
        sa.Column("fingerprint", KEY, nullable=False),
        sa.Column("public_key", sa.LargeBinary(), nullable=False),
        sa.Column("private_key", sa.LargeBinary(), nullable=False),
        sa.Column("begins_at", MOMENT, nullable=False),
        sa.Column("ends_at", MOMENT, nullable=False),
        sa.PrimaryKeyConstraint("fingerprint", name=op.f("pk_trail_keys")),
    )
    op.create_table(
        "trail_retentions",
        sa.Column("account_id", KEY, nullable=False),
        sa.Column("days", sa.Integer(), nullable=False),
        sa.ForeignKeyConstraint(["account_id"], ["accounts.id"], name=op.f("fk_trail_retentions_account_id")),
        sa.PrimaryKeyConstraint("account_id", name=op.f("pk_trail_retentions")),
    )


def downgrade() -> None:
    for table in ("retentions", "keys", "checkpoints", "cursors", "anchors", "resources", "links"):
        op.drop_table(f"trail_{table}")
    op.drop_index("ix_audit_records_placeless", "audit_records")
    op.drop_index("ix_audit_records_spooled", "audit_records")
    op.drop_index("ix_audit_records_revision", "audit_records")
    for name in LOOKED_UP:
        op.drop_index(f"ix_audit_records_account_id_{name}_at", "audit_records")
    for name in ("shared_id", *reversed(SAID), "spooled"):
        op.drop_column("audit_records", name)
