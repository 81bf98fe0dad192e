"""The work of a pyramid: a volume seen one level coarser, copied into its own next level.

What is copied is a volume like any other, so planning, writing, reading back and skipping are those of every transfer.
"""

from __future__ import annotations

import hashlib
import math
from bisect import bisect_right
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, TypeVar, cast

import numpy as np

from voxgate.model.errors import StoreUnavailable
from voxgate.model.geometry import Box, Vec3
from voxgate.model.jobs import PyramidJobSpec, PyramidSpec, TransferResult
from voxgate.model.remotes import CoarserScale
from voxgate.model.requests import check_box, check_channels, check_out
from voxgate.model.volumes import OpenOptions, Scale, Tuned, Volume, VolumeInfo, Voxels
from voxgate_blocks.downsampling import Method, downsample, finer, pieces
from voxgate_jobs.work import BlockResult, Patience, Work
from voxgate_transfer.copying import Rules, copy_task, writer_of
from voxgate_transfer.origins import Origin
from voxgate_transfer.planner import DEFAULT_TASK_BYTES, TransferPlan, plan_transfer
from voxgate_transfer.pyramids import METHOD, LevelStores, check_levels, check_writable, levels_of, method_of

if TYPE_CHECKING:
    from voxgate.model.jobs import JobResult
    from voxgate_jobs.ledger import LedgerTotals

C = TypeVar("C")

PIECE_BYTES = 32 << 20
"""Voxel bytes of the finer level that are held at once, beside the task that is made of them."""
_BELIEVED_S = 5.0


class CoarserVolume:
    """A volume seen one level coarser; satisfies Volume. Its scale i is made from scale i of the volume, when read."""

    def __init__(self, inner: Volume, levels: Sequence[CoarserScale], method: Method) -> None:
        """Look at `inner`, whose scales 1, 2 … are `levels`."""
        self._inner = inner
        self._factors = [level.factor for level in levels]
        self._method = method
        finer_scales = inner.info.scales[: len(levels)]
        scales = tuple(_seen(scale, level) for scale, level in zip(finer_scales, levels, strict=True))
        self._info = replace(inner.info, scales=scales)

    @property
    def info(self) -> VolumeInfo:
        """The volume without its finest level, which is what is read here."""
        return self._info

    def read(
        self, box: Box, *, scale: int = 0, channels: Sequence[int] | None = None, out: Voxels | None = None
    ) -> Voxels:
        """Make a box of a level; see `voxgate.model.volumes.Volume.read`."""
        check_box(self._info, box, scale)
        wanted = check_channels(self._info, channels)
        shape = (len(wanted), *box.shape.zyx)
        check_out(self._info.dtype, shape, out)
        made = np.empty(shape, self._info.dtype) if out is None else out
        factor, bounds = self._factors[scale], self._inner.info.scales[scale].bounds
        cell_bytes = factor.product * self._info.dtype.itemsize * max(1, len(wanted))
        for piece in pieces(box, factor, PIECE_BYTES // cell_bytes):
            part = finer(piece, factor).intersection(bounds)
            voxels = self._inner.read(part, scale=scale, channels=channels)
            made[:, *piece.slices_zyx(box.start)] = downsample(voxels, factor, self._method, start=part.start)
        return made

    def capability(self, kind: type[C]) -> C | None:
        """How it is read fastest; nothing that changes or hands out what is stored."""
        found: object = self._inner.capability(kind) if kind is Tuned else None
        return cast("C | None", found)


def _seen(scale: Scale, level: CoarserScale) -> Scale:
    """A level as it is made from the one before: in such units that each chunk of that one is read as rarely as can be.

    The units are exact where a chunk is whole cells, or a cell whole chunks; else nearly so.
    """
    chunk = Vec3(*(math.ceil(extent / f) for extent, f in zip(scale.stored_chunk_shape, level.factor, strict=True)))
    origin = Vec3(*(at // f for at, f in zip(scale.grid_origin, level.factor, strict=True)))
    return replace(scale, bounds=level.bounds, stored_chunk_shape=chunk, write_granule_shape=chunk, grid_origin=origin)


def usual_rules(index: int) -> Rules:  # noqa: ARG001  (others choose by the number)
    """How a block of a pyramid is written: read back; nothing is stored where only the fill value is, and is read."""
    return Rules(skip_empty=True)


class PyramidWork:
    """The open work of a pyramid: each level is a stage, made from the one before. Satisfies `voxgate_jobs.work.Work`.

    Args:
        name: of the volume, "remote/path".
        volumes: the volume to be read, and the same one to be written.
        pyramid: resolved; the volume has its levels.
        rules: how the block with a number is written.
        task_bytes: voxel bytes of a block.
        origin: what to say beside the volume when all is made; None where somebody else does.
    """

    phase = "downsampling"

    def __init__(
        self,
        name: str,
        volumes: tuple[Volume, Volume],
        pyramid: PyramidSpec,
        rules: Callable[[int], Rules] = usual_rules,
        *,
        task_bytes: int = DEFAULT_TASK_BYTES,
        origin: Origin | None = None,
    ) -> None:
        source, destination = volumes
        finest, method = source.info.scales[0], method_of(pyramid, source.info.kind)
        levels = levels_of(pyramid, finest.bounds, finest.voxel_size_nm)
        self._name = name
        self._destination = destination
        self._rules = rules
        self._origin = origin
        self._source = CoarserVolume(source, levels, method)
        targets = range(1, len(levels) + 1)
        self._plan: TransferPlan = plan_transfer(
            self._source.info, destination.info, targets=targets, task_bytes=task_bytes
        )
        told = f"{method} {[tuple(level.factor) for level in levels]} {self._plan.digest}"
        self.digest = hashlib.sha256(told.encode()).hexdigest()

    @property
    def block_count(self) -> int:
        """The number of tasks."""
        return self._plan.task_count

    @property
    def total_bytes(self) -> int:
        """Voxel bytes of all levels but the finest."""
        return self._plan.total_bytes

    @property
    def stage_starts(self) -> Sequence[int]:
        """The first block of each level but the first one."""
        return _starts([level.task_count for level in self._plan.scales])[1:]

    def run_block(self, index: int) -> BlockResult:
        """Make a block, write it and read it back; see `voxgate_transfer.copying.copy_task`."""
        done = copy_task(self._source, self._destination, self._plan.task(index), self._rules(index))
        return replace(done, copied_bytes=0)  # made here, not copied from anywhere

    def flush(self) -> None:
        """Nothing: an adapter's write is as durable as its operator wants it when it returns."""

    def box_of(self, index: int) -> tuple[int, Box]:
        """Scale and box of a block."""
        task = self._plan.task(index)
        return task.scale, task.box

    def finish(self, totals: LedgerTotals, checksum: str) -> TransferResult:
        """Say beside the volume how its levels were made, and what was."""
        if self._origin is not None:
            self._origin.keep(self._destination, checksum)
        return TransferResult(self._name, totals.verified_bytes, checksum, totals.skipped_block_count)


def open_pyramid(
    stores: LevelStores, spec: PyramidJobSpec, patience: Patience, *, task_bytes: int = DEFAULT_TASK_BYTES
) -> PyramidWork:
    """Open the volume of a pyramid and plan it.

    Args:
        stores: where it is.
        spec: resolved; the volume has the levels.
        patience: when to stop reading, and when to stop writing.
        task_bytes: voxel bytes of a task.

    Raises:
        StoreUnavailable: when the levels are not seen yet: another process may believe for a while what it knew.
        FailedPrecondition, UnsupportedFormat, ReadOnly: when the volume has others, or such as cannot be made.
        VoxgateError: whatever opening raises.
    """
    source = stores.open(spec.volume, OpenOptions(context=patience.reading))
    destination = stores.open(spec.volume, OpenOptions(context=patience.writing))
    for info in (source.info, destination.info):
        finest = info.scales[0]
        levels = levels_of(spec.pyramid, finest.bounds, finest.voxel_size_nm)
        if check_levels(info, levels) < len(levels):
            raise StoreUnavailable(
                "the volume does not have the pyramid's levels, or not yet",
                "try again; if they were removed, start the pyramid anew",
                retry_after_s=_BELIEVED_S,
            )
        check_writable(destination.info.scales[1:])
    writer_of(destination)
    origin = Origin(METHOD, (), spec)  # its own finest level is no other source
    return PyramidWork(spec.volume, (source, destination), spec.pyramid, task_bytes=task_bytes, origin=origin)


class InTurn:
    """Two works as one: the second begins when the first is done and durable. Satisfies `voxgate_jobs.work.Work`.

    The first one's is the product: it says what came of both.
    """

    def __init__(self, first: Work, then: Work) -> None:
        self._works = (first, then)
        self._starts = _starts([first.block_count, then.block_count])
        self.digest = hashlib.sha256(f"{first.digest} {then.digest}".encode()).hexdigest()

    @property
    def phase(self) -> str:
        """Of both."""
        return " and ".join(work.phase for work in self._works)

    @property
    def block_count(self) -> int:
        """Of both."""
        return sum(work.block_count for work in self._works)

    @property
    def total_bytes(self) -> int:
        """Of both."""
        return sum(work.total_bytes for work in self._works)

    @property
    def stage_starts(self) -> Sequence[int]:
        """Of both, and the first block of the second."""
        first, then = self._works
        stages = [*first.stage_starts, first.block_count, *(first.block_count + at for at in then.stage_starts)]
        return [at for at in stages if 0 < at < self.block_count]

    def run_block(self, index: int) -> BlockResult:
        """Do a block of either."""
        work, number = self._work_of(index)
        return work.run_block(number)

    def flush(self) -> None:
        """Make both durable."""
        for work in self._works:
            work.flush()

    def box_of(self, index: int) -> tuple[int, Box] | None:
        """Of a block of either."""
        work, number = self._work_of(index)
        return work.box_of(number)

    def finish(self, totals: LedgerTotals, checksum: str) -> JobResult:
        """Complete both; the first one last."""
        self._works[1].finish(totals, checksum)
        return self._works[0].finish(totals, checksum)

    def _work_of(self, index: int) -> tuple[Work, int]:
        if not 0 <= index < self.block_count:
            raise IndexError(index)
        which = bisect_right(self._starts, index) - 1
        return self._works[which], index - self._starts[which]


def _starts(counts: Sequence[int]) -> list[int]:
    return [sum(counts[:at]) for at in range(len(counts))]
