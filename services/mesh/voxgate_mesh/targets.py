"""What a search for segments is given, and what it answers."""

from __future__ import annotations

from collections.abc import Callable, Generator
from dataclasses import dataclass, field

from voxgate.model.errors import LimitExceeded, SegmentNotFound, StoreUnavailable, VoxgateError
from voxgate.model.geometry import Box
from voxgate.model.volumes import CallContext, Volume
from voxgate_blocks.readahead import ReadAhead
from voxgate_mesh.blocks import BlockPlan, Codes
from voxgate_mesh.checks import MeshLimits, over_budget
from voxgate_mesh.labels import LabelTable
from voxgate_mesh.progress import ScanProgress
from voxgate_mesh.reading import BlockLabels, LabelReader
from voxgate_mesh.sifting import sieve_for


@dataclass(frozen=True, slots=True)
class Target:
    """What is searched, and how.

    Attributes:
        volume: a segmentation.
        scale: index of the scale to mesh.
        plan: its region, and the blocks of it.
        segment_ids: what to find.
        limits: of the server.
        ahead: how far to read ahead.
        context: the caller's patience.
        keep_bytes: how much may be remembered of blocks that are looked at before it is known which are needed.
    """

    volume: Volume
    scale: int
    plan: BlockPlan
    segment_ids: tuple[int, ...]
    limits: MeshLimits
    ahead: ReadAhead
    context: CallContext
    keep_bytes: int

    def reader(self, segment_ids: tuple[int, ...], scale: int) -> LabelReader:
        """Reads a scale as labels of these segments."""
        table = LabelTable(segment_ids, self.volume.info.dtype)
        return LabelReader(self.volume, scale, table, sieve_for(self.volume, scale, segment_ids))

    def over_budget(self, asked: int) -> LimitExceeded:
        """The error for a search of that many voxels."""
        limit = self.limits.max_scan_voxel_count
        return over_budget(self.volume.info, self.plan.region, self.scale, asked, limit)

    def absent(self, segment_id: int) -> SegmentNotFound:
        """The error for a segment without a voxel where everything was looked at."""
        return SegmentNotFound(
            f"segment {segment_id} does not occur in {self.plan.region} of scale {self.scale}",
            "check the id, the bounds and the label view",
            details={"segment_id": str(segment_id)},
        )

    def contradicted(self, segment_id: int, expected: int, found: int) -> StoreUnavailable:
        """The error for a segment of which the store's index knows more or fewer voxels than there are."""
        return StoreUnavailable(
            f"the store's index counts {expected:,} voxels of segment {segment_id}, and {found:,} were found: "
            "one of the two is behind the other",
            'try again in a moment, or search "everywhere"',
            details={"segment_id": str(segment_id)},
        )


@dataclass(frozen=True, slots=True)
class Located:
    """Where to mesh.

    Attributes:
        search: how that was found, one of MESH_SEARCHES but "auto".
        codes: the blocks of the plan that may hold something; None: any may.
        reader: the labels of the segments that may be there.
        labels: what a block holds; runs in other threads.
        errors: why the other segments have no mesh, by id.
        expected: how many voxels a segment must have, by id, where the store's index says so.
    """

    search: str
    codes: Codes | None
    reader: LabelReader
    labels: Callable[[Box], BlockLabels]
    errors: dict[int, VoxgateError] = field(default_factory=dict)
    expected: dict[int, int] = field(default_factory=dict)


Locating = Generator[ScanProgress, None, Located]
"""Tells how far it has come, and returns where to mesh."""
