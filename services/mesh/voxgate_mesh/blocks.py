"""Cutting a region into blocks, and giving each block the one-voxel halo it needs, with every voxel read once.

A marching-cubes cell spans two voxel centres on each axis. A block owns the cells whose *upper* corner is one of its
voxels, so its halo lies on the low side, where blocks that came earlier have been: their high faces are kept, nothing
is read twice and blocks stay on the store's chunk grid. Each cell has one owner: no triangle is made twice.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from voxgate.model.geometry import Box, Vec3, aligned_outward

Labels = npt.NDArray[Any]
"""Small unsigned labels of shape (z, y, x)."""

Codes = npt.NDArray[np.int64]
"""Blocks of a plan by number, ascending, none twice: the order of the plan, x fastest, then y, z."""

_TARGET_VOXELS = 128**3  # marching cubes gets dearer per voxel beyond
_MAX_VOXELS = 256**3  # a stored chunk above this is cut, and decoded once per piece
_EARLIER = [offset for offset in itertools.product((0, -1), repeat=3) if any(offset)]
_NONE = (None, None, None)
_MOST_WAITING = 1 << 20  # numbers of blocks that are gathered before they are sorted


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

    @property
    def grid_shape(self) -> tuple[int, int, int]:
        """The blocks along z, y, x."""
        z, y, x = (extent // cell for extent, cell in zip(self._whole.shape.zyx, self.block_shape.zyx, strict=True))
        return z, y, x

    @property
    def grid_start(self) -> Vec3:
        """The first voxel of the first block, cut by nothing."""
        return self._whole.start

    @property
    def _whole(self) -> Box:
        """The region, grown to whole cells."""
        return aligned_outward(self.region, self.block_shape, self.grid_origin)

    def block(self, code: int) -> Block:
        """The block of a number."""
        _, ny, nx = self.grid_shape
        return self.block_at((code // (nx * ny), code // nx % ny, code % nx))

    def block_at(self, index: tuple[int, int, int]) -> Block:
        """The block at a grid index z, y, x."""
        (z, y, x), cell = index, self.block_shape
        start = self.grid_start + Vec3(x * cell.x, y * cell.y, z * cell.z)
        return Block(index, Box.at(start, cell).intersection(self.region))

    def codes_at(self, indices: npt.NDArray[np.int64]) -> Codes:
        """The blocks at grid indices, an array of shape (n, 3), columns z, y, x; those outside of the grid left out."""
        shape = np.array(self.grid_shape, np.int64)
        inside = indices[((indices >= 0) & (indices < shape)).all(axis=1)]
        return np.unique(inside @ np.array([shape[1] * shape[2], shape[2], 1], np.int64))

    def indices_of(self, codes: Codes) -> npt.NDArray[np.int64]:
        """The grid indices of blocks, shape (n, 3), columns z, y, x."""
        return np.stack(np.unravel_index(codes, self.grid_shape), axis=1).astype(np.int64).reshape(-1, 3)

    def ranges_of(self, box: Box) -> tuple[range, range, range]:
        """Which blocks along z, y and x a box touches; empty where it lies outside of the region."""
        inside, first = box.intersection(self.region), self._whole.start.zyx
        if inside.is_empty:
            return range(0), range(0), range(0)
        ends = zip(inside.start.zyx, inside.stop.zyx, first, self.block_shape.zyx, strict=True)
        z, y, x = (range((a - o) // cell, (b - 1 - o) // cell + 1) for a, b, o, cell in ends)
        return z, y, x

    def codes_of(self, boxes: Iterable[tuple[range, range, range]]) -> Codes:
        """The blocks of boxes of blocks."""
        _, ny, nx = self.grid_shape
        found: list[Codes] = [np.zeros(0, np.int64)]
        waiting = 0
        for box in boxes:
            z, y, x = (np.arange(part.start, part.stop, dtype=np.int64) for part in box)
            found.append(((z[:, None, None] * ny + y[:, None]) * nx + x).ravel())
            waiting += len(found[-1])
            if waiting > _MOST_WAITING:
                found, waiting = [np.unique(np.concatenate(found))], 0
        return np.unique(np.concatenate(found))

    def voxel_count(self, box: tuple[range, range, range]) -> int:
        """The voxels of a box of blocks."""
        extents = (self._extents(i, np.arange(part.start, part.stop)).sum() for i, part in enumerate(box))
        return math.prod(int(extent) for extent in extents)

    def voxel_counts(self, codes: Codes) -> npt.NDArray[np.int64]:
        """The voxels of each block."""
        z, y, x = (self._extents(axis, indices) for axis, indices in enumerate(self.indices_of(codes).T))
        return z * y * x

    def _extents(self, axis: int, indices: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
        """The voxels along an axis (of z, y, x) of blocks at these indices."""
        start = self._whole.start.zyx[axis] + indices * self.block_shape.zyx[axis]
        ends = (self.region.start.zyx[axis], self.region.stop.zyx[axis])
        extents: npt.NDArray[np.int64] = np.clip(start + self.block_shape.zyx[axis], *ends) - np.clip(start, *ends)
        return extents

    def blocks(self) -> Iterator[Block]:
        """All blocks, in order."""
        return map(self.block, range(math.prod(self.grid_shape)))

    def walked(self, codes: Codes | None) -> Iterator[tuple[Block, bool]]:
        """The blocks that own cells, when only some hold anything (None: any may), in order.

        Yields:
            A block, and whether it is one of those that may hold something. The others come right after one of these,
            and own the cells in between.
        """
        if codes is None:
            yield from ((block, True) for block in self.blocks())
            return
        after = np.array(list(itertools.product((0, 1), repeat=3)), np.int64)
        wanted = self.codes_at((self.indices_of(codes)[:, np.newaxis] + after).reshape(-1, 3))
        for code, is_one in zip(wanted.tolist(), np.isin(wanted, codes).tolist(), strict=True):
            yield self.block(code), is_one


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
    """Takes the blocks of a plan in order and hands out each with its halo. Keeps the faces of two layers at most.

    Blocks may be left out where neither they nor the blocks before them hold anything: see `BlockPlan.walked`.
    """

    def __init__(self, plan: BlockPlan) -> None:
        self._plan = plan
        self._layer = 0
        self._faces: dict[tuple[int, int, int], tuple[Labels | None, Labels | None, Labels | None]] = {}

    def add(self, block: Block, labels: Labels | None, dtype: np.dtype[Any]) -> HaloBlock | None:
        """Take the next block's labels of shape (z, y, x), None where all are background.

        Returns:
            The block with its halo, or None when no label touches its cells.
        """
        if block.index[0] > self._layer:
            self._layer = block.index[0]
            self._faces = {index: faces for index, faces in self._faces.items() if index[0] >= self._layer - 1}
        earlier = [(offset, face) for offset in _EARLIER if (face := self._face(block.index, offset)) is not None]
        if labels is not None:
            last = slice(-1, None)
            faces = (_kept(labels[last]), _kept(labels[:, last]), _kept(labels[:, :, last]))
            if any(face is not None for face in faces):
                self._faces[block.index] = faces
        if labels is None and not earlier:
            return None
        return self._padded(block, labels, earlier, dtype)

    def _face(self, index: tuple[int, int, int], offset: tuple[int, ...]) -> Labels | None:
        """The part of an earlier neighbour that touches this block: its face, edge or corner."""
        z, y, x = (i + d for i, d in zip(index, offset, strict=True))
        face = self._faces.get((z, y, x), _NONE)[offset.index(-1)]
        if face is None:
            return None
        return face[tuple(slice(-1, None) if d else slice(None) for d in offset)]

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


def _kept(face: Labels) -> Labels | None:
    """A copy of a face; None where it holds nothing."""
    return face.copy() if face.any() else None


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
