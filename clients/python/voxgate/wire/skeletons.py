"""Between the contract's skeleton messages and the vocabulary, both ways; joining the parts of a stream."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from voxgate.model.errors import IncompleteAnswer, VoxgateError
from voxgate.model.skeletons import Skeleton
from voxgate.v1 import skeleton_pb2 as pb
from voxgate.wire.errors import error_from_item, item_from_error

VERTEX_BYTES = 16
"""Bytes of one vertex: x, y, z and a radius as float32."""
EDGE_BYTES = 8
"""Bytes of one edge: two uint32."""
_ORIGINS = {
    pb.SKELETON_ORIGIN_UNSPECIFIED: "stored",
    pb.SKELETON_ORIGIN_STORED: "stored",
    pb.SKELETON_ORIGIN_COMPUTED: "computed",
}
_ORIGIN_NUMBERS = {"stored": pb.SKELETON_ORIGIN_STORED, "computed": pb.SKELETON_ORIGIN_COMPUTED}
_RETRY = "ask again; if it persists, the server is of another version or a proxy cuts streams"


def skeleton_parts(skeleton: Skeleton, max_bytes: int) -> Iterator[pb.SkeletonPart]:
    """A skeleton as parts of at most `max_bytes` of data each, vertices before the edges that point to them."""
    rows = max_bytes // VERTEX_BYTES
    for first in range(0, len(skeleton.vertices), rows):
        yield _part(skeleton, slice(first, first + rows), slice(0, 0))
    edges = max_bytes // EDGE_BYTES
    for first in range(0, len(skeleton.edges), edges):
        yield _part(skeleton, slice(len(skeleton.vertices), None), slice(first, first + edges))


def _part(skeleton: Skeleton, vertices: slice, edges: slice) -> pb.SkeletonPart:
    places = skeleton.vertices[vertices].astype("<f4", copy=False)
    lines = skeleton.edges[edges].astype("<u4", copy=False)
    data = places.tobytes() + lines.tobytes()
    if skeleton.radii is not None:
        data += skeleton.radii[vertices].astype("<f4", copy=False).tobytes()
    return pb.SkeletonPart(
        segment_id=skeleton.segment_id,
        first_vertex=vertices.start,
        vertex_count=len(places),
        edge_count=len(lines),
        has_radii=skeleton.radii is not None,
        data=data,
    )


def skeleton_end(skeleton: Skeleton, version: str) -> pb.SkeletonEnd:
    """The end of a skeleton."""
    return pb.SkeletonEnd(
        segment_id=skeleton.segment_id,
        vertex_count=len(skeleton.vertices),
        edge_count=len(skeleton.edges),
        origin=_ORIGIN_NUMBERS[skeleton.origin],
        resolved_version=version,
        scale_index=skeleton.scale,
        tree_count=skeleton.tree_count,
        length_nm=skeleton.length_nm,
    )


def skeleton_failure(segment_id: int, error: VoxgateError, version: str) -> pb.SkeletonEnd:
    """The end of a segment without a skeleton."""
    return pb.SkeletonEnd(segment_id=segment_id, error=item_from_error(error), resolved_version=version)


@dataclass(slots=True)
class _Growing:
    """The parts of one segment so far."""

    vertices: list[npt.NDArray[np.float32]] = field(default_factory=list)
    edges: list[npt.NDArray[np.uint32]] = field(default_factory=list)
    radii: list[npt.NDArray[np.float32]] = field(default_factory=list)
    vertex_count: int = 0


class SkeletonAssembler:
    """Joins a stream of GetSkeletonsResponse to whole skeletons, and refuses a stream that breaks the contract."""

    def __init__(self, segment_ids: Sequence[int]) -> None:
        """Expect exactly one answer for each of these ids."""
        self._open = {segment_id: _Growing() for segment_id in segment_ids}

    def add(self, response: pb.GetSkeletonsResponse) -> Iterator[tuple[int, Skeleton | VoxgateError]]:
        """Take a message; yields (segment id, skeleton or why there is none) as they become whole.

        Raises:
            IncompleteAnswer: for parts that do not continue what came before, or counts that differ.
        """
        for part in response.parts:
            self._append(part)
        for end in response.ends:
            yield end.segment_id, self._end(end)

    def finish(self) -> None:
        """Check that every id was answered.

        Raises:
            IncompleteAnswer: naming some that were not.
        """
        if self._open:
            some = ", ".join(str(segment_id) for segment_id in list(self._open)[:5])
            raise IncompleteAnswer(f"the stream ended without {len(self._open)} of the segments: {some}", _RETRY)

    def _append(self, part: pb.SkeletonPart) -> None:
        growing = self._expected(part.segment_id)
        count, edges = part.vertex_count, part.edge_count
        size = count * 12 + edges * EDGE_BYTES + (count * 4 if part.has_radii else 0)
        if part.first_vertex != growing.vertex_count or len(part.data) != size:
            raise IncompleteAnswer(f"a part of segment {part.segment_id} does not continue the one before", _RETRY)
        growing.vertices.append(np.frombuffer(part.data, "<f4", count * 3).reshape(-1, 3))
        lines = np.frombuffer(part.data, "<u4", edges * 2, offset=count * 12).reshape(-1, 2)
        growing.edges.append(lines)
        growing.vertex_count += count
        if edges and int(lines.max()) >= growing.vertex_count:
            raise IncompleteAnswer(f"an edge of segment {part.segment_id} points to a vertex that was not sent", _RETRY)
        if part.has_radii:
            growing.radii.append(np.frombuffer(part.data, "<f4", count, offset=count * 12 + edges * EDGE_BYTES))

    def _end(self, end: pb.SkeletonEnd) -> Skeleton | VoxgateError:
        growing = self._expected(end.segment_id)
        del self._open[end.segment_id]
        if end.HasField("error"):
            return error_from_item(end.error)
        edges = np.concatenate([np.zeros((0, 2), np.uint32), *growing.edges]).astype(np.uint32, copy=False)
        radii = np.concatenate(growing.radii).astype(np.float32, copy=False) if growing.radii else None
        has_all_radii = radii is None or len(radii) == growing.vertex_count
        if (end.vertex_count, end.edge_count) != (growing.vertex_count, len(edges)) or not has_all_radii:
            raise IncompleteAnswer(f"the skeleton of segment {end.segment_id} came incomplete", _RETRY)
        vertices = np.concatenate([np.zeros((0, 3), np.float32), *growing.vertices]).astype(np.float32, copy=False)
        origin = _ORIGINS.get(end.origin, "stored")
        return Skeleton(end.segment_id, vertices, edges, radii, end.resolved_version, origin, end.scale_index)

    def _expected(self, segment_id: int) -> _Growing:
        if segment_id not in self._open:
            raise IncompleteAnswer(f"segment {segment_id} was not asked for, or came after its end", _RETRY)
        return self._open[segment_id]
