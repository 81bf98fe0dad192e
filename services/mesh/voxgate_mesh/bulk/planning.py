"""From what is asked for to a plan, or to a refusal before anything is read."""

from __future__ import annotations

import math

from voxgate.model.errors import InvalidArgument
from voxgate.model.geometry import Box, Vec3, VoxelSize
from voxgate.model.jobs import MeshJobSpec
from voxgate.model.requests import check_box, scale_of
from voxgate.model.volumes import VolumeInfo
from voxgate_mesh.bulk.plan import LATTICE, MeshPlan, levels_of, partition_count_for
from voxgate_mesh.checks import check_segmentation, known_voxel_size

_TARGET_VOXELS = 1 << 24
_LEAST_SIDE, _MOST_SIDE = 16, 1024
_BITS = (10, 16)
_MOST_EXTENT = 2**31 // LATTICE - 2  # lattice places are int32
_MOST_LEVELS = 32


def planned(spec: MeshJobSpec, info: VolumeInfo) -> MeshPlan:
    """The plan of a bulk meshing.

    Args:
        spec: what is asked for; its version resolved, so that plans of different versions differ.
        info: the volume that is read.

    Raises:
        InvalidArgument, UnknownScale, EmptyBox, OutOfBounds: for the caller to mend.
        MissingCapability, ConfigInvalid: for the operator to mend, or for a volume that has no segments.
    """
    _check(spec)
    check_segmentation(info)
    region = scale_of(info, spec.scale).bounds if spec.box is None else spec.box
    scale = check_box(info, region, spec.scale)
    size = known_voxel_size(info, scale)
    if max(region.shape) > _MOST_EXTENT:
        raise InvalidArgument(
            f"{region} is longer than one job of meshing can number, {_MOST_EXTENT} voxels an axis",
            "mesh a coarser scale, or pass a box",
            details={"field": "box"},
        )
    chunk = spec.chunk_shape or chunk_shape_for(region, size, scale.stored_chunk_shape)
    grid = Vec3(*(-(-(extent + 1) // span) for extent, span in zip(region.shape, chunk, strict=True)))
    # Half a voxel costs six times what no simplification does, and saves no byte; a whole one saves three quarters.
    side = min(size)
    error = side if spec.max_error_nm is None else spec.max_error_nm
    levels = levels_of(grid, spec.level_count)
    return MeshPlan(spec, region, size, chunk, levels, error, error or side / 2, partition_count_for(grid.product))


def _check(spec: MeshJobSpec) -> None:
    if spec.chunk_shape is not None and not all(_LEAST_SIDE <= side <= _MOST_SIDE for side in spec.chunk_shape):
        raise _refused(
            "chunk_shape",
            f"pieces of {tuple(spec.chunk_shape)} voxels cannot be made",
            f"give {_LEAST_SIDE} to {_MOST_SIDE} on each axis, or leave the choice to the server",
        )
    if spec.vertex_quantization_bits not in _BITS:
        raise _refused(
            "vertex_quantization_bits",
            f"a vertex cannot be stored in {spec.vertex_quantization_bits} bits",
            "viewers read 10 or 16",
        )
    if not 0 <= spec.level_count <= _MOST_LEVELS:
        raise _refused(
            "level_count",
            f"a mesh cannot have {spec.level_count} levels of detail",
            f"give at most {_MOST_LEVELS}, or 0 for as many as it takes",
        )
    if spec.max_error_nm is not None and not 0 <= spec.max_error_nm < math.inf:
        raise _refused(
            "max_error_nm",
            f"a surface cannot be {spec.max_error_nm} nm off",
            "give nanometres, 0 for a finest level that is not simplified",
        )
    if not 0 <= spec.minimum_voxel_count < 2**64:
        raise _refused(
            "minimum_voxel_count", f"no segment has {spec.minimum_voxel_count} voxels", "give a number from 0 on"
        )


def _refused(field: str, message: str, remedy: str) -> InvalidArgument:
    return InvalidArgument(message, remedy, details={"field": field})


def chunk_shape_for(region: Box, size: VoxelSize, stored_chunk_shape: Vec3) -> Vec3:
    """About 2**24 voxels, sides near equal in nanometres, near whole stored chunks, and no last chunk a sliver."""
    cells = [extent + 1 for extent in region.shape]
    sides = _sides(cells, size)
    shape = []
    for extent, side, stored in zip(cells, sides, stored_chunk_shape, strict=True):
        near = stored * max(1, round(side / stored)) if stored <= side else side
        span = -(-extent // max(1, round(extent / near)))
        shape.append(min(max(span, _LEAST_SIDE), _MOST_SIDE))
    return Vec3(*shape)


def _sides(cells: list[int], size: VoxelSize) -> list[float]:
    """Sides of equal length in nanometres, but where the region is shorter: then the others get what is left."""
    sides = [float(extent) for extent in cells]
    nanometres = tuple(size)
    open_axes = [0, 1, 2]
    while open_axes:
        settled = math.prod(sides[axis] for axis in range(3) if axis not in open_axes)
        scale = math.prod(nanometres[axis] for axis in open_axes)
        length = (_TARGET_VOXELS / settled * scale) ** (1 / len(open_axes))
        short = [axis for axis in open_axes if cells[axis] * nanometres[axis] <= length]
        if not short:
            for axis in open_axes:
                sides[axis] = length / nanometres[axis]
            break
        open_axes = [axis for axis in open_axes if axis not in short]
    return [min(max(side, _LEAST_SIDE), _MOST_SIDE) for side in sides]
