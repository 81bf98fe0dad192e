"""Meshes that the store keeps, and those made from voxels where it keeps none: the same events either way."""

from __future__ import annotations

from collections.abc import Generator
from dataclasses import replace

from voxgate.model.errors import InvalidArgument, MissingCapability, SegmentNotFound, VoxgateError
from voxgate.model.mesh_stream import MeshEnding, MeshPiece
from voxgate.model.meshes import Mesh, MeshRequest
from voxgate.model.skeletons import StoredMeshes
from voxgate.model.volumes import CallContext, Volume
from voxgate_mesh.checks import check_segment_ids, check_segmentation
from voxgate_mesh.meshing import MeshEvent, MeshingSettings, ScanProgress, Workers, mesh_segments


def native_or_computed(
    volume: Volume, request: MeshRequest, *, workers: Workers, context: CallContext, settings: MeshingSettings
) -> Generator[MeshEvent]:
    """The events of a request, stored meshes first; see `mesh_segments` for what is made from voxels.

    What can be refused is refused by this call. Where only some segments have stored meshes, whatever keeps the others
    from being made (a limit, an unknown voxel size) is the failure of those others alone.

    Raises:
        InvalidArgument: for stored meshes in a scale, bounds or border of the caller's choice.
        MissingCapability: for stored meshes of a store that keeps none; and what `mesh_segments` raises.
    """
    only_stored = request.source == "stored"
    if only_stored and not request.takes_stored:
        raise InvalidArgument(
            "stored meshes have no scale, bounds, border or mesher to choose", 'leave them out, or take "computed"'
        )
    kept = volume.capability(StoredMeshes) if request.takes_stored else None
    if kept is not None:
        check_segment_ids(request.segment_ids, settings.limits)
        check_segmentation(volume.info)
        computed = None if only_stored else _Computing(volume, workers, context, settings)
        return _stored_first(kept, request, context, computed)
    if only_stored:
        raise MissingCapability(
            "the store keeps no meshes of this volume", 'take "computed"', details={"capability": "stored_meshes"}
        )
    return mesh_segments(volume, request, workers=workers, context=context, settings=settings)


class _Computing:
    """Makes what is not stored."""

    def __init__(self, volume: Volume, workers: Workers, context: CallContext, settings: MeshingSettings) -> None:
        self._volume = volume
        self._workers = workers
        self._context = context
        self._settings = settings

    def events(self, request: MeshRequest) -> Generator[MeshEvent]:
        """The events of these segments; a refusal is the failure of each."""
        try:
            events = mesh_segments(
                self._volume, request, workers=self._workers, context=self._context, settings=self._settings
            )
        except VoxgateError as error:
            yield from (MeshEnding(segment_id, error=error) for segment_id in request.segment_ids)
            return
        try:
            yield from events
        finally:
            events.close()


def _stored_first(
    kept: StoredMeshes, request: MeshRequest, context: CallContext, computing: _Computing | None
) -> Generator[MeshEvent]:
    missing: list[int] = []
    for segment_id in request.segment_ids:
        context.check()
        yield ScanProgress("fetching", 0, 0)
        try:
            mesh = kept.stored_mesh(segment_id)
        except VoxgateError as error:
            yield MeshEnding(segment_id, error=error, origin="stored")
            continue
        if mesh is None:
            missing.append(segment_id)
        else:
            yield from _whole(mesh)
    if missing and computing is not None:
        yield from computing.events(replace(request, segment_ids=tuple(missing)))
        return
    for segment_id in missing:
        absent = SegmentNotFound(
            f"the store keeps no mesh of segment {segment_id}",
            'take "computed" or "auto", or check the id and the label view',
            details={"segment_id": str(segment_id)},
        )
        yield MeshEnding(segment_id, error=absent, origin="stored")


def _whole(mesh: Mesh) -> Generator[MeshEvent]:
    yield MeshPiece(mesh.segment_id, 0, mesh.vertices, mesh.faces)
    yield MeshEnding(mesh.segment_id, len(mesh.vertices), len(mesh.faces), origin="stored")
