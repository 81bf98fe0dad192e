"""A volume of DVID, bound to one version."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar, cast

from voxgate.model.errors import OutOfBounds
from voxgate.model.geometry import Box
from voxgate.model.provenance import KeepsProvenance
from voxgate.model.requests import check_version_open
from voxgate.model.segments import (
    SegmentCounts,
    SegmentExtents,
    SegmentIdReservation,
    SegmentLookup,
    SegmentRuns,
    Supervoxels,
)
from voxgate.model.skeletons import StoredMeshes, StoredSkeletons
from voxgate.model.versions import Versioned
from voxgate.model.volumes import LabelView, OpenOptions, ReadTuning, Tuned, VolumeInfo, Voxels, Writable
from voxgate_remotes.checks import checked_box, checked_channels, checked_out, checked_write
from voxgate_remotes.config import TuningConfig
from voxgate_remotes.dvid.client import DvidClient
from voxgate_remotes.dvid.instances import KEY_VALUES, Instance
from voxgate_remotes.dvid.labels import LabelSource
from voxgate_remotes.dvid.levels import Level
from voxgate_remotes.dvid.logs import DvidLog
from voxgate_remotes.dvid.repos import Repos
from voxgate_remotes.dvid.runs import DvidRuns
from voxgate_remotes.dvid.segments import DvidBodies, DvidCounts, DvidExtents, DvidLookup, DvidReservation
from voxgate_remotes.dvid.stored import DvidMeshes, DvidSkeletons
from voxgate_remotes.dvid.supervoxel_meshes import TAR_SUPERVOXELS, DvidSupervoxelMeshes
from voxgate_remotes.dvid.versions import DvidVersions
from voxgate_remotes.dvid.voxels import PARALLEL_READS, REQUEST_BYTES, Place, read_into
from voxgate_remotes.dvid.writes import BlockLocks, check_bodies, write_box

C = TypeVar("C")


@dataclass(frozen=True, slots=True)
class Server:
    """What all volumes of a remote share; `stated` is how the operator wants it to be read."""

    client: DvidClient
    repos: Repos
    locks: BlockLocks
    stated: TuningConfig


@dataclass(frozen=True, slots=True)
class Opened:
    """A volume that was found and described, not yet bound to a caller.

    Attributes:
        info: the description.
        levels: its scales, finest first; empty while nobody says where it has voxels.
        instance: the instance of the finest.
        root: the UUID of its repository.
        types: the type names of the instances of the repository, by name.
    """

    info: VolumeInfo
    levels: tuple[Level, ...]
    instance: Instance
    root: str
    types: Mapping[str, str]


class DvidVolume:
    """A volume of one instance, or of an image and its coarser siblings. Thread-safe."""

    def __init__(self, opened: Opened, server: Server, options: OpenOptions) -> None:
        """Bind a volume to a caller.

        Raises:
            OutOfBounds: for a time, which DVID does not have.
        """
        if options.time_index not in (None, 0):
            raise OutOfBounds(f"there is no time point {options.time_index}", "this volume has no time axis")
        self._opened = opened
        self._server = server
        self._place = Place(server.client, opened.info.resolved_version, options.context)
        self._supervoxels = options.label_view is LabelView.SUPERVOXELS

    @property
    def info(self) -> VolumeInfo:
        """The volume's description."""
        return self._opened.info

    @property
    def tuning(self) -> ReadTuning:
        """Whole blocks, requests as large as DVID answers without serialising them, a few at a time."""
        stated = self._server.stated
        parallel, size = stated.parallel_reads or PARALLEL_READS, stated.request_bytes or REQUEST_BYTES
        return ReadTuning(parallel, size, self._opened.instance.block)

    def read(
        self, box: Box, *, scale: int = 0, channels: Sequence[int] | None = None, out: Voxels | None = None
    ) -> Voxels:
        """Read a box; see `voxgate.model.volumes.Volume.read`. After a failure `out` may be partly filled."""
        checked_box(self.info, box, scale)
        wanted = checked_channels(self.info, channels)
        out = checked_out((len(wanted), *box.shape.zyx), self.info.dtype, out)
        self._place.context.check()
        if wanted:
            level, stated = self._opened.levels[scale], self._server.stated
            read_into(self._place, level, box, out[0], supervoxels=self._supervoxels, stated=stated)
            out[1:] = out[:1]  # one channel, asked for several times
        return out

    def write(self, box: Box, voxels: Voxels, *, scale: int = 0) -> None:
        """Write a box; see `voxgate.model.volumes.Writable.write`, and `writes` for how cut blocks are merged.

        Opened with bodies as labels, ids are refused that would not read back: those of supervoxels that belong to
        another body.

        Raises:
            VersionLocked: when the version is committed; nothing is written then.
            SegmentSuperseded: for such an id.
            UnsupportedFormat: below voxel 0, where DVID keeps coarser levels.
        """
        check_version_open(self.info)
        checked_write(self.info, box, voxels, scale)
        self._place.context.check()
        level = self._opened.levels[scale]
        if level.instance.typename == "labelmap" and not self._supervoxels:
            check_bodies(self._place, level.instance, voxels[0])
        write_box(self._place, level, box, voxels[0], self._server.locks)

    def capability(self, kind: type[C]) -> C | None:
        """Writable, Tuned, Versioned, KeepsProvenance; what DVID knows of labels, answered rightly; stored products."""
        if kind is Tuned:
            return cast("C", self)
        if kind is Writable:
            return cast("C", self) if any(scale.writable for scale in self.info.scales) else None
        if kind is KeepsProvenance:
            return cast("C", DvidLog(self._place))
        if kind is Versioned:
            return cast("C", DvidVersions(self._place, self._opened.root, self._server.repos))
        make = self._segments().get(kind) or self._products().get(kind)
        return None if make is None else cast("C", make())

    def _segments(self) -> dict[Any, Callable[[], object]]:
        """What DVID knows of labels.

        Below voxel 0 its `labels` answers wrongly and its `sparsevol` ends the server (measured), so neither is asked.
        labelarray and labelblk know the label at a point alone in a form that is the same for all servers.
        """
        instance = self._opened.instance
        if not instance.is_labels or not self._opened.levels:
            return {}
        is_negative = instance.has_negative or min(self._opened.levels[0].scale.bounds.start) < 0
        source = LabelSource(self._place, self._opened.levels, self._supervoxels)
        found: dict[Any, Callable[[], object]] = {}
        if not is_negative:
            found[SegmentLookup] = lambda: DvidLookup(source, self.info)
        if instance.typename == "labelmap" and instance.is_indexed:
            found |= {
                SegmentCounts: lambda: DvidCounts(source, self.info),
                SegmentExtents: lambda: DvidExtents(source, self.info),
                Supervoxels: lambda: DvidBodies(source),
                SegmentIdReservation: lambda: DvidReservation(source),
            }
            if not is_negative:
                found[SegmentRuns] = lambda: DvidRuns(source, self.info)
        return found

    def _products(self) -> dict[Any, Callable[[], object]]:
        """Meshes and skeletons, which DVID keeps in instances that are named after this one."""
        instance, types, place = self._opened.instance, self._opened.types, self._place
        found: dict[Any, Callable[[], object]] = {}
        if not instance.is_labels:
            return found
        if not self._supervoxels:
            if types.get(f"{instance.name}_meshes") == KEY_VALUES:
                found[StoredMeshes] = lambda: DvidMeshes(place, instance)
            if types.get(f"{instance.name}_skeletons") == KEY_VALUES and instance.voxel_size_nm is not None:
                found[StoredSkeletons] = lambda: DvidSkeletons(place, instance)
        if types.get(f"{instance.name}_sv_meshes") == TAR_SUPERVOXELS:
            bodies = DvidMeshes(place, instance) if StoredMeshes in found else None
            found[StoredMeshes] = lambda: DvidSupervoxelMeshes(
                place, instance, supervoxels=self._supervoxels, bodies=bodies
            )
        return found
