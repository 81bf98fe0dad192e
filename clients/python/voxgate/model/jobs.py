"""Jobs: long work with a record."""

from __future__ import annotations

import datetime
import enum
from dataclasses import dataclass, field

from voxgate.model.volumes import VolumeSpec


class JobState(enum.Enum):
    """Where a job stands. Set by servers only."""

    PENDING = "pending"
    RUNNING = "running"
    CANCELLING = "cancelling"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    CANCELLED = "cancelled"

    @property
    def is_terminal(self) -> bool:
        """Whether nothing more will happen."""
        return self in (JobState.SUCCEEDED, JobState.FAILED, JobState.CANCELLED)


@dataclass(frozen=True, slots=True)
class JobProgress:
    """How far a job has come; totals are 0 while unknown."""

    phase: str = ""
    done_bytes: int = 0
    total_bytes: int = 0
    done_block_count: int = 0
    total_block_count: int = 0
    failed_block_count: int = 0


@dataclass(frozen=True, slots=True)
class JobError:
    """Why a job failed: a reason of the contract, its gRPC code's name, and a sentence for people."""

    reason: str
    code: str
    message: str


@dataclass(frozen=True, slots=True)
class TransferSpec:
    """A volume to be copied, all scales of it, and where to. Names are "remote/path"."""

    source: str
    destination: str
    source_version: str = ""
    destination_spec: VolumeSpec | None = None


@dataclass(frozen=True, slots=True)
class TransferResult:
    """What a finished transfer produced: every byte counted was read back and compared."""

    destination: str
    verified_bytes: int
    checksum: str


def _now() -> datetime.datetime:
    return datetime.datetime.now(datetime.UTC)


@dataclass(frozen=True, slots=True)
class Job:
    """A job's record at one moment. `sequence` grows with every change."""

    name: str
    owner: str
    request_id: str
    spec: TransferSpec
    state: JobState = JobState.PENDING
    progress: JobProgress = field(default_factory=JobProgress)
    error: JobError | None = None
    create_time: datetime.datetime = field(default_factory=_now)
    start_time: datetime.datetime | None = None
    end_time: datetime.datetime | None = None
    result: TransferResult | None = None
    sequence: int = 0
