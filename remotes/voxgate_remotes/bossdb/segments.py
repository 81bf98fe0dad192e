"""What BossDB knows of the segments of an annotation channel: the ids in a box, where one is, ids that are free.

Its index is made when voxels are written, so it is of the base level; the computed levels are not in it
(lambda/downsample_volume.py of jhuapl-boss/boss-tools indexes cuboids, no ids). Ids travel as text and are exact.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt

from voxgate.model.errors import (
    InvalidArgument,
    InvalidSegmentId,
    SegmentNotFound,
    StoreRefused,
    StoreUnavailable,
    VoxgateError,
)
from voxgate.model.geometry import Box, Vec3, grid_cells
from voxgate.model.requests import check_box, scale_of
from voxgate.model.segments import SegmentExtent
from voxgate.model.volumes import CallContext, Volume
from voxgate_remotes.bossdb import routes
from voxgate_remotes.bossdb.client import Document, document_of
from voxgate_remotes.bossdb.cutouts import ORIGIN, in_halves
from voxgate_remotes.bossdb.failures import WRONG_TYPE
from voxgate_remotes.bossdb.routes import Region
from voxgate_remotes.bossdb.shared import Shared
from voxgate_remotes.http.answers import StoreAnswer, StoreCall

_ASKED_AT_ONCE = Vec3(2048, 2048, 128)
"""128 cuboids: the index answers for whole ones at once and reads those that a box cuts."""
_LARGEST_ID = 2**64 - 1

Ids = npt.NDArray[np.uint64]


class SegmentIndex:
    """The segments of a volume; satisfies SegmentIds and SegmentExtents."""

    def __init__(self, shared: Shared, volume: Volume, path: tuple[str, ...], context: CallContext) -> None:
        self._shared = shared
        self._volume = volume
        self._path = path
        self._context = context

    def segment_ids_in(self, box: Box, *, scale: int = 0) -> Ids | None:
        """The ids in a box, ascending, without 0; see `voxgate.model.segments.SegmentIds`.

        None for the levels above the base, which the store does not index.
        """
        check_box(self._volume.info, box, scale)
        if scale:
            return None
        found = np.unique(np.concatenate(self._asked(box, scale)))
        segments: Ids = found[found != 0]
        return segments

    def segment_extent(self, segment_id: int, *, scale: int = 0) -> SegmentExtent:
        """Where a segment is; see `voxgate.model.segments.SegmentExtents`.

        Exact at the base level. At another it is the same box in that level's voxels: every voxel is inside, maybe
        with room to spare, and a segment too small for the level is still reported. The same where the store's index
        still has cuboids in which the segment was erased: then it can tell no more than the cuboids.

        Raises:
            InvalidSegmentId, SegmentNotFound, UnknownScale, StoreRefused, StoreUnavailable.
        """
        level = scale_of(self._volume.info, scale)
        if not 0 < segment_id <= _LARGEST_ID:
            raise InvalidSegmentId(f"{segment_id} is no segment", "ids are 1 to 2**64 - 1; 0 is background")
        base = self._volume.info.scales[0]
        box, is_exact = self._box_of(segment_id, base.key)
        box = box.intersection(base.bounds)
        if box.is_empty:
            raise SegmentNotFound(f"segment {segment_id} has no voxel here", "list the segments of a box")
        if scale == 0:
            return SegmentExtent(segment_id, box, is_exact)
        factors = [
            max(1, round(coarse / fine))
            for coarse, fine in zip(level.voxel_size_nm or (), base.voxel_size_nm or (), strict=True)
        ]
        start = Vec3(*(begin // factor for begin, factor in zip(box.start, factors, strict=True)))
        stop = Vec3(*(-(-end // factor) for end, factor in zip(box.stop, factors, strict=True)))
        return SegmentExtent(segment_id, Box(start, stop).intersection(level.bounds), is_exact=False)

    def _box_of(self, segment_id: int, key: str) -> tuple[Box, bool]:
        """A segment's box, and whether it is exact."""
        address = routes.bounding_box(self._path, key, segment_id)
        try:
            return _box(self._shared.client.document(address, self._context, (("type", "tight"),))), True
        except StoreRefused as error:
            # The index may name cuboids in which the segment was erased since; the search for its voxels then trips.
            if error.details.get("code") != str(WRONG_TYPE):
                raise
        return _box(self._shared.client.document(address, self._context, (("type", "loose"),))), False

    def _asked(self, box: Box, scale: int) -> list[Ids]:
        key = self._volume.info.scales[scale].key
        found: list[Ids] = []

        def ask(piece: Box) -> StoreAnswer:
            self._context.check()
            return self._shared.client.answer(StoreCall("GET", Region(self._path, key, piece).ids), self._context)

        for piece in grid_cells(box, _ASKED_AT_ONCE, ORIGIN):
            in_halves(piece, ask, lambda _, answer: found.append(_ids(document_of(answer))), status=200)
        return found


class Reservation:
    """Hands out the ids of a channel; satisfies SegmentIdReservation."""

    def __init__(self, shared: Shared, path: tuple[str, ...], context: CallContext) -> None:
        self._shared = shared
        self._path = path
        self._context = context

    def reserve_segment_ids(self, count: int) -> int:
        """Reserve consecutive ids; see `voxgate.model.segments.SegmentIdReservation`. Never asked for twice."""
        if count < 1:
            raise InvalidArgument(f"{count} ids cannot be reserved", "ask for at least one")
        address = routes.reserve(self._path, count)
        document = self._shared.client.document(address, self._context, is_repeatable=False)
        return _number(document, lambda told: told["start_id"])


def _ids(document: Document) -> Ids:
    try:
        numbers = [int(text) for text in document["ids"]]
        return np.array(numbers, np.uint64)
    except (KeyError, TypeError, ValueError, OverflowError):
        raise _not_understood() from None


def _box(document: Document) -> Box:
    ranges = [_pair(document, f"{axis}_range") for axis in "xyz"]
    return Box(Vec3(*(start for start, _ in ranges)), Vec3(*(stop for _, stop in ranges)))


def _pair(document: Document, key: str) -> tuple[int, int]:
    def number(index: int) -> int:
        return _number(document, lambda told: told[key][index])

    return number(0), number(1)


def _number(document: Document, find: Callable[[Document], Any]) -> int:
    try:
        return int(find(document))
    except (KeyError, IndexError, TypeError, ValueError):
        raise _not_understood() from None


def _not_understood() -> VoxgateError:
    return StoreUnavailable("the store's answer about segments cannot be understood", "look at the store")
