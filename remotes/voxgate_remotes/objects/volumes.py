"""A volume behind a network: what goes wrong is told apart, a cut granule is merged only where that is safe.

That something is not there is believed only of a volume that still is; see `voxgate_remotes.objects.witness`.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any, cast

import numpy as np

from voxgate.model.errors import MissingCapability, UnalignedWrite
from voxgate.model.geometry import Box, aligned_outward
from voxgate.model.kept_mesh_files import MeshFilePiece, StoredMeshFiles
from voxgate.model.meshes import Mesh
from voxgate.model.provenance import KeepsProvenance
from voxgate.model.segment_properties import SegmentProperties, SegmentTable
from voxgate.model.skeletons import Skeleton, StoredMeshes, StoredSkeletons
from voxgate.model.volumes import C, CallContext, ChunkPresence, OpenOptions, Volume, VolumeInfo, Voxels, Writable
from voxgate_remotes.checks import bound_time, checked_box, checked_channels, checked_out, checked_write, chosen_time
from voxgate_remotes.far_chunks import SuffixedChunks
from voxgate_remotes.objects.cells import Corners
from voxgate_remotes.objects.failures import told
from voxgate_remotes.objects.patience import Arrivals, Patience
from voxgate_remotes.objects.presence import Presence
from voxgate_remotes.tensorstores import OpenedStore

_REQUESTS_AT_ONCE = 32
"""Of tensorstore's drivers for http, s3 and gs, unless the process's environment says otherwise."""


@dataclass(frozen=True, slots=True)
class Opened:
    """An opened volume, as it is for every caller.

    Attributes:
        store: to be bound.
        info: its description, as writable as the remote allows.
        presence: what can say which chunks there are; None for nothing.
        patience: with the store.
        check_there: raises when the volume is not what was opened.
        merges_safely: whether cut granules may be merged.
        provenance: the place for it, for a caller; None where the volume has none.
    """

    store: OpenedStore
    info: VolumeInfo
    presence: Presence | None
    patience: Patience
    check_there: Callable[[CallContext], None]
    merges_safely: bool
    provenance: Callable[[CallContext], KeepsProvenance] | None = None


class ObjectVolume:
    """A volume of objects. Thread-safe as the inner one is."""

    def __init__(self, opened: Opened, options: OpenOptions) -> None:
        """Bind a volume to a caller.

        Raises:
            UnknownVersion, OutOfBounds: for a version, or a time that does not exist.
        """
        self._opened = opened
        self._options = options
        self._inner = opened.store.bind(opened.info, options)

    @property
    def info(self) -> VolumeInfo:
        """The volume's description."""
        return self._inner.info

    def read(
        self, box: Box, *, scale: int = 0, channels: Sequence[int] | None = None, out: Voxels | None = None
    ) -> Voxels:
        """Read a box; see `voxgate.model.volumes.Volume.read`.

        Raises:
            StoreAccessDenied, StoreBusy, StoreRefused: as the store says, besides.
            StoreUnavailable: when no chunk comes for as long as the operator allows.
            UnknownVolume, VersionMoved: when chunks are absent, and the volume is gone or another.
        """
        level = checked_box(self.info, box, scale)
        shape = (len(checked_channels(self.info, channels)), *box.shape.zyx)
        wanted = checked_out(shape, self.info.dtype, out)
        # What comes after all when nobody waits any more is not written into a caller's array.
        found = wanted if out is None else np.empty(shape, self.info.dtype)
        with told("reading voxels"):
            patience = self._patience("reading voxels", Arrivals(found, box, level))
            self._bound(patience).read(box, scale=scale, channels=channels, out=found)
            if Corners(box, level).any_is_only(found, found.dtype.type(self.info.fill_value)):
                self._opened.check_there(self._options.context)
        if out is not None:
            out[...] = found
        return wanted

    def write(self, box: Box, voxels: Voxels, *, scale: int = 0) -> None:
        """Write a box; see `voxgate.model.volumes.Writable.write`.

        Raises:
            UnalignedWrite: for a box that cuts a granule, where the store is not known to write on condition.
            StoreAccessDenied, StoreBusy, StoreRefused: as the store says, besides.
            StoreUnavailable: when it took too long; what of it is written is not known then.
        """
        level = checked_write(self.info, box, voxels, scale)
        whole = aligned_outward(box, level.write_granule_shape, level.grid_origin)
        if not self._opened.merges_safely and (
            whole.intersection(level.bounds) != box or _may_share_granules(self.info)
        ):
            raise UnalignedWrite(
                f"the box cuts stored granules of {level.write_granule_shape}, which this store may not merge",
                "write whole granules; or the operator says `conditional_writes = true`, if the store has them",
            )
        granules = whole.voxel_count // math.prod(level.write_granule_shape) * self.info.channel_count
        rounds = 2 + 2 * granules // _REQUESTS_AT_ONCE  # each is read, perhaps, and written
        patience = self._opened.patience.of(self._options.context, "writing voxels", requests=rounds)
        writable = self._bound(patience).capability(Writable)
        if writable is None:
            raise MissingCapability("this volume takes no writes", "ask for its capability first")
        with told("writing voxels"):
            writable.write(box, voxels, scale=scale)

    def is_absent(self, box: Box, *, scale: int = 0) -> bool:
        """Whether no stored chunk overlaps `box`; see `voxgate.model.volumes.ChunkPresence`.

        Raises:
            UnknownVolume, VersionMoved: when none does, and the volume is gone or another.
        """
        info, context, presence = self.info, self._options.context, self._opened.presence
        checked_box(info, box, scale)
        context.check()
        time = chosen_time(info, bound_time(info, self._options))
        if presence is None:
            raise MissingCapability("this volume does not say which chunks are stored", "ask for its capability first")
        with told("looking for stored chunks"):
            is_absent = presence.is_absent(info, box, scale, time, context) and not self._has_suffixed(box, scale)
            if is_absent:
                self._opened.check_there(context)
        return is_absent

    def capability(self, kind: type[C]) -> C | None:
        """What the inner volume can do; what touches voxels only through here."""
        if kind is ChunkPresence:
            return None if self._opened.presence is None else cast("C", self)
        if kind is KeepsProvenance:
            keep = self._opened.provenance
            return None if keep is None else cast("C", keep(self._options.context))
        found = self._inner.capability(kind)
        if found is not None and kind in (StoredMeshes, StoredMeshFiles, StoredSkeletons, SegmentProperties):
            return cast("C", _Kept(found, lambda: self._opened.check_there(self._options.context)))
        return cast("C", self) if found is not None and kind is Writable else found

    def _has_suffixed(self, box: Box, scale: int) -> bool:
        """Whether chunks are there under names that tensorstore does not look for."""
        patience = self._opened.patience.of(self._options.context, "looking for stored chunks")
        suffixed = self._bound(patience).capability(SuffixedChunks)
        return suffixed is not None and suffixed.has_suffixed(box, scale=scale)

    def _patience(self, doing: str, progress: Callable[[], object]) -> CallContext:
        return self._opened.patience.of(self._options.context, doing, progress)

    def _bound(self, context: CallContext) -> Volume:
        """The inner volume with the patience of one call."""
        return self._opened.store.bind(self._opened.info, replace(self._options, context=context))


class _Kept:
    """What is kept beside the voxels, with failures of the network told apart, and nothing of a volume that is gone.

    Satisfies StoredMeshes, StoredMeshFiles, StoredSkeletons and SegmentProperties as far as the inner object does.
    """

    def __init__(self, inner: Any, check_there: Callable[[], None]) -> None:
        self._inner = inner
        self._check_there = check_there

    def stored_mesh(self, segment_id: int) -> Mesh | None:
        """See `StoredMeshes.stored_mesh`."""
        with told("reading a stored mesh"):
            found: Mesh | None = self._inner.stored_mesh(segment_id)
            if found is None:
                self._check_there()
        return found

    def read_mesh_file(self, name: str, start: int = 0, stop: int | None = None) -> Iterator[MeshFilePiece] | None:
        """See `StoredMeshFiles.read_mesh_file`."""
        with told("reading a file of meshes"):
            found: Iterator[MeshFilePiece] | None = self._inner.read_mesh_file(name, start, stop)
            if found is None:
                self._check_there()
        return None if found is None else _told_of(found)

    def stored_skeleton(self, segment_id: int) -> Skeleton | None:
        """See `StoredSkeletons.stored_skeleton`."""
        with told("reading a stored skeleton"):
            found: Skeleton | None = self._inner.stored_skeleton(segment_id)
            if found is None:
                self._check_there()
        return found

    def properties(self) -> SegmentTable:
        """See `SegmentProperties.properties`."""
        with told("reading segment properties"):
            found: SegmentTable = self._inner.properties()
        return found


def _told_of(pieces: Iterator[MeshFilePiece]) -> Iterator[MeshFilePiece]:
    """The same pieces, with failures of the network told apart."""
    with told("reading a file of meshes"):
        yield from pieces


def _may_share_granules(info: VolumeInfo) -> bool:
    """Whether a granule may hold several times, of which a write has one: the description does not say."""
    return info.time_count > 1
