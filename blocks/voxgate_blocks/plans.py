"""Plans: how a box is read or written piece by piece, on the store's own grid."""

from __future__ import annotations

from collections.abc import Iterator

from voxgate.model.geometry import Box, Vec3, aligned_outward, grid_cells
from voxgate.model.volumes import Scale


def block_cell(granule: Vec3, box: Box, *, voxel_bytes: int, block_bytes: int) -> Vec3:
    """Whole granules joined to a block of at most about `block_bytes`, grown along x, then y, then z.

    A granule that is larger than the budget stays whole: the store decodes it at once anyway. What of a granule lies
    beside the box is not read and not counted: a narrow box has long blocks.

    Args:
        granule: the stored chunk's shape.
        box: what will be read; a block need not be larger.
        voxel_bytes: bytes of one voxel, all channels.
        block_bytes: the budget.
    """
    cell = list(granule)
    wanted = list(box.shape)
    for axis in range(3):
        read = Vec3(*map(min, cell, wanted)).product * voxel_bytes
        room = block_bytes // max(1, read)
        # One granule more than the box spans, because its start need not be aligned.
        useful = -(-wanted[axis] // cell[axis]) + 1
        fits = read // max(1, min(cell[axis], wanted[axis])) * wanted[axis] <= block_bytes
        cell[axis] *= useful if fits else max(1, min(room, useful))
    return Vec3(*cell)


def plan_blocks(scale: Scale, box: Box, *, voxel_bytes: int, block_bytes: int) -> Iterator[Box]:
    """Cut `box` into blocks on the grid of stored chunks: each stored chunk lies in exactly one block.

    Args:
        scale: whose grid is used.
        box: what to read, inside the scale's bounds.
        voxel_bytes: bytes of one voxel, all channels.
        block_bytes: about how many bytes a block may have.

    Yields:
        Boxes in order x fastest, then y, z; together exactly `box`, disjoint.
    """
    cell = block_cell(scale.stored_chunk_shape, box, voxel_bytes=voxel_bytes, block_bytes=block_bytes)
    # Counted from the box's first stored chunk: counted from the grid's own, blocks would cut an unaligned box in two.
    first = aligned_outward(box, scale.stored_chunk_shape, scale.grid_origin).start
    yield from grid_cells(box, cell, first)
