"""Searching the voxels of a segmentation block by block: what is refused first, and how far reading goes ahead."""

from __future__ import annotations

from collections.abc import Callable, Generator
from dataclasses import dataclass, field
from typing import TypeVar

from voxgate.model.errors import InvalidArgument, LimitExceeded, MissingCapability
from voxgate.model.geometry import Box
from voxgate.model.requests import check_box, scale_of
from voxgate.model.volumes import CallContext, Scale, Tuned, Volume, VolumeInfo, VolumeKind, Voxels
from voxgate_blocks.plans import plan_blocks
from voxgate_blocks.readahead import ReadAhead, work_ahead

T = TypeVar("T")

_BLOCK_BYTES = 32 << 20
_BLOCKS_IN_FLIGHT = 4
_THREADS = 4


@dataclass(frozen=True, slots=True)
class ScanLimits:
    """What one search may cost.

    Attributes:
        max_voxels: the most voxels to search; a larger box is refused before anything is read.
        in_flight_bytes: about how many bytes are held at once; one block of stored chunks always is.
        tick_s: while nothing is ready, searches that stream yield a tick this often; None for never.
    """

    max_voxels: int
    in_flight_bytes: int = 64 << 20
    tick_s: float | None = None


@dataclass(frozen=True, slots=True)
class Scan:
    """One search that may begin.

    Attributes:
        volume: a segmentation of one channel.
        box: where, inside the scale's bounds.
        scale: index of the scale.
        limits: what it may cost.
        context: the caller's patience, looked at between blocks and while a store is waited for.
    """

    volume: Volume
    box: Box
    scale: int
    limits: ScanLimits
    context: CallContext = field(default_factory=CallContext)

    def check(self) -> None:
        """Refuse what cannot be searched, before anything is read.

        Raises:
            MissingCapability: when the volume has no segments.
            InvalidArgument: when it has several channels.
            UnknownScale, EmptyBox, OutOfBounds: for a bad box.
            LimitExceeded: when the box has more voxels than may be searched.
        """
        check_segments(self.volume.info, self.scale)
        check_box(self.volume.info, self.box, self.scale)
        limit, asked = self.limits.max_voxels, self.box.voxel_count
        if asked > limit:
            raise LimitExceeded(
                f"{asked} voxels would have to be read, the limit is {limit}",
                "ask for a smaller box, or the same place at a coarser scale",
                details={"limit": str(limit), "asked": str(asked)},
            )

    def blocks(
        self, work: Callable[[Box, Voxels], T], *, extra_voxel_bytes: int = 0
    ) -> Generator[tuple[Box, T | None]]:
        """Read the box block by block, each stored chunk once, and do something with each block.

        Args:
            work: takes a block's box and its voxels, array of shape (z, y, x); runs in other threads.
            extra_voxel_bytes: about how many bytes the work needs for each voxel, beside the voxel itself.

        Yields:
            (box, the work's result) in order x fastest, then y, z; with `limits.tick_s` also (box, None) while a
            store is waited for.
        """
        voxel_bytes = self.volume.info.dtype.itemsize + extra_voxel_bytes
        block_bytes = min(_BLOCK_BYTES, self.limits.in_flight_bytes // _BLOCKS_IN_FLIGHT)
        level = self.volume.info.scales[self.scale]
        boxes = plan_blocks(level, self.box, voxel_bytes=voxel_bytes, block_bytes=block_bytes)

        def done(block: Box) -> T:
            return work(block, self.volume.read(block, scale=self.scale)[0])

        # In a thread even where one is enough: whoever asked can leave, or be told to wait, while a store hangs.
        ahead = ReadAhead(self.limits.in_flight_bytes, reading_threads(self.volume), self.limits.tick_s)
        return work_ahead(boxes, done, lambda block: block.voxel_count * voxel_bytes, ahead=ahead, context=self.context)


def check_segments(info: VolumeInfo, scale: int) -> Scale:
    """The scale, once it is known that the volume has segments.

    Raises:
        UnknownScale, MissingCapability, InvalidArgument.
    """
    if info.kind is VolumeKind.IMAGE or info.dtype.kind != "u":
        what = "an image" if info.kind is VolumeKind.IMAGE else f"of dtype {info.dtype}"
        raise MissingCapability(
            f"the volume is {what} and has no segments",
            "ask a segmentation of unsigned integers",
            details={"capability": "segments"},
        )
    if info.channel_count != 1:
        raise InvalidArgument(f"the volume has {info.channel_count} channels", "segments are of one channel")
    return scale_of(info, scale)


def reading_threads(volume: Volume) -> int:
    """How many reads at a time serve a volume best."""
    tuned = volume.capability(Tuned)
    return _THREADS if tuned is None else tuned.tuning.parallel_reads
