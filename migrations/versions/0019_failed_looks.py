"""An index of the resources that an analyzer could not analyze, at which it looks again after a while.

Code of the release before looks at them when they change, and needs no index for that.
"""

import sqlalchemy as sa
from alembic import op

revision = "0019"
down_revision = "0018"
branch_labels = None
depends_on = None
compatible_from = "0003"


def upgrade() -> None:
    op.create_index(
        op.f("ix_analyzed_resources_error"),
        "analyzed_resources",
        ["analyzed_at"],
        unique=False,
        sqlite_where=sa.text("error IS NOT NULL"),
        postgresql_where=sa.text("error IS NOT NULL"),
    )


def downgrade() -> None:
    op.drop_index(op.f("ix_analyzed_resources_error"), table_name="analyzed_resources")
