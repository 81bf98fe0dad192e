"""A volume behind a network: what goes wrong is told apart, a cut granule is merged only where that is safe."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, cast

from voxgate.model.errors import MissingCapability, UnalignedWrite
from voxgate.model.geometry import Box, aligned_outward
from voxgate.model.meshes import Mesh
from voxgate.model.segment_properties import SegmentProperties, SegmentTable
from voxgate.model.skeletons import Skeleton, StoredMeshes, StoredSkeletons
from voxgate.model.volumes import C, ChunkPresence, OpenOptions, Volume, VolumeInfo, Voxels, Writable
from voxgate_remotes.checks import bound_time, checked_box, checked_write, chosen_time
from voxgate_remotes.objects.failures import told
from voxgate_remotes.objects.presence import Presence


class ObjectVolume:
    """A volume of objects. Thread-safe as the inner one is."""

    def __init__(self, inner: Volume, options: OpenOptions, presence: Presence | None, *, merges_safely: bool) -> None:
        """Watch a volume.

        Args:
            inner: the volume, of a format that reads through tensorstore.
            options: those it is bound to.
            presence: what can say which chunks there are; None for nothing.
            merges_safely: whether cut granules may be merged.
        """
        self._inner = inner
        self._options = options
        self._presence = presence
        self._merges_safely = merges_safely

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
        """
        with told("reading voxels"):
            return self._inner.read(box, scale=scale, channels=channels, out=out)

    def write(self, box: Box, voxels: Voxels, *, scale: int = 0) -> None:
        """Write a box; see `voxgate.model.volumes.Writable.write`.

        Raises:
            UnalignedWrite: for a box that cuts a granule, where the store is not known to write on condition.
            StoreAccessDenied, StoreBusy, StoreRefused: as the store says, besides.
        """
        level = checked_write(self._inner.info, box, voxels, scale)
        if not self._merges_safely:
            whole = aligned_outward(box, level.write_granule_shape, level.grid_origin).intersection(level.bounds)
            if whole != box or _may_share_granules(self._inner.info):
                raise UnalignedWrite(
                    f"the box cuts stored granules of {level.write_granule_shape}, which this store may not merge",
                    "write whole granules; or the operator says `conditional_writes = true`, if the store has them",
                )
        writable = self._inner.capability(Writable)
        if writable is None:
            raise MissingCapability("this volume takes no writes", "ask for its capability first")
        with told("writing voxels"):
            writable.write(box, voxels, scale=scale)

    def is_absent(self, box: Box, *, scale: int = 0) -> bool:
        """Whether no stored chunk overlaps `box`; see `voxgate.model.volumes.ChunkPresence`."""
        info, context = self._inner.info, self._options.context
        checked_box(info, box, scale)
        context.check()
        time = chosen_time(info, bound_time(info, self._options))
        if self._presence is None:
            raise MissingCapability("this volume does not say which chunks are stored", "ask for its capability first")
        with told("looking for stored chunks"):
            return self._presence.is_absent(info, box, scale, time, context)

    def capability(self, kind: type[C]) -> C | None:
        """What the inner volume can do; what touches voxels only through here."""
        if kind is ChunkPresence:
            return None if self._presence is None else cast("C", self)
        found = self._inner.capability(kind)
        if found is not None and kind in (StoredMeshes, StoredSkeletons, SegmentProperties):
            return cast("C", _Kept(found))
        return cast("C", self) if found is not None and kind is Writable else found


class _Kept:
    """What is kept beside the voxels, with failures of the network told apart.

    Satisfies StoredMeshes, StoredSkeletons and SegmentProperties as far as the inner object does.
    """

    def __init__(self, inner: Any) -> None:
        self._inner = inner

    def stored_mesh(self, segment_id: int) -> Mesh | None:
        """See `StoredMeshes.stored_mesh`."""
        with told("reading a stored mesh"):
            found: Mesh | None = self._inner.stored_mesh(segment_id)
        return found

    def stored_skeleton(self, segment_id: int) -> Skeleton | None:
        """See `StoredSkeletons.stored_skeleton`."""
        with told("reading a stored skeleton"):
            found: Skeleton | None = self._inner.stored_skeleton(segment_id)
        return found

    def properties(self) -> SegmentTable:
        """See `SegmentProperties.properties`."""
        with told("reading segment properties"):
            found: SegmentTable = self._inner.properties()
        return found


def _may_share_granules(info: VolumeInfo) -> bool:
    """Whether a granule may hold several times, of which a write has one: the description does not say."""
    return info.time_count > 1
