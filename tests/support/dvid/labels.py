"""The labelmap: supervoxels in blocks at several scales, and the bodies over them."""

from __future__ import annotations

import threading
from typing import Any

import fastremap
import numpy as np
from numpy.typing import NDArray

from .blocks import Point, VersionedBlocks, Voxels, aligned
from .bodies import Bodies
from .graph import Node
from .instances import Grid, VoxelInstance, corners, lineage
from .scales import halved
from .wire import Refused


class Panicked(Exception):
    """The original panics here and answers 500 with the panic's text."""


class Crashed(Exception):
    """The original dies here, the whole server: the connection ends without an answer."""


class LabelInstance(VoxelInstance):
    """Label voxels (uint64) at scales 0..`max_scale`, with the index of bodies when `indexed`.

    A labelblk is this without scales and index, a labelarray is this without supervoxels.
    """

    def __init__(
        self, name: str, typename: str, root: str, grid: Grid, *, max_scale: int = 0, indexed: bool = True
    ) -> None:
        super().__init__(name, typename, root, grid)
        if typename != "labelblk":
            if any(edge % 16 for edge in grid.block_size):
                raise Refused("BlockSize must be multiples of 16")
            self.compression = "gzip compression, level -1"
        self.max_scale = max_scale
        self.indexed = indexed
        self.scales = [self.blocks] + [VersionedBlocks(grid.block_size, self.dtype) for _ in range(max_scale)]
        self.bodies: dict[str, Bodies] = {}
        self.max_labels: dict[str, int] = {}
        self.version_ids: dict[str, int] = {}
        self.next_label = 0
        self.holds_counts = False  # set it to have the index lag behind until `count` is called
        self._late: list[tuple[Node, Point, dict[int, int], int]] = []
        self.lock = threading.RLock()

    @property
    def max_repo_label(self) -> int:
        return max(self.max_labels.values(), default=0)

    def max_label(self, node: Node) -> int:
        return max((self.max_labels.get(uuid, 0) for uuid in lineage(node)), default=0)

    def _raise_max_label(self, node: Node, label: int) -> None:
        if label > self.max_label(node):
            self.max_labels[node.uuid] = label
            self.version_ids[node.uuid] = node.version_id

    def bodies_of(self, node: Node) -> Bodies:
        """What a read sees: this version's own, or that of the nearest version before."""
        for uuid in lineage(node):
            if uuid in self.bodies:
                return self.bodies[uuid]
        return Bodies()

    def own_bodies(self, node: Node) -> Bodies:
        """What a change works on: this version's own, copied from before at the first change."""
        if node.uuid not in self.bodies:
            self.bodies[node.uuid] = self.bodies_of(node).branched()
        return self.bodies[node.uuid]

    def read_labels(self, node: Node, start: Point, size: Point, scale: int, supervoxels: bool) -> Voxels:
        """A box in voxels of the scale. A scale that does not exist is zeros, not an error."""
        self.check(start, size)
        if scale > self.max_scale:
            return np.zeros(size[::-1], self.dtype)
        voxels = self.scales[scale].read(lineage(node), start, size, 0)
        return voxels if supervoxels else self.mapped(node, voxels)

    def mapped(self, node: Node, voxels: NDArray[Any]) -> Voxels:
        mapping = self.bodies_of(node).mapping
        if not mapping:
            return voxels
        flat: Voxels = fastremap.remap(voxels.copy(), mapping, preserve_missing_labels=True, in_place=True)
        return flat

    def at(self, node: Node, where: Point, scale: int, supervoxels: bool) -> int:
        """The label at a voxel. The original cuts towards zero: it misses what lies at negative coordinates."""
        edge = self.grid.block_size
        block = [int(c / e) for c, e in zip(where, edge, strict=True)]
        if scale > self.max_scale or any(c < 0 for c in where):
            return 0
        held = self.scales[scale].block(lineage(node), (block[0], block[1], block[2]))
        if held is None:
            return 0
        found = int(held[where[2] % edge[2], where[1] % edge[1], where[0] % edge[0]])
        return found if supervoxels else self.bodies_of(node).body_of(found)

    def write_labels(self, node: Node, start: Point, size: Point, body: bytes, mutate: bool) -> None:
        if not aligned(start, size, self.grid.block_size):
            what = "voxels" if self.typename == "labelblk" else f'labels for data "{self.name}"'
            raise Refused(f"cannot store {what} in non-block aligned geometry {corners(start, size)}")
        needed = int(np.prod(size)) * 8
        if len(body) != needed:
            raise Refused(
                f'expected {needed} bytes for data "{self.name}" label PUT but only received {len(body)} bytes'
            )
        voxels = np.frombuffer(body, self.dtype).reshape(size[::-1])
        blocks = dict(self.blocks.cut(start, voxels))
        with self.lock:
            self.grow(node, start, size)
            self.put(node, blocks, mutate)
            self.downres(node, blocks)

    def put(self, node: Node, blocks: dict[Point, Voxels], mutate: bool) -> None:
        for where, block in blocks.items():
            before = self.blocks.block(lineage(node), where) if mutate else None
            self.blocks.put(node.uuid, where, block)
            labels = tally(block)
            self._raise_max_label(node, max(labels))
            if self.indexed:
                self._late.append((node, where, labels, 1))
                if before is not None:
                    self._late.append((node, where, tally(before), -1))
        if not self.holds_counts:
            self.count()

    def count(self) -> None:
        """Enter in the index what was written. The original does so some time after it has answered a write."""
        with self.lock:
            late, self._late = self._late, []
            for node, where, labels, sign in late:
                self.own_bodies(node).add(where, labels, sign)

    def downres(self, node: Node, changed: dict[Point, Voxels]) -> None:
        """The scales above what changed. A block at an odd negative place panics: scale 0 is in, the others are not."""
        edge = self.grid.block_size
        for scale in range(1, self.max_scale + 1):
            if any(c < 0 and c % 2 for where in changed for c in where):
                raise Panicked("runtime error: index out of range [-1]")
            coarse: dict[Point, Voxels] = {}
            for (x, y, z), block in changed.items():
                at = x // 2, y // 2, z // 2
                if at not in coarse:
                    held = self.scales[scale].block(lineage(node), at)
                    coarse[at] = np.zeros(edge[::-1], self.dtype) if held is None else held.copy()
                low = [c % 2 * (e // 2) for c, e in zip((x, y, z), edge, strict=True)]
                into = tuple(slice(c, c + e // 2) for c, e in zip(low, edge, strict=True))[::-1]
                coarse[at][into] = halved(block)
            for at, block in coarse.items():
                self.scales[scale].put(node.uuid, at, block)
            changed = coarse

    @property
    def next_free(self) -> int:
        """Wraps round to 0 when the last id is taken."""
        return ((self.next_label or self.max_repo_label) + 1) % 2**64

    def reserve(self, node: Node, count: int, asking: str) -> tuple[int, int]:
        """Take the next `count` ids: the first and the last of them."""
        if count < 1:
            raise Refused("cannot request 0 new labels, must be 1 or more")
        first = self.next_free
        end = first + count - 1
        if not first or end >= 2**64:
            most = f"would overflow uint64 label space (repo max {self.max_repo_label})"
            raise Refused(f'{asking} for data "{self.name}" {most}')
        if self.next_label:
            self.next_label = end
        self._raise_max_label(node, end)
        return first, end

    def info(self, node: Node) -> dict[str, Any]:
        described = super().info(node)
        if self.typename == "labelblk":
            return described
        described["Extended"] |= {
            "MaxLabel": {str(self.version_ids[uuid]): label for uuid, label in self.max_labels.items()},
            "MaxRepoLabel": self.max_repo_label,
            "NextLabel": self.next_label,
            "IndexedLabels": self.indexed,
            "MaxDownresLevel": self.max_scale,
        }
        return described


def tally(block: Voxels) -> dict[int, int]:
    labels, counts = fastremap.unique(block, return_counts=True)
    return {int(label): int(count) for label, count in zip(labels, counts, strict=True)}
