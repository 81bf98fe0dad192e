"""Which blocks hold the segments asked for: by the store's index, by looking everywhere, or by the pyramid.

The voxels that a search may read are bounded; what cannot be searched is refused before anything is read where that is
known by then.
"""

from __future__ import annotations

import math
from collections.abc import Generator

import numpy as np

from voxgate.model.errors import (
    InvalidSegmentId,
    MissingCapability,
    SegmentNotFound,
    SegmentSuperseded,
    VoxgateError,
)
from voxgate.model.geometry import Box
from voxgate_mesh.blocks import Codes
from voxgate_mesh.indexes import Index, store_index
from voxgate_mesh.progress import ScanProgress
from voxgate_mesh.projecting import coarser_images
from voxgate_mesh.pyramid import Pyramid
from voxgate_mesh.targets import Located, Locating, Target

_FEW = 16  # questions that are always worthwhile
_OF_ONE_SEGMENT = (SegmentNotFound, SegmentSuperseded, InvalidSegmentId)


class Locator:
    """One search. What can be refused before anything is read is refused by the constructor."""

    def __init__(self, target: Target, search: str) -> None:
        """Choose how to search; `search` is one of MESH_SEARCHES.

        Raises:
            MissingCapability: for the index of a store that has none, or the pyramid of a volume of one scale.
            LimitExceeded: when too many voxels would be searched.
        """
        self._target = target
        self._search = search
        self._index = self._worthwhile_index()
        self._coarse = self._coarse_scale() if search in ("auto", "pyramid") else None
        if search == "index" and self._index is None:
            raise MissingCapability(
                "the store has no index of segment bounds",
                'take "auto", "everywhere" or "pyramid"',
                details={"capability": "segment_bounds"},
            )
        if self._index is None:
            self._check_unindexed()

    def _worthwhile_index(self) -> Index | None:
        """The store's index, unless looking everywhere takes fewer reads than asking takes questions."""
        index = store_index(self._target.volume) if self._search in ("auto", "index") else None
        if index is None or self._search == "index" or not self._fits:
            return index
        questions = index.question_count(len(self._target.segment_ids))
        return index if questions <= max(_FEW, math.prod(self._target.plan.grid_shape)) else None

    @property
    def _fits(self) -> bool:
        return self._target.plan.region.voxel_count <= self._target.limits.max_scan_voxel_count

    def steps(self) -> Locating:
        """Search.

        Raises:
            LimitExceeded: when it turns out that too many voxels would be searched; and whatever the store raises.
        """
        if self._index is not None:
            located = yield from self._by_index(self._index)
            if located is not None:
                return located
            self._check_unindexed()
        if self._search != "pyramid" and self._fits:
            reader = self._target.reader(self._target.segment_ids, self._target.scale)
            return Located("everywhere", None, reader, reader.read)
        return (yield from self._by_pyramid())

    def _by_pyramid(self) -> Locating:
        assert self._coarse is not None  # noqa: S101  (checked before)
        return (yield from Pyramid(self._target, *self._coarse).steps())

    def _check_unindexed(self) -> None:
        """Refuse a search that cannot do without the index."""
        if self._coarse is not None or (self._search != "pyramid" and self._fits):
            return
        info, target = self._target.volume.info, self._target
        if self._search == "pyramid" and not coarser_images(info, target.plan.region, target.scale):
            raise MissingCapability(
                f"the volume has no scale coarser than {target.scale} to look for segments in",
                'take "everywhere", with bounds around the segment where it is large',
                details={"capability": "coarser_scale"},
            )
        raise target.over_budget(target.plan.region.voxel_count)

    def _coarse_scale(self) -> tuple[int, Box] | None:
        """The scale in which to look first, and the box of it; None where there is none or all are too large."""
        target, limits = self._target, self._target.limits
        images = coarser_images(target.volume.info, target.plan.region, target.scale)
        quick = next((each for each in images if each[1].voxel_count <= limits.look_voxel_count), None)
        if quick is not None or not images:
            return quick
        least = min(images, key=lambda each: each[1].voxel_count)
        return least if least[1].voxel_count <= limits.max_scan_voxel_count else None

    def _by_index(self, index: Index) -> Generator[ScanProgress, None, Located | None]:
        """Where the store says that the segments are; None where something else is to be tried."""
        target, may_turn = self._target, self._search == "auto"
        top = int(np.iinfo(target.volume.info.dtype).max)
        asked = [segment_id for segment_id in target.segment_ids if segment_id <= top]
        errors: dict[int, VoxgateError] = {each: target.absent(each) for each in target.segment_ids if each > top}
        expected: dict[int, int] = {}
        ranges: set[tuple[range, range, range]] = set()
        for answer in index.extents(asked, target.scale, target.context, target.ahead.tick_s):
            if answer is None:
                yield ScanProgress("locating", 0, 0)
                continue
            segment_id, extent = answer
            if isinstance(extent, VoxgateError):
                if may_turn and not isinstance(extent, _OF_ONE_SEGMENT):
                    return None
                errors[segment_id] = extent
                continue
            ranges.add(target.plan.ranges_of(extent.box))
            if extent.voxel_count is not None and target.plan.region.contains(extent.box):
                expected[segment_id] = extent.voxel_count
        codes = self._codes_of(ranges, may_turn=may_turn)
        if codes is None:
            return None
        reader = target.reader(tuple(each for each in asked if each not in errors), target.scale)
        return Located("index", codes, reader, reader.read, errors, expected)

    def _codes_of(self, boxes: set[tuple[range, range, range]], *, may_turn: bool) -> Codes | None:
        """The blocks of all boxes of blocks; None where they are too many and there is a coarser scale to try.

        Raises:
            LimitExceeded: where there is none.
        """
        plan, limit = self._target.plan, self._target.limits.max_scan_voxel_count
        asked = max((plan.voxel_count(each) for each in boxes), default=0)
        codes: Codes = np.zeros(0, np.int64)
        if asked <= limit:
            codes = plan.codes_of(boxes)
            asked = int(plan.voxel_counts(codes).sum())
        if asked <= limit:
            return codes
        if may_turn and self._coarse is not None:
            return None
        raise self._target.over_budget(asked)
