"""A segmentation whose store knows its segments by itself: every question that it answers is counted."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace

import numpy as np

from voxgate.model.errors import InvalidSegmentId, SegmentNotFound, SegmentSuperseded
from voxgate.model.geometry import Box, Vec3
from voxgate.model.segments import (
    SegmentCount,
    SegmentCounts,
    SegmentExtent,
    SegmentExtents,
    SegmentIdReservation,
    SegmentIds,
    SegmentLookup,
    SegmentRuns,
    Supervoxels,
)
from voxgate.model.volumes import LabelView, OpenOptions, VolumeInfo

ALL = (
    SegmentIds,
    SegmentCounts,
    SegmentLookup,
    SegmentExtents,
    SegmentRuns,
    Supervoxels,
    SegmentIdReservation,
)
SUPERSEDED, REFUSED = 2**63 + 77, 2**63 + 78


class NativeSegments:
    """Answers from an array of its own, never by `read`.

    Attributes:
        asked: how often each question was answered.
        whole_only: ids and counts are known for the whole volume only.
        before_run: called before each piece of runs.
        opened: the options that it was opened with last.
    """

    def __init__(self, voxels: np.ndarray, start: Vec3, info: VolumeInfo, powers: Sequence[type] = ALL) -> None:
        self._voxels = voxels
        self._start = start
        self.info = info
        self.powers = tuple(powers)
        self.asked: Counter[str] = Counter()
        self.whole_only = False
        self.before_run: Callable[[int], None] | None = None
        self.opened = OpenOptions()
        self.next_id = 2**63 + 1000

    def bound_to(self, options: OpenOptions) -> NativeSegments:
        self.opened = options
        return self

    def capability(self, kind):
        return self if kind in self.powers else None

    def read(self, box, *, scale=0, channels=None, out=None):
        self.asked["read"] += 1
        cut = self._voxels[np.newaxis][(slice(None), *box.slices_zyx(self._start))]
        if out is None:
            return np.ascontiguousarray(cut)
        out[...] = cut
        return out

    def _cut(self, box: Box) -> np.ndarray:
        return self._voxels[box.slices_zyx(self._start)]

    def segment_ids_in(self, box, *, scale=0):
        self.asked["ids"] += 1
        if self.whole_only and box != self.info.scales[scale].bounds:
            return None
        ids = np.unique(self._cut(box))
        return ids[ids != 0]

    def counts_in(self, box, *, scale=0):
        self.asked["counts"] += 1
        if self.whole_only and box != self.info.scales[scale].bounds:
            return None
        ids, counts = np.unique(self._cut(box), return_counts=True)
        return [SegmentCount(int(i), int(n)) for i, n in zip(ids, counts, strict=True) if i]

    def segments_at(self, points, *, scale=0):
        self.asked["at"] += 1
        return [int(self._voxels[(point - self._start).zyx]) for point in points]

    def _places(self, segment_id: int) -> np.ndarray:
        """Voxels of a segment, global z, y, x; refuses as a store would."""
        if segment_id == SUPERSEDED:
            raise SegmentSuperseded("it was merged", "ask for 5", details={"current": "5"})
        if segment_id == REFUSED:
            raise InvalidSegmentId("no such id is possible here")
        places = np.argwhere(self._voxels == np.uint64(segment_id)) + np.array(self._start.zyx)
        if not len(places):
            raise SegmentNotFound(f"segment {segment_id} does not occur")
        return places

    def segment_extent(self, segment_id, *, scale=0):
        """Grown by one voxel, as a store that knows blocks only: no surrogate would answer so."""
        self.asked["extent"] += 1
        places = self._places(segment_id)
        low, high = places.min(axis=0) - 1, places.max(axis=0) + 2
        return SegmentExtent(segment_id, Box(Vec3.from_zyx(low.tolist()), Vec3.from_zyx(high.tolist())), False)

    def segment_runs(self, segment_id, *, box=None, scale=0) -> Iterator[np.ndarray]:
        """A piece for each voxel."""
        self.asked["runs"] += 1
        for number, (z, y, x) in enumerate(self._places(segment_id).tolist()):
            if self.before_run:
                self.before_run(number)
            if box is None or box.contains_point(Vec3(x, y, z)):
                yield np.array([[x, y, z, 1]], np.int64)

    def supervoxels_of(self, segment_id):
        self.asked["supervoxels"] += 1
        self._places(segment_id)
        return [segment_id, 2**64 - 5]

    def bodies_of(self, supervoxel_ids):
        self.asked["bodies"] += 1
        return [0 if each == 404 else each + 1 for each in supervoxel_ids]

    def reserve_segment_ids(self, count):
        self.asked["reserve"] += 1
        first = self.next_id
        self.next_id += count
        return first


def with_label_views(info: VolumeInfo) -> VolumeInfo:
    return replace(info, label_views=(LabelView.BODIES, LabelView.SUPERVOXELS))
