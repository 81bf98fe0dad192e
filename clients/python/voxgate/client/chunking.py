"""How an array is cut for programs that work in chunks: along the store's own chunks, so that none is read twice."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

from voxgate.client.binding import Binding
from voxgate.model.errors import InvalidArgument
from voxgate.model.geometry import Vec3, aligned_outward
from voxgate.model.volumes import Scale

Chunks = int | Sequence[int] | Mapping[str, int]
"""One extent for z, y and x, one for each axis of the array, or some by name; -1 is the whole axis."""

TARGET_BYTES = 64 << 20


def chunk_extents(binding: Binding, chunks: Chunks | None = None) -> tuple[tuple[int, ...], ...]:
    """The extents of chunks along each axis, in the order of the array's axes.

    Edges lie between stored chunks; where the bounds do not, the first and last chunks are smaller. Without `chunks`,
    each holds about 64 MiB, one time and every channel; with it, extents along z, y and x are rounded up to whole
    stored chunks.

    Raises:
        InvalidArgument: for extents that are not positive, or not one for each axis.
    """
    level, axes = binding.level, binding.axes
    asked = _asked(axes, chunks)
    channels = binding.info.channel_count if "c" in axes else 1
    usual = dict(zip("xyz", usual_extent(level, binding.info.dtype.itemsize * channels), strict=True))
    whole = dict(zip(axes, binding.shape, strict=True))
    cells = dict(zip("xyz", level.stored_chunk_shape, strict=True))
    ahead = dict(zip("xyz", _offset_in_cell(level), strict=True))
    extents = []
    for axis in axes:
        cell = cells.get(axis, 1)
        extent = asked.get(axis, usual.get(axis, 1 if axis == "t" else whole[axis]))
        extent = whole[axis] + cell if extent == -1 else extent
        extents.append(_along(whole[axis], ahead.get(axis, 0), -(-extent // cell) * cell))
    return tuple(extents)


def usual_extent(level: Scale, voxel_bytes: int, target_bytes: int = TARGET_BYTES) -> Vec3:
    """The most even multiple of the stored chunk that holds at most `target_bytes`; at least one stored chunk."""
    bounds = level.bounds
    outward = aligned_outward(bounds, level.stored_chunk_shape, level.grid_origin).shape
    extent = list(level.stored_chunk_shape)

    def size(candidate: Sequence[int]) -> int:
        return voxel_bytes * math.prod(min(a, b) for a, b in zip(candidate, outward, strict=True))

    while True:
        growable = sorted((extent[axis], axis) for axis in range(3) if extent[axis] < tuple(outward)[axis])
        for _, axis in growable:
            doubled = [2 * each if i == axis else each for i, each in enumerate(extent)]
            if size(doubled) <= target_bytes:
                extent = doubled
                break
        else:
            return Vec3(*extent)


def _asked(axes: str, chunks: Chunks | None) -> Mapping[str, int]:
    if chunks is None:
        asked: Mapping[str, int] = {}
    elif isinstance(chunks, Mapping):
        asked = chunks
    elif isinstance(chunks, int):
        asked = dict.fromkeys((axis for axis in axes if axis in "xyz"), chunks)
    elif len(chunks) == len(axes):
        asked = dict(zip(axes, chunks, strict=True))
    else:
        raise InvalidArgument(f"{tuple(chunks)} has {len(chunks)} extents", f"give one for each of the axes {axes!r}")
    wrong = [axis for axis, extent in asked.items() if axis not in axes or (extent < 1 and extent != -1)]
    if wrong:
        raise InvalidArgument(
            f"no array of the axes {axes!r} can be cut by {dict(asked)}", "give positive extents, or -1 for all"
        )
    return asked


def _offset_in_cell(level: Scale) -> Vec3:
    return level.bounds.start - aligned_outward(level.bounds, level.stored_chunk_shape, level.grid_origin).start


def _along(whole: int, ahead: int, extent: int) -> tuple[int, ...]:
    """Extents of which the first began `ahead` voxels before the axis does."""
    first = min(whole, extent - ahead)
    rest, last = divmod(whole - first, extent)
    return (first, *[extent] * rest, *([last] if last else []))
