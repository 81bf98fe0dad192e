"""Leases: who may change a job that is under way, and how everybody else is kept out."""

from __future__ import annotations

import datetime
from dataclasses import dataclass

from voxgate.model.jobs import Job


class LeaseLost(Exception):
    """Somebody else has taken the job up, or it has ended: who holds this lease must stop at once and write nothing.

    No part of the tree of errors, because it is never told to callers: a coordinator meets it and lets the job go.
    """

    def __init__(self, job: str) -> None:
        super().__init__(f"the lease on {job} was lost")
        self.job = job


@dataclass(frozen=True, slots=True)
class Lease:
    """The right to run one job until somebody else claims it.

    A lease that has run out is good until another is handed out: the fence decides, not a clock that the holder reads.

    Attributes:
        job: the job's name.
        holder: who has it; a name that no other coordinator bears, of whatever process.
        fence: grows with every claim of the job; a lower one is refused wherever a lease is shown.
        until: when others may claim the job, by the database's clock. For people: a holder goes by the seconds that it
            asked for, counted from before it asked.
    """

    job: str
    holder: str
    fence: int
    until: datetime.datetime


@dataclass(frozen=True, slots=True)
class Claim:
    """A job that was taken up, as it stands now, and the lease on it."""

    job: Job
    lease: Lease
