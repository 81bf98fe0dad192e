"""Finding segments by a coarse scale, and following what is found from block to block.

Coarse voxels say where to begin. From there, wherever a label touches a face, an edge or a corner of its block, the
block beyond is looked at too, until nothing leads on: what is connected to something found is whole, and every cell
of its surface has all of its voxels. A part that is neither seen at the coarse scale nor connected to one that is, is
missed unless it happens to lie in a block that is looked at.
"""

from __future__ import annotations

import itertools
from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from fractions import Fraction

import numpy as np
import numpy.typing as npt

from voxgate.model.errors import SegmentNotFound, VoxgateError
from voxgate.model.geometry import Box, Vec3
from voxgate_blocks.readahead import work_ahead
from voxgate_mesh.blocks import BlockPlan, Labels, block_shape_for
from voxgate_mesh.progress import ScanProgress
from voxgate_mesh.projecting import touched
from voxgate_mesh.reading import BlockLabels, LabelReader, Packed, Walk, occupied, packed
from voxgate_mesh.targets import Located, Locating, Target

_AROUND = [(z, y, x) for z, y, x in itertools.product((-1, 0, 1), repeat=3) if z or y or x]
_MOST_AT_ONCE = 1 << 20  # blocks of a box of blocks that is looked at in one array

Index = tuple[int, int, int]
"""A block's place on the grid, z, y, x."""
Mask = npt.NDArray[np.bool_]


class Pyramid:
    """One search."""

    def __init__(self, target: Target, coarse: int, image: Box) -> None:
        """Look at `image`, a box of scale `coarse` in which all of the target's region is seen."""
        self._target = target
        self._coarse = coarse
        self._image = image
        self._done = 0
        self._total = image.voxel_count
        self._follower = _Follower(target)

    def steps(self) -> Locating:
        """Look, and follow.

        Raises:
            LimitExceeded: when what is found takes too many blocks; and whatever the store raises.
        """
        target = self._target
        seen: set[int] = set()
        for found in self._looked_at(seen):
            yield self._progress()
            self._follower.add(found)
        ids = tuple(each for each in target.segment_ids if each in seen)
        errors: dict[int, VoxgateError] = {each: self._unseen(each) for each in target.segment_ids if each not in seen}
        reader = target.reader(ids, target.scale)
        looked_at = self._done
        for _ in self._follower.follow(reader):
            self._done, self._total = looked_at + self._follower.done, looked_at + self._follower.total
            yield self._progress()
        codes = target.plan.codes_at(np.array(sorted(self._follower.holding), np.int64).reshape(-1, 3))
        return Located("pyramid", codes, reader, self._follower.recalled(reader), errors)

    def _looked_at(self, seen: set[int]) -> Iterator[set[Index]]:
        """Blocks of the target under what is seen at the coarse scale; adds the ids to `seen`."""
        target = self._target
        info = target.volume.info
        level = info.scales[self._coarse]
        shape = block_shape_for(level.stored_chunk_shape, self._image.shape)
        reader = target.reader(target.segment_ids, self._coarse)
        walk = Walk(BlockPlan(self._image, shape, level.grid_origin, closed=True), None, reader.read, reader.size_of)
        for block, found in walk.blocks(target.ahead, target.context):
            if found is None or found.labels is None:
                self._done += 0 if found is None else block.box.voxel_count
                yield set()
                continue
            self._done += block.box.voxel_count
            seen.update(reader.table.segment_id(label) for label in found.counts)
            yield set(self._under(found.labels != 0, block.box.start))

    def _under(self, mask: Mask, origin: Vec3) -> Iterator[Index]:
        """The target's blocks that coarse voxels touch, grown by one coarse voxel to every side."""
        place = occupied(mask)
        mask = mask[place]
        origin = origin + Vec3(*(part.start for part in reversed(place)))
        columns = [
            _Column.of(self._target, self._coarse, axis, origin.zyx[axis], n) for axis, n in enumerate(mask.shape)
        ]
        if np.prod([len(column.blocks) for column in columns], dtype=np.float64) > _MOST_AT_ONCE and mask.size > 1:
            axis = int(np.argmax(mask.shape))
            for half in np.array_split(mask, 2, axis=axis):
                if half.any():
                    yield from self._under(half, origin)
                origin = origin + Vec3(*(half.shape[i] if i == axis else 0 for i in (2, 1, 0)))
            return
        for axis, column in enumerate(columns):
            mask = column.gathered(mask, axis)
        firsts = np.array([column.blocks.start for column in columns])
        yield from ((z, y, x) for z, y, x in (np.argwhere(mask) + firsts).tolist())

    def _progress(self) -> ScanProgress:
        voxel_bytes = self._target.volume.info.dtype.itemsize
        return ScanProgress("locating", self._done * voxel_bytes, self._total * voxel_bytes)

    def _unseen(self, segment_id: int) -> SegmentNotFound:
        key = self._target.volume.info.scales[self._coarse].key
        return SegmentNotFound(
            f"segment {segment_id} does not appear at scale {self._coarse} ({key!r}), where it was looked for",
            'check the id; for one too small to appear there, pass bounds around it and search "everywhere"',
            details={"segment_id": str(segment_id), "scale": str(self._coarse)},
        )


@dataclass(frozen=True, slots=True)
class _Column:
    """Along one axis, which blocks of the target some coarse voxels touch.

    Attributes:
        lows: for each coarse voxel, the first block.
        highs: for each coarse voxel, the last block.
        blocks: all of them that are on the grid.
    """

    lows: npt.NDArray[np.int64]
    highs: npt.NDArray[np.int64]
    blocks: range

    @staticmethod
    def of(target: Target, coarse: int, axis: int, start: int, count: int) -> _Column:
        """For `count` coarse voxels from `start`, along an axis of z, y, x."""
        plan, scales = target.plan, target.volume.info.scales
        size, onto = scales[coarse].voxel_size_nm, scales[target.scale].voxel_size_nm
        assert size is not None and onto is not None  # noqa: S101, PT018  (a scale without is never looked at)
        factor = Fraction(size.zyx[axis]) / Fraction(onto.zyx[axis])
        origin, cell = plan.grid_start.zyx[axis], plan.block_shape.zyx[axis]
        spans = [touched(place - 1, place + 2, factor) for place in range(start, start + count)]
        lows = [(first - origin) // cell for first, _ in spans]
        highs = [(end - 1 - origin) // cell for _, end in spans]
        blocks = range(max(lows[0], 0), min(highs[-1] + 1, plan.grid_shape[axis]))
        return _Column(np.array(lows, np.int64), np.array(highs, np.int64), blocks)

    def gathered(self, mask: Mask, axis: int) -> Mask:
        """Coarse voxels along an axis made blocks: whether any that touches a block is set."""
        rows = np.moveaxis(mask, axis, 0)
        made = np.zeros((len(self.blocks), *rows.shape[1:]), bool)
        for row, block in enumerate(self.blocks):
            begin, end = np.searchsorted(self.highs, block), np.searchsorted(self.lows, block, side="right")
            made[row] = rows[begin:end].any(axis=0)
        return np.moveaxis(made, 0, axis)


class _Follower:
    """Looks at blocks, and at those that their labels lead to.

    Attributes:
        holding: the blocks that hold something, by index.
        done: voxels looked at.
        total: voxels to look at, as far as is known.
    """

    def __init__(self, target: Target) -> None:
        self._target = target
        self._known: set[Index] = set()
        self._waiting: deque[Index] = deque()
        self._kept: dict[Vec3, Packed] = {}
        self._kept_bytes = 0
        self.holding: set[Index] = set()
        self.done = 0
        self.total = 0

    def add(self, blocks: set[Index]) -> None:
        """Look at these blocks, too, unless they are known.

        Raises:
            LimitExceeded: when that makes too many.
        """
        plan = self._target.plan
        new = sorted(blocks - self._known)
        if not new:
            return
        codes = plan.codes_at(np.array(new, np.int64))
        self.total += int(plan.voxel_counts(codes).sum())
        if self.total > self._target.limits.max_scan_voxel_count:
            raise self._target.over_budget(self.total)
        self._known.update(new)
        self._waiting.extend(new)

    def follow(self, reader: LabelReader) -> Iterator[None]:
        """Look until nothing leads on; a sign of life after each block and each tick.

        Raises:
            LimitExceeded: when it leads to too many blocks; and whatever the store raises.
        """

        def look(box: Box) -> tuple[Packed | None, list[Index]]:
            found = reader.read(box)
            return packed(found), [] if found.labels is None else _led_to(found.labels)

        ahead, context = self._target.ahead, self._target.context
        while self._waiting:
            # Boxes are taken as there is room to read ahead; by then, more may be waiting.
            looks = work_ahead(self._next(), look, reader.size_of, ahead=ahead, context=context)
            for box, found in looks:
                if found is not None:
                    self.done += box.voxel_count
                    self._take(box, *found)
                yield

    def _next(self) -> Iterator[Box]:
        while self._waiting:
            yield self._target.plan.block_at(self._waiting.popleft()).box

    def _take(self, box: Box, pack: Packed | None, offsets: list[Index]) -> None:
        if pack is None:
            return
        plan = self._target.plan
        z, y, x = (part.start for part in plan.ranges_of(box))
        self.holding.add((z, y, x))
        shape = plan.grid_shape
        beyond = [(z + dz, y + dy, x + dx) for dz, dy, dx in offsets]
        self.add({each for each in beyond if all(0 <= i < n for i, n in zip(each, shape, strict=True))})
        if self._kept_bytes + len(pack.data) <= self._target.keep_bytes:
            self._kept_bytes += len(pack.data)
            self._kept[box.start] = pack

    def recalled(self, reader: LabelReader) -> Callable[[Box], BlockLabels]:
        """What a block holds: as it was seen, or read again where that would be too much to remember."""

        def labels_of(box: Box) -> BlockLabels:
            pack = self._kept.get(box.start)
            return reader.read(box) if pack is None else pack.unpacked()

        return labels_of


def _led_to(labels: Labels) -> list[Index]:
    """Where labels touch a face, edge or corner of their block: the offsets of the blocks beyond."""
    ends = {-1: slice(0, 1), 0: slice(None), 1: slice(-1, None)}
    return [(z, y, x) for z, y, x in _AROUND if labels[ends[z], ends[y], ends[x]].any()]
