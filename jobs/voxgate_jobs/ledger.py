"""The ledger: which blocks of a job are done, and what each of them was.

One record holds a window of 4,096 consecutive blocks: a bit for each, and the checksums of those that are done. The
rule that makes it trustworthy is its writer's: what a block wrote is durable first, then the block is committed here.
So the ledger never says more than the destination holds, and whoever takes a job up does what it lacks, nothing else.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import numpy.typing as npt

from voxgate.model.jobs import JobBlock, JobFailure
from voxgate_jobs.leases import Lease
from voxgate_jobs.work import BlockResult

WINDOW_BLOCKS = 4096
"""Consecutive blocks of one record."""
CHECKSUM_BYTES = 32
"""A block's checksum is a SHA-256."""


@dataclass(frozen=True, slots=True)
class LedgerPlan:
    """How a job's work is numbered.

    Attributes:
        block_count: blocks are numbered 0 to block_count - 1.
        digest: tells one numbering from another, whatever makes it: the same text whenever equal work is opened. Empty
            says nothing, and then only the count is compared.
    """

    block_count: int
    digest: str = ""

    @property
    def window_count(self) -> int:
        """Windows are numbered 0 to window_count - 1; the last one may be short."""
        return -(-self.block_count // WINDOW_BLOCKS)

    def blocks(self, window: int) -> range:
        """The numbers of a window's blocks."""
        return range(window * WINDOW_BLOCKS, min(self.block_count, (window + 1) * WINDOW_BLOCKS))


@dataclass(frozen=True, slots=True)
class LedgerTotals:
    """What all blocks that are done come to; each counted once, however often it was committed."""

    done_block_count: int = 0
    done_bytes: int = 0
    copied_bytes: int = 0
    verified_bytes: int = 0
    skipped_block_count: int = 0


@dataclass(frozen=True, slots=True, eq=False)
class WindowRecord:
    """One window as it stands.

    Attributes:
        index: the window's number; its first block is `index * WINDOW_BLOCKS`.
        done: bool array of shape (blocks of the window,).
        checksums: uint8 array of shape (blocks of the window, 32); zeros where a block is not done.
    """

    index: int
    done: npt.NDArray[np.bool_]
    checksums: npt.NDArray[np.uint8]

    def missing(self) -> list[int]:
        """The numbers, within the job, of the blocks that are not done, ascending."""
        return [self.index * WINDOW_BLOCKS + int(at) for at in np.flatnonzero(~self.done)]


@dataclass(frozen=True, slots=True)
class FailurePage:
    """Failed blocks, the latest failure first, and where the next page starts; an empty token on the last one."""

    failures: tuple[JobFailure, ...]
    next_page_token: str = ""


class Ledger(Protocol):
    """Keeps what is done. Thread-safe. Every method raises Unavailable when the database does not answer in time."""

    def begin(self, lease: Lease, plan: LedgerPlan) -> LedgerTotals:
        """Say how the work is numbered, before anything else, and answer what is done of it already.

        Raises:
            LeaseLost: when the job is not the holder's any more.
            FailedPrecondition: when the job's blocks were numbered otherwise before: what is done could be anything.
        """
        ...

    def plan(self, name: str) -> LedgerPlan | None:
        """How the work is numbered; None before the first `begin`.

        Raises:
            UnknownJob: when there is no such job; so do the methods below that take a name.
        """
        ...

    def totals(self, name: str) -> LedgerTotals:
        """What is done; reads no window's bits or checksums."""
        ...

    def unfinished(self, name: str) -> Iterator[int]:
        """The numbers of the windows that lack blocks, ascending; reads no window's bits or checksums."""
        ...

    def window(self, name: str, index: int) -> WindowRecord:
        """One window; nothing is done in one that was never committed.

        Raises:
            InternalError: before `begin`, or for a window that the plan has not.
        """
        ...

    def commit(self, lease: Lease, index: int, results: Mapping[int, BlockResult]) -> None:
        """Add finished blocks to a window, all of them or none; on return they outlive a loss of power.

        Committing a block again changes nothing.

        Args:
            lease: of the job.
            index: the window's number.
            results: by the block's number within the job; what these blocks wrote is durable already.

        Raises:
            LeaseLost: when the job is not the holder's any more; nothing was added.
            InternalError: for blocks of another window, a checksum that is not 32 bytes, or a block that is done with
                another checksum.
        """
        ...

    def record_failure(self, lease: Lease, failure: JobFailure) -> None:
        """Note that a block failed, in place of what was noted of it before; the oldest are dropped beyond a number.

        Raises:
            LeaseLost: when the job is not the holder's any more.
        """
        ...

    def failures(self, name: str, *, page_size: int = 100, page_token: str = "") -> FailurePage:
        """One page of the blocks that failed, the latest first.

        Raises:
            InvalidArgument: when the page token is none of ours.
        """
        ...

    def manifest(self, name: str, *, first_block: int = 0) -> Iterator[JobBlock]:
        """Every finished block from `first_block` on, ascending; boxes are added by who knows the plan.

        Windows are read one by one: memory is bounded, and blocks that are finished meanwhile may be among them.
        """
        ...
