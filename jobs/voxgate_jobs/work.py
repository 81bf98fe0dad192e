"""What an engine runs, and what an engine is: Protocols that know no store, no thread and no transport.

A job's work is cut into numbered blocks. A block may run anywhere, in any order, and again after a failure: that is all
an engine may rely on, and all that a durable ledger or a cluster needs. Work is opened from the spec alone, by whoever
runs it, so nothing that is open or secret is ever handed from process to process.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Protocol

from voxgate.model.jobs import Job, TransferResult, TransferSpec
from voxgate.model.volumes import CallContext


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


class Work(Protocol):
    """The open work of one job. Its methods are called from several threads at once."""

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

    def run_block(self, index: int) -> BlockResult:
        """Do one block, from the beginning, whether or not it was begun before.

        Raises:
            Unavailable, ServerBusy: when trying again may help; any other error fails the job.
        """
        ...

    def result(self, byte_count: int, checksum: str) -> TransferResult:
        """What the job produced.

        Args:
            byte_count: voxel bytes of all blocks.
            checksum: SHA-256 over the blocks' checksums in the order of the plan, lower-case hex.
        """
        ...


class OpenWork(Protocol):
    """Opens the work that a spec asks for."""

    def __call__(self, spec: TransferSpec, patience: Patience) -> Work:
        """Open it; errors fail the job."""
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
        """Run a PENDING job; how it goes is in its record, from here on."""
        ...

    def cancel(self, name: str, *, owner: str | None = None) -> Job:
        """Ask a job to stop and answer its record; harmless for one that has ended.

        Raises:
            UnknownJob: when there is none (of this owner, if given).
        """
        ...

    def close(self, *, grace_s: float = 10.0) -> None:
        """Take no more jobs and stop those there are; afterwards no job of this engine is in a state without end.

        Args:
            grace_s: seconds to wait for blocks that are being written.
        """
        ...
