"""Volumes kept in this process's memory: for tests, for scratch, and as the simplest adapter there is."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any, TypeVar, cast

import numpy as np
import numpy.typing as npt

from voxgate.model.errors import (
    AlreadyExists,
    ConfigInvalid,
    InvalidArgument,
    UnknownVersion,
    UnknownVolume,
)
from voxgate.model.geometry import Box, Vec3, VoxelSize, grid_cells
from voxgate.model.metadata import HasKeyValues, KeyValues
from voxgate.model.remotes import CoarserScale, Deletable, ListEntry, ResolvedUri, TakesScales
from voxgate.model.requests import scale_of
from voxgate.model.volumes import (
    RAW,
    CallContext,
    Channel,
    ChunkPresence,
    EncodedChunk,
    EncodedChunks,
    Encoding,
    OpenOptions,
    ReadTuning,
    Scale,
    ScaleSpec,
    Tuned,
    VolumeInfo,
    VolumeKind,
    VolumeSpec,
    Voxels,
    Writable,
)
from voxgate_remotes.checks import (
    check_scale_count,
    checked_box,
    checked_channels,
    checked_out,
    checked_write,
    path_under,
    refuse_version_and_time,
)
from voxgate_remotes.config import RemoteConfig
from voxgate_remotes.grid import cell_index, whole_cell
from voxgate_remotes.memory_metadata import MemoryKeyValues
from voxgate_remotes.memory_specs import DEFAULT_CHUNK_SHAPE, coarser_scale, info_of
from voxgate_remotes.readonly import ReadOnlyMetadata, refuse_deletion, refuse_write

C = TypeVar("C")

_ORIGIN = Vec3(0, 0, 0)


@dataclass(slots=True)
class _Store:
    """The chunks of one volume, shared by every handle on it.

    Chunks are never changed once stored: a write puts new ones in their place. So readers need no lock, and what
    they see of one chunk is always the work of whole writes.

    Attributes:
        chunks: of each scale, by where they start.
        writing: held while chunks are put in, and while the volume is deleted.
        is_deleted: whether the volume is no more.
    """

    chunks: list[dict[Vec3, Voxels]]
    writing: threading.Lock = field(default_factory=threading.Lock)
    is_deleted: bool = False


class MemoryVolume:
    """A volume in memory; a chunk that was never written is absent. Thread-safe."""

    def __init__(self, info: VolumeInfo, store: _Store, context: CallContext) -> None:
        self._info = info
        self._store = store
        self._context = context

    @staticmethod
    def create(spec: VolumeSpec) -> MemoryVolume:
        """An empty, writable volume.

        Raises:
            UnsupportedFormat, InvalidArgument: for a spec that memory cannot hold exactly.
        """
        info = info_of(spec)
        return MemoryVolume(info, _Store([{} for _ in info.scales]), CallContext())

    @staticmethod
    def from_array(
        voxels: npt.NDArray[Any],
        *,
        voxel_offset: Vec3 = _ORIGIN,
        voxel_size_nm: VoxelSize | None = None,
        kind: VolumeKind = VolumeKind.UNKNOWN,
        chunk_shape: Vec3 = DEFAULT_CHUNK_SHAPE,
    ) -> MemoryVolume:
        """A writable volume of one scale that holds a copy of `voxels`.

        Args:
            voxels: array of shape (z, y, x), or (c, z, y, x) for a volume with a channel axis.
            voxel_offset: global coordinates of the first voxel.
            voxel_size_nm: nanometres; None means unknown.
            kind: what the voxels mean.
            chunk_shape: the stored chunk, and write granule, in voxels.

        Raises:
            InvalidArgument: for another number of axes, or no voxels.
            UnsupportedFormat: for a dtype the contract does not have.
        """
        if voxels.ndim not in (3, 4):
            raise InvalidArgument(f"an array of {voxels.ndim} axes is no volume", "give (z, y, x) or (c, z, y, x)")
        shape = Vec3.from_zyx(cast("tuple[int, int, int]", voxels.shape[-3:]))
        box = Box.at(voxel_offset, shape)
        channels = tuple(Channel() for _ in range(voxels.shape[0])) if voxels.ndim == 4 else ()
        dtype = voxels.dtype.newbyteorder("<")
        spec = VolumeSpec(dtype, kind, (ScaleSpec(box, voxel_size_nm, chunk_shape),), channels)
        volume = MemoryVolume.create(spec)
        volume.write(box, voxels.reshape(-1, *shape.zyx).astype(dtype))
        return volume

    def bound(self, context: CallContext) -> MemoryVolume:
        """The same voxels, for a caller with this patience."""
        return MemoryVolume(self._info, self._store, context)

    def read_only(self) -> MemoryVolume:
        """The same voxels, for readers only."""
        scales = tuple(replace(scale, writable=False) for scale in self._info.scales)
        return MemoryVolume(replace(self._info, scales=scales), self._store, self._context)

    @property
    def info(self) -> VolumeInfo:
        """The volume's description."""
        return self._info

    def read(
        self, box: Box, *, scale: int = 0, channels: Sequence[int] | None = None, out: Voxels | None = None
    ) -> Voxels:
        """Read a box; see `voxgate.model.volumes.Volume.read`."""
        level = checked_box(self._info, box, scale)
        wanted = checked_channels(self._info, channels)
        out = checked_out((len(wanted), *box.shape.zyx), self._info.dtype, out)
        for cell in grid_cells(box, level.stored_chunk_shape, level.grid_origin):
            self._check()
            origin = _chunk_origin(level, cell)
            chunk = self._store.chunks[scale].get(origin)
            target = (slice(None), *cell.slices_zyx(box.start))
            out[target] = self._info.fill_value if chunk is None else chunk[:, *cell.slices_zyx(origin)][wanted]
        return out

    def write(self, box: Box, voxels: Voxels, *, scale: int = 0) -> None:
        """Write a box, cut granules merged; see `voxgate.model.volumes.Writable.write`."""
        level = checked_write(self._info, box, voxels, scale)
        chunks = self._store.chunks[scale]
        with self._store.writing:
            for cell in grid_cells(box, level.stored_chunk_shape, level.grid_origin):
                self._check()
                origin = _chunk_origin(level, cell)
                stored = chunks.get(origin)
                if stored is None:
                    shape = (self._info.channel_count, *level.stored_chunk_shape.zyx)
                    chunk = np.full(shape, self._info.fill_value, self._info.dtype)
                else:
                    chunk = stored.copy()
                chunk[:, *cell.slices_zyx(origin)] = voxels[:, *cell.slices_zyx(box.start)]
                chunks[origin] = chunk

    def encodings_of(self, scale: int) -> tuple[Encoding, ...]:
        """Raw, always.

        Raises:
            UnknownScale.
        """
        scale_of(self._info, scale)
        return (RAW,)

    def read_encoded(self, cells: Sequence[Box], *, scale: int = 0) -> list[EncodedChunk | None]:
        """The chunks of grid cells, without a copy; see `voxgate.model.volumes.EncodedChunks.read_encoded`.

        Raises:
            UnknownScale; InvalidArgument: for a box that is no cell; Cancelled, DeadlineExceeded.
        """
        level = scale_of(self._info, scale)
        self._check()
        found: list[EncodedChunk | None] = []
        for cell in cells:
            whole = whole_cell(level, cell_index(level, cell))
            chunk = self._store.chunks[scale].get(whole.start)
            data = None if chunk is None else chunk.reshape(-1).view(np.uint8).data.toreadonly()
            found.append(None if data is None else EncodedChunk(data, RAW, whole))
        return found

    def is_absent(self, box: Box, *, scale: int = 0) -> bool:
        """Whether no chunk that overlaps `box` was ever written.

        Raises:
            UnknownScale, EmptyBox, OutOfBounds, Cancelled, DeadlineExceeded; UnknownVolume: when it was deleted.
        """
        level = checked_box(self._info, box, scale)
        self._check()
        cells = grid_cells(box, level.stored_chunk_shape, level.grid_origin)
        return not any(_chunk_origin(level, cell) in self._store.chunks[scale] for cell in cells)

    def _check(self) -> None:
        """Look whether there is a point in going on.

        Raises:
            Cancelled, DeadlineExceeded; UnknownVolume: when the volume was deleted.
        """
        self._context.check()
        if self._store.is_deleted:
            raise UnknownVolume("the volume was deleted", "list the remote to see what it has")

    def with_scales(self, coarser: Sequence[CoarserScale]) -> MemoryVolume:
        """The same voxels, with more levels, in which nothing is stored yet."""
        scales = list(self._info.scales)
        for level in coarser:
            scales.append(coarser_scale(str(len(scales)), scales[-1], level))
            self._store.chunks.append({})
        return MemoryVolume(replace(self._info, scales=tuple(scales)), self._store, self._context)

    def mark_deleted(self) -> None:
        """End every handle on these voxels: after this nothing is read or written through them."""
        with self._store.writing:
            self._store.is_deleted = True

    def capability(self, kind: type[C]) -> C | None:
        """Writable where the volume takes writes, ChunkPresence, EncodedChunks and Tuned always."""
        always = kind in (ChunkPresence, EncodedChunks, Tuned)
        has_it = always or (kind is Writable and any(scale.writable for scale in self._info.scales))
        return cast("C", self) if has_it else None

    @property
    def tuning(self) -> ReadTuning:
        """One read at a time: nothing is waited for."""
        return ReadTuning(parallel_reads=1)


def _chunk_origin(scale: Scale, cell: Box) -> Vec3:
    """Where the stored chunk that `cell` is a part of starts."""
    triples = zip(cell.start, scale.stored_chunk_shape, scale.grid_origin, strict=True)
    return Vec3(*(origin + (start - origin) // size * size for start, size, origin in triples))


class MemoryRemote:
    """A store of MemoryVolumes and metadata, empty at first and gone with its process. Thread-safe, without options."""

    def __init__(self, config: RemoteConfig) -> None:
        """Start empty.

        Raises:
            ConfigInvalid: for any option or format.
        """
        for key in (*config.options, *filter(None, [config.format])):
            raise ConfigInvalid(f"a memory remote has no option or format {key!r}", "remove it")
        self._uri = config.uri
        self._writable = config.writable
        self._deletable = config.writable and config.deletable
        self._volumes: dict[tuple[str, ...], tuple[VolumeSpec, MemoryVolume]] = {}
        self._metadata: dict[tuple[str, ...], dict[str, bytes]] = {}
        self._lock = threading.Lock()

    def open(self, path: tuple[str, ...], options: OpenOptions) -> MemoryVolume:
        """Open a volume that was created; see `voxgate.model.volumes.Remote.open`."""
        with self._lock:
            entry = self._volumes.get(path)
        if entry is None:
            raise UnknownVolume(f"there is no volume {'/'.join(path)!r}", "list the remote to see what it has")
        refuse_version_and_time(options)
        volume = entry[1].bound(options.context)
        return volume if self._writable else volume.read_only()

    def list(self, parent: tuple[str, ...]) -> list[ListEntry]:
        """The groups and volumes right under `parent`, sorted by name."""
        depth = len(parent)
        with self._lock:
            below = [path for path in self._volumes if len(path) > depth and path[:depth] == parent]
        if parent and not below:
            raise UnknownVolume(f"there is no group {'/'.join(parent)!r}", "list the level above")
        volumes = {path[depth] for path in below if len(path) == depth + 1}
        return [ListEntry(segment, segment in volumes) for segment in sorted({path[depth] for path in below})]

    def create(self, path: tuple[str, ...], spec: VolumeSpec) -> MemoryVolume:
        """Create an empty volume; an existing one is answered where the spec is equal.

        Raises:
            ReadOnly, AlreadyExists, UnsupportedFormat, InvalidArgument.
        """
        if not self._writable:
            refuse_write()
        if not path:
            raise AlreadyExists("the remote itself is no volume", "name one below it")
        with self._lock:
            if path in self._volumes and self._volumes[path][0] == spec:
                return self._volumes[path][1]
            if any(known[: len(path)] == path[: len(known)] for known in self._volumes):
                raise AlreadyExists(f"{'/'.join(path)!r} is taken, above or below too", "choose another name")
            volume = MemoryVolume.create(spec)
            self._volumes[path] = (spec, volume)
            return volume

    def add_scales(self, path: tuple[str, ...], first: int, coarser: Sequence[CoarserScale]) -> None:
        """Add empty levels; see `voxgate.model.remotes.TakesScales.add_scales`."""
        if not self._writable:
            refuse_write()
        with self._lock:
            if path not in self._volumes:
                raise _unknown(path)
            spec, volume = self._volumes[path]
            check_scale_count(len(volume.info.scales), first)
            self._volumes[path] = (spec, volume.with_scales(coarser))

    def resolve(self, uri: str) -> ResolvedUri | None:
        """What `uri` means here, if it lies under this remote."""
        return path_under(self._uri, uri)

    def delete(self, path: tuple[str, ...]) -> None:
        """Delete a volume and its metadata, and that of groups that it leaves empty.

        Raises:
            UnknownVolume; ReadOnly: unless the remote's configuration allows it.
        """
        if not self._deletable:
            refuse_deletion()
        with self._lock:
            if path not in self._volumes:
                raise _unknown(path)
            self._volumes.pop(path)[1].mark_deleted()
            for place in [each for each in self._metadata if not self._exists(each)]:
                del self._metadata[place]

    def key_values(self, path: tuple[str, ...], version: str) -> KeyValues:
        """The metadata of the remote itself, a group or a volume; see `voxgate.model.metadata.HasKeyValues`.

        Raises:
            UnknownVolume, UnknownVersion.
        """
        if version:
            raise UnknownVersion(f"there is no version {version!r}", "this store has no versions; leave it out")
        self._values(path)
        return MemoryKeyValues(lambda: self._values(path))

    def _values(self, path: tuple[str, ...]) -> dict[str, bytes]:
        with self._lock:
            if not self._exists(path):
                raise _unknown(path)
            return self._metadata.setdefault(path, {})

    def _exists(self, path: tuple[str, ...]) -> bool:
        return not path or any(known[: len(path)] == path for known in self._volumes)

    def capability(self, kind: type[C]) -> C | None:
        """Deletable, HasKeyValues and TakesScales, as far as the remote's configuration allows."""
        if kind is HasKeyValues:
            return cast("C", self if self._writable else ReadOnlyMetadata(self))
        return cast("C", self) if kind in (Deletable, TakesScales) else None


def _unknown(path: tuple[str, ...]) -> UnknownVolume:
    return UnknownVolume(f"there is nothing called {'/'.join(path)!r}", "list the remote to see what it has")
