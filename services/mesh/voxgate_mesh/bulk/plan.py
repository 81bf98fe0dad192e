"""How a bulk meshing is cut: chunks of cells, levels of detail, partitions of segments, and the numbers of its blocks.

Marching-cubes cells lie between voxel centres, so planes between chunks lie on voxel centres. The region is closed at
its border: N voxels on an axis have N + 1 cells, from the centre of the voxel before the first to that of the one
after the last. Chunk i of level 0 has the cells [i * S, (i + 1) * S), one of level l spans S * 2**l of them.

Places between levels are integers, LATTICE to a voxel, counted from the `base`: the centre of the voxel before the
region's first on every axis. Equal places are equal integers, in whatever chunk.
"""

from __future__ import annotations

import functools
import hashlib
import json
import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass

import numpy as np
import numpy.typing as npt

from voxgate.model.geometry import Box, Vec3, VoxelSize
from voxgate.model.jobs import MeshJobSpec
from voxgate_mesh.bulk.spreading import MINISHARD_BITS, partitions_of

LATTICE = 256
"""Places to a voxel, on each axis."""
_FORMAT = 1  # of partial files and of what a block computes: another makes another digest


@dataclass(frozen=True, slots=True)
class LevelBlock:
    """A block that makes the pieces of one chunk.

    Attributes:
        level: of detail, 0 is the finest.
        position: of the chunk in its level's grid, from 0.
    """

    level: int
    position: Vec3


@dataclass(frozen=True, slots=True)
class PartitionBlock:
    """A block of the last stage, which puts together the meshes of some segments.

    Attributes:
        partition: its number, from 0; in sharded output that of the shard.
    """

    partition: int


@dataclass(frozen=True)
class MeshPlan:
    """A bulk meshing, planned: equal whenever equal work is planned.

    Attributes:
        spec: what was asked for, the version resolved.
        region: the voxels to mesh, global coordinates of the scale.
        voxel_size_nm: of the scale.
        chunk_shape: cells, and so voxels, that a chunk of level 0 spans.
        level_count: levels that chunks are made of; a segment's mesh may have fewer.
        max_error_nm: of level 0; 0 where it is not simplified.
        coarse_error_nm: half of the error of level 1.
        partition_count: a power of two.
    """

    spec: MeshJobSpec
    region: Box
    voxel_size_nm: VoxelSize
    chunk_shape: Vec3
    level_count: int
    max_error_nm: float
    coarse_error_nm: float
    partition_count: int

    @property
    def quantization_bits(self) -> int:
        """In which a vertex is stored on each axis of its chunk."""
        return self.spec.vertex_quantization_bits

    @property
    def minishard_bits(self) -> int:
        """Of sharded output; `preshift_bits` is 0, the hash murmurhash3_x86_128, `shard_bits` log2 of partitions."""
        return MINISHARD_BITS

    @property
    def shard_bits(self) -> int:
        """Of sharded output."""
        return self.partition_count.bit_length() - 1

    def grid_shape(self, level: int) -> Vec3:
        """The chunks of a level along x, y, z."""
        cells = zip(self.region.shape, self.chunk_shape, strict=True)
        return Vec3(*(-(-(extent + 1) // (span << level)) for extent, span in cells))

    @functools.cached_property
    def level_starts(self) -> tuple[int, ...]:
        """The number of the first block of each level, and that of the first partition."""
        starts = [0]
        for level in range(self.level_count):
            starts.append(starts[-1] + self.grid_shape(level).product)
        return tuple(starts)

    @property
    def block_count(self) -> int:
        """All blocks: chunks of level 0, of level 1, …, then partitions."""
        return self.level_starts[-1] + self.partition_count

    @property
    def stage_starts(self) -> Sequence[int]:
        """The first block of each stage but the first: what level l makes is read by level l + 1, all by partitions."""
        return self.level_starts[1:]

    def block(self, index: int) -> LevelBlock | PartitionBlock:
        """What a numbered block is; chunks of a level in order x fastest, then y, z."""
        if index >= self.level_starts[-1]:
            return PartitionBlock(index - self.level_starts[-1])
        level = next(level for level in range(self.level_count) if index < self.level_starts[level + 1])
        grid, number = self.grid_shape(level), index - self.level_starts[level]
        return LevelBlock(level, Vec3(number % grid.x, number // grid.x % grid.y, number // (grid.x * grid.y)))

    def children(self, block: LevelBlock) -> list[LevelBlock]:
        """The chunks of the level below that a chunk of level 1 or more is made of: 1 to 8 that exist."""
        grid, level = self.grid_shape(block.level - 1), block.level - 1
        spans = [range(2 * at, min(2 * at + 2, most)) for at, most in zip(block.position, grid, strict=True)]
        return [LevelBlock(level, Vec3(x, y, z)) for z in spans[2] for y in spans[1] for x in spans[0]]

    def chunks(self) -> list[LevelBlock]:
        """All chunks of all levels, in the order of the plan."""
        blocks = (self.block(index) for index in range(self.level_starts[-1]))
        return [block for block in blocks if isinstance(block, LevelBlock)]

    def voxel_box(self, position: Vec3) -> Box:
        """The voxels between whose centres a level 0 chunk's cells lie: chunk_shape + 1 on each axis.

        The first of them and those after the region's last may lie outside of the region: they are background. All but
        the first on each axis are the chunk's own; chunks own each voxel of the region once.
        """
        start = self.region.start - Vec3(1, 1, 1) + _times(self.chunk_shape, position)
        stop = Vec3.minimum(start + self.chunk_shape, self.region.stop)
        return Box(start, stop + Vec3(1, 1, 1))

    def neighbours(self, block: LevelBlock) -> tuple[tuple[bool, bool], ...]:
        """For x, y, z: whether there is a chunk before this one, and one after it."""
        grid = self.grid_shape(block.level)
        return tuple((at > 0, at + 1 < most) for at, most in zip(block.position, grid, strict=True))

    def frame(self, block: LevelBlock) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
        """A chunk's low corner and its extent: lattice places x, y, z, each int64 of shape (3,)."""
        span = np.array(tuple(self.chunk_shape), np.int64) * (LATTICE << block.level)
        return span * np.array(tuple(block.position), np.int64), span

    @property
    def place_nm(self) -> npt.NDArray[np.float64]:
        """Nanometres from one lattice place to the next along x, y, z: float64 of shape (3,)."""
        return np.array(tuple(self.voxel_size_nm), np.float64) / LATTICE

    @property
    def base_nm(self) -> npt.NDArray[np.float64]:
        """Where lattice place 0 is, nanometres x, y, z: float64 of shape (3,). The grid of all levels starts here."""
        start = np.array(tuple(self.region.start), np.float64) - 0.5
        base: npt.NDArray[np.float64] = start * np.array(tuple(self.voxel_size_nm), np.float64)
        return base

    @property
    def chunk_nm(self) -> npt.NDArray[np.float64]:
        """The extent of a level 0 chunk, nanometres x, y, z: float64 of shape (3,)."""
        return np.array(tuple(self.chunk_shape), np.float64) * np.array(tuple(self.voxel_size_nm), np.float64)

    def error_nm(self, level: int) -> float:
        """How far a level may be from the unsimplified surface; what is rounded when it is stored comes on top."""
        return self.max_error_nm if level == 0 else self.coarse_error_nm * 2**level

    def partitions_of(self, segment_ids: npt.NDArray[np.uint64]) -> npt.NDArray[np.int64]:
        """The partition of each segment: int64 of shape (n,), below `partition_count`."""
        return partitions_of(segment_ids, self.partition_count)

    @functools.cached_property
    def digest(self) -> str:
        """Tells this plan from any other: lower-case hexadecimal digits."""
        stated = {"format": _FORMAT, "lattice": LATTICE, "minishard_bits": MINISHARD_BITS, **_plain(self)}
        return hashlib.sha256(json.dumps(stated, sort_keys=True).encode()).hexdigest()


def _plain(plan: MeshPlan) -> dict[str, object]:
    return {**asdict(plan), "spec": {**asdict(plan.spec), "mode": plan.spec.mode.value}}


def _times(one: Vec3, other: Vec3) -> Vec3:
    return Vec3(one.x * other.x, one.y * other.y, one.z * other.z)


def levels_of(grid: Vec3, most: int) -> int:
    """Levels until one chunk is the whole grid, or `most` where that is not 0."""
    whole = 1 + max(math.ceil(math.log2(n)) for n in grid)
    return min(whole, most) if most else whole


def partition_count_for(chunk_count: int) -> int:
    """A sixteenth of the level 0 chunks, rounded up to a power of two, 1 to 256."""
    return 1 << (min(256, max(1, -(-chunk_count // 16))) - 1).bit_length()
