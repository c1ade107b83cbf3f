"""An index of records by whether they only read, for accounts of which most do."""

import sqlalchemy as sa
from alembic import op

revision = "0011"
down_revision = "0010"
branch_labels = None
depends_on = None
compatible_from = "0003"

LOOKED_UP = sa.text("category = 'Management'")
NAME = "ix_audit_records_account_id_read_only_at"


def upgrade() -> None:
    op.create_index(NAME, "audit_records", ["account_id", "read_only", "at"], sqlite_where=LOOKED_UP, postgresql_where=LOOKED_UP)


def downgrade() -> None:
    op.drop_index(NAME, "audit_records")
