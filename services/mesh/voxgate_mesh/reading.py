"""Blocks as small labels, with what is counted of them: read from the volume, or remembered."""

from __future__ import annotations

import zlib
from collections import Counter
from collections.abc import Callable, Generator, Iterator
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

from voxgate.model.geometry import Box
from voxgate.model.requests import raw_size
from voxgate.model.volumes import CallContext, Volume
from voxgate_blocks.readahead import ReadAhead, work_ahead
from voxgate_mesh.blocks import Block, BlockPlan, Codes, Labels
from voxgate_mesh.labels import LabelTable
from voxgate_mesh.sifting import Sieve

_LEVEL = 1  # labels are long runs: more effort makes them hardly smaller


@dataclass(frozen=True, slots=True, eq=False)
class BlockLabels:
    """What a block holds of the segments asked for.

    Attributes:
        labels: array of shape (z, y, x), a small unsigned dtype; None where all are background.
        counts: the voxels of each label that occurs.
    """

    labels: Labels | None = None
    counts: dict[int, int] = field(default_factory=dict)


NOTHING = BlockLabels()
AFTER = BlockLabels()
"""Of a block that is not looked at, right after one that is: nothing."""


@dataclass(frozen=True, slots=True)
class LabelReader:
    """Reads blocks of one scale as labels. Thread-safe.

    Attributes:
        volume: a segmentation.
        scale: index of the scale.
        table: the labels.
        sieve: leaves out stored chunks that hold none of the segments; None reads all voxels.
    """

    volume: Volume
    scale: int
    table: LabelTable
    sieve: Sieve | None = None

    def read(self, box: Box) -> BlockLabels:
        """The labels of a box.

        Raises:
            Whatever the volume raises.
        """
        if self.sieve is not None:
            return self._sifted(self.sieve, box)
        labels, counts = self.table.compact(self.volume.read(box, scale=self.scale))
        return NOTHING if labels is None else BlockLabels(labels, counts)

    def _sifted(self, sieve: Sieve, box: Box) -> BlockLabels:
        labels: Labels | None = None
        counts: Counter[int] = Counter()
        for part, voxels in sieve.read(box):
            found, some = self.table.compact(voxels)
            if found is None:
                continue
            if labels is None:
                labels = np.zeros(box.shape.zyx, self.table.dtype)
            labels[part.slices_zyx(box.start)] = found
            counts.update(some)
        return NOTHING if labels is None else BlockLabels(labels, dict(counts))

    def size_of(self, box: Box) -> int:
        """The bytes that are held while a box is read."""
        return raw_size(self.volume.info, box)


@dataclass(frozen=True, slots=True, eq=False)
class Packed:
    """A block's labels, cut to where they are and compressed.

    Attributes:
        shape: of the block, z, y, x.
        place: where the labels are in it.
        data: zlib.
        dtype: of the labels.
        counts: the voxels of each label.
    """

    shape: tuple[int, ...]
    place: tuple[slice, ...]
    data: bytes
    dtype: np.dtype[Any]
    counts: dict[int, int]

    def unpacked(self) -> BlockLabels:
        """What the block holds."""
        labels: Labels = np.zeros(self.shape, self.dtype)
        part = labels[self.place]
        part[...] = np.frombuffer(zlib.decompress(self.data), self.dtype).reshape(part.shape)
        return BlockLabels(labels, self.counts)


def packed(found: BlockLabels) -> Packed | None:
    """Compress what a block holds; None where that is nothing."""
    labels = found.labels
    if labels is None:
        return None
    place = occupied(labels)
    data = zlib.compress(np.ascontiguousarray(labels[place]).data, _LEVEL)
    return Packed(labels.shape, place, data, labels.dtype, found.counts)


def occupied(labels: npt.NDArray[Any]) -> tuple[slice, ...]:
    """The smallest box of an array that holds all that is not 0, of which there must be something."""
    found = []
    for axis in range(labels.ndim):
        others = tuple(other for other in range(labels.ndim) if other != axis)
        where = np.flatnonzero(labels.any(axis=others))
        found.append(slice(int(where[0]), int(where[-1]) + 1))
    return tuple(found)


@dataclass(frozen=True, slots=True)
class Walk:
    """The blocks of a plan, in order, with what they hold; reads some of them ahead.

    Attributes:
        plan: the plan.
        codes: the blocks that may hold something, all others being background; None: any may.
        labels: what a block holds; runs in other threads.
        size_of: the bytes that are held meanwhile.
    """

    plan: BlockPlan
    codes: Codes | None
    labels: Callable[[Box], BlockLabels]
    size_of: Callable[[Box], int]

    def blocks(self, ahead: ReadAhead, context: CallContext) -> Generator[tuple[Block, BlockLabels | None]]:
        """Go through the blocks that own cells of the segments.

        Yields:
            A block with what it holds; with `ahead.tick_s` also (block, None): still waiting for it.

        Raises:
            Whatever the volume raises; Cancelled or DeadlineExceeded from the context.
        """
        reads = work_ahead(self._boxes(), self.labels, self.size_of, ahead=ahead, context=context)
        try:
            for block, is_read in self.plan.walked(self.codes):
                if not is_read:
                    yield block, AFTER
                    continue
                for _, found in reads:
                    yield block, found
                    if found is not None:
                        break
        finally:
            reads.close()

    def _boxes(self) -> Iterator[Box]:
        blocks = self.plan.blocks() if self.codes is None else map(self.plan.block, self.codes.tolist())
        return (block.box for block in blocks)
