"""What stores know about segments beside their voxels: where they are, how large, what they are made of.

Every power stands alone, because stores differ: BossDB knows the ids in a box and bounding boxes, DVID knows ids at
points, sizes and sparse volumes. A service asks for each with `volume.capability(...)` and falls back on reading.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from voxgate.model.errors import VoxgateError
from voxgate.model.geometry import Box, Vec3

Runs = npt.NDArray[Any]
"""int64 array of shape (n, 4): x, y, z of a run's first voxel, global coordinates, and its length along x."""


@dataclass(frozen=True, slots=True)
class SegmentCount:
    """A segment and its voxels in the box that was searched; 0 where only ids were asked for."""

    segment_id: int
    voxel_count: int


@dataclass(frozen=True, slots=True)
class SegmentExtent:
    """Where a segment is.

    Attributes:
        segment_id: the segment.
        box: contains every voxel of it at the scale asked about, global coordinates.
        is_exact: whether no smaller box does; otherwise it is grown to the store's blocks.
        voxel_count: its voxels at that scale; None where the store does not say.
    """

    segment_id: int
    box: Box
    is_exact: bool
    voxel_count: int | None = None


class SegmentIds(Protocol):
    """The store knows which segments are in a box, not how much of each."""

    def segment_ids_in(self, box: Box, *, scale: int = 0) -> npt.NDArray[np.uint64] | None:
        """The ids in `box`, ascending, background (0) left out; None for a box that the store's index cannot answer.

        Never found by reading voxels, which whoever asks can do within limits of their own. Raises as `Volume.read`
        does for a bad box.
        """
        ...


class SegmentCounts(Protocol):
    """The store knows which segments are in some boxes, and how much of each."""

    def counts_in(self, box: Box, *, scale: int = 0) -> list[SegmentCount] | None:
        """The segments in `box` by id, background (0) left out; None for a box that the store's index cannot answer.

        Stores answer for the whole volume or not at all, so None is common: read the voxels then.
        """
        ...


class SegmentLookup(Protocol):
    """The store knows the segment at a point."""

    def segments_at(self, points: Sequence[Vec3], *, scale: int = 0) -> list[int]:
        """The segment id at each point, in order; 0 is background.

        Raises:
            OutOfBounds: when a point lies outside the volume.
        """
        ...


class SegmentIndex(SegmentLookup, Protocol):
    """Answers which segments are where, natively or over the wire."""

    def segments_in(self, box: Box, *, scale: int = 0, top: int | None = None) -> list[SegmentCount]:
        """The segments in `box` with their voxel counts; background (0) left out.

        By id; or with `top`, only that many of the largest, largest first (equal counts by id).
        """
        ...


class SegmentExtents(Protocol):
    """Knows where segments are."""

    def segment_extent(self, segment_id: int, *, scale: int = 0) -> SegmentExtent:
        """Where a segment is.

        Raises:
            SegmentNotFound: when it has no voxel.
            SegmentSuperseded: when it is no longer a segment of its own.
            InvalidSegmentId: for 0.
        """
        ...


class ManySegmentExtents(Protocol):
    """Knows where segments are, and asks for several of them at once."""

    def segment_extents(self, segment_ids: Sequence[int], *, scale: int = 0) -> list[SegmentExtent | VoxgateError]:
        """Where each segment is, in order, or why that is not known: see `SegmentExtents.segment_extent`.

        Args:
            segment_ids: none of them 0, none twice.
            scale: index of the scale.
        """
        ...


class SegmentRuns(Protocol):
    """Knows the voxels of a segment as runs along x (a sparse volume)."""

    def segment_runs(self, segment_id: int, *, box: Box | None = None, scale: int = 0) -> Iterator[Runs]:
        """The voxels of a segment, in pieces.

        Args:
            segment_id: not 0.
            box: only the voxels in it; None means all.
            scale: index of the scale.

        Yields:
            Runs; no voxel twice, in no particular order.

        Raises:
            SegmentNotFound, SegmentSuperseded, InvalidSegmentId, and what `Volume.read` raises for a bad box.
        """
        ...


class Supervoxels(Protocol):
    """Knows bodies and the supervoxels that they are made of."""

    def supervoxels_of(self, segment_id: int) -> list[int]:
        """The supervoxels of a body, ascending.

        Raises:
            SegmentNotFound, SegmentSuperseded, InvalidSegmentId.
        """
        ...

    def bodies_of(self, supervoxel_ids: Sequence[int]) -> list[int]:
        """The body of each supervoxel, in order; 0 for one that does not exist any more."""
        ...


class SegmentIdReservation(Protocol):
    """Hands out segment ids that nobody else gets."""

    def reserve_segment_ids(self, count: int) -> int:
        """Reserve `count` consecutive ids and answer the first. Not idempotent: what is not used is lost.

        Raises:
            ReadOnly: when the remote takes no writes.
            InvalidArgument: for less than one.
        """
        ...
