"""What all chunks have of one partition's segments, and what the meshes of these segments are put together from."""

from __future__ import annotations

import collections
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any, TypeVar

import numpy as np
import numpy.typing as npt

from voxgate.model.geometry import Vec3
from voxgate.model.mesh_stores import ProductFiles
from voxgate.model.volumes import CallContext
from voxgate_mesh.bulk.partials import ROW, Rows, pieces_name, read_table
from voxgate_mesh.bulk.plan import LevelBlock, MeshPlan

T = TypeVar("T")
U = TypeVar("U")

_AT_ONCE = 8


@dataclass(frozen=True, slots=True, eq=False)
class Pieces:
    """The pieces of a partition's segments in all chunks: by segment, then level, then along the Z-curve.

    Attributes:
        rows: of dtype `voxgate_mesh.bulk.partials.ROW`, shape (n,).
        blocks: int64 (n,), the number of each one's chunk in the plan.
        levels: uint8 (n,).
        starts: int64 (m + 1,), the first row of each segment, and n.
    """

    rows: Rows
    blocks: npt.NDArray[np.int64]
    levels: npt.NDArray[np.uint8]
    starts: npt.NDArray[np.int64]

    @property
    def segment_ids(self) -> npt.NDArray[np.uint64]:
        """The segments, uint64 (m,), ascending."""
        found: npt.NDArray[np.uint64] = self.rows["segment_id"][self.starts[:-1]]
        return found

    def summed(self, name: str) -> npt.NDArray[Any]:
        """What the level 0 pieces of each segment have of a field together, shape (m,)."""
        values = np.where(self.levels == 0, self.rows[name], self.rows[name].dtype.type(0))
        return np.add.reduceat(values, self.starts[:-1]) if len(values) else values


def gathered(plan: MeshPlan, files: ProductFiles, partials: str, partition: int, context: CallContext) -> Pieces:
    """Collect a partition's pieces: of segments that have enough voxels.

    Raises:
        ChunkMissing, ChunkCorrupt, StoreUnavailable, Cancelled, DeadlineExceeded.
    """

    def table(index: int) -> Rows:
        context.check()
        return read_table(files, pieces_name(partials, chunk_of(plan, index)), partition)

    chunks = range(plan.level_starts[-1])
    tables = [(index, rows) for index, rows in zip(chunks, in_order(table, chunks), strict=True) if len(rows)]
    if not tables:
        return _cut(np.zeros(0, ROW), np.empty(0, np.int64), np.empty(0, np.uint8))
    rows = np.concatenate([each for _, each in tables])
    blocks = np.repeat(np.array([index for index, _ in tables]), [len(each) for _, each in tables])
    levels = (np.searchsorted(plan.level_starts, blocks, side="right") - 1).astype(np.uint8)
    order = np.lexsort((_curve(plan, blocks, levels), levels, rows["segment_id"]))
    pieces = _cut(rows[order], blocks[order], levels[order])
    enough = pieces.summed("voxel_count") >= plan.spec.minimum_voxel_count
    drawn = np.repeat(enough & (pieces.summed("face_count") > 0), np.diff(pieces.starts))
    return _cut(pieces.rows[drawn], pieces.blocks[drawn], pieces.levels[drawn])


def chunk_of(plan: MeshPlan, index: int) -> LevelBlock:
    """The chunk that a numbered block of the plan makes."""
    block = plan.block(index)
    if not isinstance(block, LevelBlock):
        raise TypeError(f"block {index} makes no chunk")
    return block


def _cut(rows: Rows, blocks: npt.NDArray[np.int64], levels: npt.NDArray[np.uint8]) -> Pieces:
    segment_ids = rows["segment_id"]
    firsts = np.flatnonzero(np.r_[True, segment_ids[1:] != segment_ids[:-1]]) if len(rows) else np.empty(0, np.int64)
    return Pieces(rows, blocks, levels, np.append(firsts, len(rows)))


def _curve(plan: MeshPlan, blocks: npt.NDArray[np.int64], levels: npt.NDArray[np.uint8]) -> npt.NDArray[np.uint64]:
    """Where chunks lie on the Z-curve of their level: bits of x, y and z in turn, those of x the lowest."""
    places = np.zeros(len(blocks), np.uint64)
    for level in np.unique(levels):
        of_level = levels == level
        grid = plan.grid_shape(int(level))
        rest = (blocks[of_level] - plan.level_starts[level]).astype(np.uint64)
        for axis, extent in enumerate(grid):
            places[of_level] |= _spread(rest % np.uint64(extent)) << np.uint64(axis)
            rest //= np.uint64(extent)
    return places


def _spread(numbers: npt.NDArray[np.uint64]) -> npt.NDArray[np.uint64]:
    """Each bit of numbers below 2**21 moved to three times its place."""
    spread = np.zeros_like(numbers)
    for bit in range(int(numbers.max(initial=0)).bit_length()):
        spread |= (numbers >> np.uint64(bit) & np.uint64(1)) << np.uint64(3 * bit)
    return spread


@dataclass(slots=True)
class Node:
    """One fragment of a segment's mesh: a chunk of a level.

    Attributes:
        position: of the chunk in its level's grid.
        own: the row of the chunk's own piece; -1 where it has none.
        lifted: rows of pieces of finer levels, complete in their chunks, that belong into this one as well.
    """

    position: Vec3
    own: int = -1
    lifted: list[int] = field(default_factory=list)


def octree(plan: MeshPlan, pieces: Pieces, segment: int) -> list[list[Node]]:
    """The fragments of a segment's mesh, level by level from the finest, each level along the Z-curve.

    Every fragment has one above it, whether or not there is anything to draw. Levels end where one fragment holds all,
    or where no chunk has a piece any more.

    Args:
        plan: of the job.
        pieces: those of a partition.
        segment: its number among them.
    """
    own: dict[int, dict[Vec3, int]] = collections.defaultdict(dict)
    for row in range(int(pieces.starts[segment]), int(pieces.starts[segment + 1])):
        if pieces.rows["length"][row]:
            block = chunk_of(plan, int(pieces.blocks[row]))
            own[block.level][block.position] = row
    nodes = [Node(position, row) for position, row in own[0].items()]
    tree, complete = [nodes], _complete(pieces, nodes)
    for level in range(1, max(own) + 1):
        if len(nodes) == 1:
            break
        above = {position: Node(position) for position in (_parent(node.position) for node in nodes)}
        for position, row in own[level].items():
            above.setdefault(position, Node(position)).own = row
        complete = [(_parent(position), row) for position, row in complete]
        for position, row in complete:
            above[position].lifted.append(row)
        nodes = sorted(above.values(), key=lambda node: _place(node.position))
        tree.append(nodes)
        complete += _complete(pieces, nodes)
    return tree


def _complete(pieces: Pieces, nodes: Iterable[Node]) -> list[tuple[Vec3, int]]:
    """The nodes' own pieces that the level above does not have."""
    return [(node.position, node.own) for node in nodes if node.own >= 0 and not pieces.rows["rises"][node.own]]


def _parent(position: Vec3) -> Vec3:
    return Vec3(position.x >> 1, position.y >> 1, position.z >> 1)


def _place(position: Vec3) -> int:
    """Where a position lies on the Z-curve."""
    bits = max(position).bit_length()
    return sum((at >> bit & 1) << (3 * bit + axis) for bit in range(bits) for axis, at in enumerate(position))


def in_order(work: Callable[[T], U], items: Iterable[T]) -> Iterator[U]:
    """What `work` answers for each item, in their order; some are worked on ahead, few are held."""
    ahead: collections.deque[Future[U]] = collections.deque()
    with ThreadPoolExecutor(_AT_ONCE, "voxgate-products") as pool:
        try:
            for item in items:
                ahead.append(pool.submit(work, item))
                if len(ahead) > _AT_ONCE:
                    yield ahead.popleft().result()
            while ahead:
                yield ahead.popleft().result()
        finally:
            for future in ahead:
                future.cancel()
