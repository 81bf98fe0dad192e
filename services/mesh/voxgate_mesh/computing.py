"""Meshes made from voxels, with everything that a request may wish for."""

from __future__ import annotations

from collections.abc import Generator

from voxgate.model.meshes import MeshRequest
from voxgate.model.volumes import CallContext, Volume
from voxgate_mesh.finishing import Finisher, Killable
from voxgate_mesh.leveling import leveled
from voxgate_mesh.meshing import MeshEvent, MeshingSettings, Workers, mesh_segments


def compute_segments(
    volume: Volume,
    request: MeshRequest,
    *,
    workers: Workers,
    context: CallContext,
    settings: MeshingSettings,
    killable: Killable | None = None,
) -> Generator[MeshEvent]:
    """Mesh segments: everything that can be refused is refused by this call, before a voxel is read.

    Without a simplification or normals, events pass as they come; with one of them, a segment comes whole when it ends.

    Args:
        volume: a segmentation.
        request: which surfaces, and what is wished of them.
        workers: where blocks are meshed.
        context: when to stop.
        settings: limits of the server.
        killable: where large surfaces are simplified; None means in threads.

    Raises:
        InvalidArgument: for bounds without the scale that they are in; and what `mesh_segments` raises.
    """

    def mesh(at_scale: MeshRequest) -> Generator[MeshEvent]:
        return mesh_segments(volume, at_scale, workers=workers, context=context, settings=settings)

    request.check()
    if request.simplification is None and not request.normals:
        return mesh(request)
    events = leveled(volume.info, request, mesh)
    finisher = Finisher(volume.info, request, settings.limits.max_file_bytes, context, killable)
    return finisher.events(events)
