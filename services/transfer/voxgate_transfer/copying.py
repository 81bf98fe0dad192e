"""Copy one task's voxels and prove that they arrived. Pure: two volumes in, a checksum out."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator

import numpy as np
import numpy.typing as npt

from voxgate.model.errors import ReadOnly, VerificationFailed
from voxgate.model.geometry import Box, Vec3, grid_cells
from voxgate.model.requests import check_version_open
from voxgate.model.volumes import Volume, Voxels, Writable
from voxgate_jobs.work import BlockResult
from voxgate_transfer.planner import Task

SLAB_BYTES = 16 << 20
"""Voxel bytes read back at a time: a task holds its voxels once and a slab of them a second time."""


def writer_of(destination: Volume) -> Writable:
    """The destination's power to be written.

    Raises:
        ReadOnly, VersionLocked: when it has none.
    """
    writer = destination.capability(Writable)
    if writer is None:
        check_version_open(destination.info)
        raise ReadOnly("the destination takes no writes", "the operator sets `writable = true` for its remote")
    return writer


def copy_task(source: Volume, destination: Volume, task: Task) -> BlockResult:
    """Read the task's box, write it, read it back and compare every byte. Repeating it is harmless.

    Zeros are voxels like any other, and voxels that the source does not store arrive as its fill value.

    Args:
        source: what is read.
        destination: what is written and read back; the box is whole write granules of it.
        task: where.

    Returns:
        The number of bytes and their SHA-256: C-order (c, z, y, x), little-endian, as read from the source.

    Raises:
        VerificationFailed: when other bytes come back than were written; names the box.
        VoxgateError: whatever reading and writing raise.
    """
    voxels = np.ascontiguousarray(source.read(task.box, scale=task.scale))
    writer_of(destination).write(task.box, voxels, scale=task.scale)
    for slab in _slabs(task, destination, voxels.nbytes // task.box.shape.z):
        stored = destination.read(slab, scale=task.scale)
        written = voxels[:, *slab.slices_zyx(task.box.start)]
        if not _same_bytes(stored, written):
            raise VerificationFailed(
                f"voxels of scale {task.scale} in {slab} differ from what was written",
                "look at the destination's storage, then transfer to a new destination",
                details={"box": str(slab), "scale": str(task.scale)},
            )
    return BlockResult(voxels.nbytes, hashlib.sha256(voxels.reshape(-1).data).digest())


def _slabs(task: Task, destination: Volume, plane_bytes: int) -> Iterator[Box]:
    """Cut a task's box along z, at whole stored chunks of the destination, so that each is decoded once."""
    scale = destination.info.scales[task.scale]
    depth = scale.stored_chunk_shape.z
    depth *= max(1, SLAB_BYTES // (depth * plane_bytes))
    start, shape = task.box.start, task.box.shape
    return grid_cells(task.box, Vec3(shape.x, shape.y, depth), Vec3(start.x, start.y, scale.grid_origin.z))


def _same_bytes(one: Voxels, other: Voxels) -> bool:
    """Equal bytes, not equal numbers: NaN is itself, and -0.0 is not 0.0."""
    bits: npt.DTypeLike = np.dtype(f"u{one.dtype.itemsize}")
    return one.dtype == other.dtype and one.shape == other.shape and np.array_equal(one.view(bits), other.view(bits))
