"""Computing skeletons of segments of any Volume from its voxels: located, read whole, and handed to a worker.

A segment is read into one mask, whatever the blocks that it is stored or read in: no block cuts a tree, so that every
connected part of it has exactly one. What bounds the work is the number of voxels around the segment.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Generator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any, Protocol, TypeVar

import numpy as np
import numpy.typing as npt

from voxgate.model.errors import LimitExceeded, SegmentNotFound, VoxgateError
from voxgate.model.geometry import Box, Vec3
from voxgate.model.requests import scale_of
from voxgate.model.segments import ManySegmentExtents, SegmentExtent, SegmentExtents
from voxgate.model.skeletons import Skeleton, SkeletonFailure, SkeletonRequest, Teasar
from voxgate.model.volumes import CallContext, Volume, VolumeInfo
from voxgate_blocks.plans import plan_blocks
from voxgate_blocks.readahead import ReadAhead, Selection, awaited, each_answered, read_blocks
from voxgate_blocks.runs import find_extents, not_found
from voxgate_blocks.scanning import ScanLimits, reading_threads
from voxgate_mesh.checks import MeshLimits, check_segment_ids, check_segmentation, known_voxel_size
from voxgate_mesh.meshing import HEARTBEAT_S
from voxgate_mesh.progress import ScanProgress
from voxgate_mesh.skeletonizers import PackedMask, check_skeletonizer, skeletonize_packed

R = TypeVar("R")

_BLOCK_BYTES = 32 << 20

SkeletonEvent = Skeleton | SkeletonFailure | ScanProgress


class Killable(Protocol):
    """Where skeletons are made; `voxgate_serving.killable.KillableWorkers` is one."""

    def run(
        self, function: Callable[..., R], *args: Any, context: CallContext, tick_s: float | None = None
    ) -> Generator[None, None, R]:
        """Run a module-level function, yielding every `tick_s` seconds; returns its result."""
        ...


@dataclass(frozen=True, slots=True)
class SkeletonSettings:
    """What bounds the work; the same for every call of a server.

    Attributes:
        limits: segment ids, and voxels searched.
        max_voxel_count: the most voxels around one segment: one byte each here, and about 16 in a worker.
        ahead: how far to read ahead.
    """

    limits: MeshLimits = field(default_factory=MeshLimits)
    max_voxel_count: int = 512**3
    ahead: ReadAhead = field(default_factory=lambda: ReadAhead(tick_s=HEARTBEAT_S))


def skeletonize_segments(
    volume: Volume, request: SkeletonRequest, *, workers: Killable, context: CallContext, settings: SkeletonSettings
) -> Generator[SkeletonEvent]:
    """Compute skeletons: what can be refused for all of them is refused first.

    Args:
        volume: a segmentation. It is read here, in this process; workers get one mask at a time.
        request: which segments, scale and parameters.
        workers: where skeletons are made.
        context: when to stop: nothing goes on for more than a second after it says so.
        settings: limits of the server.

    Yields:
        One Skeleton or SkeletonFailure for each id, and progress. Vertices are centres of voxels of the segment,
        nanometres in the global frame, where voxel i spans [i * size, (i + 1) * size).

    Raises:
        InvalidArgument, InvalidSegmentId, LimitExceeded, UnknownScale, MissingCapability, ConfigInvalid.
    """
    info = volume.info
    check_segment_ids(request.segment_ids, settings.limits)
    check_segmentation(info)
    level = finest_searchable(volume, settings.limits) if request.scale is None else request.scale
    known_voxel_size(info, scale_of(info, level))
    yield ScanProgress("starting", 0, 0)
    ready = workers.run(check_skeletonizer, context=context, tick_s=settings.ahead.tick_s)
    yield from _telling(ready, ScanProgress("starting", 0, 0))
    run = _Run(volume, request, workers, context, settings)
    answers = yield from _waited(run, level)
    for segment_id, answer in zip(request.segment_ids, answers, strict=True):
        context.check()
        try:
            if isinstance(answer, VoxgateError):
                raise answer
            yield from run.one(answer, level)
        except VoxgateError as error:
            context.check()
            yield SkeletonFailure(segment_id, error)


def finest_searchable(volume: Volume, limits: MeshLimits) -> int:
    """The finest scale where segments can be found: by an index, else by reading; the coarsest where none is small."""
    info = volume.info
    if volume.capability(SegmentExtents) is not None:
        return 0
    fitting = (i for i, scale in enumerate(info.scales) if scale.bounds.voxel_count <= limits.max_scan_voxel_count)
    return next(fitting, len(info.scales) - 1)


def locate_segments(
    volume: Volume, segment_ids: tuple[int, ...], scale: int, limits: ScanLimits, context: CallContext
) -> list[SegmentExtent | VoxgateError]:
    """Where segments are at a scale, in order, or why that is not known: by the store's index, else by reading.

    Raises:
        LimitExceeded: when there is no index, and more voxels than may be searched.
    """
    many = volume.capability(ManySegmentExtents)
    if many is not None:
        return many.segment_extents(segment_ids, scale=scale)
    knows = volume.capability(SegmentExtents)
    if knows is None:
        return find_extents(volume, segment_ids, scale=scale, limits=limits, context=context)

    def ask(segment_id: int) -> SegmentExtent | VoxgateError:
        try:
            return knows.segment_extent(segment_id, scale=scale)
        except VoxgateError as error:
            return error

    return each_answered(segment_ids, ask, threads=reading_threads(volume), context=context)


def box_at(info: VolumeInfo, box: Box, scale: int, wanted: int) -> Box:
    """A box of one scale as a box of another that contains it, one voxel larger all around where there are voxels."""
    level = info.scales[wanted]
    ratios = [1.0, 1.0, 1.0]
    if wanted != scale:
        sizes = known_voxel_size(info, info.scales[scale]), known_voxel_size(info, level)
        ratios = [one / other for one, other in zip(*sizes, strict=True)]
    start = Vec3(*(math.floor(low * ratio) - 1 for low, ratio in zip(box.start, ratios, strict=True)))
    stop = Vec3(*(math.ceil(high * ratio) + 1 for high, ratio in zip(box.stop, ratios, strict=True)))
    return Box(start, stop).intersection(level.bounds)


@dataclass(frozen=True, slots=True)
class _Run:
    """One request under way."""

    volume: Volume
    request: SkeletonRequest
    workers: Killable
    context: CallContext
    settings: SkeletonSettings

    def located(self, scale: int) -> list[SegmentExtent | VoxgateError]:
        """Where the segments are at a scale."""
        ahead = self.settings.ahead
        limits = ScanLimits(self.settings.limits.max_scan_voxel_count, ahead.in_flight_bytes)
        return locate_segments(self.volume, self.request.segment_ids, scale, limits, self.context)

    def one(self, extent: SegmentExtent, located_at: int) -> Generator[SkeletonEvent]:
        """Progress, and the skeleton of one segment.

        Raises:
            LimitExceeded: when it is too large; says which scale would do.
            SegmentNotFound: when no voxel at the scale that is small enough is of it.
        """
        if extent.segment_id > np.iinfo(self.volume.info.dtype).max:
            raise not_found(extent.segment_id)
        scale, box = self._chosen(extent, located_at)
        mask = yield from self._mask(extent.segment_id, box, scale)
        if not mask.any():
            raise SegmentNotFound(
                f"segment {extent.segment_id} has no voxel at scale {self.volume.info.scales[scale].key!r}",
                "take a finer scale",
                details={"segment_id": str(extent.segment_id)},
            )
        packed = PackedMask.of(mask)
        del mask
        level = self.volume.info.scales[scale]
        size = known_voxel_size(self.volume.info, level)
        told = ScanProgress("skeletonizing", 0, 0)
        lines = self.workers.run(
            skeletonize_packed,
            packed,
            (size.x, size.y, size.z),
            self.request.teasar or Teasar(),
            context=self.context,
            tick_s=self.settings.ahead.tick_s,
        )
        voxels, edges, radii = yield from _telling(lines, told)
        # From whole numbers, in float64: a centre far from the origin is as exact as float32 can say it.
        centres = (voxels + np.array(tuple(box.start)) + 0.5) * np.array((size.x, size.y, size.z))
        yield Skeleton(
            extent.segment_id,
            centres.astype(np.float32),
            edges,
            radii,
            self.volume.info.resolved_version,
            "computed",
            scale,
        )

    def _chosen(self, extent: SegmentExtent, located_at: int) -> tuple[int, Box]:
        """The scale to read, and the box of it that has the whole segment."""
        info, limit = self.volume.info, self.settings.max_voxel_count
        boxes = {
            scale: box_at(info, extent.box, located_at, scale)
            for scale in range(located_at, len(info.scales))
            if scale == located_at or info.scales[scale].voxel_size_nm is not None
        }
        fitting = [scale for scale, box in boxes.items() if box.voxel_count <= limit]
        if self.request.scale is None and fitting:
            return fitting[0], boxes[fitting[0]]
        if located_at in fitting:
            return located_at, boxes[located_at]
        asked = boxes[located_at].voxel_count
        remedy = "the operator can raise max_skeleton_voxel_count: no coarser scale of it is small enough"
        if fitting:
            remedy = f"take scale {fitting[0]} ({info.scales[fitting[0]].key}), the finest that is within the limit"
        raise LimitExceeded(
            f"segment {extent.segment_id} lies in a box of {asked:,} voxels at scale {located_at}; a skeleton is "
            f"computed from at most {limit:,}",
            remedy,
            details={"limit": str(limit), "asked": str(asked), "scale": str(fitting[0]) if fitting else ""},
        )

    def _mask(self, segment_id: int, box: Box, scale: int) -> Generator[ScanProgress, None, npt.NDArray[np.bool_]]:
        info = self.volume.info
        wanted = info.dtype.type(segment_id)
        mask = np.zeros(box.shape.zyx, np.bool_)
        ahead, item = self.settings.ahead, info.dtype.itemsize
        block_bytes = min(_BLOCK_BYTES, ahead.in_flight_bytes // 4)
        blocks = plan_blocks(info.scales[scale], box, voxel_bytes=item, block_bytes=block_bytes)
        total, done = box.voxel_count * item, 0
        reads = read_blocks(self.volume, blocks, Selection(scale), ahead=ahead, context=self.context)
        try:
            for block, voxels in reads:
                if voxels is not None:
                    np.equal(voxels[0], wanted, out=mask[block.slices_zyx(box.start)])
                    done += block.voxel_count * item
                yield ScanProgress("reading", done, total)
        finally:
            reads.close()
        return mask


def _waited(run: _Run, scale: int) -> Generator[ScanProgress, None, list[SegmentExtent | VoxgateError]]:
    """Locate in a thread, so that whoever waits is told so."""
    told = ScanProgress("searching", 0, 0)
    yield told
    pool = ThreadPoolExecutor(1, thread_name_prefix="locate")
    try:
        future = pool.submit(run.located, scale)
        for _ in awaited(future, run.context, run.settings.ahead.tick_s):
            yield told
        return future.result()
    finally:
        pool.shutdown(wait=False, cancel_futures=True)


def _telling(work: Generator[None, None, R], told: ScanProgress) -> Generator[ScanProgress, None, R]:
    """Tell the same at every tick of some work; returns its result."""
    try:
        while True:
            try:
                next(work)
            except StopIteration as end:
                return end.value  # type: ignore[no-any-return]
            yield told
    finally:
        work.close()
