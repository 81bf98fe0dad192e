"""Copy one task's voxels and prove that they arrived. Pure: two volumes in, a checksum out."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from voxgate.model.errors import DataLoss, ReadOnly, VerificationFailed
from voxgate.model.geometry import Box, Vec3, grid_cells
from voxgate.model.jobs import TransferMode, TransferSpec, Verification
from voxgate.model.requests import check_version_open
from voxgate.model.volumes import ChunkPresence, Volume, Voxels, Writable
from voxgate_jobs.work import BlockResult
from voxgate_transfer.planner import Task

SLAB_BYTES = 16 << 20
"""Voxel bytes read back at a time: a task holds its voxels once and a slab of them a second time."""
SAMPLED = 16
"""Of so many blocks one is read back where a sample is asked for: those whose number is a multiple of it."""


@dataclass(frozen=True, slots=True)
class Rules:
    """How a task is copied.

    Attributes:
        verify: read back what was written and compare every byte.
        keep_equal: read what is there first, and write only where it differs.
        skip_empty: leave voxels unwritten that are nothing but the destination's fill value, where nothing is stored.
    """

    verify: bool = True
    keep_equal: bool = False
    skip_empty: bool = False


def rules_of(spec: TransferSpec, index: int) -> Rules:
    """How the block with this number is copied."""
    sampled = spec.verification is Verification.SAMPLE and index % SAMPLED == 0
    return Rules(
        verify=sampled or spec.verification is Verification.FULL,
        keep_equal=spec.mode is TransferMode.UPDATE,
        skip_empty=spec.skip_empty,
    )


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


def copy_task(source: Volume, destination: Volume, task: Task, rules: Rules | None = None) -> BlockResult:
    """Read the task's box, write it, read it back and compare every byte. Repeating it is harmless.

    Zeros are voxels like any other, and voxels that the source does not store arrive as its fill value.

    Args:
        source: what is read, as the destination is to see it.
        destination: what is written and read back; the box is whole write granules of it, or all that is copied.
        task: where.
        rules: how; None writes everything and reads it back.

    Returns:
        The number of bytes and their SHA-256: C-order (c, z, y, x), little-endian, as the destination is to hold them.

    Raises:
        VerificationFailed: when other bytes come back than were written; names the box.
        DataTypeMismatch: when a value does not fit the destination's type.
        VoxgateError: whatever reading and writing raise.
    """
    how = rules or Rules()
    voxels = np.ascontiguousarray(source.read(task.box, scale=task.source_scale))
    size, checksum = voxels.nbytes, hashlib.sha256(voxels.reshape(-1).data).digest()
    kept = _keeps(destination, task, voxels, how)
    if kept is not None:
        return BlockResult(size, checksum, size, size if kept else 0, skipped=True)
    writer_of(destination).write(task.box, voxels, scale=task.scale)
    differing = _first_difference(destination, task, voxels) if how.verify else None
    if differing is not None:
        raise VerificationFailed(
            f"voxels of scale {task.scale} in {differing} differ from what was written",
            "look at the destination's storage, then transfer to a new destination",
            details={"box": str(differing), "scale": str(task.scale)},
        )
    return BlockResult(size, checksum, size, size if how.verify else 0)


def _keeps(destination: Volume, task: Task, voxels: Voxels, how: Rules) -> bool | None:
    """Whether the destination holds these voxels already: None if not, else whether that was read or is only known.

    What is known without reading is that nothing is stored: then every voxel is the fill value, by what a volume is.
    """
    empty = how.skip_empty and _is_only(voxels, destination.info.fill_value)
    if not empty and not how.keep_equal:
        return None
    presence = destination.capability(ChunkPresence) if empty and not how.verify else None
    if presence is not None and presence.is_absent(task.box, scale=task.scale):
        return False
    try:
        return True if _first_difference(destination, task, voxels) is None else None
    except DataLoss:  # what is there cannot be read: writing mends it
        return None


def _first_difference(destination: Volume, task: Task, voxels: Voxels) -> Box | None:
    """The first slab that the destination holds otherwise; None where every byte is the same."""
    for slab in _slabs(task, destination, voxels.nbytes // task.box.shape.z):
        stored = destination.read(slab, scale=task.scale)
        if not _same_bytes(stored, voxels[:, *slab.slices_zyx(task.box.start)]):
            return slab
    return None


def _slabs(task: Task, destination: Volume, plane_bytes: int) -> Iterator[Box]:
    """Cut a task's box along z, at whole stored chunks of the destination, so that each is decoded once."""
    scale = destination.info.scales[task.scale]
    depth = scale.stored_chunk_shape.z
    depth *= max(1, SLAB_BYTES // (depth * plane_bytes))
    start, shape = task.box.start, task.box.shape
    return grid_cells(task.box, Vec3(shape.x, shape.y, depth), Vec3(start.x, start.y, scale.grid_origin.z))


def _bits(voxels: Voxels) -> npt.NDArray[np.unsignedinteger]:
    bits: npt.NDArray[np.unsignedinteger] = voxels.view(f"u{voxels.dtype.itemsize}")
    return bits


def _same_bytes(one: Voxels, other: Voxels) -> bool:
    """Equal bytes, not equal numbers: NaN is itself, and -0.0 is not 0.0."""
    return one.dtype == other.dtype and one.shape == other.shape and np.array_equal(_bits(one), _bits(other))


def _is_only(voxels: Voxels, value: float) -> bool:
    """Whether every voxel has the bytes of this value."""
    wanted = _bits(np.full(1, value, voxels.dtype))[0]
    bits = _bits(voxels)
    return bool(bits.flat[0] == wanted) and bool((bits == wanted).all())
