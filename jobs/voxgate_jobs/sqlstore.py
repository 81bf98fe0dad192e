"""Records of jobs in a database that outlives its servers."""

from __future__ import annotations

import functools
import logging
import time
import uuid
from collections.abc import Collection
from dataclasses import replace
from typing import Any

import sqlalchemy as sa
from sqlalchemy import exc

from voxgate.model.errors import InternalError, RequestIdReused, Unavailable
from voxgate.model.jobs import Job, JobSpec, JobState
from voxgate_jobs.database import Database
from voxgate_jobs.documents import VERSION, from_text, kind_of, spec_from_document, spec_to_document, to_text
from voxgate_jobs.fencing import LET_GO, claimable, held_row, is_held, job_row, locked_row, unknown_job
from voxgate_jobs.leases import Claim, Lease, LeaseLost
from voxgate_jobs.migrating import upgrade_database
from voxgate_jobs.paging import ordinal_of
from voxgate_jobs.retention import Retention, forget_some
from voxgate_jobs.rows import columns_of, job_of, microseconds, time_of
from voxgate_jobs.schema import JOBS
from voxgate_jobs.sqlledger import SqlLedger
from voxgate_jobs.states import check_transition
from voxgate_jobs.store import JobChange, JobPage, JobQuery, JobRequest
from voxgate_jobs.waiting import Bells

_LOG = logging.getLogger(__name__)
_POLL_S = 0.25
"""How often who waits looks for changes that another process made."""


class SqlJobStore:
    """A JobStore in SQLite or PostgreSQL; its `ledger` is in the same database.

    Args:
        address: "sqlite:///FILE", "sqlite://" for one that ends with this object, or "postgresql://…".
        kept: how long ended jobs are kept.
        patience_s: how long a database that does not answer is tried again before Unavailable is raised.

    Raises:
        ConfigInvalid: when the address is none, or a newer release made the database.
        Unavailable: when the database does not answer.
    """

    def __init__(self, address: str, *, kept: Retention | None = None, patience_s: float = 10.0) -> None:
        self._database = Database(address, patience_s=patience_s)
        self._kept = kept or Retention()
        self._bells = Bells()
        self.ledger = SqlLedger(self._database)
        upgrade_database(self._database)

    def __repr__(self) -> str:
        """Never the address: it may hold a password."""
        return f"<SqlJobStore: {self._database!r}>"

    def close(self) -> None:
        """Close the connections that nobody uses."""
        self._database.close()

    def find(self, owner: str, request_id: str, asked: JobSpec) -> Job | None:
        """See JobStore."""
        return self._database.read(functools.partial(_find, owner=owner, request_id=request_id, asked=asked))

    def create(self, request: JobRequest) -> Job:
        """See JobStore."""
        job = self._create(request)
        self.forget()
        return job

    def get(self, name: str, *, owner: str | None = None) -> Job:
        """See JobStore."""
        row = self._database.read(lambda connection: job_row(connection, name))
        if owner is not None and row.owner != owner:
            raise unknown_job(name)
        return job_of(row)

    def update(self, name: str, change: JobChange, *, lease: Lease | None = None) -> Job:
        """See JobStore."""
        if lease is not None and lease.job != name:
            raise InternalError("a lease is good for its own job only")
        tried: list[Job] = []

        def run(connection: sa.Connection) -> Job:
            row = locked_row(connection, name)
            before = job_of(row)
            if tried and before == tried[-1]:
                return before  # the try before took place, only its answer was lost
            if lease is not None and not is_held(row, lease):
                raise LeaseLost(name)
            after = change(before)
            if after is before:
                return before
            tried.append(replace(_checked(before, after), sequence=before.sequence + 1))
            let_go = LET_GO if after.state.is_terminal or after.state is JobState.PENDING else {}
            values = columns_of(tried[-1]) | let_go
            connection.execute(sa.update(JOBS).where(JOBS.c.ordinal == row.ordinal).values(values))
            return tried[-1]

        job = self._database.write(run)
        self._bells.ring(name)
        return job

    def wait_for_change(self, name: str, after_sequence: int, timeout_s: float) -> Job:
        """See JobStore."""
        until = time.monotonic() + timeout_s
        with self._bells.bell(name) as bell:
            while True:
                bell.clear()
                job = self.get(name)
                left_s = until - time.monotonic()
                if job.sequence > after_sequence or job.state.is_terminal or left_s <= 0:
                    return job
                bell.wait(min(_POLL_S, left_s))

    def list(self, query: JobQuery) -> JobPage:
        """See JobStore. The page token is the ordinal of the last job of the page before."""
        rows = self._database.read(lambda connection: connection.execute(_listing(query)).all())
        page = rows[: query.page_size]
        token = str(page[-1].ordinal) if len(rows) > len(page) else ""
        return JobPage(tuple(job_of(row) for row in page), token)

    def counts(self) -> dict[str, int]:
        """How many jobs are in each state; for who watches the server.

        Raises:
            Unavailable: when the database does not answer.
        """
        query = sa.select(JOBS.c.state, sa.func.count().label("number")).group_by(JOBS.c.state)
        rows = self._database.read(lambda connection: connection.execute(query).all())
        found = {row.state: int(row.number) for row in rows}
        return {state.value: found.get(state.value, 0) for state in JobState}

    def claim(self, holder: str, ttl_s: float, kinds: Collection[str] | None = None) -> Claim | None:
        """See JobStore."""
        # Asked often and mostly in vain: without the writers' queue.
        if not self._database.read(functools.partial(self._has_work, kinds=kinds)):
            return None
        tried: list[Claim] = []

        def run(connection: sa.Connection) -> Claim | None:
            if tried and is_held(locked_row(connection, tried[-1].job.name), tried[-1].lease):
                return tried[-1]
            now = self._database.now(connection)
            query = sa.select(JOBS).where(claimable(now, kinds)).order_by(JOBS.c.ordinal).limit(1)
            row = connection.execute(query.with_for_update(skip_locked=True)).one_or_none()
            if row is None:
                return None
            tried.append(_claimed(row, holder, now, now + int(ttl_s * 1e6)))
            lease = tried[-1].lease
            values = columns_of(tried[-1].job) | _lease_columns(lease)
            connection.execute(sa.update(JOBS).where(JOBS.c.ordinal == row.ordinal).values(values))
            return tried[-1]

        claim = self._database.write(run)
        if claim is not None:
            self._bells.ring(claim.job.name)
        return claim

    def renew(self, lease: Lease, ttl_s: float) -> Lease:
        """See JobStore."""

        def run(connection: sa.Connection) -> Lease:
            row = held_row(connection, lease)
            renewed = replace(lease, until=time_of(self._database.now(connection) + int(ttl_s * 1e6)))
            values = _lease_columns(renewed)
            connection.execute(sa.update(JOBS).where(JOBS.c.ordinal == row.ordinal).values(values))
            return renewed

        return self._database.write(run)

    def release(self, lease: Lease) -> None:
        """See JobStore."""
        ours = (JOBS.c.name == lease.job) & (JOBS.c.fence == lease.fence) & (JOBS.c.lease_holder == lease.holder)
        self._database.write(lambda connection: connection.execute(sa.update(JOBS).where(ours).values(LET_GO)))

    def forget(self) -> None:
        """Forget the ended jobs that are not to be kept. A database that does not answer is left for the next time."""

        def run(connection: sa.Connection) -> bool:
            return forget_some(connection, self._kept, self._database.now(connection))

        try:
            while self._database.write(run):
                pass
        except Unavailable as error:
            _LOG.info("old jobs are forgotten later: %s", error)

    def _create(self, request: JobRequest) -> Job:
        while True:
            job = self._database.read(
                functools.partial(_find, owner=request.owner, request_id=request.request_id, asked=request.asked)
            )
            if job is not None:
                return job
            try:
                return self._database.write(functools.partial(self._insert, request=request))
            except exc.IntegrityError:
                continue  # the same request, at the same time or a try before: it is found now

    def _insert(self, connection: sa.Connection, request: JobRequest) -> Job:
        now = time_of(self._database.now(connection))
        name = f"jobs/{uuid.uuid4().hex}"
        job = Job(
            name,
            request.owner,
            request.request_id,
            request.spec,
            create_time=now,
            sequence=1,
            provenance=dict(request.provenance),
        )
        values = columns_of(job) | {
            "name": name,
            "owner": job.owner,
            "request_id": job.request_id,
            "document_version": VERSION,
            "kind": kind_of(request.spec),
            "asked": to_text(spec_to_document(request.asked)),
            "spec": to_text(spec_to_document(request.spec)),
            "create_time": microseconds(now),
            "fence": 0,
        }
        connection.execute(sa.insert(JOBS).values(values))
        return job

    def _has_work(self, connection: sa.Connection, kinds: Collection[str] | None) -> bool:
        now = self._database.now(connection)
        return connection.execute(sa.select(JOBS.c.ordinal).where(claimable(now, kinds)).limit(1)).first() is not None


def _find(connection: sa.Connection, owner: str, request_id: str, asked: JobSpec) -> Job | None:
    query = sa.select(JOBS).where(JOBS.c.owner == owner, JOBS.c.request_id == request_id)
    row = connection.execute(query).one_or_none()
    if row is None:
        return None
    # As documents, because a fill value that is no number differs from itself.
    if spec_to_document(spec_from_document(from_text(row.asked))) != spec_to_document(asked):
        raise RequestIdReused(
            "the request id was used for a different request",
            "send a new UUID with each new request, the same one only to repeat a request",
            details={"job": row.name},
        )
    return job_of(row)


def _checked(before: Job, after: Job) -> Job:
    if (after.name, after.owner, after.request_id) != (before.name, before.owner, before.request_id):
        raise InternalError("a change of a job may not change whose it is")
    if after.spec is not before.spec:
        raise InternalError("a change of a job may not change what it is to do")
    check_transition(before.state, after.state)
    return after


def _listing(query: JobQuery) -> sa.Select[Any]:
    select = sa.select(JOBS)
    if query.owner is not None:
        select = select.where(JOBS.c.owner == query.owner)
    if query.state is not None:
        select = select.where(JOBS.c.state == query.state.value)
    if query.page_token:
        select = select.where(JOBS.c.ordinal < ordinal_of(query.page_token))
    return select.order_by(JOBS.c.ordinal.desc()).limit(query.page_size + 1)


def _claimed(row: sa.Row[Any], holder: str, now: int, until: int) -> Claim:
    job = job_of(row)
    if job.state is not JobState.CANCELLING:
        start_time = job.start_time or time_of(now)
        job = replace(job, state=JobState.RUNNING, start_time=start_time, run_count=job.run_count + 1)
    return Claim(replace(job, sequence=job.sequence + 1), Lease(job.name, holder, row.fence + 1, time_of(until)))


def _lease_columns(lease: Lease) -> dict[str, Any]:
    return {"fence": lease.fence, "lease_holder": lease.holder, "lease_until": microseconds(lease.until)}
