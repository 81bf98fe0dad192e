"""Whole meshes out of the stream of pieces, in this process."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field

import numpy as np

from voxgate.model.errors import LimitExceeded
from voxgate.model.mesh_stream import MeshEnding, MeshPiece
from voxgate.model.meshes import Mesh, MeshFailure, MeshProgress, MeshRequest
from voxgate.model.volumes import CallContext, Volume
from voxgate_mesh.meshers import find_mesher
from voxgate_mesh.meshing import MeshEvent, MeshingSettings, ScanProgress, Workers, mesh_segments


class MeshCollector:
    """Joins the events of one request, holding at most a number of bytes."""

    def __init__(self, request: MeshRequest, resolved_version: str, max_bytes: int) -> None:
        """Join the answers to `request`, of a volume at this version."""
        self._request = request
        self._version = resolved_version
        self._mesher = find_mesher(request.mesher)[0]
        self._max_bytes = max_bytes
        self._held = 0
        self._pieces: defaultdict[int, list[MeshPiece]] = defaultdict(list)

    def add(self, event: MeshEvent) -> Iterator[Mesh | MeshFailure]:
        """Take an event; yields the mesh or failure that it ends, if it ends one.

        Raises:
            LimitExceeded: when the meshes together need more than the bytes allowed.
        """
        if isinstance(event, MeshPiece):
            self._pieces[event.segment_id].append(event)
            self._held += event.byte_count
            if self._held > self._max_bytes:
                raise LimitExceeded(
                    f"these meshes need more than the {self._max_bytes:,} bytes this server holds for one file",
                    "mesh a coarser scale, pass bounds, or stream the meshes instead",
                    details={"limit": str(self._max_bytes), "asked": str(self._held)},
                )
        elif isinstance(event, MeshEnding):
            yield self._ended(event, self._pieces.pop(event.segment_id, []))

    def _ended(self, ending: MeshEnding, pieces: list[MeshPiece]) -> Mesh | MeshFailure:
        if ending.error is not None:
            return MeshFailure(ending.segment_id, ending.error)
        return mesh_of(pieces, ending, resolved_version=self._version, mesher=self._mesher)


def mesh_of(pieces: list[MeshPiece], ending: MeshEnding, *, resolved_version: str, mesher: str) -> Mesh:
    """The mesh of all pieces of a segment, and its end."""
    normals = [piece.normals for piece in pieces if piece.normals is not None]
    return Mesh(
        ending.segment_id,
        np.concatenate([np.zeros((0, 3), np.float32), *(piece.vertices for piece in pieces)]),
        np.concatenate([np.zeros((0, 3), np.uint32), *(piece.faces for piece in pieces)]),
        origin=ending.origin,
        scale=ending.scale,
        resolved_version=resolved_version,
        mesher=mesher if ending.origin == "computed" else "",
        normals=np.concatenate(normals) if normals else None,
        search=ending.search,
        statistics=ending.statistics,
    )


@dataclass(frozen=True, slots=True)
class VolumeMeshes:
    """Meshes of a volume's segments, made in this process: a `MeshSource` over any Volume.

    Attributes:
        volume: a segmentation.
        workers: where blocks are meshed.
        context: when to stop.
        settings: limits.
    """

    volume: Volume
    workers: Workers
    context: CallContext = field(default_factory=CallContext)
    settings: MeshingSettings = field(default_factory=MeshingSettings)

    def meshes(self, request: MeshRequest, *, progress: MeshProgress | None = None) -> Iterator[Mesh | MeshFailure]:
        """Yield exactly one Mesh or MeshFailure for each requested id.

        Raises:
            VoxgateError: whatever `mesh_segments` raises.
            LimitExceeded: when the meshes together need more than `limits.max_file_bytes`.
        """
        events = mesh_segments(self.volume, request, workers=self.workers, context=self.context, settings=self.settings)
        version = self.volume.info.resolved_version
        collector = MeshCollector(request, version, self.settings.limits.max_file_bytes)
        for event in events:
            if progress is not None and isinstance(event, ScanProgress):
                progress(event.phase, event.done_bytes, event.total_bytes)
            yield from collector.add(event)
