"""Meshes that the store keeps, and those made from voxels where it keeps none: the same events either way."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator
from dataclasses import replace

from voxgate.model.errors import (
    InvalidArgument,
    InvalidSegmentId,
    MissingCapability,
    SegmentNotFound,
    UnknownKey,
    VoxgateError,
)
from voxgate.model.kept_mesh_files import MeshFilePiece, StoredMeshFiles, check_part, mesh_file_kind
from voxgate.model.mesh_stream import MeshEnding, MeshPiece
from voxgate.model.meshes import MeshRequest
from voxgate.model.skeletons import StoredMeshes
from voxgate.model.volumes import CallContext, Volume
from voxgate_mesh.checks import check_segment_ids, check_segmentation
from voxgate_mesh.finishing import Finisher
from voxgate_mesh.meshing import MeshEvent, MeshingSettings, ScanProgress

_ANY_SIZE = 2**63  # what a store keeps is bounded where it is read

ComputeMeshes = Callable[[MeshRequest], Generator[MeshEvent]]
"""Makes meshes from voxels; what can be refused is refused by this call."""


def native_or_computed(
    volume: Volume, request: MeshRequest, compute: ComputeMeshes, *, context: CallContext, settings: MeshingSettings
) -> Generator[MeshEvent]:
    """The events of a request, stored meshes first.

    What can be refused is refused by this call. Where only some segments have stored meshes, whatever keeps the others
    from being made (a limit, an unknown voxel size) is the failure of those others alone. So is being 0, background.

    Args:
        volume: a segmentation.
        request: which surfaces.
        compute: makes those from voxels that are not stored, as `voxgate_mesh.computing.compute_segments` does.
        context: when to stop.
        settings: limits of the server.

    Raises:
        InvalidArgument: for stored meshes in a scale, bounds or border of the caller's choice, or simplified.
        MissingCapability: for stored meshes of a store that keeps none; and what `compute` raises.
    """
    if request.segment_ids.count(0) != 1:
        return _foreground(volume, request, context, settings, compute)
    check_segmentation(volume.info)
    others = replace(request, segment_ids=tuple(each for each in request.segment_ids if each))
    if not others.segment_ids:
        return _beside_background(None)
    return _beside_background(_foreground(volume, others, context, settings, compute))


def kept_file(volume: Volume, name: str, start: int, stop: int | None) -> Iterator[MeshFilePiece]:
    """The bytes [start, stop) of a file of stored meshes; see `StoredMeshFiles.read_mesh_file`.

    Raises:
        MissingCapability: for a store that keeps no meshes in such files.
        UnknownKey: when there is no such file; and what reading it raises.
    """
    mesh_file_kind(name)
    check_part(start, stop)
    files = volume.capability(StoredMeshFiles)
    if files is None:
        raise MissingCapability(
            "the store keeps no meshes of this volume in files of neuroglancer's",
            "ask for the meshes themselves",
            details={"capability": "mesh_files"},
        )
    pieces = files.read_mesh_file(name, start, stop)
    if pieces is None:
        raise UnknownKey(f"there is no file {name!r} among the meshes", "ask for the mesh itself")
    return pieces


def _foreground(
    volume: Volume, request: MeshRequest, context: CallContext, settings: MeshingSettings, compute: ComputeMeshes
) -> Generator[MeshEvent]:
    only_stored = request.source == "stored"
    if only_stored and not request.takes_stored:
        raise InvalidArgument(
            "stored meshes have no scale, bounds, border or mesher to choose, and are not simplified",
            'leave these wishes out, or take "computed"',
        )
    kept = volume.capability(StoredMeshes) if request.takes_stored else None
    if kept is not None:
        check_segment_ids(request.segment_ids, settings.limits)
        check_segmentation(volume.info)
        stored = _Stored(kept, request, context)
        return stored.then(Finisher(volume.info, request, _ANY_SIZE, context), None if only_stored else compute)
    if only_stored:
        raise MissingCapability(
            "the store keeps no meshes of this volume", 'take "computed"', details={"capability": "stored_meshes"}
        )
    return compute(request)


def _beside_background(events: Generator[MeshEvent] | None) -> Generator[MeshEvent]:
    """Answer id 0 first, then what else was asked for."""
    try:
        background = InvalidSegmentId("0 is background, not a segment", "leave it out", details={"segment_id": "0"})
        yield MeshEnding(0, error=background)
        if events is not None:
            yield from events
    finally:
        if events is not None:
            events.close()


class _Stored:
    """The stored meshes of one request."""

    def __init__(self, kept: StoredMeshes, request: MeshRequest, context: CallContext) -> None:
        self._kept = kept
        self._request = request
        self._context = context
        self._missing: list[int] = []

    def then(self, finisher: Finisher, compute: ComputeMeshes | None) -> Generator[MeshEvent]:
        """What is stored, measured; then the rest, made from voxels, or absent where it may not be."""
        yield from finisher.events(self._events())
        missing = tuple(self._missing)
        if missing and compute is not None:
            yield from _failing_alone(compute, replace(self._request, segment_ids=missing))
            return
        for segment_id in missing:
            absent = SegmentNotFound(
                f"the store keeps no mesh of segment {segment_id}",
                'take "computed" or "auto", or check the id and the label view',
                details={"segment_id": str(segment_id)},
            )
            yield MeshEnding(segment_id, error=absent, origin="stored")

    def _events(self) -> Generator[MeshEvent]:
        for segment_id in self._request.segment_ids:
            self._context.check()
            yield ScanProgress("fetching", 0, 0)
            try:
                mesh = self._kept.stored_mesh(segment_id)
            except VoxgateError as error:
                yield MeshEnding(segment_id, error=error, origin="stored")
                continue
            if mesh is None:
                self._missing.append(segment_id)
                continue
            yield MeshPiece(segment_id, 0, mesh.vertices, mesh.faces)
            yield MeshEnding(segment_id, len(mesh.vertices), len(mesh.faces), origin="stored")


def _failing_alone(compute: ComputeMeshes, request: MeshRequest) -> Generator[MeshEvent]:
    """Make meshes; a refusal is the failure of each of the segments."""
    try:
        events = compute(request)
    except VoxgateError as error:
        yield from (MeshEnding(segment_id, error=error) for segment_id in request.segment_ids)
        return
    try:
        yield from events
    finally:
        events.close()
