"""Whole meshes out of the stream of pieces, in this process."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

import numpy as np

from voxgate.model.errors import LimitExceeded
from voxgate.model.meshes import Mesh, MeshFailure, MeshProgress, MeshRequest
from voxgate.model.volumes import CallContext, Volume
from voxgate_mesh.assembling import MeshPiece
from voxgate_mesh.meshers import find_mesher
from voxgate_mesh.meshing import MeshEnding, MeshEvent, MeshingSettings, ScanProgress, Workers, mesh_segments


@dataclass(frozen=True, slots=True)
class VolumeMeshes:
    """Meshes of a volume's segments, made here: a `MeshSource` over any Volume.

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
        """Yield exactly one Mesh or MeshFailure for each requested id."""
        events = mesh_segments(self.volume, request, workers=self.workers, context=self.context, settings=self.settings)
        return self.joined(request, events, progress)

    def joined(
        self, request: MeshRequest, events: Iterable[MeshEvent], progress: MeshProgress | None = None
    ) -> Iterator[Mesh | MeshFailure]:
        """Join the events of a request to whole meshes.

        Raises:
            LimitExceeded: when the meshes together need more than `limits.max_file_bytes`.
        """
        pieces: dict[int, list[MeshPiece]] = defaultdict(list)
        held = 0
        for event in events:
            if isinstance(event, MeshPiece):
                pieces[event.segment_id].append(event)
                held += event.vertices.nbytes + event.faces.nbytes
                self._check_held(held)
            elif isinstance(event, MeshEnding):
                yield self._ended(request, event, pieces.pop(event.segment_id, []))
            elif progress is not None and isinstance(event, ScanProgress):
                progress(event.phase, event.done_bytes, event.total_bytes)

    def _check_held(self, held: int) -> None:
        limit = self.settings.limits.max_file_bytes
        if held > limit:
            raise LimitExceeded(
                f"these meshes need more than the {limit:,} bytes this server holds for one file",
                "mesh a coarser scale, pass bounds, or stream the meshes instead",
                details={"limit": str(limit), "asked": str(held)},
            )

    def _ended(self, request: MeshRequest, ending: MeshEnding, pieces: list[MeshPiece]) -> Mesh | MeshFailure:
        if ending.error is not None:
            return MeshFailure(ending.segment_id, ending.error)
        return Mesh(
            ending.segment_id,
            np.concatenate([np.zeros((0, 3), np.float32), *(piece.vertices for piece in pieces)]),
            np.concatenate([np.zeros((0, 3), np.uint32), *(piece.faces for piece in pieces)]),
            scale=request.scale,
            resolved_version=self.volume.info.resolved_version,
            mesher=find_mesher(request.mesher)[0],
        )
