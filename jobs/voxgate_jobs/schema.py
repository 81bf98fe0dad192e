"""The tables of the job database. `migrations` makes them; a test compares the two.

Which schema a database has is in Alembic's own table, `alembic_version`. Times are microseconds since 1970 UTC, told by
the database's clock wherever they decide anything. Documents are JSON as text: the database never looks inside.
"""

from __future__ import annotations

import sqlalchemy as sa

_BIG = sa.BigInteger().with_variant(sa.Integer, "sqlite")
"""SQLite numbers rows by itself only in a column declared INTEGER; its integers always have 64 bits."""

METADATA = sa.MetaData(
    naming_convention={
        "pk": "pk_%(table_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "fk": "fk_%(table_name)s_%(column_0_N_name)s",
    }
)

JOBS = sa.Table(
    "jobs",
    METADATA,
    sa.Column("ordinal", _BIG, primary_key=True),  # in the order of creation; never used again
    sa.Column("name", sa.String(64), nullable=False, unique=True),
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
    sa.Column("lease_holder", sa.Text),  # none: nobody runs it
    sa.Column("lease_until", sa.BigInteger),
    sa.Column("block_count", sa.BigInteger),  # none: its blocks are not numbered yet
    sa.Column("plan_digest", sa.Text),
    # Of the spec: who can run it. A server of the release before, which may still run, knows no such column.
    sa.Column("kind", sa.String(32), nullable=False, server_default=sa.text("'transfer'")),
    sa.UniqueConstraint("owner", "request_id"),
    sa.Index(None, "owner", "ordinal"),
    sa.Index(None, "state", "ordinal"),
    sqlite_autoincrement=True,
)

WINDOWS = sa.Table(
    "windows",
    METADATA,
    sa.Column("job", sa.BigInteger, sa.ForeignKey(JOBS.c.ordinal, ondelete="CASCADE"), primary_key=True),
    sa.Column("window_index", sa.BigInteger, primary_key=True, autoincrement=False),
    sa.Column("done_block_count", sa.Integer, nullable=False),
    sa.Column("done_bytes", sa.BigInteger, nullable=False),
    sa.Column("copied_bytes", sa.BigInteger, nullable=False),
    sa.Column("verified_bytes", sa.BigInteger, nullable=False),
    sa.Column("skipped_block_count", sa.Integer, nullable=False),
    # Last, because SQLite finds the columns before them without reading these: sums over all windows stay cheap.
    sa.Column("done", sa.LargeBinary, nullable=False),  # one bit a block, the first is the highest of its byte
    sa.Column("checksums", sa.LargeBinary, nullable=False),  # 32 bytes for each block that is done, in their order
)

FAILURES = sa.Table(
    "failures",
    METADATA,
    sa.Column("ordinal", _BIG, primary_key=True),  # in the order of failing; never used again
    sa.Column("job", sa.BigInteger, sa.ForeignKey(JOBS.c.ordinal, ondelete="CASCADE"), nullable=False),
    sa.Column("block_index", sa.BigInteger, nullable=False),
    sa.Column("failure", sa.Text, nullable=False),
    sa.UniqueConstraint("job", "block_index"),
    sa.Index(None, "job", "ordinal"),
    sqlite_autoincrement=True,
)
