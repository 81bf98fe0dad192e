"""Records of jobs: the JobStore Protocol and what it is asked with."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field
from typing import Protocol

from voxgate.model.jobs import Job, JobSpec, JobState
from voxgate_jobs.leases import Claim, Lease

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
        provenance: what the job's record says of where its voxels come from.
    """

    owner: str
    request_id: str
    asked: JobSpec
    spec: JobSpec
    provenance: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class JobQuery:
    """Which jobs to list.

    Attributes:
        owner: only this owner's; None means everybody's, for the server itself.
        state: only those in this state; None means all.
        page_size: the most to answer, at least 1.
        page_token: `JobPage.next_page_token` of the page before; empty for the first.
    """

    owner: str | None
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

    def claim(self, holder: str, ttl_s: float, kinds: Collection[str] | None = None) -> Claim | None:
        """Take up the oldest job that nobody runs; None when there is none.

        That is one that is PENDING, RUNNING or CANCELLING without a lease that lasts. A PENDING one is RUNNING
        afterwards, with its start time where it had none; `run_count` of a RUNNING one is one more. One that is
        CANCELLING is left so: who takes it up ends it.

        Args:
            holder: who asks; a name that no other coordinator bears, of whatever process.
            ttl_s: seconds, by the database's clock, until others may claim the job.
            kinds: names of the kinds of specs that the holder can run, see `documents.KINDS`; None means any.
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
        """One page of the jobs that a query means, newest first. Jobs created meanwhile do not shift the next page.

        Raises:
            InvalidArgument: when the page token is none of ours.
        """
        ...
