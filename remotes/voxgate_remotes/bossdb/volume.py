"""A BossDB channel as a volume."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import TypeVar, cast

from voxgate.model.downsampling import Downsampling, DownsamplingState
from voxgate.model.errors import (
    ChunkCorrupt,
    OutOfBounds,
    ReadOnly,
    StoreRefused,
    StoreUnavailable,
    UnknownVolume,
    VersionMoved,
)
from voxgate.model.geometry import Box
from voxgate.model.provenance import KeepsProvenance
from voxgate.model.requests import check_box, check_write
from voxgate.model.segments import SegmentExtents, SegmentIdReservation, SegmentIds
from voxgate.model.volumes import OpenOptions, ReadTuning, Tuned, VolumeInfo, Voxels, Writable
from voxgate_remotes.bossdb import cutouts, routes, writing
from voxgate_remotes.bossdb.channels import Described
from voxgate_remotes.bossdb.client import Asking
from voxgate_remotes.bossdb.keyvalues import BossKeyValues, BossProvenance
from voxgate_remotes.bossdb.routes import Region
from voxgate_remotes.bossdb.segments import Reservation, SegmentIndex
from voxgate_remotes.bossdb.shared import Shared
from voxgate_remotes.checks import bound_time, checked_box, checked_channels, checked_out, chosen_time
from voxgate_remotes.http.answers import StoreCall

C = TypeVar("C")

_STATES = {
    "NOT_DOWNSAMPLED": DownsamplingState.NONE,
    "QUEUED": DownsamplingState.QUEUED,
    "IN_PROGRESS": DownsamplingState.RUNNING,
    "DOWNSAMPLED": DownsamplingState.DONE,
    "FAILED": DownsamplingState.FAILED,
}


class BossVolume:
    """A channel at one time. Thread-safe."""

    def __init__(self, shared: Shared, path: tuple[str, ...], described: Described, options: OpenOptions) -> None:
        """Bind a described channel to a caller.

        Raises:
            UnknownVersion, OutOfBounds: for a version, or a time that does not exist.
        """
        info = described.info
        self._shared = shared
        self._path = path
        self._described = described
        self._time = bound_time(info, options)
        self._context = options.context

    @property
    def info(self) -> VolumeInfo:
        """The volume's description."""
        return self._described.info

    @property
    def tuning(self) -> ReadTuning:
        """Reads of about one request, on the grid of the stored cuboids, several at a time."""
        return self._shared.tuning

    def read(
        self, box: Box, *, scale: int = 0, channels: Sequence[int] | None = None, out: Voxels | None = None
    ) -> Voxels:
        """Read a box; see `voxgate.model.volumes.Volume.read`. After a failure `out` may be partly filled.

        Raises:
            VersionMoved: when the channel is not what it was when this volume was opened.
            UnknownVolume: when it was deleted since; and what `cutouts.read` raises.
        """
        checked_box(self.info, box, scale)
        wanted = checked_channels(self.info, channels)
        out = checked_out((len(wanted), *box.shape.zyx), self.info.dtype, out)
        region = self._region(box, scale)
        self._context.check()
        if wanted:
            with self._watching():
                cutouts.read(self._shared, region, out[0], self._context)
            out[1:] = out[0]
        return out

    def write(self, box: Box, voxels: Voxels, *, scale: int = 0) -> None:
        """Write a box, zeros included; see `voxgate.model.volumes.Writable.write` and `writing.write`.

        The store then takes its coarser levels for outdated, so they are offered again after `start_downsampling`.

        Raises:
            ReadOnly: for a level that the store computes, or a channel whose voxels are read from elsewhere.
            VersionMoved, UnknownVolume: as for `read`.
        """
        level = check_write(self.info, box, voxels, scale)
        if not level.writable:
            raise self._read_only(level.key)
        region = self._region(box, scale)
        self._context.check()
        try:
            with self._watching():
                writing.write(self._shared, region, voxels[0], self._context)
        finally:
            if self._described.channel.is_downsampled:
                self._shared.channels.drop(self._path)

    def downsampling(self) -> DownsamplingState:
        """How far the store is with the coarser levels; see `voxgate.model.downsampling.Downsampling`.

        Raises:
            StoreUnavailable: for a state that BossDB does not have; and what the store fails with.
        """
        self._shared.channels.drop(self._path)
        described = self._shared.channels.get(self._path, self._context)
        status = described.channel.downsample_status.upper()
        if status not in _STATES:
            raise StoreUnavailable(f"BossDB says that downsampling is {status[:40]!r}", "look at the channel there")
        return _STATES[status]

    def start_downsampling(self) -> DownsamplingState:
        """Have the store compute the coarser levels; see `voxgate.model.downsampling.Downsampling`.

        Raises:
            StoreRefused: when it is doing so, or has done so and nothing was written since.
            StoreAccessDenied, StoreBusy, StoreUnavailable, UnknownVolume.
        """
        with self._watching():
            call = StoreCall("POST", routes.downsample(self._path), is_repeatable=False)
            self._shared.client.done(call, self._context, 201)
        return self.downsampling()

    def capability(self, kind: type[C]) -> C | None:
        """Tuned, Downsampling, KeepsProvenance; Writable where what is written is read; of annotations their index."""
        if kind in (Tuned, Downsampling) or (kind is Writable and any(scale.writable for scale in self.info.scales)):
            return cast("C", self)
        if kind in (SegmentIds, SegmentExtents) and self._described.has_index:
            return cast("C", SegmentIndex(self._shared, self, self._path, self._context))
        if kind is KeepsProvenance:
            return cast("C", BossProvenance(BossKeyValues(Asking(self._shared.client, self._context), self._path)))
        if kind is SegmentIdReservation and self._described.channel.type == "annotation":
            return cast("C", Reservation(self._shared, self._path, self._context))
        return None

    def _region(self, box: Box, scale: int) -> Region:
        level = check_box(self.info, box, scale)
        return Region(self._path, level.key, box, self._chosen_time())

    def _chosen_time(self) -> int | None:
        """The bound time; None without a time axis.

        Raises:
            InvalidArgument: when no time was given at open and there are several.
        """
        return None if self.info.time_count == 1 else chosen_time(self.info, self._time)

    @contextmanager
    def _watching(self) -> Iterator[None]:
        """Tell a store that changed under a caller from one that fails.

        What the store answers for a channel that was deleted, or made again with another type or frame, is a refusal
        or an answer of the wrong length; so at any of these it is looked at again.
        """
        try:
            yield
        except UnknownVolume:
            self._shared.channels.drop(self._path)
            raise
        except (OutOfBounds, ChunkCorrupt, StoreRefused) as error:
            if not self._shared.channels.has_moved(self._path, self._described, self._context):
                raise
            remedy = "open it again"
            raise VersionMoved("the channel was changed since it was opened", remedy, details=error.details) from error

    def _read_only(self, key: str) -> ReadOnly:
        if self._described.channel.is_elsewhere:
            why = "BossDB reads this channel from a CloudVolume bucket and would write elsewhere"
            return ReadOnly(why, "write to the bucket as a precomputed volume")
        return ReadOnly(f"BossDB computes its level {key} by itself", "write the base level and have it downsampled")
