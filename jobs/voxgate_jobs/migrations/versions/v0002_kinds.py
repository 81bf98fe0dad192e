"""The kind of each job, so that a coordinator takes up those that its process can run."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add the column, and say of the jobs there are what they are."""
    op.add_column("jobs", sa.Column("kind", sa.String(32), nullable=False, server_default=sa.text("'transfer'")))
    # Keys of documents are sorted, so this is how one begins; the release before knew these two kinds.
    op.execute("""UPDATE jobs SET kind = 'pyramid' WHERE spec LIKE '{"kind":"pyramid"%'""")


def downgrade() -> None:
    """Drop it."""
    op.drop_column("jobs", "kind")
