"""Records of jobs: the JobStore Protocol and what it is asked with."""

from __future__ import annotations

import threading
import uuid
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Protocol

from voxgate.model.errors import InternalError, InvalidArgument, RequestIdReused, UnknownJob
from voxgate.model.jobs import Job, JobSpec, JobState
from voxgate_jobs.leases import Claim, Lease
from voxgate_jobs.states import check_transition

JobChange = Callable[[Job], Job]
"""Makes the next record of a job from its present one. Pure: a store may call it again. Answering the same object means
that there is nothing to change."""


@dataclass(frozen=True, slots=True)
class JobRequest:
    """What a caller asked for, and what it came to.

    Attributes:
        owner: the caller's name.
        request_id: the caller's id of the request; unique for each owner.
        asked: the spec as the caller sent it: what a repeat is compared with.
        spec: the spec to run, its version resolved.
    """

    owner: str
    request_id: str
    asked: JobSpec
    spec: JobSpec


@dataclass(frozen=True, slots=True)
class JobQuery:
    """Which jobs to list.

    Attributes:
        owner: only this owner's.
        state: only those in this state; None means all.
        page_size: the most to answer, at least 1.
        page_token: `JobPage.next_page_token` of the page before; empty for the first.
    """

    owner: str
    state: JobState | None = None
    page_size: int = 100
    page_token: str = ""


@dataclass(frozen=True, slots=True)
class JobPage:
    """Jobs, newest first, and where the next page starts; an empty token on the last one."""

    jobs: tuple[Job, ...]
    next_page_token: str = ""


class JobStore(Protocol):
    """Keeps records of jobs. Thread-safe; every record handed out is a frozen snapshot.

    Every method raises Unavailable when the database does not answer in time; then nothing is half done, and asking
    again is safe.
    """

    def find(self, owner: str, request_id: str, asked: JobSpec) -> Job | None:
        """The job that an earlier request with this id created, or None.

        Raises:
            RequestIdReused: when that request asked for something else.
        """
        ...

    def create(self, request: JobRequest) -> Job:
        """Record a PENDING job with sequence 1; a repeated request is answered with the job it created first.

        Raises:
            RequestIdReused: when the request id was used for something else.
        """
        ...

    def get(self, name: str, *, owner: str | None = None) -> Job:
        """The job as it stands.

        Args:
            name: "jobs/ID".
            owner: when given, jobs of others are unknown.

        Raises:
            UnknownJob: when there is none.
        """
        ...

    def update(self, name: str, change: JobChange, *, lease: Lease | None = None) -> Job:
        """Replace a record by `change` of it, with the next sequence number, and wake who waits.

        A job that ends or becomes PENDING again is nobody's afterwards: its lease ends with the same change.

        Args:
            name: "jobs/ID".
            change: makes the next record.
            lease: of who runs the job; None for changes that anybody may make, such as asking it to stop.

        Raises:
            UnknownJob: when there is none.
            LeaseLost: when the job is not the holder's any more; `change` was not called.
            InternalError: when the change of state is not allowed.
        """
        ...

    def claim(self, holder: str, ttl_s: float) -> Claim | None:
        """Take up the oldest job that nobody runs; None when there is none.

        That is one that is PENDING, RUNNING or CANCELLING without a lease that lasts. A PENDING one is RUNNING
        afterwards, with its start time where it had none; `run_count` of a RUNNING one is one more. One that is
        CANCELLING is left so: who takes it up ends it.

        Args:
            holder: who asks; a name that no other coordinator bears, of whatever process.
            ttl_s: seconds, by the database's clock, until others may claim the job.
        """
        ...

    def renew(self, lease: Lease, ttl_s: float) -> Lease:
        """Keep a job for `ttl_s` seconds from now. No change of the record: nobody who waits is woken.

        Raises:
            LeaseLost: when the job is not the holder's any more.
        """
        ...

    def release(self, lease: Lease) -> None:
        """Let a job go, in the state it is in: others may claim it at once. Harmless for a lease that was lost."""
        ...

    def wait_for_change(self, name: str, after_sequence: int, timeout_s: float) -> Job:
        """The job as it stands, once its sequence exceeds `after_sequence` or it has ended.

        After `timeout_s` seconds it is answered regardless.

        Raises:
            UnknownJob: when there is none.
        """
        ...

    def list(self, query: JobQuery) -> JobPage:
        """One page of an owner's jobs, newest first. Jobs created between two pages do not shift the second.

        Raises:
            InvalidArgument: when the page token is none of ours.
        """
        ...


class InMemoryJobStore:
    """A JobStore that lives as long as its process.

    Args:
        keep_records: beyond this many the oldest ended jobs are forgotten, so that a server that runs for a year does
            not grow; jobs that have not ended are always kept.
    """

    def __init__(self, *, keep_records: int = 10_000) -> None:
        self._keep_records = keep_records
        self._changed = threading.Condition()  # its lock is re-entrant: create() calls find()
        self._jobs: dict[str, tuple[int, Job]] = {}  # by name, oldest first: (ordinal, record)
        self._requests: dict[tuple[str, str], tuple[str, JobSpec]] = {}  # (owner, request id): (name, asked)
        self._next_ordinal = 1

    def find(self, owner: str, request_id: str, asked: JobSpec) -> Job | None:
        """See JobStore."""
        with self._changed:
            known = self._requests.get((owner, request_id))
            if known is None:
                return None
            name, first_asked = known
            if first_asked != asked:
                raise RequestIdReused(
                    "the request id was used for a different request",
                    "send a new UUID with each new request, the same one only to repeat a request",
                    details={"job": name},
                )
            return self._jobs[name][1]

    def create(self, request: JobRequest) -> Job:
        """See JobStore."""
        with self._changed:
            known = self.find(request.owner, request.request_id, request.asked)
            if known is not None:
                return known
            name = f"jobs/{uuid.uuid4().hex}"
            job = Job(name, request.owner, request.request_id, request.spec, sequence=1)
            self._jobs[name] = (self._next_ordinal, job)
            self._requests[request.owner, request.request_id] = (name, request.asked)
            self._next_ordinal += 1
            self._forget_oldest()
            return job

    def get(self, name: str, *, owner: str | None = None) -> Job:
        """See JobStore."""
        with self._changed:
            return self._entry(name, owner)[1]

    def update(self, name: str, change: JobChange) -> Job:
        """See JobStore."""
        with self._changed:
            ordinal, before = self._entry(name, None)
            after = change(before)
            if after is before:
                return before
            if (after.name, after.owner, after.request_id) != (before.name, before.owner, before.request_id):
                raise InternalError("a change of a job may not change whose it is")
            check_transition(before.state, after.state)
            job = replace(after, sequence=before.sequence + 1)
            self._jobs[name] = (ordinal, job)
            self._changed.notify_all()
            return job

    def wait_for_change(self, name: str, after_sequence: int, timeout_s: float) -> Job:
        """See JobStore."""
        with self._changed:
            self._changed.wait_for(lambda: self._is_news(name, after_sequence), timeout_s)
            return self._entry(name, None)[1]

    def list(self, query: JobQuery) -> JobPage:
        """See JobStore. The page token is the ordinal of the last job of the page before."""
        if query.page_token and not query.page_token.isdecimal():
            raise InvalidArgument("the page token is none of this server's", "send next_page_token as it was answered")
        with self._changed:
            newest_first = tuple(reversed(self._jobs.values()))
        before = int(query.page_token) if query.page_token else None
        hits = [
            (ordinal, job)
            for ordinal, job in newest_first
            if job.owner == query.owner
            and (query.state is None or job.state is query.state)
            and (before is None or ordinal < before)
        ]
        page = hits[: query.page_size]
        token = str(page[-1][0]) if len(hits) > len(page) else ""
        return JobPage(tuple(job for _, job in page), token)

    def _is_news(self, name: str, after_sequence: int) -> bool:
        job = self._entry(name, None)[1]
        return job.sequence > after_sequence or job.state.is_terminal

    def _entry(self, name: str, owner: str | None) -> tuple[int, Job]:
        entry = self._jobs.get(name)
        if entry is None or (owner is not None and entry[1].owner != owner):
            raise UnknownJob(
                f"there is no job {name!r}", "list the jobs; a server that restarted has forgotten its own"
            )
        return entry

    def _forget_oldest(self) -> None:
        excess = len(self._jobs) - self._keep_records
        for name in [name for name, (_, job) in self._jobs.items() if job.state.is_terminal][: max(0, excess)]:
            _, job = self._jobs.pop(name)
            del self._requests[job.owner, job.request_id]
