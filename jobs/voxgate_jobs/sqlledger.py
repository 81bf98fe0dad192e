"""The ledger in the job database."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
import numpy.typing as npt
import sqlalchemy as sa

from voxgate.model.errors import FailedPrecondition, InternalError
from voxgate.model.jobs import JobBlock, JobFailure
from voxgate_jobs.database import Database
from voxgate_jobs.documents import from_text, to_text
from voxgate_jobs.encoding import decode, encode
from voxgate_jobs.fencing import held_row, job_row
from voxgate_jobs.leases import Lease
from voxgate_jobs.ledger import (
    CHECKSUM_BYTES,
    WINDOW_BLOCKS,
    FailurePage,
    LedgerPlan,
    LedgerTotals,
    WindowRecord,
)
from voxgate_jobs.paging import ordinal_of
from voxgate_jobs.schema import FAILURES, JOBS, WINDOWS
from voxgate_jobs.work import BlockResult

_TOTALS = ("done_block_count", "done_bytes", "copied_bytes", "verified_bytes", "skipped_block_count")
"""Columns of a window, and fields of LedgerTotals."""


class SqlLedger:
    """A Ledger. Made by SqlJobStore, whose `ledger` it is.

    Args:
        database: where the jobs are, too.
        kept_failures: failed blocks noted of one job; beyond them the oldest are dropped.
    """

    def __init__(self, database: Database, *, kept_failures: int = 10_000) -> None:
        self._database = database
        self._kept_failures = kept_failures

    def begin(self, lease: Lease, plan: LedgerPlan) -> LedgerTotals:
        """See Ledger."""

        def run(connection: sa.Connection) -> LedgerTotals:
            row = held_row(connection, lease)
            known, totals = _plan_of(row), _totals(connection, row.ordinal)
            if known not in (None, plan) and totals.done_block_count:
                raise FailedPrecondition(
                    "the work of the job is not cut into the blocks that it was cut into when it began",
                    "start a new job: the source, the destination or the server's settings have changed",
                )
            values = {"block_count": plan.block_count, "plan_digest": plan.digest}
            connection.execute(sa.update(JOBS).where(JOBS.c.ordinal == row.ordinal).values(values))
            return totals

        return self._database.write(run)

    def plan(self, name: str) -> LedgerPlan | None:
        """See Ledger."""
        return _plan_of(self._database.read(lambda connection: job_row(connection, name)))

    def totals(self, name: str) -> LedgerTotals:
        """See Ledger."""
        return self._database.read(lambda connection: _totals(connection, job_row(connection, name).ordinal))

    def unfinished(self, name: str) -> Iterator[int]:
        """See Ledger."""

        def counts(connection: sa.Connection) -> tuple[LedgerPlan | None, dict[int, int]]:
            job = job_row(connection, name)
            query = sa.select(WINDOWS.c.window_index, WINDOWS.c.done_block_count).where(WINDOWS.c.job == job.ordinal)
            return _plan_of(job), {row.window_index: row.done_block_count for row in connection.execute(query)}

        plan, done = self._database.read(counts)
        if plan is None:
            raise _not_begun()
        return (index for index in range(plan.window_count) if done.get(index, 0) < len(plan.blocks(index)))

    def window(self, name: str, index: int) -> WindowRecord:
        """See Ledger."""

        def run(connection: sa.Connection) -> WindowRecord:
            job = job_row(connection, name)
            return _record(index, _size(job, index), _window(connection, job.ordinal, index))

        return self._database.read(run)

    def commit(self, lease: Lease, index: int, results: Mapping[int, BlockResult]) -> None:
        """See Ledger."""

        def run(connection: sa.Connection) -> None:
            job = held_row(connection, lease)
            row = _window(connection, job.ordinal, index)
            record = _record(index, _size(job, index), row)
            fresh = _merged(record, results)
            if not fresh:
                return
            totals = _sum(row, [results[block] for block in fresh])
            values = totals | {
                "done": np.packbits(record.done).tobytes(),
                "checksums": record.checksums[record.done].tobytes(),
            }
            if row is None:
                connection.execute(sa.insert(WINDOWS).values(job=job.ordinal, window_index=index, **values))
            else:
                connection.execute(sa.update(WINDOWS).where(_is_window(job.ordinal, index)).values(values))

        self._database.write(run)

    def record_failure(self, lease: Lease, failure: JobFailure) -> None:
        """See Ledger."""

        def run(connection: sa.Connection) -> None:
            job = held_row(connection, lease).ordinal
            ours = FAILURES.c.job == job
            connection.execute(sa.delete(FAILURES).where(ours, FAILURES.c.block_index == failure.block_index))
            text = to_text(encode(failure))
            connection.execute(sa.insert(FAILURES).values(job=job, block_index=failure.block_index, failure=text))
            newest_first = sa.select(FAILURES.c.ordinal).where(ours).order_by(FAILURES.c.ordinal.desc())
            oldest_kept = newest_first.offset(self._kept_failures - 1).limit(1).scalar_subquery()
            connection.execute(sa.delete(FAILURES).where(ours, FAILURES.c.ordinal < oldest_kept))

        self._database.write(run)

    def failures(self, name: str, *, page_size: int = 100, page_token: str = "") -> FailurePage:
        """See Ledger. The page token is the ordinal of the last failure of the page before."""
        before = ordinal_of(page_token) if page_token else None

        def run(connection: sa.Connection) -> list[sa.Row[Any]]:
            query = sa.select(FAILURES).where(FAILURES.c.job == job_row(connection, name).ordinal)
            if before is not None:
                query = query.where(FAILURES.c.ordinal < before)
            return list(connection.execute(query.order_by(FAILURES.c.ordinal.desc()).limit(page_size + 1)))

        rows = self._database.read(run)
        page = rows[:page_size]
        token = str(page[-1].ordinal) if len(rows) > len(page) else ""
        return FailurePage(tuple(decode(JobFailure, from_text(row.failure)) for row in page), token)

    def manifest(self, name: str, *, first_block: int = 0) -> Iterator[JobBlock]:
        """See Ledger."""
        plan = self.plan(name)
        windows = range(first_block // WINDOW_BLOCKS, 0 if plan is None else plan.window_count)
        return self._blocks(name, windows, first_block)

    def _blocks(self, name: str, windows: range, first_block: int) -> Iterator[JobBlock]:
        for index in windows:
            record = self.window(name, index)
            for at in np.flatnonzero(record.done).tolist():
                block = index * WINDOW_BLOCKS + at
                if block >= first_block:
                    yield JobBlock(block, record.checksums[at].tobytes())


def _plan_of(row: sa.Row[Any]) -> LedgerPlan | None:
    return None if row.block_count is None else LedgerPlan(row.block_count, row.plan_digest)


def _not_begun() -> InternalError:
    return InternalError("the blocks of a job were asked for before they were numbered")


def _size(job: sa.Row[Any], index: int) -> int:
    """How many blocks a window has."""
    plan = _plan_of(job)
    if plan is None:
        raise _not_begun()
    if not 0 <= index < plan.window_count:
        raise InternalError(f"a job of {plan.block_count} blocks has no window {index}")
    return len(plan.blocks(index))


def _is_window(job: int, index: int) -> sa.ColumnElement[bool]:
    return (WINDOWS.c.job == job) & (WINDOWS.c.window_index == index)


def _window(connection: sa.Connection, job: int, index: int) -> sa.Row[Any] | None:
    return connection.execute(sa.select(WINDOWS).where(_is_window(job, index))).one_or_none()


def _record(index: int, size: int, row: sa.Row[Any] | None) -> WindowRecord:
    """A window's arrays, writable, of a row or of none."""
    done: npt.NDArray[np.bool_] = np.zeros(size, np.bool_)
    checksums: npt.NDArray[np.uint8] = np.zeros((size, CHECKSUM_BYTES), np.uint8)
    if row is not None:
        done[:] = np.unpackbits(np.frombuffer(row.done, np.uint8), count=size)
        checksums[done] = np.frombuffer(row.checksums, np.uint8).reshape(-1, CHECKSUM_BYTES)
    return WindowRecord(index, done, checksums)


def _merged(record: WindowRecord, results: Mapping[int, BlockResult]) -> list[int]:
    """Add results to a window's arrays; the numbers of the blocks that were not done before.

    Raises:
        InternalError: see Ledger.commit.
    """
    fresh = []
    for block, result in results.items():
        at = block - record.index * WINDOW_BLOCKS
        if not 0 <= at < len(record.done) or len(result.checksum) != CHECKSUM_BYTES:
            raise InternalError(f"block {block} does not fit into window {record.index} of the ledger")
        checksum = np.frombuffer(result.checksum, np.uint8)
        if not record.done[at]:
            record.done[at], record.checksums[at] = True, checksum
            fresh.append(block)
        elif not np.array_equal(record.checksums[at], checksum):
            raise InternalError(f"block {block} was done twice, and not the same")
    return fresh


def _sum(row: sa.Row[Any] | None, results: list[BlockResult]) -> dict[str, int]:
    added = (
        len(results),
        sum(result.byte_count for result in results),
        sum(result.copied_bytes for result in results),
        sum(result.verified_bytes for result in results),
        sum(result.skipped for result in results),
    )
    return {name: more + (0 if row is None else getattr(row, name)) for name, more in zip(_TOTALS, added, strict=True)}


def _totals(connection: sa.Connection, job: int) -> LedgerTotals:
    sums = [sa.func.coalesce(sa.func.sum(WINDOWS.c[name]), 0) for name in _TOTALS]
    row = connection.execute(sa.select(*sums).where(WINDOWS.c.job == job)).one()
    return LedgerTotals(*(int(value) for value in row))
