"""What an engine runs, and what an engine is: Protocols that know no store, no thread and no transport.

A job's work is cut into numbered blocks. A block may run anywhere, in any order, and again after a failure: that is all
an engine may rely on, and all that a durable ledger or a cluster needs. Work is opened from the spec alone, by whoever
runs it, so nothing that is open or secret is ever handed from process to process.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol

from voxgate.model.geometry import Box
from voxgate.model.jobs import Job, JobResult, JobSpec
from voxgate.model.volumes import CallContext

if TYPE_CHECKING:
    from voxgate_jobs.ledger import LedgerTotals


@dataclass(frozen=True, slots=True)
class BlockResult:
    """One finished block.

    Attributes:
        byte_count: voxel bytes that it stands for, whether or not they had to be written.
        checksum: SHA-256 of them, 32 raw bytes.
        copied_bytes: how many of them came from the source.
        verified_bytes: how many of them were read back and compared.
        skipped: whether nothing had to be written.
    """

    byte_count: int
    checksum: bytes
    copied_bytes: int = 0
    verified_bytes: int = 0
    skipped: bool = False


@dataclass(frozen=True, slots=True)
class Patience:
    """When the work of a job should stop.

    Attributes:
        reading: stopped as soon as the job is cancelled or has failed: what was only read is worth nothing.
        writing: stopped only when a server that shuts down has waited long enough: a block being written is finished.
    """

    reading: CallContext = field(default_factory=CallContext)
    writing: CallContext = field(default_factory=CallContext)

    def end(self) -> None:
        """Stop both."""
        self.reading.stop.set()
        self.writing.stop.set()


class Work(Protocol):
    """The open work of one job. Its methods are called from several threads at once.

    A job's work is open several times: where its blocks run, in any number of processes, and where they are counted.
    """

    @property
    def phase(self) -> str:
        """What is being done, in a word or two, for people."""
        ...

    @property
    def block_count(self) -> int:
        """Blocks are numbered 0 to block_count - 1: the order of the plan, equal whenever equal work is opened."""
        ...

    @property
    def total_bytes(self) -> int:
        """Voxel bytes of all blocks together."""
        ...

    @property
    def digest(self) -> str:
        """Tells this numbering of blocks from any other, whatever makes it; see `voxgate_jobs.ledger.LedgerPlan`.

        A short text, equal whenever equal work is opened, of whichever release. Empty says nothing.
        """
        ...

    @property
    def stage_starts(self) -> Sequence[int]:
        """The first block of each stage but the first, ascending; empty for work of one stage.

        No block of a stage begins before every block of the stages before it is done and durable: a level of a pyramid
        is made from the one before it.
        """
        ...

    def run_block(self, index: int) -> BlockResult:
        """Do one block, from the beginning, whether or not it was begun before.

        Raises:
            Unavailable, ServerBusy: when trying again may help; any other error fails the job.
        """
        ...

    def flush(self) -> None:
        """Make durable whatever blocks this object ran; on return it outlives a loss of power.

        Called after a batch of blocks, where they ran and before they are counted. Nothing to do where every write is
        durable already.

        Raises:
            VoxgateError: when it cannot; the batch counts as not done.
        """
        ...

    def box_of(self, index: int) -> tuple[int, Box] | None:
        """Scale and box of a block, global coordinates of the destination; None where blocks are no boxes."""
        ...

    def finish(self, totals: LedgerTotals, checksum: str) -> JobResult:
        """Complete the product, and say what it is. Called when all blocks are done, again after an interruption.

        Here belongs what comes once and last: provenance beside the product, a version that is committed.

        Args:
            totals: what all blocks came to.
            checksum: SHA-256 over the blocks' checksums in the order of the plan, lower-case hex.

        Raises:
            Unavailable, ServerBusy: when trying again may help; any other error fails the job.
        """
        ...


class OpenWork(Protocol):
    """Opens the work that a spec asks for."""

    def __call__(self, spec: JobSpec, patience: Patience) -> Work:
        """Open it.

        Raises:
            Unavailable, ServerBusy: when trying again may help; any other error fails the job.
        """
        ...


class Engine(Protocol):
    """Runs jobs that a JobStore holds."""

    def check_room(self) -> None:
        """Refuse early what `submit` could not take, before anything has been created for it.

        Raises:
            ServerBusy: when too many jobs wait, or the engine is closing.
        """
        ...

    def submit(self, name: str) -> None:
        """Let a PENDING job be taken up at once; how it goes is in its record, from here on."""
        ...

    def cancel(self, name: str, *, owner: str | None = None) -> Job:
        """Ask a job to stop and answer its record; harmless for one that has ended.

        Raises:
            UnknownJob: when there is none (of this owner, if given).
        """
        ...

    def resume(self, name: str, *, owner: str | None = None) -> Job:
        """Let a job that failed or was cancelled go on where it stopped; harmless for one that is under way.

        Raises:
            UnknownJob: when there is none (of this owner, if given).
            FailedPrecondition: for a job that succeeded, or is stopping and has not stopped yet.
            ServerBusy: as of `check_room`.
        """
        ...

    def close(self, *, grace_s: float = 10.0) -> None:
        """Take up no more jobs and let go of those there are: whoever shares the store goes on with them, or a restart.

        Args:
            grace_s: seconds to wait for blocks that are being written.
        """
        ...
