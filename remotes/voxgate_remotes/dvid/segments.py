"""What DVID's index of labels answers: ids at points, counts, extents, supervoxels, new ids.

DVID answers a write to voxels before its index has caught up (labelmap's writes index in the background), so what the
index says of an open version may be a moment old; of a committed one it is exact.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from voxgate.model.errors import ChunkCorrupt, InvalidArgument, OutOfBounds, SegmentNotFound, StoreUnavailable
from voxgate.model.geometry import Box, Vec3
from voxgate.model.requests import check_box, scale_of
from voxgate.model.segments import SegmentCount, SegmentExtent
from voxgate.model.volumes import VolumeInfo
from voxgate_remotes.dvid.client import Ask, id_list, json_body, parsed
from voxgate_remotes.dvid.labels import LabelSource, check_id
from voxgate_remotes.dvid.levels import halved

_POINTS_AT_A_TIME = 10_000
_IDS_AT_A_TIME = 50_000
_LABELS_AT_A_TIME = 1_000_000
_MOST_RESERVED = 1 << 48


class DvidLookup:
    """Knows the segments at points; satisfies SegmentLookup. GET labels takes its points as the body."""

    def __init__(self, source: LabelSource, info: VolumeInfo) -> None:
        self._source = source
        self._info = info

    def segments_at(self, points: Sequence[Vec3], *, scale: int = 0) -> list[int]:
        """The segment id at each point; see `voxgate.model.segments.SegmentLookup`."""
        bounds = scale_of(self._info, scale).bounds
        for point in points:
            if not bounds.contains_point(point):
                raise OutOfBounds(f"the point {tuple(point)} lies outside the volume", f"scale {scale} has {bounds}")
        found: list[int] = []
        for start in range(0, len(points), _POINTS_AT_A_TIME):
            asked = [list(point) for point in points[start : start + _POINTS_AT_A_TIME]]
            ask = Ask(self._source.path("labels"), self._source.query(scale), body=json_body(asked))
            found += id_list(self._source.place.client.get(ask, self._source.place.context), len(asked))
        return found


class DvidCounts:
    """Knows how much of each body there is in all; satisfies SegmentCounts."""

    def __init__(self, source: LabelSource, info: VolumeInfo) -> None:
        self._source = source
        self._info = info

    def counts_in(self, box: Box, *, scale: int = 0) -> list[SegmentCount] | None:
        """The bodies of exactly the whole volume at scale 0; None for any other box, and for supervoxels.

        None, too, where DVID has voxels outside of the volume's bounds: they would be counted.
        """
        check_box(self._info, box, scale)
        if scale or self._source.supervoxels or box != self._info.scales[0].bounds or not is_whole(self._source, box):
            return None
        return [SegmentCount(label, count) for label, count in self._listed() if count]

    def _listed(self) -> Iterator[tuple[int, int]]:
        """Label and count, ascending: pairs of uint64; four zeros say that the store failed on the way (measured)."""
        start = 0
        while start < 1 << 64:
            query = (("sizes", "true"), ("start", str(start)), ("number", str(_LABELS_AT_A_TIME)))
            ask = Ask(self._source.path("listlabels"), query, most_bytes=_LABELS_AT_A_TIME * 16 + 64)
            rows = _pairs(self._source.place.client.get(ask, self._source.place.context), start)
            yield from ((int(label), int(count)) for label, count in rows)
            if len(rows) < _LABELS_AT_A_TIME:
                return
            start = int(rows[-1][0]) + 1


class DvidExtents:
    """Knows between which blocks segments are, and how large they are; satisfies SegmentExtents."""

    def __init__(self, source: LabelSource, info: VolumeInfo) -> None:
        self._source = source
        self._info = info

    def segment_extent(self, segment_id: int, *, scale: int = 0) -> SegmentExtent:
        """Where a segment is, grown to whole blocks; see `voxgate.model.segments.SegmentExtents`.

        Its voxels are counted at the finest scale, and where DVID has none outside of the volume's bounds.
        """
        bounds = scale_of(self._info, scale).bounds
        size = self._source.size(segment_id)
        box = halved(size.box, scale).intersection(bounds)
        if box.is_empty:
            raise SegmentNotFound(f"segment {segment_id} has no voxel in the volume", "look ids up in the voxels")
        is_exact = scale == 0 and is_whole(self._source, bounds)
        return SegmentExtent(segment_id, box, is_exact=False, voxel_count=size.voxels if is_exact else None)


class DvidBodies:
    """Knows bodies and their supervoxels; satisfies Supervoxels."""

    def __init__(self, source: LabelSource) -> None:
        self._source = source

    def supervoxels_of(self, segment_id: int) -> list[int]:
        """The supervoxels of a body, ascending; see `voxgate.model.segments.Supervoxels`."""
        check_id(segment_id)
        ask = Ask(self._source.path("supervoxels", str(segment_id)))
        body = self._source.place.client.find(ask, self._source.place.context)
        if body is None:
            raise LabelSource(self._source.place, self._source.levels, supervoxels=False).absence(segment_id)
        return sorted(id_list(body))

    def bodies_of(self, supervoxel_ids: Sequence[int]) -> list[int]:
        """The body of each supervoxel; 0 for one that does not exist any more, or never did."""
        for one in supervoxel_ids:
            check_id(one)
        found: list[int] = []
        for start in range(0, len(supervoxel_ids), _IDS_AT_A_TIME):
            found += self._source.mapped(list(supervoxel_ids[start : start + _IDS_AT_A_TIME]))
        return found


class DvidReservation:
    """Hands out ids above all that were used in the repository; satisfies SegmentIdReservation."""

    def __init__(self, source: LabelSource) -> None:
        self._source = source

    def reserve_segment_ids(self, count: int) -> int:
        """Reserve ids by POST nextlabel/{count}; never sent twice.

        Raises:
            InvalidArgument, VersionLocked, StoreRefused, StoreUnavailable.
        """
        if not 0 < count <= _MOST_RESERVED:
            raise InvalidArgument(f"{count} ids cannot be reserved", f"reserve 1 to {_MOST_RESERVED}")
        ask = Ask(self._source.path("nextlabel", str(count)), is_repeatable=False)
        return _first(parsed(self._source.place.client.post(ask, self._source.place.context)), count)


def is_whole(source: LabelSource, bounds: Box) -> bool:
    """Whether all that DVID knows of the instance lies in `bounds`."""
    extent = source.instance.extent
    return extent is None or bounds.contains(extent)


def _pairs(body: bytes, start: int) -> np.ndarray[Any, np.dtype[np.uint64]]:
    if len(body) % 16:
        raise ChunkCorrupt(f"the store's list of labels has {len(body)} bytes, no pairs", "try again later")
    rows = np.frombuffer(body, "<u8").reshape(-1, 2)
    labels = rows[:, 0]
    if not labels.all():
        raise StoreUnavailable("the store failed while it listed labels", "try again later")
    if len(labels) and (int(labels[0]) < start or not (labels[1:] > labels[:-1]).all()):
        raise ChunkCorrupt("the store's list of labels is out of order", "try again later")
    return rows


def _first(found: Any, count: int) -> int:
    try:
        first, last = int(found["start"]), int(found["end"])
    except (KeyError, TypeError, ValueError):
        first, last = 0, -1
    if first < 1 or last - first + 1 != count:
        raise StoreUnavailable("the store did not say which ids it reserved", "reserve again; those may be lost")
    return first
