"""How many entities of each kind an account has, counted by triggers: a COUNT for a quota grows with the account."""

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None
compatible_from = "0003"

KEY = sa.String().with_variant(sa.String(collation="C"), "postgresql")

# On PostgreSQL once a statement: a statement that brings thousands of rows changes the count of each account once.
POSTGRESQL = (
    """
    CREATE FUNCTION count_new_entities() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
        INSERT INTO entity_counts AS counted (account_id, kind, held)
            SELECT account_id, kind, count(*) FROM added GROUP BY account_id, kind ORDER BY account_id, kind
            ON CONFLICT (account_id, kind) DO UPDATE SET held = counted.held + excluded.held;
        RETURN NULL;
    END $$
    """,
    """
    CREATE FUNCTION count_deleted_entities() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
        UPDATE entity_counts AS counted SET held = counted.held - gone.many
            FROM (SELECT account_id, kind, count(*) AS many FROM removed GROUP BY account_id, kind) AS gone
            WHERE counted.account_id = gone.account_id AND counted.kind = gone.kind;
        RETURN NULL;
    END $$
    """,
    """
    CREATE TRIGGER entities_counted AFTER INSERT ON entities REFERENCING NEW TABLE AS added
        FOR EACH STATEMENT EXECUTE FUNCTION count_new_entities()
    """,
    """
    CREATE TRIGGER entities_discounted AFTER DELETE ON entities REFERENCING OLD TABLE AS removed
        FOR EACH STATEMENT EXECUTE FUNCTION count_deleted_entities()
    """,
)
SQLITE = (
    """
    CREATE TRIGGER entities_counted AFTER INSERT ON entities BEGIN
        INSERT INTO entity_counts (account_id, kind, held) VALUES (new.account_id, new.kind, 1)
            ON CONFLICT (account_id, kind) DO UPDATE SET held = held + 1;
    END
    """,
    """
    CREATE TRIGGER entities_discounted AFTER DELETE ON entities BEGIN
        UPDATE entity_counts SET held = held - 1 WHERE account_id = old.account_id AND kind = old.kind;
    END
    """,
)


def upgrade() -> None:
    op.create_table(
        "entity_counts",
        sa.Column("account_id", KEY, nullable=False),
        sa.Column("kind", KEY, nullable=False),
        sa.Column("held", sa.Integer(), nullable=False),
        sa.ForeignKeyConstraint(["account_id"], ["accounts.id"], name=op.f("fk_entity_counts_account_id"), ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("account_id", "kind", name=op.f("pk_entity_counts")),
    )
    # From the triggers on, servers of the release before count too; what they are just about to commit must be there when all is counted.
    # On PostgreSQL, CREATE TRIGGER waits for them, and keeps others out until all of this is committed; on SQLite nobody else writes.
    for statement in POSTGRESQL if op.get_bind().dialect.name == "postgresql" else SQLITE:
        op.execute(statement)
    op.execute(
        "INSERT INTO entity_counts (account_id, kind, held) SELECT account_id, kind, count(*) FROM entities GROUP BY account_id, kind"
    )


def downgrade() -> None:
    op.execute(f"DROP TRIGGER entities_counted{_of_entities()}")
    op.execute(f"DROP TRIGGER entities_discounted{_of_entities()}")
    if op.get_bind().dialect.name == "postgresql":
        op.execute("DROP FUNCTION count_new_entities")
        op.execute("DROP FUNCTION count_deleted_entities")
    op.drop_table("entity_counts")


def _of_entities() -> str:
    """SQLite's triggers have their names to themselves, PostgreSQL's are of a table."""
    return " ON entities" if op.get_bind().dialect.name == "postgresql" else ""
