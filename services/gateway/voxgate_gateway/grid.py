"""The virtual chunk grid that a dialect serves: which boxes clients may ask for, and how large they are.

Every virtual chunk is one unary ReadChunk, so it holds at most the server's `max_chunk_bytes` of raw voxels, and it is
the store's own chunk wherever that is small enough: then one HTTP request is one stored chunk.
"""

from __future__ import annotations

import re

from voxgate.model.errors import InvalidArgument, OutOfBounds
from voxgate.model.geometry import Box, Vec3
from voxgate.model.volumes import Scale, VolumeInfo

MAX_CHUNK_BYTES = 2 << 20
"""The contract's bound of a ReadChunk, raw; a server may state a smaller one."""

_SMALL_FACTORS = (2, 3, 5, 7)
_SPAN = r"(-?[0-9]{1,18})-(-?[0-9]{1,18})"
_CELL = re.compile(f"{_SPAN}_{_SPAN}_{_SPAN}")


def voxel_bytes(info: VolumeInfo) -> int:
    """The raw bytes of one voxel, all channels."""
    return info.dtype.itemsize * info.channel_count


def chunk_shape(info: VolumeInfo, scale: Scale, budget_bytes: int = MAX_CHUNK_BYTES) -> Vec3:
    """The extent of a virtual chunk: the stored chunk, cut down until its raw bytes fit the budget.

    The longest axis is divided by its smallest factor first, so that parts tile the stored chunk and stay near cubes;
    an extent without a small factor is halved, rounded up.
    """
    edges = list(Vec3.minimum(scale.stored_chunk_shape, scale.bounds.shape))
    while Vec3(*edges).product * voxel_bytes(info) > budget_bytes and max(edges) > 1:
        axis = edges.index(max(edges))
        edge = edges[axis]
        factor = next((f for f in _SMALL_FACTORS if edge % f == 0), 2)
        edges[axis] = -(-edge // factor)
    return Vec3(*edges)


def format_cell(box: Box) -> str:
    """The precomputed name of a chunk: `x0-x1_y0-y1_z0-z1`, absolute, the end clipped to the volume."""
    return "_".join(f"{a}-{b}" for a, b in zip(box.start, box.stop, strict=True))


def parse_cell(text: str) -> Box | None:
    """The box that a precomputed chunk name says; None when it is no chunk name. Negative coordinates are fine."""
    match = _CELL.fullmatch(text)
    if match is None:
        return None
    x0, x1, y0, y1, z0, z1 = (int(number) for number in match.groups())
    return Box.of(x=(x0, x1), y=(y0, y1), z=(z0, z1))


def require_cell(box: Box, bounds: Box, chunk: Vec3) -> None:
    """Check that `box` is one cell of the grid that starts at the bounds' corner, clipped to the bounds.

    Raises:
        OutOfBounds: when it lies outside the volume.
        InvalidArgument: when it is inside, but no cell of the grid.
    """
    if box.is_empty:
        raise InvalidArgument(f"{format_cell(box)} is an empty or inverted box", "ask for a chunk of the grid in info")
    if not bounds.contains(box):
        raise OutOfBounds(f"{box} lies outside the volume", f"the volume is {bounds}")
    offset = box.start - bounds.start
    corner = Vec3(*(o // edge * edge for o, edge in zip(offset, chunk, strict=True)))
    cell = Box.at(bounds.start + corner, chunk).intersection(bounds)
    if cell != box:
        raise InvalidArgument(
            f"{format_cell(box)} is not a chunk of this volume",
            f"the chunk that holds its corner is {format_cell(cell)}",
        )
