"""What every answer must be: voxels as tensorstore finds them in the files, meshes as a server makes them in peace."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import numpy.typing as npt
import tensorstore as ts

from voxgate.model.geometry import Box, Vec3
from voxgate.model.meshes import Mesh

NAME = "fib25/seg"
CELL = "/ng/fib25/seg/-/10_10_10/1088-1152_2056-2120_3000-3064"
"""A chunk as the gateway serves it to neuroglancer."""
SOME_SEGMENTS = 4


@dataclass(frozen=True)
class Truth:
    """What to compare with.

    Attributes:
        start: the first voxel, global coordinates.
        voxels: uint64 array of shape (z, y, x).
        meshes: digests by segment id.
        cell: the bytes of the gateway's chunk.
    """

    start: Vec3
    voxels: npt.NDArray[np.uint64]
    meshes: dict[int, str] = field(default_factory=dict)
    cell: bytes = b""

    def cut(self, box: Box) -> npt.NDArray[np.uint64]:
        """A box, shape (z, y, x)."""
        return self.voxels[box.slices_zyx(self.start)]

    @property
    def bounds(self) -> Box:
        """All of it."""
        return Box.at(self.start, Vec3(*self.voxels.shape[::-1]))


def stored_truth(folder: Path) -> Truth:
    """The voxels of a precomputed volume's finest scale, from its files."""
    spec = {"driver": "neuroglancer_precomputed", "kvstore": {"driver": "file", "path": f"{folder}/"}}
    store = ts.open(spec, open=True, read=True).result()
    voxels = store.read().result()[..., 0].transpose(2, 1, 0)
    return Truth(Vec3(*map(int, store.domain.origin[:3])), np.ascontiguousarray(voxels))


def commonest(voxels: npt.NDArray[np.uint64], count: int = SOME_SEGMENTS) -> tuple[int, ...]:
    """The ids of the largest segments."""
    ids, counts = np.unique(voxels[voxels != 0], return_counts=True)
    return tuple(int(each) for each in ids[np.argsort(counts)[::-1][:count]])


def digests(meshes: Iterable[Mesh]) -> dict[int, str]:
    """Of each mesh, of every vertex and face."""
    return {
        mesh.segment_id: hashlib.sha256(mesh.vertices.tobytes() + mesh.faces.tobytes()).hexdigest() for mesh in meshes
    }
