"""The finest level: a chunk's voxels are read once, and the surfaces of all of its segments come out of one pass."""

from __future__ import annotations

from dataclasses import dataclass

from voxgate.model.geometry import Vec3
from voxgate.model.mesh_stores import ProductFiles
from voxgate.model.volumes import CallContext, Volume
from voxgate_mesh.bulk.plan import MeshPlan


@dataclass(frozen=True, slots=True)
class Made:
    """What a block was.

    Attributes:
        byte_count: voxel bytes that were read.
        checksum: SHA-256 of what was written, 32 bytes.
    """

    byte_count: int
    checksum: bytes


@dataclass(frozen=True, slots=True)
class Places:
    """Where a job's partial files are.

    Attributes:
        files: of the destination.
        partials: the folder, see `voxgate_mesh.bulk.partials.partial_folder`.
    """

    files: ProductFiles
    partials: str


def make_pieces(plan: MeshPlan, volume: Volume, position: Vec3, places: Places, context: CallContext) -> Made:
    """Make a chunk of level 0; thread-safe.

    Raises:
        Whatever the volume and the files raise; Cancelled or DeadlineExceeded from the context.
    """
    raise NotImplementedError
