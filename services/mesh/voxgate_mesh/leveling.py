"""At which scale a segment is meshed where the caller leaves that to its wish for fewer triangles.

A scale is right when its voxels are small against the error that is allowed, and when it has clearly more triangles
than are wanted: then simplification decides the surface, not the voxels. How many triangles a segment has at a scale
is not guessed but found: scales are meshed from coarse to fine until one is enough. As each is a few times dearer than
the one before, that costs about a third more than meshing only the right one.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Sequence
from dataclasses import dataclass, replace

from voxgate.model.errors import InvalidArgument, LimitExceeded, SegmentNotFound, VoxgateError
from voxgate.model.mesh_facts import Simplification
from voxgate.model.mesh_stream import MeshEnding
from voxgate.model.meshes import MeshRequest
from voxgate.model.volumes import VolumeInfo
from voxgate_mesh.meshing import MeshEvent
from voxgate_mesh.projecting import is_size

_ENOUGH = 2  # times the triangles that are wanted


@dataclass(frozen=True, slots=True)
class Superseded:
    """What came of a segment so far is to be forgotten: it comes again from a finer scale.

    Attributes:
        segment_id: the segment.
    """

    segment_id: int


LeveledEvent = MeshEvent | Superseded


MeshesOneScale = Callable[[MeshRequest], Generator[MeshEvent]]
"""Meshes segments at the scale that a request names; refuses what can be refused when it is called."""


def scales_to_try(info: VolumeInfo, request: MeshRequest) -> tuple[int, ...]:
    """The scales that may answer a request, coarsest first: one, unless that is left to its simplification.

    Scales of unknown voxel size are left out where there are others.

    Raises:
        InvalidArgument: for bounds in voxels of a scale that is not named.
    """
    if request.scale is not None:
        return (request.scale,)
    if request.simplification is None or len(info.scales) < 2:
        return (0,)
    if request.bounds is not None:
        raise InvalidArgument(
            "bounds are voxels of a scale, and no scale is named: simplification would choose it",
            "name the scale of the bounds",
            details={"field": "bounds"},
        )
    known = [
        i for i, scale in enumerate(info.scales) if scale.voxel_size_nm is not None and is_size(scale.voxel_size_nm)
    ]
    return _from_coarse(info, known, request.simplification) if known else (0,)


def _from_coarse(info: VolumeInfo, known: list[int], wish: Simplification) -> tuple[int, ...]:
    finest, coarsest = known[0], known[-1]
    if wish.max_error_nm is not None:
        coarsest = max((i for i in known if _is_fine(info, i, wish.max_error_nm)), default=finest)
    if wish.target_face_count is not None:
        return tuple(i for i in reversed(known) if i <= coarsest)
    # What is too small to appear there is looked for at the finest.
    return tuple(dict.fromkeys((coarsest, finest)))


def _is_fine(info: VolumeInfo, scale: int, max_error_nm: float) -> bool:
    """Whether the voxels of a scale are at most half as long as the error, on every axis."""
    size = info.scales[scale].voxel_size_nm
    return size is not None and all(2 * extent <= max_error_nm for extent in size)


def leveled(info: VolumeInfo, request: MeshRequest, mesh: MeshesOneScale) -> Generator[LeveledEvent]:
    """The events of a request, each segment at the coarsest scale that is fine enough for its simplification.

    What can be refused is refused by this call.

    Args:
        info: the volume.
        request: what is asked for; one that names its scale is passed on as it is.
        mesh: meshes at one scale.

    Returns:
        The events of `mesh`; and before a segment begins anew, Superseded. Where no scale is enough, the finest that
        can be meshed within the limits is the answer.

    Raises:
        InvalidArgument, and whatever `mesh` raises for the first scale.
    """
    scales = scales_to_try(info, request)
    if len(scales) == 1:
        return mesh(replace(request, scale=scales[0]))
    descent = _Descent(info, request, mesh)
    return descent.events(scales, descent.started(request.segment_ids, scales[0]))


class _Descent:
    """One request, from coarse to fine."""

    def __init__(self, info: VolumeInfo, request: MeshRequest, mesh: MeshesOneScale) -> None:
        self._info = info
        self._request = request
        self._mesh = mesh
        wish = request.simplification
        target = None if wish is None else wish.target_face_count
        self._enough = 0 if target is None else _ENOUGH * target + 1

    def started(self, segment_ids: Sequence[int], scale: int) -> Generator[MeshEvent]:
        """Mesh at one scale."""
        search = self._request.search
        if search == "pyramid" and scale == len(self._info.scales) - 1:
            search = "auto"  # nothing is coarser, and all of the coarsest is looked at in any case
        return self._mesh(replace(self._request, segment_ids=tuple(segment_ids), scale=scale, search=search))

    def events(self, scales: tuple[int, ...], events: Generator[MeshEvent]) -> Generator[LeveledEvent]:
        """Mesh at one scale after the other, each time what was not enough."""
        waiting = self._request.segment_ids
        for finer in (*scales[1:], None):
            first, last = finer == scales[1], finer is None
            few = yield from self._at_one_scale(events, waiting, is_first=first, is_last=last)
            if not few or finer is None:
                return
            waiting = tuple(few)
            try:
                events = self.started(waiting, finer)
            except VoxgateError as error:
                # What there is answers better than a refusal of what would have been finer still.
                yield from (ending if ending.error is None else replace(ending, error=error) for ending in few.values())
                return
            yield from map(Superseded, waiting)

    def _at_one_scale(
        self, events: Generator[MeshEvent], segment_ids: tuple[int, ...], *, is_first: bool, is_last: bool
    ) -> Generator[MeshEvent, None, dict[int, MeshEnding]]:
        """Pass events on, but for the endings of segments that have too few triangles: those are returned."""
        few: dict[int, MeshEnding] = {}
        waiting = dict.fromkeys(segment_ids)
        try:
            for event in events:
                if isinstance(event, MeshEnding):
                    del waiting[event.segment_id]
                    if not is_last and not self._is_enough(event):
                        few[event.segment_id] = event
                        continue
                yield event
        except LimitExceeded as error:
            # Others have their meshes by now: it is the failure of those that needed more alone.
            if is_first:
                raise
            yield from (MeshEnding(segment_id, error=error) for segment_id in waiting)
        finally:
            events.close()
        return few

    def _is_enough(self, ending: MeshEnding) -> bool:
        if ending.error is not None:
            return not isinstance(ending.error, SegmentNotFound)
        return ending.face_count >= self._enough
