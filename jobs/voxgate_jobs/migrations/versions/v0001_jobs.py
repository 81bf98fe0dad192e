"""Jobs, the windows of their ledgers, and their failed blocks."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

_BIG = sa.BigInteger().with_variant(sa.Integer, "sqlite")


def upgrade() -> None:
    """Make the tables."""
    _make_jobs()
    _make_windows()
    _make_failures()


def downgrade() -> None:
    """Drop them."""
    for table in ("failures", "windows", "jobs"):
        op.drop_table(table)


def _make_jobs() -> None:
    op.create_table(
        "jobs",
        sa.Column("ordinal", _BIG, nullable=False),
        sa.Column("name", sa.String(64), nullable=False),
        sa.Column("owner", sa.Text, nullable=False),
        sa.Column("request_id", sa.Text, nullable=False),
        sa.Column("document_version", sa.Integer, nullable=False),
        sa.Column("asked", sa.Text, nullable=False),
        sa.Column("spec", sa.Text, nullable=False),
        sa.Column("state", sa.String(16), nullable=False),
        sa.Column("sequence", sa.BigInteger, nullable=False),
        sa.Column("run_count", sa.Integer, nullable=False),
        sa.Column("create_time", sa.BigInteger, nullable=False),
        sa.Column("start_time", sa.BigInteger),
        sa.Column("end_time", sa.BigInteger),
        sa.Column("progress", sa.Text, nullable=False),
        sa.Column("error", sa.Text),
        sa.Column("result", sa.Text),
        sa.Column("provenance", sa.Text, nullable=False),
        sa.Column("fence", sa.BigInteger, nullable=False),
        sa.Column("lease_holder", sa.Text),
        sa.Column("lease_until", sa.BigInteger),
        sa.Column("block_count", sa.BigInteger),
        sa.Column("plan_digest", sa.Text),
        sa.PrimaryKeyConstraint("ordinal", name="pk_jobs"),
        sa.UniqueConstraint("name", name="uq_jobs_name"),
        sa.UniqueConstraint("owner", "request_id", name="uq_jobs_owner_request_id"),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_jobs_owner_ordinal", "jobs", ["owner", "ordinal"])
    op.create_index("ix_jobs_state_ordinal", "jobs", ["state", "ordinal"])


def _make_windows() -> None:
    op.create_table(
        "windows",
        sa.Column("job", sa.BigInteger, nullable=False),
        sa.Column("window_index", sa.BigInteger, autoincrement=False, nullable=False),
        sa.Column("done_block_count", sa.Integer, nullable=False),
        sa.Column("done_bytes", sa.BigInteger, nullable=False),
        sa.Column("copied_bytes", sa.BigInteger, nullable=False),
        sa.Column("verified_bytes", sa.BigInteger, nullable=False),
        sa.Column("skipped_block_count", sa.Integer, nullable=False),
        sa.Column("done", sa.LargeBinary, nullable=False),
        sa.Column("checksums", sa.LargeBinary, nullable=False),
        sa.ForeignKeyConstraint(["job"], ["jobs.ordinal"], name="fk_windows_job", ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("job", "window_index", name="pk_windows"),
    )


def _make_failures() -> None:
    op.create_table(
        "failures",
        sa.Column("ordinal", _BIG, nullable=False),
        sa.Column("job", sa.BigInteger, nullable=False),
        sa.Column("block_index", sa.BigInteger, nullable=False),
        sa.Column("failure", sa.Text, nullable=False),
        sa.ForeignKeyConstraint(["job"], ["jobs.ordinal"], name="fk_failures_job", ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("ordinal", name="pk_failures"),
        sa.UniqueConstraint("job", "block_index", name="uq_failures_job_block_index"),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_failures_job_ordinal", "failures", ["job", "ordinal"])
