"""The meshes that a precomputed volume keeps: whatever format its `mesh` folder is in.

Format: github.com/google/neuroglancer, src/datasource/precomputed/meshes.md. A folder without `info` is of the legacy
format; so is one whose `info` has no `@type`, as older programs wrote it.
"""

from __future__ import annotations

import functools
from collections.abc import Callable

import numpy as np

from voxgate.model.errors import UnsupportedFormat
from voxgate.model.meshes import Mesh
from voxgate_remotes.precomputed_kept.files import KeptFiles, check_id
from voxgate_remotes.precomputed_kept.legacy import Surface, legacy_mesh
from voxgate_remotes.precomputed_kept.multires import TYPE, MultiresMeshes
from voxgate_remotes.precomputed_kept.places import parsed_transform

_LEGACY = "neuroglancer_legacy_mesh"


class PrecomputedMeshes:
    """Meshes that are kept, for one caller; satisfies StoredMeshes. `info` is read once."""

    def __init__(self, files: Callable[[], KeptFiles]) -> None:
        """Take what opens the folder: nothing is looked at before a mesh is asked for."""
        self._files = files

    def stored_mesh(self, segment_id: int) -> Mesh | None:
        """The mesh of a segment; None where none is kept, or one without faces.

        Raises:
            ChunkCorrupt: for more than 1 GiB of it, too; MetadataInvalid, UnsupportedFormat, ConfigInvalid,
            PathRefused, InvalidSegmentId, StoreUnavailable, Cancelled, DeadlineExceeded.
        """
        check_id(segment_id)
        surfaces = self._read(segment_id)
        if not surfaces or not any(len(faces) for _, faces in surfaces):
            return None
        starts = np.cumsum([0, *(len(vertices) for vertices, _ in surfaces)]).tolist()
        faces = [faces + np.uint32(start) for (_, faces), start in zip(surfaces, starts, strict=False)]
        vertices = np.concatenate([vertices for vertices, _ in surfaces])
        return Mesh(segment_id, vertices, np.concatenate(faces), origin="stored")

    @functools.cached_property
    def _read(self) -> Callable[[int], list[Surface] | None]:
        files = self._files()
        info = files.info() or {}
        kind = info.get("@type", _LEGACY)
        if kind == TYPE:
            return MultiresMeshes(files, info).mesh
        if kind != _LEGACY:
            raise UnsupportedFormat(f"meshes of the type {kind!r} are not supported", f"known: {_LEGACY}, {TYPE}")
        if not parsed_transform(info.get("transform")).is_identity:
            raise UnsupportedFormat(
                "a transform is stated for legacy meshes, which have none: readers differ", "remove it from `info`"
            )
        return functools.partial(legacy_mesh, files)
