"""Cutting a box into requests to a store that answers any box, and works in cells of a grid."""

from __future__ import annotations

from collections.abc import Iterator

from voxgate.model.geometry import Box, Vec3, aligned_outward, grid_cells

_CELLS_FOR_ONE = 4
_ORIGIN = Vec3(0, 0, 0)


def requests_of(box: Box, grid: Vec3, most_voxels: int) -> Iterator[Box]:
    """The fewest requests for a box that end between cells, so that the store looks at each cell once.

    What of a cell lies beside the box is not sent and not counted, but the store does look at whole cells: a request
    touches four times as many at most as would fit if all of them were sent. One of a single cell may be larger.

    Args:
        box: what is wanted; together the requests are exactly this, disjoint, in order x fastest, then y, z.
        grid: the shape of a cell; the first one starts at voxel 0.
        most_voxels: of a request.
    """
    whole = aligned_outward(box, grid, _ORIGIN)
    cells = Vec3(*(size // cell for size, cell in zip(whole.shape, grid, strict=True)))
    shape = _fewest(box.shape, cells, grid, most_voxels)
    return grid_cells(box, Vec3(*(count * cell for count, cell in zip(shape, grid, strict=True))), whole.start)


def _fewest(box: Vec3, cells: Vec3, grid: Vec3, most_voxels: int) -> Vec3:
    """The cells of a request along x, y and z that make the fewest, the longest along x of equals."""
    most_cells = _CELLS_FOR_ONE * max(1, most_voxels // grid.product)
    best, fewest = Vec3(1, 1, 1), cells.product
    for x in _shares(cells.x):
        for y in _shares(cells.y):
            plane = min(x * grid.x, box.x) * min(y * grid.y, box.y)
            layers = cells.z if plane * box.z <= most_voxels else most_voxels // (plane * grid.z)
            layers = min(layers, most_cells // (x * y), cells.z)
            if layers < 1:
                continue
            count = -(-cells.x // x) * -(-cells.y // y) * -(-cells.z // layers)
            if count < fewest:
                best, fewest = Vec3(x, y, -(-cells.z // -(-cells.z // layers))), count
    return best


def _shares(cells: int) -> Iterator[int]:
    """The lengths into which a row of cells can be cut about evenly, longest first: all, half of them, a third."""
    parts, last = 1, 0
    while last != 1:
        length = -(-cells // parts)
        if length != last:
            yield length
        # The next number of parts that is shorter at all: of long rows most numbers are not.
        parts, last = max(parts + 1, -(-cells // max(1, length - 1))), length
