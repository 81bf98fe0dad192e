"""Cells of a scale's stored grid."""

from __future__ import annotations

from voxgate.model.errors import InvalidArgument
from voxgate.model.geometry import Box, Vec3
from voxgate.model.volumes import Scale


def cell_index(level: Scale, cell: Box) -> Vec3:
    """Which cell of a scale's stored grid a box is, counted from the grid's origin.

    Raises:
        InvalidArgument: when it is not exactly one cell, clipped to the bounds.
    """
    size, origin = level.stored_chunk_shape, level.grid_origin
    index = Vec3(*((at - o) // s for at, o, s in zip(cell.start, origin, size, strict=True)))
    if cell.is_empty or whole_cell(level, index).intersection(level.bounds) != cell:
        raise InvalidArgument(f"{cell} is no cell of the stored grid", "cut boxes along the grid, then clip them")
    return index


def whole_cell(level: Scale, index: Vec3) -> Box:
    """The voxels of a cell of a scale's stored grid, beyond the bounds too."""
    size = level.stored_chunk_shape
    return Box.at(level.grid_origin + Vec3(index.x * size.x, index.y * size.y, index.z * size.z), size)
