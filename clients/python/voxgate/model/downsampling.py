"""Coarser levels that a store computes by itself, when it is asked to."""

from __future__ import annotations

import enum
from typing import Protocol


class DownsamplingState(enum.Enum):
    """How far the coarser levels are."""

    NONE = "none"
    QUEUED = "queued"
    RUNNING = "running"
    DONE = "done"
    FAILED = "failed"


class Downsampling(Protocol):
    """The store computes the coarser levels of the volume."""

    def downsampling(self) -> DownsamplingState:
        """How far they are, asked anew. NONE, too, once voxels were written since."""
        ...

    def start_downsampling(self) -> DownsamplingState:
        """Ask for them; that takes its time.

        Raises:
            ReadOnly: when the remote takes no writes.
            StoreRefused: when the store is at it, or is done and nothing was written since.
        """
        ...
