"""Which segments are where, for volumes without an index: found by reading, block by block, within a budget."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence

import fastremap
import numpy as np
import numpy.typing as npt

from voxgate.model.errors import InvalidArgument, OutOfBounds
from voxgate.model.geometry import Box, Vec3
from voxgate.model.segments import SegmentCount
from voxgate.model.volumes import CallContext, Volume, Voxels
from voxgate_blocks.readahead import each_answered
from voxgate_blocks.scanning import Scan, ScanLimits, check_segments, reading_threads

_PENDING_IDS = 1 << 20
"""So many ids are gathered before they are merged: bounds memory, keeps merging rare."""
_COUNTING_BYTES = 16
"""About what counting needs for each voxel beside the voxel: a sorted copy where neighbours differ."""

Ids = npt.NDArray[np.uint64]


def count_segments(
    volume: Volume,
    box: Box,
    *,
    scale: int = 0,
    top: int | None = None,
    limits: ScanLimits,
    context: CallContext | None = None,
) -> list[SegmentCount]:
    """Count the voxels of every segment in a box by reading it, each stored chunk once.

    Args:
        volume: a segmentation.
        box: where, voxels of the scale, global coordinates.
        scale: index of the scale to read.
        top: only that many of the largest; None means all.
        limits: what the search may cost.
        context: the caller's patience, looked at between blocks.

    Returns:
        Exact counts, background (0) left out: ordered by id, or with `top` largest first (equal counts by id).

    Raises:
        LimitExceeded: when the box has more voxels than may be searched.
        MissingCapability: when the volume has no segments.
        InvalidArgument: when `top` is less than 1, or the volume has several channels.
        EmptyBox, OutOfBounds, UnknownScale, ChunkCorrupt, StoreUnavailable: as `Volume.read` raises them.
    """
    if top is not None and top < 1:
        raise InvalidArgument(f"the {top} largest segments are none", "ask for at least one, or leave `top` out")
    scan = Scan(volume, box, scale, limits, context or CallContext())
    scan.check()
    found = scan.blocks(_counts_of_block, extra_voxel_bytes=_COUNTING_BYTES)
    ids, counts = _merged(part for _, part in found if part is not None)
    if top is not None:
        # lexsort's last key counts most; uint64 has no minus, its complement orders the same way.
        order = np.lexsort((ids, ~counts))[:top]
        ids, counts = ids[order], counts[order]
    return [SegmentCount(*pair) for pair in zip(ids.tolist(), counts.tolist(), strict=True)]


def find_segment_ids(
    volume: Volume, box: Box, *, scale: int = 0, limits: ScanLimits, context: CallContext | None = None
) -> Ids:
    """The ids of the segments in a box, by reading it, each stored chunk once; cheaper than counting them.

    Returns:
        uint64 array, ascending, background (0) left out.

    Raises:
        As `count_segments`.
    """
    scan = Scan(volume, box, scale, limits, context or CallContext())
    scan.check()
    known: Ids = np.empty(0, np.uint64)
    pending: list[Ids] = []
    pending_ids = 0
    for _, ids in scan.blocks(_ids_of_block, extra_voxel_bytes=_COUNTING_BYTES):
        if ids is None:
            continue
        pending.append(ids)
        pending_ids += len(ids)
        if pending_ids > max(_PENDING_IDS, len(known)):
            known = np.unique(np.concatenate([known, *pending]))
            pending, pending_ids = [], 0
    known = np.unique(np.concatenate([known, *pending]))
    found: Ids = known[known != 0]
    return found


def lookup_segments(
    volume: Volume, points: Sequence[Vec3], *, scale: int = 0, context: CallContext | None = None
) -> list[int]:
    """The segment id at each point, in the points' order; 0 is background.

    Points of one stored chunk are answered by one read of the smallest box around them, several reads at a time where
    a store is waited for.

    Args:
        volume: a segmentation.
        points: voxels of the scale, global coordinates.
        scale: index of the scale to read.
        context: the caller's patience, looked at between reads.

    Raises:
        OutOfBounds: when a point lies outside the volume; nothing is read then.
        MissingCapability: when the volume has no segments.
        InvalidArgument: when the volume has several channels.
        UnknownScale, ChunkCorrupt, StoreUnavailable: as `Volume.read` raises them.
    """
    level = check_segments(volume.info, scale)
    by_chunk: defaultdict[tuple[int, ...], list[int]] = defaultdict(list)
    for index, point in enumerate(points):
        if not level.bounds.contains_point(point):
            place = f"({point.x}, {point.y}, {point.z})"
            raise OutOfBounds(f"the point {place} lies outside the volume", f"it has the voxels {level.bounds}")
        steps = zip(point, level.grid_origin, level.stored_chunk_shape, strict=True)
        by_chunk[tuple((p - origin) // size for p, origin, size in steps)].append(index)

    def ids_at(indices: list[int]) -> list[int]:
        box = _around([points[index] for index in indices])
        voxels = volume.read(box, scale=scale)[0]
        return [int(voxels[(points[index] - box.start).zyx]) for index in indices]

    groups = list(by_chunk.values())
    found = [0] * len(points)
    answers = each_answered(groups, ids_at, threads=reading_threads(volume), context=context or CallContext())
    for indices, ids in zip(groups, answers, strict=True):
        for index, segment_id in zip(indices, ids, strict=True):
            found[index] = segment_id
    return found


def _ids_of_block(_box: Box, voxels: Voxels) -> Ids:
    ids: Ids = fastremap.unique(voxels).astype(np.uint64)
    return ids


def _counts_of_block(_box: Box, voxels: Voxels) -> tuple[Ids, Ids]:
    ids, counts = fastremap.unique(voxels, return_counts=True)
    return ids.astype(np.uint64), counts.astype(np.uint64)


def _merged(parts: Iterable[tuple[Ids, Ids]]) -> tuple[Ids, Ids]:
    """Ascending ids without 0, and the sums of their counts, in uint64 throughout."""
    ids, counts = np.empty(0, np.uint64), np.empty(0, np.uint64)
    pending: list[tuple[Ids, Ids]] = []
    pending_ids = 0
    for part in parts:
        pending.append(part)
        pending_ids += len(part[0])
        # Waiting for as many as are known keeps the total work of merging near-linear.
        if pending_ids > max(_PENDING_IDS, len(ids)):
            ids, counts = _sums([(ids, counts), *pending])
            pending, pending_ids = [], 0
    ids, counts = _sums([(ids, counts), *pending])
    return ids[ids != 0], counts[ids != 0]


def _sums(parts: list[tuple[Ids, Ids]]) -> tuple[Ids, Ids]:
    ids, places = np.unique(np.concatenate([part[0] for part in parts]), return_inverse=True)
    sums = np.zeros(len(ids), np.uint64)
    np.add.at(sums, places, np.concatenate([part[1] for part in parts]))
    return ids, sums


def _around(points: Sequence[Vec3]) -> Box:
    """The smallest box that contains every point."""
    start = Vec3(*(min(values) for values in zip(*points, strict=True)))
    last = Vec3(*(max(values) for values in zip(*points, strict=True)))
    return Box(start, last + Vec3(1, 1, 1))
