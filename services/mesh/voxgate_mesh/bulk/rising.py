"""What a chunk hands to the level above: thinned surfaces on the lattice, one segment at a time, in order of id.

The file, little-endian: 8 bytes of magic, uint64 number of segments n; rows of INDEX, ascending by segment; then of
each its vertices, int32 (vertex_count, 3), and its faces, uint32 (face_count, 3).
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from voxgate.model.errors import ChunkCorrupt, ChunkMissing
from voxgate.model.mesh_stores import ProductFiles
from voxgate_mesh.bulk.lattice import Faces, Lattice

INDEX: np.dtype[Any] = np.dtype([("segment_id", "<u8"), ("vertex_count", "<u8"), ("face_count", "<u8")])
_MAGIC = b"vgrise_1"
_HEAD_BYTES = 16
_PLACE_BYTES = 12  # of a vertex, and of a face
_WINDOW_BYTES = 1 << 20
_REMEDY = "the job's partial files were changed from outside: cancel it and start it anew"


@dataclass(frozen=True, slots=True, eq=False)
class Rising:
    """A segment's surface in one chunk."""

    segment_id: int
    places: Lattice
    faces: Faces


def write_rising(files: ProductFiles, name: str, surfaces: list[Rising]) -> bytes:
    """Write surfaces; the SHA-256 of the file, 32 bytes.

    Raises:
        StoreUnavailable.
    """
    ordered = sorted(surfaces, key=lambda surface: surface.segment_id)
    index = np.array([(each.segment_id, len(each.places), len(each.faces)) for each in ordered], INDEX)
    digest = hashlib.sha256()

    def parts() -> Iterator[bytes]:
        yield _MAGIC + len(ordered).to_bytes(8, "little") + index.tobytes()
        for surface in ordered:
            yield surface.places.astype("<i4", copy=False).tobytes() + surface.faces.astype("<u4", copy=False).tobytes()

    def seen() -> Iterator[bytes]:
        for part in parts():
            digest.update(part)
            yield part

    files.write(name, seen())
    return digest.digest()


class RisingFile:
    """Reads a chunk's surfaces in order of id, each once, a window at a time."""

    def __init__(self, files: ProductFiles, name: str) -> None:
        """Read the index.

        Raises:
            ChunkMissing, ChunkCorrupt: when the file is not there, or not what was written.
            StoreUnavailable.
        """
        self._files, self._name = files, name
        head = self._read(0, _HEAD_BYTES)
        if head[:8] != _MAGIC:
            raise ChunkCorrupt("a partial file of a meshing job is not what was written", _REMEDY)
        count = int.from_bytes(head[8:], "little")
        start = _HEAD_BYTES + INDEX.itemsize * count
        self._index: npt.NDArray[Any] = np.frombuffer(self._read(_HEAD_BYTES, start), INDEX)
        sizes = (self._index["vertex_count"] + self._index["face_count"]) * np.uint64(_PLACE_BYTES)
        self._starts = np.concatenate([[start], start + np.cumsum(sizes, dtype=np.int64)])
        self._window, self._window_start = b"", start

    @property
    def segment_ids(self) -> npt.NDArray[np.uint64]:
        """The segments, ascending."""
        ids: npt.NDArray[np.uint64] = self._index["segment_id"]
        return ids

    def find(self, segment_id: int) -> Rising | None:
        """A segment's surface, None where there is none; segments are asked for in order of id.

        Raises:
            As when the file was opened.
        """
        at = int(np.searchsorted(self._index["segment_id"], np.uint64(segment_id)))
        if at == len(self._index) or int(self._index["segment_id"][at]) != segment_id:
            return None
        data = self._span(int(self._starts[at]), int(self._starts[at + 1]))
        count = 3 * int(self._index["vertex_count"][at])
        places = np.frombuffer(data, "<i4", count).reshape(-1, 3)
        return Rising(segment_id, places, np.frombuffer(data, "<u4", -1, 4 * count).reshape(-1, 3))

    def _span(self, start: int, stop: int) -> bytes:
        if stop > self._window_start + len(self._window) or start < self._window_start:
            last = max(stop, min(start + _WINDOW_BYTES, int(self._starts[-1])))
            self._window, self._window_start = self._read(start, last), start
        return self._window[start - self._window_start : stop - self._window_start]

    def _read(self, start: int, stop: int) -> bytes:
        if start == stop:
            return b""
        data = self._files.read(self._name, start, stop)
        if data is None:
            raise ChunkMissing("a partial file of a meshing job is gone", _REMEDY)
        if len(data) != stop - start:
            raise ChunkCorrupt("a partial file of a meshing job is cut short", _REMEDY)
        return data
