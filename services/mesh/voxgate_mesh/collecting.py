"""Whole meshes out of the stream of pieces, in this process."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field

import numpy as np

from voxgate.model.mesh_stream import MeshEnding, MeshPiece
from voxgate.model.meshes import Mesh, MeshFailure, MeshProgress, MeshRequest
from voxgate.model.volumes import CallContext, Volume, VolumeInfo
from voxgate_mesh.computing import compute_segments
from voxgate_mesh.holding import too_large
from voxgate_mesh.meshers import find_mesher
from voxgate_mesh.meshing import MeshEvent, MeshingSettings, ScanProgress, Workers


class MeshCollector:
    """Joins the events of one request, holding at most a number of bytes."""

    def __init__(self, info: VolumeInfo, request: MeshRequest, max_bytes: int) -> None:
        """Join the answers to `request`, of a volume."""
        self._info = info
        self._request = request
        self._mesher = find_mesher(request.mesher)[0]
        self._max_bytes = max_bytes
        self._held = 0
        self._part = 1.0  # of the voxels that were meshed by now
        self._pieces: defaultdict[int, list[MeshPiece]] = defaultdict(list)

    def add(self, event: MeshEvent) -> Iterator[Mesh | MeshFailure]:
        """Take an event; yields the mesh or failure that it ends, if it ends one.

        Raises:
            LimitExceeded: when the meshes together need more than the bytes allowed; names a scale that fits.
        """
        if isinstance(event, ScanProgress):
            if event.phase == "meshing":
                self._part = event.done_bytes / event.total_bytes if event.done_bytes and event.total_bytes else 1.0
        elif isinstance(event, MeshPiece):
            self._pieces[event.segment_id].append(event)
            self._held += event.byte_count
            if self._held > self._max_bytes:
                expected = round(self._held / self._part)
                what = "these meshes are too large for one file"
                raise too_large(self._info, what, self._request.scale or 0, expected, self._max_bytes)
        else:
            yield self._ended(event, self._pieces.pop(event.segment_id, []))

    def _ended(self, ending: MeshEnding, pieces: list[MeshPiece]) -> Mesh | MeshFailure:
        if ending.error is not None:
            return MeshFailure(ending.segment_id, ending.error)
        return mesh_of(pieces, ending, resolved_version=self._info.resolved_version, mesher=self._mesher)


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
            VoxgateError: whatever `compute_segments` raises.
            LimitExceeded: when the meshes together need more than `limits.max_file_bytes`.
        """
        events = compute_segments(
            self.volume, request, workers=self.workers, context=self.context, settings=self.settings
        )
        collector = MeshCollector(self.volume.info, request, self.settings.limits.max_file_bytes)
        for event in events:
            if progress is not None and isinstance(event, ScanProgress):
                progress(event.phase, event.done_bytes, event.total_bytes)
            yield from collector.add(event)
