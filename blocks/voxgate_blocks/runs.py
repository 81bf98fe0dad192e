"""Where segments are, for volumes without an index: their extents and their voxels as runs along x, by reading."""

from __future__ import annotations

from collections.abc import Generator, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from voxgate.model.errors import SegmentNotFound, VoxgateError
from voxgate.model.geometry import Box, Vec3
from voxgate.model.segments import Runs, SegmentExtent
from voxgate.model.volumes import CallContext, Volume, Voxels
from voxgate_blocks.scanning import Scan, ScanLimits, check_segments

_RUN_BYTES = 32
"""About what finding runs needs for each voxel beside the voxel, where neighbours differ: half a row of four int64."""

_Integers = npt.NDArray[np.int64]


def find_runs(
    volume: Volume,
    segment_id: int,
    box: Box,
    *,
    scale: int = 0,
    limits: ScanLimits,
    context: CallContext | None = None,
) -> Generator[tuple[Box, Runs | None]]:
    """The voxels of a segment as runs along x, by reading a box block by block, each stored chunk once.

    Checks before it answers the iterator, reads while it is iterated.

    Args:
        volume: a segmentation.
        segment_id: not 0.
        box: where, voxels of the scale, global coordinates.
        scale: index of the scale to read.
        limits: what the search may cost.
        context: the caller's patience.

    Yields:
        (a block, its runs; none where the segment is not in it), and with `limits.tick_s` (a block, None) while a
        store is waited for. No voxel twice; runs are whole within a block.

    Raises:
        As `count_segments` does for the request; ChunkCorrupt, StoreUnavailable while it is iterated.
    """
    scan = Scan(volume, box, scale, limits, context or CallContext())
    scan.check()
    largest = int(np.iinfo(volume.info.dtype).max)
    if segment_id > largest:
        return _nowhere(box)
    wanted = volume.info.dtype.type(segment_id)

    def runs_of(block: Box, voxels: Voxels) -> Runs:
        return _global_runs(voxels == wanted, block.start)

    return scan.blocks(runs_of, extra_voxel_bytes=_RUN_BYTES)


def _nowhere(box: Box) -> Generator[tuple[Box, Runs | None]]:
    """The search for an id that the volume's dtype cannot hold."""
    yield box, np.empty((0, 4), np.int64)


def _global_runs(mask: npt.NDArray[np.bool_], origin: Vec3) -> Runs:
    """The runs along x of a (z, y, x) mask whose first voxel is at `origin`: int64 (n, 4), x, y, z, length."""
    if not mask.any():
        return np.empty((0, 4), np.int64)
    starts, lengths = _runs(mask)
    inside = mask.reshape(-1)[starts]
    starts, lengths = starts[inside], lengths[inside]
    z, y, x = np.unravel_index(starts, mask.shape)
    runs = np.empty((len(starts), 4), np.int64)
    for column, (values, offset) in enumerate(((x, origin.x), (y, origin.y), (z, origin.z), (lengths, 0))):
        np.add(values, offset, out=runs[:, column])
    return runs


def _runs(values: npt.NDArray[Any]) -> tuple[_Integers, _Integers]:
    """Cut a (z, y, x) array into runs of equal values along x: the flat index of each run's first, and its length."""
    flat = values.reshape(-1)
    is_start = np.empty(flat.size, np.bool_)
    np.not_equal(flat[1:], flat[:-1], out=is_start[1:])
    is_start[:: values.shape[2]] = True
    starts = np.flatnonzero(is_start)
    return starts, np.diff(starts, append=flat.size)


def find_extents(
    volume: Volume,
    segment_ids: Sequence[int],
    *,
    scale: int = 0,
    limits: ScanLimits,
    context: CallContext | None = None,
) -> list[SegmentExtent | VoxgateError]:
    """Where several segments are, by reading the whole scale once.

    Args:
        volume: a segmentation.
        segment_ids: none of them 0, none twice.
        scale: index of the scale to read.
        limits: what the search may cost.
        context: the caller's patience, looked at between blocks.

    Returns:
        For each id, in order, its extent (exact, with its voxel count) or SegmentNotFound.

    Raises:
        As `count_segments` does.
    """
    level = check_segments(volume.info, scale)
    scan = Scan(volume, level.bounds, scale, limits, context or CallContext())
    scan.check()
    found = _Extents(segment_ids, int(np.iinfo(volume.info.dtype).max))
    if found.is_hopeless:
        return [found.answer(segment_id) for segment_id in segment_ids]
    # The work may run in several threads, but only this one adds up.
    for block, part in scan.blocks(found.in_block, extra_voxel_bytes=_RUN_BYTES):
        if part is not None:
            found.add(block, *part)
    return [found.answer(segment_id) for segment_id in segment_ids]


class _Extents:
    """Extents of some segments, gathered block by block."""

    def __init__(self, segment_ids: Sequence[int], largest: int) -> None:
        self._wanted = np.array(sorted(i for i in segment_ids if i <= largest), np.uint64)
        self._low = np.full((len(self._wanted), 3), np.iinfo(np.int64).max, np.int64)
        self._high = np.full((len(self._wanted), 3), np.iinfo(np.int64).min, np.int64)
        self._counts = np.zeros(len(self._wanted), np.int64)

    @property
    def is_hopeless(self) -> bool:
        """Whether the volume's dtype can hold none of the ids."""
        return not len(self._wanted)

    def in_block(self, _block: Box, voxels: Voxels) -> tuple[_Integers, npt.NDArray[Any]]:
        """Which wanted segments are in a block: their places in the sorted ids, and (low, high, count) of each.

        Returns:
            (places, int64 array of shape (7, n): low x, y, z and high x, y, z within the block, high itself outside,
            and voxel counts).
        """
        starts, lengths = _runs(voxels)
        labels = voxels.reshape(-1)[starts].astype(np.uint64, copy=False)
        places = np.searchsorted(self._wanted, labels).clip(max=len(self._wanted) - 1)
        is_wanted = self._wanted[places] == labels
        places, starts, lengths = places[is_wanted], starts[is_wanted], lengths[is_wanted]
        present, runs_of = np.unique(places, return_inverse=True)
        z, y, x = np.unravel_index(starts, voxels.shape)
        table = np.empty((7, len(present)), np.int64)
        table[:3], table[3:] = np.iinfo(np.int64).max, 0
        for row, low in enumerate((x, y, z)):
            np.minimum.at(table[row], runs_of, low)
        for row, high in enumerate((x + lengths, y + 1, z + 1)):
            np.maximum.at(table[3 + row], runs_of, high)
        np.add.at(table[6], runs_of, lengths)
        return present, table

    def add(self, block: Box, present: _Integers, table: npt.NDArray[Any]) -> None:
        """Take up what is in a block."""
        corner = np.array(tuple(block.start), np.int64)
        self._low[present] = np.minimum(self._low[present], table[:3].T + corner)
        self._high[present] = np.maximum(self._high[present], table[3:6].T + corner)
        self._counts[present] += table[6]

    def answer(self, segment_id: int) -> SegmentExtent | VoxgateError:
        """What is known of one segment once every block was added."""
        place = int(np.searchsorted(self._wanted, np.uint64(segment_id)))
        is_known = place < len(self._wanted) and int(self._wanted[place]) == segment_id
        if not is_known or not self._counts[place]:
            return not_found(segment_id)
        box = Box(Vec3(*self._low[place].tolist()), Vec3(*self._high[place].tolist()))
        return SegmentExtent(segment_id, box, True, int(self._counts[place]))


def not_found(segment_id: int) -> SegmentNotFound:
    """What to say of a segment that is nowhere."""
    return SegmentNotFound(
        f"segment {segment_id} does not occur there",
        "look in a larger box or at a finer scale",
        details={"segment_id": str(segment_id)},
    )
