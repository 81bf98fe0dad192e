"""Leases in the table of jobs: every check is part of the transaction that relies on it."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

import sqlalchemy as sa

from voxgate.model.errors import UnknownJob
from voxgate.model.jobs import JobState
from voxgate_jobs.documents import VERSION
from voxgate_jobs.leases import Lease, LeaseLost
from voxgate_jobs.schema import JOBS

ACTIVE = (JobState.PENDING, JobState.RUNNING, JobState.CANCELLING)
"""States in which a job has something left to do."""
LET_GO = {"lease_holder": None, "lease_until": None}
"""The columns of a job that nobody runs. The fence stays: the next claim gets a higher one."""


def unknown_job(name: str) -> UnknownJob:
    """There is no such job, or none of this owner's, or it was forgotten."""
    return UnknownJob(f"there is no job {name[:80]!r}", "list the jobs; those that ended long ago are forgotten")


def job_row(connection: sa.Connection, name: str) -> sa.Row[Any]:
    """The row of a job.

    Raises:
        UnknownJob: when there is none.
    """
    return _one(connection, name, sa.select(JOBS))


def locked_row(connection: sa.Connection, name: str) -> sa.Row[Any]:
    """The row of a job, which nobody else changes before this transaction ends. Raises UnknownJob."""
    return _one(connection, name, sa.select(JOBS).with_for_update())


def held_row(connection: sa.Connection, lease: Lease) -> sa.Row[Any]:
    """The row of a leased job, which nobody else changes or claims before this transaction ends.

    Raises:
        LeaseLost: when the lease is good no more.
    """
    try:
        row = locked_row(connection, lease.job)
    except UnknownJob:
        raise LeaseLost(lease.job) from None
    if not is_held(row, lease):
        raise LeaseLost(lease.job)
    return row


def is_held(row: sa.Row[Any], lease: Lease) -> bool:
    """Whether a lease is the one that a row tells of."""
    return bool(row.fence == lease.fence and row.lease_holder == lease.holder)


def claimable(now: int, kinds: Collection[str] | None = None) -> sa.ColumnElement[bool]:
    """Jobs that nobody runs and that this release can read: a newer one leaves those that it alone understands.

    Args:
        now: by the database's clock.
        kinds: only those of these kinds; None means any.
    """
    free = JOBS.c.lease_until.is_(None) | (JOBS.c.lease_until <= now)
    wanted = JOBS.c.state.in_([state.value for state in ACTIVE]) & free & (JOBS.c.document_version <= VERSION)
    return wanted if kinds is None else wanted & JOBS.c.kind.in_(sorted(kinds))


def _one(connection: sa.Connection, name: str, query: sa.Select[Any]) -> sa.Row[Any]:
    # PostgreSQL takes no text with a NUL in it: a name with one is nobody's.
    row = None if "\0" in name else connection.execute(query.where(JOBS.c.name == name)).one_or_none()
    if row is None:
        raise unknown_job(name)
    return row
