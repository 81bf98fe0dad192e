"""Cutting a region into blocks, and giving each block the one-voxel halo it needs, with every voxel read once.

A marching-cubes cell spans two voxel centres on each axis. A block owns the cells whose *upper* corner is one of its
voxels, so its halo lies on the low side, where blocks that came earlier have been: their high faces are kept, nothing
is read twice and blocks stay on the store's chunk grid. Each cell has one owner: no triangle is made twice.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from voxgate.model.geometry import Box, Vec3, aligned_outward, grid_cells

Labels = npt.NDArray[Any]
"""Small unsigned labels of shape (z, y, x)."""

_TARGET_VOXELS = 128**3  # marching cubes gets dearer per voxel beyond
_MAX_VOXELS = 256**3  # a stored chunk above this is cut, and decoded once per piece
_EARLIER = [offset for offset in itertools.product((0, -1), repeat=3) if any(offset)]


def block_shape_for(stored_chunk_shape: Vec3, region_shape: Vec3) -> Vec3:
    """A block of whole stored chunks near 128 voxels cubed: chunks are doubled along the shortest axis, or halved."""
    shape = list(stored_chunk_shape)

    def used() -> int:
        return Vec3.minimum(Vec3(*shape), region_shape).product

    while used() > _MAX_VOXELS:
        longest = shape.index(max(shape))
        shape[longest] = (shape[longest] + 1) // 2
    while 2 * used() <= _TARGET_VOXELS:
        growable = [axis for axis, extent in enumerate(region_shape) if shape[axis] < extent]
        if not growable:
            break
        shape[min(growable, key=shape.__getitem__)] *= 2
    return Vec3(*shape)


@dataclass(frozen=True, slots=True)
class Block:
    """One block of a plan.

    Attributes:
        index: its place on the grid, in the order z, y, x.
        box: its voxels, global coordinates.
    """

    index: tuple[int, int, int]
    box: Box


@dataclass(frozen=True, slots=True)
class BlockPlan:
    """A region cut along a grid.

    Attributes:
        region: the voxels to mesh, global coordinates.
        block_shape: the grid's cell.
        grid_origin: where the grid starts.
        closed: whether surfaces are closed at the region's border.
    """

    region: Box
    block_shape: Vec3
    grid_origin: Vec3
    closed: bool

    def blocks(self) -> Iterator[Block]:
        """The blocks, x fastest, then y, z."""
        first = aligned_outward(self.region, self.block_shape, self.grid_origin).start
        cell = self.block_shape.zyx
        for box in grid_cells(self.region, self.block_shape, self.grid_origin):
            z, y, x = ((a - o) // c for a, o, c in zip(box.start.zyx, first.zyx, cell, strict=True))
            yield Block((z, y, x), box)

    def is_last_of_layer(self, block: Block) -> bool:
        """Whether the next block, if any, lies on the next layer in z."""
        return block.box.stop.x == self.region.stop.x and block.box.stop.y == self.region.stop.y


@dataclass(frozen=True, slots=True)
class HaloBlock:
    """What a mesher gets.

    Attributes:
        labels: array of shape (z, y, x) that spans the block's cells, cut to where labels are.
        origin: the global voxel of labels[0, 0, 0].
        cells: first and last voxel (inclusive as a Box of centres: start and stop) between which the block's cells lie;
            vertices on these planes may be shared with other blocks.
    """

    labels: Labels
    origin: Vec3
    cells: Box


class HaloAssembler:
    """Takes the blocks of a plan in order and hands out each with its halo. Keeps the faces of two layers at most."""

    def __init__(self, plan: BlockPlan) -> None:
        self._plan = plan
        self._faces: dict[tuple[int, int, int], tuple[Labels, Labels, Labels]] = {}

    def add(self, block: Block, labels: Labels | None, dtype: np.dtype[Any]) -> HaloBlock | None:
        """Take the next block's labels of shape (z, y, x), None where all are background.

        Returns:
            The block with its halo, or None when no label touches its cells.
        """
        earlier = [(offset, face) for offset in _EARLIER if (face := self._face(block.index, offset)) is not None]
        if labels is not None:
            last = slice(-1, None)
            self._faces[block.index] = (labels[last].copy(), labels[:, last].copy(), labels[:, :, last].copy())
        if self._plan.is_last_of_layer(block):
            self._faces = {index: faces for index, faces in self._faces.items() if index[0] == block.index[0]}
        if labels is None and not earlier:
            return None
        return self._padded(block, labels, earlier, dtype)

    def _face(self, index: tuple[int, int, int], offset: tuple[int, ...]) -> Labels | None:
        """The part of an earlier neighbour that touches this block: its face, edge or corner."""
        z, y, x = (i + d for i, d in zip(index, offset, strict=True))
        faces = self._faces.get((z, y, x))
        if faces is None:
            return None
        return faces[offset.index(-1)][tuple(slice(-1, None) if d else slice(None) for d in offset)]

    def _padded(
        self, block: Block, labels: Labels | None, earlier: list[tuple[tuple[int, ...], Labels]], dtype: np.dtype[Any]
    ) -> HaloBlock | None:
        box, region, closed = block.box, self._plan.region, self._plan.closed
        shape = box.shape.zyx
        at_end = [closed and b == e for b, e in zip(box.stop.zyx, region.stop.zyx, strict=True)]
        padded: Labels = np.zeros([n + 1 + end for n, end in zip(shape, at_end, strict=True)], dtype)
        if labels is not None:
            padded[tuple(slice(1, 1 + n) for n in shape)] = labels
        for offset, face in earlier:
            padded[tuple(slice(0, 1) if d else slice(1, 1 + n) for d, n in zip(offset, shape, strict=True))] = face
        # An open border has no cells outside of the region: no halo there.
        skipped = Vec3(*(int(not closed and a == s) for a, s in zip(box.start, region.start, strict=True)))
        padded = padded[tuple(slice(n, None) for n in skipped.zyx)]
        first = box.start - Vec3(1, 1, 1) + skipped
        last = first + Vec3(*reversed(padded.shape)) - Vec3(1, 1, 1)
        return _cut_to_labels(padded, first, Box(first, last))


def _cut_to_labels(padded: Labels, origin: Vec3, cells: Box) -> HaloBlock | None:
    """Cut away background, one voxel of it kept all around: a small body in a large block costs little."""
    slices = []
    for axis in range(3):
        where = np.flatnonzero(padded.any(axis=tuple(other for other in range(3) if other != axis)))
        if where.size == 0:
            return None
        slices.append(slice(max(int(where[0]) - 1, 0), int(where[-1]) + 2))
    z, y, x = (part.start for part in slices)
    return HaloBlock(np.ascontiguousarray(padded[tuple(slices)]), origin + Vec3(x, y, z), cells)
