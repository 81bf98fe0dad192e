"""Jobs: long work with a record."""

from __future__ import annotations

import datetime
import enum
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from voxgate.model.geometry import Box, Vec3, VoxelSize
from voxgate.model.volumes import VolumeSpec


class JobState(enum.Enum):
    """Where a job stands. Set by servers only."""

    PENDING = "pending"
    RUNNING = "running"
    CANCELLING = "cancelling"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    CANCELLED = "cancelled"

    @property
    def is_terminal(self) -> bool:
        """Whether nothing more will happen."""
        return self in (JobState.SUCCEEDED, JobState.FAILED, JobState.CANCELLED)


@dataclass(frozen=True, slots=True)
class JobProgress:
    """How far a job has come; totals are 0 while unknown."""

    phase: str = ""
    done_bytes: int = 0
    total_bytes: int = 0
    done_block_count: int = 0
    total_block_count: int = 0
    failed_block_count: int = 0


@dataclass(frozen=True, slots=True)
class JobError:
    """Why a job failed: a reason of the contract, its gRPC code's name, and a sentence for people."""

    reason: str
    code: str
    message: str


class TransferMode(enum.Enum):
    """What to do where the destination exists: refuse, write everything, or write what differs."""

    FAIL_IF_EXISTS = "fail-if-exists"
    OVERWRITE = "overwrite"
    UPDATE = "update"


class Verification(enum.Enum):
    """How much of what was written is read back and compared: every block, one in 16, none."""

    FULL = "full"
    SAMPLE = "sample"
    NONE = "none"


class PyramidMethod(enum.Enum):
    """How voxels become one: by the kind of the volume, their mean, or the commonest."""

    AUTO = "auto"
    MEAN = "mean"
    MODE = "mode"


@dataclass(frozen=True, slots=True)
class PyramidSpec:
    """Coarser levels made from finer ones.

    Attributes:
        factors: of each level after the first, how many voxels of the level before become one on each axis; empty
            leaves the choice to the server.
        method: how.
    """

    factors: tuple[Vec3, ...] = ()
    method: PyramidMethod = PyramidMethod.AUTO


@dataclass(frozen=True, slots=True)
class PyramidJobSpec:
    """A volume, "remote/path", whose coarser levels are to be made and stored beside its finest one."""

    volume: str
    pyramid: PyramidSpec = field(default_factory=PyramidSpec)

    @property
    def source(self) -> str:
        """The volume that is read: the same."""
        return self.volume

    @property
    def destination(self) -> str:
        """The volume that is written: the same."""
        return self.volume


@dataclass(frozen=True, slots=True)
class TransferSpec:
    """A volume to be copied, and where to.

    Attributes:
        source: "remote/path".
        destination: "remote/path".
        source_version: the version to read; empty means the current one.
        destination_spec: what to create; None means the like of the source.
        box: what to copy, voxels of the finest scale that is copied, global; None means everything.
        scales: indices of the scales to copy, ascending; empty means all.
        channels: indices of the channels to copy, in order; empty means all.
        dtype: what to convert voxels to, each of which must fit; None means the source's.
        destination_start: where the box's first voxel lies in the destination; None means where it does in the source.
        voxel_size_nm: of the finest scale in the destination; None means the source's.
        mode: what to do where the destination exists.
        verification: how much is read back.
        skip_empty: whether blocks of nothing but the destination's fill value are left unwritten.
        pyramid: coarser levels to make instead of copying the source's; None means copying.
        note: with what to commit the version written, of a destination with versions; empty leaves it open.
        destination_version: the version to write, of a destination that exists; empty means the current one. After one
            that is committed a new one is opened; servers put in which.
    """

    source: str
    destination: str
    source_version: str = ""
    destination_spec: VolumeSpec | None = None
    box: Box | None = None
    scales: tuple[int, ...] = ()
    channels: tuple[int, ...] = ()
    dtype: np.dtype[Any] | None = None
    destination_start: Vec3 | None = None
    voxel_size_nm: VoxelSize | None = None
    mode: TransferMode = TransferMode.FAIL_IF_EXISTS
    verification: Verification = Verification.FULL
    skip_empty: bool = False
    pyramid: PyramidSpec | None = None
    note: str = ""
    destination_version: str = ""


class MeshJobMode(enum.Enum):
    """What to do where there are meshes already: refuse, or replace them when all of the new ones are there."""

    FAIL_IF_EXISTS = "fail-if-exists"
    OVERWRITE = "overwrite"


@dataclass(frozen=True, slots=True)
class MeshJobSpec:
    """A segmentation all of whose segments are to be meshed and stored as neuroglancer reads it, with levels of detail.

    Attributes:
        volume: "remote/path".
        version: the version to read; empty means the current one.
        destination: "remote/path" of a precomputed volume that takes writes, or of nothing, which becomes a folder of
            meshes by itself; empty means `volume`.
        scale: index of the scale to mesh.
        box: what to mesh, voxels of that scale, global; None means everything. Surfaces are closed at its border.
        chunk_shape: voxels of that scale that the finest pieces span, each axis 16 to 1024; None: the server chooses.
        level_count: the most levels of detail; 0 means as many as it takes until one piece holds a whole segment.
        max_error_nm: how far the finest level may be from the unsimplified surface, each coarser one twice as far; None
            means the voxels' shortest side, 0 that the finest level is not simplified.
        vertex_quantization_bits: 10 or 16, for each axis of a piece.
        sharded: whether many meshes share a file.
        minimum_voxel_count: segments with fewer voxels are left out.
        segment_properties: whether voxel counts, volumes and surfaces are stored too.
        mode: what to do where there are meshes already.
    """

    volume: str
    version: str = ""
    destination: str = ""
    scale: int = 0
    box: Box | None = None
    chunk_shape: Vec3 | None = None
    level_count: int = 0
    max_error_nm: float | None = None
    vertex_quantization_bits: int = 16
    sharded: bool = False
    minimum_voxel_count: int = 0
    segment_properties: bool = True
    mode: MeshJobMode = MeshJobMode.FAIL_IF_EXISTS

    @property
    def source(self) -> str:
        """The volume that is read."""
        return self.volume


JobSpec = TransferSpec | PyramidJobSpec | MeshJobSpec
"""What a job is to do."""


@dataclass(frozen=True, slots=True)
class TransferResult:
    """What a finished transfer or pyramid produced.

    Attributes:
        destination: the volume written, "remote/path".
        verified_bytes: voxel bytes read back and compared.
        checksum: SHA-256 over the blocks' checksums in the order of the plan, lower-case hex.
        skipped_block_count: blocks that were not written because they held the same already, or nothing.
        copied_bytes: voxel bytes that came from the source.
        destination_version: the version that was written; empty where there is none.
    """

    destination: str
    verified_bytes: int
    checksum: str
    skipped_block_count: int = 0
    copied_bytes: int = 0
    destination_version: str = ""


@dataclass(frozen=True, slots=True)
class MeshJobResult:
    """What a finished bulk meshing produced.

    Attributes:
        destination: where the meshes are, "remote/path".
        segment_count: segments with a mesh.
        face_count: triangles of their finest levels together.
        stored_bytes: bytes of the meshes as they are stored.
        checksum: SHA-256 over the blocks' checksums in the order of the plan, lower-case hex.
    """

    destination: str
    segment_count: int
    face_count: int
    stored_bytes: int
    checksum: str


JobResult = TransferResult | MeshJobResult
"""What a job produced."""


@dataclass(frozen=True, slots=True)
class JobFailure:
    """A block of a job that failed, the last time that it was tried; `box` is None where blocks are no boxes."""

    block_index: int
    error: JobError
    attempt_count: int
    time: datetime.datetime
    box: Box | None = None
    scale: int = 0


@dataclass(frozen=True, slots=True)
class JobBlock:
    """What one finished block was: its number, the SHA-256 of its voxels (32 bytes), and where it is."""

    block_index: int
    checksum: bytes
    box: Box | None = None
    scale: int = 0


def _now() -> datetime.datetime:
    return datetime.datetime.now(datetime.UTC)


@dataclass(frozen=True, slots=True)
class Job:
    """A job's record at one moment.

    Attributes:
        sequence: grows with every change.
        provenance: what was read, what made the copy and with which parameters, by name; versions are resolved.
        run_count: how often somebody took the job up; 1 for one that was never interrupted.
    """

    name: str
    owner: str
    request_id: str
    spec: JobSpec
    state: JobState = JobState.PENDING
    progress: JobProgress = field(default_factory=JobProgress)
    error: JobError | None = None
    create_time: datetime.datetime = field(default_factory=_now)
    start_time: datetime.datetime | None = None
    end_time: datetime.datetime | None = None
    result: JobResult | None = None
    sequence: int = 0
    provenance: Mapping[str, str] = field(default_factory=dict)
    run_count: int = 0
