"""Meshes of the legacy single-resolution format.

Format: github.com/google/neuroglancer, src/datasource/precomputed/meshes.md, "Legacy single-resolution mesh format".
`{id}:0` is a JSON object whose `fragments` names files of the folder; each has, little-endian, a uint32 number of
vertices, their float32 x, y, z in nanometres in the global frame, and uint32 corners of triangles to its end. The
corners count within their own fragment.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence

import numpy as np
import numpy.typing as npt

from voxgate.model.errors import ChunkCorrupt
from voxgate_remotes.parallel import share
from voxgate_remotes.precomputed_kept.files import MOST_BYTES, REMEDY, KeptFiles
from voxgate_remotes.precomputed_kept.places import check_indices

Surface = tuple[npt.NDArray[np.float32], npt.NDArray[np.uint32]]
"""Vertices (n, 3) in nanometres and faces (m, 3)."""

_MOST_MANIFEST_BYTES = 2**26
_THREADS = 8


def legacy_mesh(files: KeptFiles, segment_id: int) -> list[Surface] | None:
    """The fragments of a segment's mesh; None where it has no manifest.

    Raises:
        ChunkCorrupt, PathRefused, StoreUnavailable, Cancelled, DeadlineExceeded.
    """
    names = files.whole(f"{segment_id}:0", fragment_names, _MOST_MANIFEST_BYTES)
    if names is None:
        return None
    found: dict[str, Surface] = {}
    budget = _Budget(segment_id)

    def fetch(name: str) -> None:
        surface = files.whole(name, parsed_fragment)
        if surface is None:
            raise ChunkCorrupt(f"the mesh of segment {segment_id} names a fragment that is absent", REMEDY)
        budget.take(surface)
        found[name] = surface

    share(names, _always(fetch), min(_THREADS, len(names)))  # a store that is far away answers several at a time
    return [found[name] for name in names]


def fragment_names(manifest: bytes) -> Sequence[str]:
    """The fragments that a manifest names, each once.

    Raises:
        ChunkCorrupt: when it is no manifest.
    """
    try:
        content = json.loads(manifest)
    except (ValueError, RecursionError):
        content = None
    names = content.get("fragments") if isinstance(content, dict) else None
    if not isinstance(names, list) or not all(isinstance(name, str) and name for name in names):
        raise ChunkCorrupt("the manifest of a stored mesh is truncated, or names no fragments", REMEDY)
    return list(dict.fromkeys(names))


def parsed_fragment(data: bytes) -> Surface:
    """The surface in a fragment.

    Raises:
        ChunkCorrupt: when it is not exactly one.
    """
    count = int(np.frombuffer(data, "<u4", 1)[0]) if len(data) >= 4 else 0
    after = 4 + 12 * count
    if len(data) < max(4, after) or (len(data) - after) % 12:
        raise ChunkCorrupt(f"a stored fragment of {len(data)} bytes cannot have {count} vertices", REMEDY)
    vertices = np.frombuffer(data, "<f4", 3 * count, 4).reshape(-1, 3).astype(np.float32)
    faces = np.frombuffer(data, "<u4", offset=after).reshape(-1, 3).astype(np.uint32)
    check_indices(faces, count)
    if not np.isfinite(vertices).all():
        raise ChunkCorrupt("a stored vertex is nowhere", REMEDY)
    return vertices, faces


class _Budget:
    """What the fragments of one mesh may have together."""

    def __init__(self, segment_id: int) -> None:
        self._segment_id = segment_id
        self._sizes: list[int] = []  # appended to by several threads, which a list allows

    def take(self, surface: Surface) -> None:
        self._sizes.append(sum(array.nbytes for array in surface))
        if sum(self._sizes) > MOST_BYTES:
            raise ChunkCorrupt(f"the mesh of segment {self._segment_id} has more than {MOST_BYTES} bytes", REMEDY)


def _always(work: Callable[[str], None]) -> Callable[[], Callable[[str], None]]:
    return lambda: work
