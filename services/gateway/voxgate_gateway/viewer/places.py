"""Where volumes lie in nanometres, and which of them show the same place."""

from __future__ import annotations

import math

from voxgate.model.volumes import VolumeInfo, VolumeKind

_PARTNER = {VolumeKind.IMAGE: VolumeKind.SEGMENTATION, VolumeKind.SEGMENTATION: VolumeKind.IMAGE}
_LEAST_SHARE = 0.5
"""Of the smaller volume that must lie in the larger one: a corner in common is no place in common."""

Triple = tuple[float, float, float]


def spans_nm(info: VolumeInfo) -> list[tuple[float, float]]:
    """Start and end on x, y, z in nanometres; empty where the voxel size is unknown or there are no voxels."""
    if not info.scales or info.scales[0].voxel_size_nm is None:
        return []
    bounds, size = info.scales[0].bounds, info.scales[0].voxel_size_nm
    return [(a * nm, b * nm) for a, b, nm in zip(bounds.start, bounds.stop, size, strict=True)]


def extent_nm(info: VolumeInfo) -> list[float]:
    """The extent on x, y, z in nanometres."""
    return [stop - start for start, stop in spans_nm(info)]


def likeness(one: VolumeInfo, other: VolumeInfo) -> float:
    """How much the second is a picture of the place of the first, 0 to 1: an image and its segmentation, say.

    What they have in common, of what they cover together; 0 for volumes of one kind, and where less than half of the
    smaller one is in the larger.
    """
    if other.kind is not _PARTNER.get(one.kind) or other.time_count > 1:
        return 0.0
    ours, theirs = spans_nm(one), spans_nm(other)
    if not ours or not theirs:
        return 0.0
    common = math.prod(max(min(b, d) - max(a, c), 0.0) for (a, b), (c, d) in zip(ours, theirs, strict=True))
    first, second = math.prod(extent_nm(one)), math.prod(extent_nm(other))
    if min(first, second) <= 0 or common < _LEAST_SHARE * min(first, second):
        return 0.0
    return common / (first + second - common)
