"""Where a box of one scale lies in another: in nanometres, exactly, whatever the factor between them is.

Voxel i of a scale spans [i, i + 1) voxel sizes in the frame that all scales share. Factors need not be whole, and
origins need not divide.
"""

from __future__ import annotations

import math
from fractions import Fraction

from voxgate.model.geometry import Box, Vec3, VoxelSize
from voxgate.model.volumes import VolumeInfo


def projected(box: Box, size: VoxelSize, onto: VoxelSize) -> Box:
    """The voxels of size `onto` that a box of voxels of `size` touches; bounds are the caller's to look at."""
    spans = [
        touched(a, b, Fraction(one) / Fraction(other))
        for a, b, one, other in zip(box.start, box.stop, size, onto, strict=True)
    ]
    return Box(Vec3(*(start for start, _ in spans)), Vec3(*(stop for _, stop in spans)))


def touched(start: int, stop: int, factor: Fraction) -> tuple[int, int]:
    """The voxels along one axis, start and stop, that voxels `factor` times as long touch."""
    return math.floor(start * factor), math.ceil(stop * factor)


def is_size(size: VoxelSize) -> bool:
    """Whether a voxel has an extent along every axis."""
    return all(0 < extent < math.inf for extent in size)


def grown(box: Box, by: int = 1) -> Box:
    """A box with `by` voxels more on every side."""
    return Box(box.start - Vec3(by, by, by), box.stop + Vec3(by, by, by))


def image_of(info: VolumeInfo, region: Box, scale: int, other: int) -> Box:
    """What to read of scale `other` to see all of `region`, with a voxel to spare on every side; may be empty.

    The voxel to spare is for stores that place coarse voxels up to one of them beside where the finer ones are.
    Empty, too, where a voxel size is unknown or none.
    """
    size, onto = info.scales[scale].voxel_size_nm, info.scales[other].voxel_size_nm
    if size is None or onto is None or not (is_size(size) and is_size(onto)):
        return Box(region.start, region.start)
    return grown(projected(region, size, onto)).intersection(info.scales[other].bounds)


def coarser_images(info: VolumeInfo, region: Box, scale: int) -> list[tuple[int, Box]]:
    """The coarser scales in which a region of `scale` has fewer voxels, and some; finest first."""
    images = [(other, image_of(info, region, scale, other)) for other in range(scale + 1, len(info.scales))]
    return [(other, image) for other, image in images if 0 < image.voxel_count < region.voxel_count]
