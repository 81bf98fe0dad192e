"""What arrays answer about segments, through the capabilities of the volume they wrap."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, overload

import numpy as np
import numpy.typing as npt

from voxgate.model.errors import IncompleteAnswer, InvalidSegmentId, MissingCapability, VoxgateError
from voxgate.model.frames import frame_of
from voxgate.model.geometry import Box
from voxgate.model.meshes import Mesh, MeshProgress, MeshRequest, MeshSource
from voxgate.model.segments import (
    ManySegmentExtents,
    Runs,
    SegmentCount,
    SegmentCounts,
    SegmentExtent,
    SegmentExtents,
    SegmentIds,
    SegmentIndex,
    SegmentRuns,
)
from voxgate.model.volumes import C, Relayed, Volume, VolumeKind


@dataclass(frozen=True, slots=True)
class Segments(Sequence[SegmentCount]):
    """Segments and their voxel counts, as listed: a sequence of SegmentCount.

    Attributes:
        counts: one for each segment.
    """

    counts: tuple[SegmentCount, ...]

    @property
    def ids(self) -> list[int]:
        """The segment ids."""
        return [count.segment_id for count in self.counts]

    @property
    def voxel_counts(self) -> list[int]:
        """The number of voxels of each segment in the box that was searched."""
        return [count.voxel_count for count in self.counts]

    def to_pandas(self) -> Any:
        """A `pandas.DataFrame` with the columns "segment_id", uint64, and "voxel_count", int64; a row each, in order.

        Raises:
            Unimplemented: without pandas: the extra `voxgate[tables]`.
        """
        return frame_of(
            {"segment_id": np.array(self.ids, np.uint64), "voxel_count": np.array(self.voxel_counts, np.int64)}
        )

    @overload
    def __getitem__(self, index: int) -> SegmentCount: ...

    @overload
    def __getitem__(self, index: slice) -> Segments: ...

    def __getitem__(self, index: int | slice) -> SegmentCount | Segments:
        return Segments(self.counts[index]) if isinstance(index, slice) else self.counts[index]

    def __len__(self) -> int:
        return len(self.counts)

    def __iter__(self) -> Iterator[SegmentCount]:
        return iter(self.counts)

    def __repr__(self) -> str:
        shown = ", ".join(f"{count.segment_id}: {count.voxel_count}" for count in self.counts[:6])
        return f"<{len(self)} segments, voxels {{{shown}{', …' if len(self) > 6 else ''}}}>"


def require(volume: Volume, kind: type[C], what: str) -> C:
    """The capability `kind` of a volume.

    Raises:
        MissingCapability: when it has none; says what to do.
    """
    found = volume.capability(kind)
    if found is not None:
        return found
    info = volume.info
    name = info.name or "this volume"
    if info.kind is VolumeKind.IMAGE:
        message, remedy = f"{name} is an image and {what} needs a segmentation", "ask a segmentation"
    else:
        message = f"{name} offers no {what}"
        remedy = "its store does not have it; `voxgate info` says what it has"
        if volume.capability(Relayed) is None:
            remedy = (
                "ask a voxgate server for it: client = voxgate.connect(), or voxgate.open(path) with voxgate[server]"
            )
    raise MissingCapability(message, remedy, details={"capability": kind.__name__})


def counts_in(volume: Volume, box: Box, *, scale: int, top: int | None = None) -> list[SegmentCount]:
    """The segments in a box with their voxel counts; see `voxgate.model.segments.SegmentIndex.segments_in`.

    Raises:
        MissingCapability: when nothing answers for this volume, or for this box of it.
    """
    counts = volume.capability(SegmentCounts) if volume.capability(SegmentIndex) is None else None
    found = None if counts is None else counts.counts_in(box, scale=scale)
    if found is None:
        return require(volume, SegmentIndex, "segment index").segments_in(box, scale=scale, top=top)
    return found if top is None else sorted(found, key=lambda each: (-each.voxel_count, each.segment_id))[:top]


def ids_in(volume: Volume, box: Box, *, scale: int) -> npt.NDArray[np.uint64]:
    """The ids of the segments in a box: uint64, ascending, background left out.

    Raises:
        MissingCapability: when nothing answers for this volume.
    """
    knows = volume.capability(SegmentIds)
    ids = None if knows is None else knows.segment_ids_in(box, scale=scale)
    if ids is not None:
        return ids
    return np.array([each.segment_id for each in counts_in(volume, box, scale=scale)], np.uint64)


def extents_of(volume: Volume, segment_ids: Sequence[int], *, scale: int) -> list[SegmentExtent]:
    """Where segments are, in order; an id asked for twice is answered twice.

    Raises:
        SegmentNotFound, SegmentSuperseded: for the first id that has no answer.
        MissingCapability: when nothing answers for this volume.
    """
    once = list(dict.fromkeys(segment_ids))
    knows_many = volume.capability(ManySegmentExtents)
    if knows_many is None:
        knows = require(volume, SegmentExtents, "segment bounds")
        answers: list[SegmentExtent | VoxgateError] = [knows.segment_extent(each, scale=scale) for each in once]
    else:
        answers = knows_many.segment_extents(once, scale=scale)
    found = dict(zip(once, answers, strict=True))
    return [_raised_or(found[each]) for each in segment_ids]


def _raised_or(answer: SegmentExtent | VoxgateError) -> SegmentExtent:
    if isinstance(answer, VoxgateError):
        raise answer
    return answer


def runs_of(volume: Volume, segment_id: int, *, box: Box | None, scale: int) -> Runs:
    """The voxels of a segment as one array of runs.

    Raises:
        SegmentNotFound, SegmentSuperseded: when there is none.
        MissingCapability: when nothing answers for this volume.
    """
    source = require(volume, SegmentRuns, "segment voxels")
    parts = list(source.segment_runs(segment_id, box=box, scale=scale))
    return np.concatenate([np.empty((0, 4), np.int64), *parts])


def voxels_from_runs(runs: Runs) -> npt.NDArray[np.int64]:
    """Every voxel of some runs by itself.

    Args:
        runs: int64 array of shape (n, 4): x, y, z of each run's first voxel, and its length along x.

    Returns:
        int64 array of shape (m, 3): x, y, z of each voxel, run by run.
    """
    lengths = runs[:, 3]
    voxels: npt.NDArray[np.int64] = np.repeat(runs[:, :3], lengths, axis=0)
    first = np.cumsum(lengths) - lengths
    voxels[:, 0] += np.arange(len(voxels)) - np.repeat(first, lengths)
    return voxels


def mesh_segments(volume: Volume, request: MeshRequest, *, progress: MeshProgress | None) -> list[Mesh]:
    """Mesh segments and answer in the order asked for.

    Args:
        volume: a segmentation that can be meshed.
        request: which segments; an id asked for twice is meshed once and answered twice.
        progress: called with (phase, done bytes, total bytes).

    Raises:
        InvalidSegmentId: for 0, or what is not an unsigned 64 bit number.
        SegmentNotFound: for an absent segment; any other failure of a single segment as its own error.
        MissingCapability: when nothing meshes this volume.
        IncompleteAnswer: when the source left an id out.
    """
    source = require(volume, MeshSource, "meshing")
    answers = {answer.segment_id: answer for answer in source.meshes(request, progress=progress)}
    meshes = []
    for segment_id in request.segment_ids:
        answer = answers.get(segment_id)
        if answer is None:
            raise IncompleteAnswer(f"segment {segment_id} was not answered", "ask again")
        if not isinstance(answer, Mesh):
            raise answer.error
        meshes.append(answer)
    return meshes


def checked_segment_id(segment_id: object) -> int:
    """An id as a Python int: numpy integers and decimal strings included, never a float.

    Raises:
        InvalidSegmentId: for 0 or what is not an unsigned 64 bit number.
    """
    try:
        number = int(segment_id) if isinstance(segment_id, str) else segment_id.__index__()  # type: ignore[attr-defined]
    except (AttributeError, TypeError, ValueError):
        raise InvalidSegmentId(f"{segment_id!r} is not a segment id", "give a whole number, never a float") from None
    if not 0 < number < 1 << 64:
        what = "0 is background, not a segment" if number == 0 else f"{number} is not an unsigned 64 bit number"
        raise InvalidSegmentId(what, "give an id that segments() or at() answered")
    return int(number)
