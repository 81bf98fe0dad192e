"""What the operator's configuration means for any remote, whatever its adapter: statements, completeness, read-only."""

from __future__ import annotations

import copy
import math
from collections.abc import Sequence
from dataclasses import replace
from typing import TypeVar, cast

from voxgate.model.downsampling import Downsampling
from voxgate.model.errors import ChunkMissing, ConfigContradictsStore, ConfigInvalid, MissingCapability
from voxgate.model.geometry import Box, Vec3, VoxelSize, grid_cells
from voxgate.model.mesh_stores import TakesMeshes
from voxgate.model.metadata import HasKeyValues
from voxgate.model.provenance import KeepsProvenance
from voxgate.model.remotes import CallerBound, Deletable, ListEntry, Remote, ResolvedUri, TakesScales
from voxgate.model.segments import SegmentIdReservation
from voxgate.model.versions import Versioned
from voxgate.model.volumes import (
    CallContext,
    ChunkPresence,
    EncodedChunk,
    EncodedChunks,
    Encoding,
    OpenOptions,
    ReadTuning,
    Tuned,
    Volume,
    VolumeInfo,
    VolumeKind,
    VolumeSpec,
    Voxels,
    Writable,
)
from voxgate_remotes.config import RemoteConfig, TuningConfig, VolumeOverrides
from voxgate_remotes.derived import DerivedInfos
from voxgate_remotes.readonly import (
    NoReservation,
    ReadOnlyDownsampling,
    ReadOnlyMetadata,
    ReadOnlyVersions,
    refuse_deletion,
    refuse_write,
)

C = TypeVar("C")


class DescribedVolume:
    """A volume under another description, without the powers that the description denies."""

    def __init__(self, inner: Volume, info: VolumeInfo) -> None:
        self._inner = inner
        self._info = info

    @property
    def info(self) -> VolumeInfo:
        """The volume's description."""
        return self._info

    def read(
        self, box: Box, *, scale: int = 0, channels: Sequence[int] | None = None, out: Voxels | None = None
    ) -> Voxels:
        """Read a box; see `voxgate.model.volumes.Volume.read`."""
        return self._inner.read(box, scale=scale, channels=channels, out=out)

    def capability(self, kind: type[C]) -> C | None:
        """What the inner volume can do; Writable only where a scale says that it is."""
        if kind is Writable and not any(scale.writable for scale in self._info.scales):
            return None
        return self._inner.capability(kind)


class CompleteVolume(DescribedVolume):
    """A volume that its operator declared complete: an absent chunk is a loss, not background."""

    def __init__(self, inner: Volume, info: VolumeInfo) -> None:
        """Watch over `inner`.

        Raises:
            ConfigInvalid: when the store cannot tell stored chunks from absent ones.
        """
        super().__init__(inner, info)
        self._encoded = inner.capability(EncodedChunks)
        presence = inner.capability(ChunkPresence)
        if presence is None:
            raise ConfigInvalid(
                'absent_chunks = "error" is not possible here: the store does not tell absent chunks', "remove the key"
            )
        self._presence = presence

    def read(
        self, box: Box, *, scale: int = 0, channels: Sequence[int] | None = None, out: Voxels | None = None
    ) -> Voxels:
        """Read a box whose stored chunks are all there.

        Raises:
            ChunkMissing: when one is not.
        """
        if 0 <= scale < len(self._info.scales):  # else the inner read says what is wrong
            level = self._info.scales[scale]
            for cell in grid_cells(box.intersection(level.bounds), level.stored_chunk_shape, level.grid_origin):
                if self._presence.is_absent(cell, scale=scale):
                    raise _missing(cell, scale)
        return super().read(box, scale=scale, channels=channels, out=out)

    def encodings_of(self, scale: int) -> tuple[Encoding, ...]:
        """The inner volume's; see `voxgate.model.volumes.EncodedChunks.encodings_of`."""
        return () if self._encoded is None else self._encoded.encodings_of(scale)

    def read_encoded(self, cells: Sequence[Box], *, scale: int = 0) -> list[EncodedChunk | None]:
        """Stored chunks, all there; see `voxgate.model.volumes.EncodedChunks.read_encoded`.

        Raises:
            ChunkMissing: when one is not.
        """
        if self._encoded is None:
            raise MissingCapability("stored chunks cannot be passed on as they are", "read voxels")
        chunks = self._encoded.read_encoded(cells, scale=scale)
        for cell, chunk in zip(cells, chunks, strict=True):
            if chunk is None:
                raise _missing(cell, scale)
        return chunks

    def capability(self, kind: type[C]) -> C | None:
        """What the inner volume can do, but stored chunks only through here, and nothing that takes absence for fill.

        ChunkPresence would say of an absent chunk that its voxels are the fill value. Here they are lost, or not
        written yet: who copies into the volume has to write them, who reads is told.
        """
        if kind is ChunkPresence:
            return None
        if kind is EncodedChunks:
            return None if self._encoded is None else cast("C", self)
        return super().capability(kind)


def _missing(cell: Box, scale: int) -> ChunkMissing:
    return ChunkMissing(
        f"the stored chunk with the voxels {cell} of scale {scale} is absent",
        'restore it; or the operator says absent_chunks = "fill" to read absent chunks as background',
    )


class GovernedVolume(DescribedVolume):
    """A volume as its operator allows and tunes it."""

    def __init__(self, inner: Volume, info: VolumeInfo, config: RemoteConfig) -> None:
        super().__init__(inner, info)
        self._config = config

    @property
    def tuning(self) -> ReadTuning:
        """What the operator states, and the adapter's own where nothing is stated."""
        tuned = self._inner.capability(Tuned)
        own = ReadTuning() if tuned is None else tuned.tuning
        stated = self._config.tuning
        return replace(
            own,
            parallel_reads=stated.parallel_reads or own.parallel_reads,
            request_bytes=stated.request_bytes or own.request_bytes,
        )

    def capability(self, kind: type[C]) -> C | None:
        """What the inner volume can do, without what changes anything where that is not allowed."""
        if kind is Tuned and self._config.tuning != TuningConfig():
            return cast("C", self)
        found = super().capability(kind)
        if found is None or self._config.writable:
            return found
        if kind is KeepsProvenance:
            return None
        if kind is Versioned:
            return cast("C", ReadOnlyVersions(cast("Versioned", found)))
        if kind is Downsampling:
            return cast("C", ReadOnlyDownsampling(cast("Downsampling", found)))
        return cast("C", NoReservation()) if kind is SegmentIdReservation else found


class GovernedRemote:
    """A remote under its operator's configuration."""

    def __init__(self, inner: Remote, config: RemoteConfig) -> None:
        self._inner = inner
        self._config = config
        self._infos = DerivedInfos()

    def open(self, path: tuple[str, ...], options: OpenOptions) -> Volume:
        """Open a volume and apply what the operator states about it.

        Raises:
            ConfigContradictsStore, ConfigInvalid: for a wrong statement; and whatever the adapter raises.
        """
        return self._governed(path, self._inner.open(path, options))

    def list(self, parent: tuple[str, ...]) -> list[ListEntry]:
        """The groups and volumes right under `parent`."""
        return self._inner.list(parent)

    def create(self, path: tuple[str, ...], spec: VolumeSpec) -> Volume:
        """Create a volume.

        Raises:
            ReadOnly: unless the operator allows writes; and whatever the adapter raises.
        """
        if not self._config.writable:
            refuse_write()
        return self._governed(path, self._inner.create(path, spec))

    def resolve(self, uri: str) -> ResolvedUri | None:
        """What `uri` means here, if it lies under this remote."""
        return self._inner.resolve(uri)

    def capability(self, kind: type[C]) -> C | None:
        """What the store can do, as far as its operator lets it; and for whom, where it matters to the store.

        Raises:
            ReadOnly: when deleting, adding levels, or a place for meshes is asked for and not allowed.
        """
        found = self._inner.capability(kind)
        if found is None:
            return None
        if kind is CallerBound:
            return cast("C", self)
        if kind is HasKeyValues and not self._config.writable:
            return cast("C", ReadOnlyMetadata(cast("HasKeyValues", found)))
        if kind is Deletable and not (self._config.writable and self._config.deletable):
            refuse_deletion()
        if kind in (TakesScales, TakesMeshes) and not self._config.writable:
            refuse_write()
        return found

    def for_caller(self, context: CallContext) -> GovernedRemote:
        """The same remote under the same configuration, for one caller."""
        bound = self._inner.capability(CallerBound)
        if bound is None:
            return self
        governed = copy.copy(self)
        governed._inner = bound.for_caller(context)
        return governed

    def _governed(self, path: tuple[str, ...], volume: Volume) -> Volume:
        stated = self._config.overrides(path)

        def derive(info: VolumeInfo) -> VolumeInfo:
            told = stated_info(info, stated)
            if self._config.immutable or stated.immutable:
                told = replace(told, immutable=True)
            if self._config.writable:
                return told
            return replace(told, scales=tuple(replace(scale, writable=False) for scale in told.scales))

        info = self._infos.get(path, volume.info, derive)
        whole = CompleteVolume(volume, info) if stated.absent_chunks == "error" else volume
        return GovernedVolume(whole, info, self._config)


def stated_info(info: VolumeInfo, stated: VolumeOverrides) -> VolumeInfo:
    """The description with the operator's statements filled in; what is stated is no longer inferred.

    Raises:
        ConfigContradictsStore: when the store says something else.
        ConfigInvalid: for a statement that this store cannot follow.
    """
    kind = _stated_kind(info, stated)
    scales = info.scales
    if stated.voxel_size_nm is not None and scales:
        size = VoxelSize(*stated.voxel_size_nm)
        _check_same_size(scales[0].voxel_size_nm, size)
        scales = (replace(scales[0], voxel_size_nm=scales[0].voxel_size_nm or size), *scales[1:])
    if stated.voxel_offset is not None and scales and Vec3(*stated.voxel_offset) != scales[0].bounds.start:
        if "voxel_offset" in info.inferred:
            raise ConfigInvalid("voxel_offset cannot be stated for this store", "remove the key")
        raise _contradiction("voxel_offset", str(list(scales[0].bounds.start)), str(list(stated.voxel_offset)))
    if stated.axes is not None and set(stated.axes) | {"z"} != set(info.axes):
        raise _contradiction("axes", info.axes, stated.axes)
    said = {name for name in VolumeOverrides.model_fields if getattr(stated, name) is not None}
    return replace(info, kind=kind, scales=scales, inferred=tuple(name for name in info.inferred if name not in said))


def _stated_kind(info: VolumeInfo, stated: VolumeOverrides) -> VolumeKind:
    if stated.kind is None:
        return info.kind
    kind = VolumeKind(stated.kind)
    if info.kind not in (VolumeKind.UNKNOWN, kind) and "kind" not in info.inferred:
        raise _contradiction("kind", info.kind.value, stated.kind)
    return kind


def _check_same_size(stored: VoxelSize | None, stated: VoxelSize) -> None:
    if stored and not all(math.isclose(a, b, rel_tol=1e-6) for a, b in zip(stored, stated, strict=True)):
        raise _contradiction("voxel_size_nm", str(list(stored)), str(list(stated)))


def _contradiction(key: str, stored: str, stated: str) -> ConfigContradictsStore:
    return ConfigContradictsStore(
        f"the configuration states {key} {stated}, the store says {stored}", "remove the key, or correct the store"
    )
