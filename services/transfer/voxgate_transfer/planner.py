"""Cut a transfer into tasks, each of which owns whole write granules of the destination. Pure arithmetic on boxes.

No two tasks share a granule, so tasks may run in any order, at once, and again. Within its byte budget a task grows
toward whatever makes the source's chunks be read as few times as possible; it does not insist on a common multiple of
both grids, which can be enormous.
"""

from __future__ import annotations

import hashlib
import itertools
import json
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from voxgate.model.geometry import Box, Vec3, aligned_outward
from voxgate.model.volumes import Scale, VolumeInfo

DEFAULT_TASK_BYTES = 32 << 20
"""Voxel bytes of one task: large enough that the store's latency is paid rarely, small enough to finish in a second."""


@dataclass(frozen=True, slots=True)
class Task:
    """One block of a transfer: whole destination granules of one scale, clipped to what is copied.

    Attributes:
        scale: index of the scale in the destination.
        box: the voxels, global coordinates of the destination.
        source_scale: index of the scale in what is read, which has the same voxels at the same place.
    """

    scale: int
    box: Box
    source_scale: int


@dataclass(frozen=True, slots=True)
class ScalePlan:
    """The tasks of one scale: a grid of boxes, x fastest, then y, z.

    Attributes:
        scale: index of the scale in the destination.
        source_scale: index of the scale in what is read.
        bounds: the voxels to copy.
        start: the first voxel of the first whole granule; the grid of tasks starts there.
        task_shape: whole granules of the destination on each axis, in voxels.
    """

    scale: int
    source_scale: int
    bounds: Box
    start: Vec3
    task_shape: Vec3

    @property
    def counts(self) -> Vec3:
        """The number of tasks along each axis."""
        spans = zip(self.start, self.bounds.stop, self.task_shape, strict=True)
        return Vec3(*(-((start - stop) // extent) for start, stop, extent in spans))

    @property
    def task_count(self) -> int:
        """The number of tasks."""
        return self.counts.product

    def task(self, index: int) -> Task:
        """The task with this number, 0 to task_count - 1."""
        rest, x = divmod(index, self.counts.x)
        z, y = divmod(rest, self.counts.y)
        steps = zip(self.start, (x, y, z), self.task_shape, strict=True)
        corner = Vec3(*(start + step * extent for start, step, extent in steps))
        return Task(self.scale, Box.at(corner, self.task_shape).intersection(self.bounds), self.source_scale)


@dataclass(frozen=True, slots=True)
class TransferPlan:
    """All tasks of a transfer, numbered through its scales, finest first. A few numbers, however many tasks there are.

    Attributes:
        scales: the plan of each scale.
        voxel_bytes: bytes of one voxel, all channels.
    """

    scales: tuple[ScalePlan, ...]
    voxel_bytes: int

    @property
    def task_count(self) -> int:
        """The number of tasks."""
        return sum(plan.task_count for plan in self.scales)

    @property
    def digest(self) -> str:
        """Tells this numbering of tasks from any other: a SHA-256 of where they lie, lower-case hex."""
        numbers = [
            [plan.scale, plan.source_scale, *map(list, (*_ends(plan.bounds), plan.start, plan.task_shape))]
            for plan in self.scales
        ]
        return hashlib.sha256(json.dumps([self.voxel_bytes, numbers]).encode()).hexdigest()

    @property
    def total_bytes(self) -> int:
        """Voxel bytes of all tasks."""
        return sum(plan.bounds.voxel_count for plan in self.scales) * self.voxel_bytes

    def task(self, index: int) -> Task:
        """The task with this number, 0 to task_count - 1: always the same for the same volumes and budget.

        Raises:
            IndexError: for any other number.
        """
        if index >= 0:
            for plan in self.scales:
                if index < plan.task_count:
                    return plan.task(index)
                index -= plan.task_count
        raise IndexError(index)

    def __iter__(self) -> Iterator[Task]:
        return (plan.task(index) for plan in self.scales for index in range(plan.task_count))


def plan_transfer(
    source: VolumeInfo,
    destination: VolumeInfo,
    *,
    targets: Sequence[int] | None = None,
    task_bytes: int = DEFAULT_TASK_BYTES,
) -> TransferPlan:
    """Plan the copy of every scale of `source` into `destination`, whose scales have at least the same bounds.

    Args:
        source: what is read, of the destination's type.
        destination: what is written; its granules and grid decide the tasks.
        targets: of each scale of `source`, its index in the destination; None means the same.
        task_bytes: voxel bytes a task may have; one granule that is larger is a task all the same.
    """
    voxel_bytes = destination.dtype.itemsize * source.channel_count
    numbers = range(len(source.scales)) if targets is None else targets
    scales = []
    for index, (read, target) in enumerate(zip(source.scales, numbers, strict=True)):
        written = destination.scales[target]
        shape = _task_shape(read, written, task_bytes // voxel_bytes)
        whole = aligned_outward(read.bounds, written.write_granule_shape, written.grid_origin)
        scales.append(ScalePlan(target, index, read.bounds, whole.start, shape))
    return TransferPlan(tuple(scales), voxel_bytes)


def _ends(box: Box) -> tuple[Vec3, Vec3]:
    return box.start, box.stop


def _task_shape(source: Scale, destination: Scale, voxel_budget: int) -> Vec3:
    bounds, granule = source.bounds, destination.write_granule_shape
    whole = aligned_outward(bounds, granule, destination.grid_origin)
    most = voxel_budget // granule.product
    chunks, offset = source.stored_chunk_shape, whole.start - source.grid_origin
    axes = [_candidates(_Axis(*numbers), most) for numbers in zip(granule, whole.shape, chunks, offset, strict=True)]
    multiples = min(itertools.product(*axes), key=lambda choice: _cost(choice, granule, most))
    return Vec3(*(choice.multiple * extent for choice, extent in zip(multiples, granule, strict=True)))


@dataclass(frozen=True, slots=True)
class _Axis:
    """One axis: the destination's granule and whole extent, the source's chunk, and how far its grid is off."""

    granule: int
    extent: int
    chunk: int
    offset: int

    def amplification(self, multiple: int) -> float:
        """How often a voxel of the source is read, on average over the tasks, when each reads whole chunks.

        A task of extent t reads t + c - gcd(t, c) voxels of chunks of extent c on average over its positions, and
        t + c where the grids never meet; a task over the whole axis reads everything once.
        """
        task = multiple * self.granule
        if task >= self.extent:
            return 1.0
        step = math.gcd(task, self.chunk)
        meets = self.offset % step == 0
        return (task + self.chunk - (step if meets else 0)) / task


@dataclass(frozen=True, slots=True)
class _Choice:
    """A multiple of the granule on one axis, and what it makes the source be read."""

    multiple: int
    amplification: float


def _candidates(axis: _Axis, most: int) -> list[_Choice]:
    """Multiples worth trying: powers of two, powers of two of the common multiple of both grids, and the whole axis."""
    whole = axis.extent // axis.granule
    common = math.lcm(axis.granule, axis.chunk) // axis.granule
    limit = min(whole, most)
    tries = {1, whole if whole <= most else 1}
    for first in (1, common):
        tries.update(itertools.takewhile(lambda multiple: multiple <= limit, (first << i for i in itertools.count())))
    return [_Choice(multiple, axis.amplification(multiple)) for multiple in sorted(tries)]


def _cost(choices: Sequence[_Choice], granule: Vec3, most: int) -> tuple[bool, float, int, int]:
    """Orders combinations: within the budget, then fewest voxels read, then fewest tasks, then the most compact."""
    multiples = [choice.multiple for choice in choices]
    count = math.prod(multiples)
    extents = [multiple * extent for multiple, extent in zip(multiples, granule, strict=True)]
    read = math.prod(choice.amplification for choice in choices)
    return (count > max(1, most), round(read, 6), -count, sum(extents))
