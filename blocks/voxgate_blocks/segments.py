"""Which segments are where, for volumes without an index: found by reading, block by block, within a budget."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence

import fastremap
import numpy as np
import numpy.typing as npt

from voxgate.model.errors import InvalidArgument, LimitExceeded, MissingCapability, OutOfBounds
from voxgate.model.geometry import Box, Vec3
from voxgate.model.requests import check_box, scale_of
from voxgate.model.segments import SegmentCount
from voxgate.model.volumes import (
    CallContext,
    Scale,
    Volume,
    VolumeKind,
)
from voxgate_blocks.plans import plan_blocks

_BLOCK_BYTES = 32 << 20
_PENDING_IDS = 1 << 20
"""So many (id, count) pairs are gathered before they are merged: bounds memory, keeps merging rare."""

Ids = npt.NDArray[np.uint64]


def count_segments(
    volume: Volume,
    box: Box,
    *,
    scale: int = 0,
    top: int | None = None,
    max_voxels: int,
    context: CallContext | None = None,
) -> list[SegmentCount]:
    """Count the voxels of every segment in a box by reading it, each stored chunk once.

    Args:
        volume: a segmentation.
        box: where, voxels of the scale, global coordinates.
        scale: index of the scale to read.
        top: only that many of the largest; None means all.
        max_voxels: the budget; a larger box is refused before anything is read.
        context: the caller's patience, looked at between blocks.

    Returns:
        Exact counts, background (0) left out: ordered by id, or with `top` largest first (equal counts by id).

    Raises:
        LimitExceeded: when the box has more than `max_voxels` voxels.
        MissingCapability: when the volume has no segments.
        InvalidArgument: when `top` is less than 1, or the volume has several channels.
        EmptyBox, OutOfBounds, UnknownScale, ChunkCorrupt, StoreUnavailable: as `Volume.read` raises them.
    """
    level = _level(volume, scale)
    if top is not None and top < 1:
        raise InvalidArgument(f"the {top} largest segments are none", "ask for at least one, or leave `top` out")
    if box.voxel_count > max_voxels:
        raise LimitExceeded(
            f"{box.voxel_count} voxels would have to be read, the limit is {max_voxels}",
            "ask for a smaller box, or the same place at a coarser scale",
            details={"limit": str(max_voxels), "asked": str(box.voxel_count)},
        )
    check_box(volume.info, box, scale)
    ids, counts = _merged(_counts_of_blocks(volume, box, scale, level, context or CallContext()))
    if top is not None:
        # lexsort's last key counts most; uint64 has no minus, its complement orders the same way.
        order = np.lexsort((ids, ~counts))[:top]
        ids, counts = ids[order], counts[order]
    return [SegmentCount(*pair) for pair in zip(ids.tolist(), counts.tolist(), strict=True)]


def lookup_segments(
    volume: Volume, points: Sequence[Vec3], *, scale: int = 0, context: CallContext | None = None
) -> list[int]:
    """The segment id at each point, in the points' order; 0 is background.

    Points of one stored chunk are answered by one read of the smallest box around them.

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
    level = _level(volume, scale)
    context = context or CallContext()
    by_chunk: defaultdict[tuple[int, ...], list[int]] = defaultdict(list)
    for index, point in enumerate(points):
        if not level.bounds.contains_point(point):
            place = f"({point.x}, {point.y}, {point.z})"
            raise OutOfBounds(f"the point {place} lies outside the volume", f"it has the voxels {level.bounds}")
        steps = zip(point, level.grid_origin, level.stored_chunk_shape, strict=True)
        by_chunk[tuple((p - origin) // size for p, origin, size in steps)].append(index)
    found = [0] * len(points)
    for indices in by_chunk.values():
        context.check()
        chosen = [points[index] for index in indices]
        box = _around(chosen)
        voxels = volume.read(box, scale=scale)[0]
        for index, point in zip(indices, chosen, strict=True):
            found[index] = int(voxels[(point - box.start).zyx])
    return found


def _level(volume: Volume, scale: int) -> Scale:
    """The scale, once it is known that the volume has segments.

    Raises:
        UnknownScale, MissingCapability, InvalidArgument.
    """
    info = volume.info
    if info.kind is VolumeKind.IMAGE or info.dtype.kind != "u":
        what = "an image" if info.kind is VolumeKind.IMAGE else f"of dtype {info.dtype}"
        raise MissingCapability(
            f"the volume is {what} and has no segments",
            "ask a segmentation of unsigned integers",
            details={"capability": "segments"},
        )
    if info.channel_count != 1:
        raise InvalidArgument(f"the volume has {info.channel_count} channels", "segments are of one channel")
    return scale_of(info, scale)


def _counts_of_blocks(
    volume: Volume, box: Box, scale: int, level: Scale, context: CallContext
) -> Iterator[tuple[Ids, Ids]]:
    """Ids and their voxel counts, block by block."""
    voxel_bytes = volume.info.dtype.itemsize
    for block in plan_blocks(level, box, voxel_bytes=voxel_bytes, block_bytes=_BLOCK_BYTES):
        context.check()
        ids, counts = fastremap.unique(volume.read(block, scale=scale), return_counts=True)
        yield ids.astype(np.uint64), counts.astype(np.uint64)


def _merged(parts: Iterator[tuple[Ids, Ids]]) -> tuple[Ids, Ids]:
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
