"""What a volume is: its description, the small `Volume` Protocol that everything satisfies, and its capabilities.

Adapters, caches and the client's volume over gRPC all satisfy `Volume`; meshers, planners and the ergonomic array
need nothing else. Optional powers are asked for with `volume.capability(Writable)`, never with isinstance: a wrapper
answers for what it wraps.
"""

from __future__ import annotations

import enum
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol, TypeVar

import numpy as np
import numpy.typing as npt

from voxgate.model.access import Caller, Role
from voxgate.model.errors import Cancelled, DeadlineExceeded
from voxgate.model.geometry import Box, Vec3, VoxelSize
from voxgate.model.tracing import NO_TRACE, Trace

_TYPE_NAMES = ("uint8", "uint16", "uint32", "uint64", "int8", "int16", "int32", "int64", "float32", "float64")
SUPPORTED_DTYPES: tuple[np.dtype[Any], ...] = tuple(np.dtype(name).newbyteorder("<") for name in _TYPE_NAMES)
"""The voxel types of the contract, little-endian."""

C = TypeVar("C")
Voxels = npt.NDArray[Any]
"""An array of shape (c, z, y, x), C-order, in the volume's dtype."""


class VolumeKind(enum.Enum):
    """What the voxels mean."""

    UNKNOWN = "unknown"
    IMAGE = "image"
    SEGMENTATION = "segmentation"


class LabelView(enum.Enum):
    """What a segment id means where a store knows both."""

    BODIES = "bodies"
    SUPERVOXELS = "supervoxels"


class ArrayCodec(enum.Enum):
    """How voxels become bytes, before any ByteCodec."""

    RAW = "raw"
    FILL = "fill"
    COMPRESSED_SEGMENTATION = "compressed_segmentation"
    JPEG = "jpeg"
    PNG = "png"


class ByteCodec(enum.Enum):
    """What is applied to the bytes of an ArrayCodec."""

    NONE = "none"
    GZIP = "gzip"
    ZSTD = "zstd"
    BLOSC = "blosc"


@dataclass(frozen=True, slots=True)
class Encoding:
    """How a chunk's voxels are written as bytes: array first, then bytes."""

    array: ArrayCodec = ArrayCodec.RAW
    bytes: ByteCodec = ByteCodec.NONE
    block_shape: Vec3 | None = None


RAW = Encoding()
FILL = Encoding(ArrayCodec.FILL)


@dataclass(frozen=True, slots=True)
class Scale:
    """One resolution level, as the store states it; nothing is derived from a power of two.

    Attributes:
        key: the store's name of the level.
        bounds: the voxels that exist, global coordinates (voxel offset included).
        stored_chunk_shape: the unit in which the store keeps and decodes voxels.
        write_granule_shape: the unit that can be written without reading first.
        grid_origin: the voxel where both grids start.
        voxel_size_nm: nanometres; None means unknown.
        stored_encodings: how chunks are kept; empty where the store does not say.
        writable: whether voxels of this scale can be written.
    """

    key: str
    bounds: Box
    stored_chunk_shape: Vec3
    write_granule_shape: Vec3
    grid_origin: Vec3
    voxel_size_nm: VoxelSize | None = None
    stored_encodings: tuple[Encoding, ...] = ()
    writable: bool = False


@dataclass(frozen=True, slots=True)
class Channel:
    """One channel of a volume that has a channel axis, and how its store wants it shown; voxels are as they are.

    Attributes:
        name: empty where the store has none.
        window: the voxel values shown black and in full colour; None where the store does not say.
        value_range: the values between which a viewer lets people move the window; None where the store does not say.
        color: red, green and blue as six hexadecimal digits, "00FF00"; empty where the store does not say.
    """

    name: str = ""
    window: tuple[float, float] | None = None
    value_range: tuple[float, float] | None = None
    color: str = ""


@dataclass(frozen=True, slots=True)
class ServiceOffer:
    """What one service offers for a volume: `support` is "native", "surrogate" or "unavailable" (then `why`)."""

    name: str
    support: str
    why: str = ""


@dataclass(frozen=True, slots=True)
class VolumeInfo:
    """A volume's description at one resolved version.

    Attributes:
        name: "remote/path", without a version; adapters opened outside a registry may leave it empty.
        dtype: little-endian numpy dtype of a voxel, one of SUPPORTED_DTYPES.
        kind: image, segmentation, or unknown where nobody says.
        scales: finest first; empty for a resource without voxels.
        axes: the axes the store has, slowest first: "zyx", "czyx", "tzyx" or "tczyx".
        channels: in order; empty exactly when `axes` has no "c".
        time_count: time points; 1 when `axes` has no "t".
        fill_value: the value of absent voxels, a Python number of `dtype`.
        resolved_version: empty where the store has no versions.
        immutable: whether the voxels of this version can never change.
        inferred: names of fields that were guessed rather than stated.
        services: what services offer; filled in by servers.
        label_views: what segment ids can mean here; empty where the store knows one kind of id only.
        format: what it is stored as, for people: "zarr v3"; empty where the remote does not say.
    """

    name: str
    dtype: np.dtype[Any]
    kind: VolumeKind
    scales: tuple[Scale, ...]
    axes: str = "zyx"
    channels: tuple[Channel, ...] = ()
    time_count: int = 1
    fill_value: int | float = 0
    resolved_version: str = ""
    immutable: bool = False
    inferred: tuple[str, ...] = ()
    services: tuple[ServiceOffer, ...] = ()
    label_views: tuple[LabelView, ...] = ()
    format: str = ""

    @property
    def channel_count(self) -> int:
        """The first extent of every array read: 1 without a channel axis."""
        return len(self.channels) if "c" in self.axes else 1


@dataclass(frozen=True, slots=True)
class CallContext:
    """A caller's patience: when to stop, given at `open` instead of through globals.

    Attributes:
        deadline: value of `time.monotonic()` after which work is pointless; None for no deadline.
        stop: set when the caller went away.
        via: ids of the servers that the call came through, this one last; empty for a call that came through none.
            Whoever passes the call on to another server sends them along, so that a loop is noticed.
        caller: who asks; nobody, where nobody said. What a store answers on behalf of one caller is none of another's.
        trace: what the call is traced by. Calls to others for it carry the headers of its trace.
    """

    deadline: float | None = None
    stop: threading.Event = field(default_factory=threading.Event)
    via: tuple[str, ...] = ()
    caller: Caller = field(default_factory=Caller)
    trace: Trace = field(default=NO_TRACE, compare=False, repr=False)

    def check(self) -> None:
        """Raise Cancelled or DeadlineExceeded when work is pointless; cheap enough for every block."""
        if self.stop.is_set():
            raise Cancelled("the caller went away")
        if self.deadline is not None and time.monotonic() > self.deadline:
            raise DeadlineExceeded("the deadline passed", "ask for less, or allow more time")

    def patient(self) -> CallContext:
        """The same caller with endless patience: for what must not be left half done."""
        return CallContext(via=self.via, caller=self.caller, trace=self.trace)


@dataclass(frozen=True, slots=True)
class OpenOptions:
    """What is fixed when a volume is opened.

    Attributes:
        version: empty means the store's current one.
        time_index: required when the volume has several time points.
        label_view: what segment ids mean.
        context: the caller's deadline and stop event.
        role: what the caller is about to do; who may not is refused before anything is looked at.
    """

    version: str = ""
    time_index: int | None = None
    label_view: LabelView = LabelView.BODIES
    context: CallContext = field(default_factory=CallContext)
    role: Role = Role.READ


class Volume(Protocol):
    """A volume bound to one version, time and label view. Thread-safe; nothing about it can be moved."""

    @property
    def info(self) -> VolumeInfo:
        """The volume's description."""
        ...

    def read(
        self, box: Box, *, scale: int = 0, channels: Sequence[int] | None = None, out: Voxels | None = None
    ) -> Voxels:
        """Read a box.

        Args:
            box: inside the scale's bounds, global coordinates, not empty.
            scale: index into `info.scales`.
            channels: which channels, in this order; None means all.
            out: an array of the result's shape and dtype (any strides) to fill and return.

        Returns:
            Array of shape (c, z, y, x), C-order unless `out` was given. Absent voxels have `info.fill_value`.

        Raises:
            EmptyBox, OutOfBounds, UnknownScale, ShapeMismatch, DataTypeMismatch: for a bad request.
            ChunkCorrupt, StoreUnavailable: when the store fails; never zeros instead.
        """
        ...

    def capability(self, kind: type[C]) -> C | None:
        """The optional power `kind` (one of the Protocols below), or None."""
        ...


class Writable(Protocol):
    """Voxels can be written."""

    def write(self, box: Box, voxels: Voxels, *, scale: int = 0) -> None:
        """Write (c, z, y, x) voxels of exactly the volume's dtype into `box`, all channels, zeros included.

        Whole write granules (clipped to the bounds) are written without reading. Cut granules are merged with what is
        stored only where that is safe against other writers in this process; otherwise UnalignedWrite.

        Raises:
            ReadOnly, OutOfBounds, EmptyBox, ShapeMismatch, DataTypeMismatch, UnalignedWrite, StoreUnavailable.
        """
        ...


class ChunkPresence(Protocol):
    """Can tell stored voxels from absent ones."""

    def is_absent(self, box: Box, *, scale: int = 0) -> bool:
        """Whether no stored chunk overlaps `box`: every voxel of it is the fill value because nothing is there."""
        ...


@dataclass(frozen=True, slots=True)
class ReadTuning:
    """How a store is read fastest, as measured; an operator may state other numbers.

    Attributes:
        parallel_reads: how many reads at a time serve this store best, on top of what one read does by itself.
        request_bytes: about how many raw bytes one read is best for; 0 leaves it to the reader.
        alignment: the grid on which boxes cost the store least; None where it makes no difference.
    """

    parallel_reads: int = 4
    request_bytes: int = 0
    alignment: Vec3 | None = None


class Tuned(Protocol):
    """Knows how it is read fastest. A volume without this is taken to wait for its store: several reads at a time."""

    @property
    def tuning(self) -> ReadTuning:
        """The tuning of this volume's finest scale."""
        ...


@dataclass(frozen=True, slots=True)
class VolumeFacts:
    """What a server says of a volume.

    Attributes:
        info: its description.
        powers: what its store can do by itself: of POWERS.
        tuning: how it is read fastest; None where nobody measured.
    """

    info: VolumeInfo
    powers: frozenset[str] = frozenset()
    tuning: ReadTuning | None = None


class Relayed(Protocol):
    """Lives on another voxgate server, whose services stand in for what the store itself cannot do."""

    @property
    def facts(self) -> VolumeFacts:
        """What that server says of it: `powers` are the store's own."""
        ...


POWERS: tuple[str, ...] = (
    *("read", "write", "segment_ids", "segment_counts", "segment_lookup", "segment_bounds", "segment_voxels"),
    *("supervoxels", "reserve_segment_ids", "versions", "stored_meshes", "stored_skeletons", "downsampling"),
    *("segment_properties", "mesh_files"),
)
"""The powers of the contract's Capability, by their names there."""


@dataclass(frozen=True, slots=True)
class EncodedChunk:
    """A stored chunk as the store keeps it.

    Attributes:
        data: the stored bytes.
        encoding: what they are encoded in; all channels, little-endian, x fastest.
        data_box: what they decode to; may stick out of the bounds where a store pads its edge chunks.
    """

    data: bytes | memoryview
    encoding: Encoding
    data_box: Box


class EncodedChunks(Protocol):
    """Stored chunks can be had as they are stored, to be passed on and decoded elsewhere."""

    def encodings_of(self, scale: int) -> tuple[Encoding, ...]:
        """The encodings that chunks of a scale may come in; empty where they cannot be passed on.

        A chunk whose voxels are not little-endian and x-fastest (z, y, x in C-order) can never be.
        """
        ...

    def read_encoded(self, cells: Sequence[Box], *, scale: int = 0) -> list[EncodedChunk | None]:
        """The stored chunks of grid cells (each a cell of the stored grid, clipped to the bounds), in order.

        None where a chunk is absent. Read at the same time where that helps.

        Raises:
            ChunkCorrupt, StoreUnavailable, Cancelled, DeadlineExceeded.
        """
        ...


@dataclass(frozen=True, slots=True)
class ScaleSpec:
    """One level of a volume to be created; None leaves the choice to the format."""

    bounds: Box
    voxel_size_nm: VoxelSize | None = None
    chunk_shape: Vec3 | None = None
    shard_shape: Vec3 | None = None
    encoding: Encoding | None = None


@dataclass(frozen=True, slots=True)
class VolumeSpec:
    """A volume to be created.

    Attributes:
        format: "precomputed", "zarr2", "zarr3", or "" for the remote's default.
    """

    dtype: np.dtype[Any]
    kind: VolumeKind
    scales: tuple[ScaleSpec, ...]
    channels: tuple[Channel, ...] = ()
    fill_value: int | float = 0
    format: str = ""
