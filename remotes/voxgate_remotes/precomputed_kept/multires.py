"""Meshes of the multi-resolution format, at their finest level.

Format: github.com/google/neuroglancer, src/datasource/precomputed/meshes.md, "Multi-resolution mesh format". A
manifest is, little-endian: float32 chunk_shape[3] and grid_origin[3], uint32 number of levels, float32 scale and
vertex_offsets[3] of each, uint32 number of fragments of each; then of each level uint32 positions of shape (3, n) and
n sizes in bytes. Level 0 is the finest. The fragments (Draco, integers x of `vertex_quantization_bits`) follow one
another in a file `{id}` in this order, or lie right before the manifest in its shard. A vertex is, on each axis, at

    grid_origin + vertex_offset + chunk_shape * 2**level * (position + x / (2**bits - 1))

in stored coordinates, and the transform of `info` makes nanometres of them. Fragments are cut at planes that are low
or high ends of their frames, so vertices of two fragments that are one in the mesh are equal integers there.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from voxgate.model.errors import ChunkCorrupt, UnsupportedFormat
from voxgate_remotes.precomputed_kept.draco import decoded
from voxgate_remotes.precomputed_kept.files import MOST_BYTES, REMEDY, KeptFiles
from voxgate_remotes.precomputed_kept.legacy import Surface
from voxgate_remotes.precomputed_kept.places import Transform, parsed_transform
from voxgate_remotes.precomputed_kept.shards import Shards, Stored, parsed_sharding

Fragment = tuple[npt.NDArray[np.uint32], npt.NDArray[np.uint32], npt.NDArray[np.uint32]]
"""A fragment: its position in the grid, x, y, z; its vertices in its own frame, (n, 3); its faces, (m, 3)."""

TYPE = "neuroglancer_multilod_draco"
_MOST_MANIFEST_BYTES = 2**26
_HEAD_BYTES, _LEVEL_BYTES, _FRAGMENT_BYTES = 28, 20, 16


@dataclass(frozen=True, slots=True, eq=False)
class Manifest:
    """What a manifest says of its finest level.

    Attributes:
        chunk_shape: float64 (3,), the extent of a fragment, stored coordinates.
        origin: float64 (3,), grid origin and vertex offset together.
        positions: uint32 (n, 3), of the fragments in their grid, x, y, z.
        sizes: of the fragments in bytes.
        total: bytes of the fragments of all levels.
    """

    chunk_shape: npt.NDArray[np.float64]
    origin: npt.NDArray[np.float64]
    positions: npt.NDArray[np.uint32]
    sizes: tuple[int, ...]
    total: int

    @property
    def size(self) -> int:
        """The bytes of the fragments."""
        return sum(self.sizes)


class MultiresMeshes:
    """The meshes of a folder in this format."""

    def __init__(self, files: KeptFiles, info: dict[str, Any]) -> None:
        """Read what `info` says.

        Raises:
            MetadataInvalid, UnsupportedFormat.
        """
        self._files = files
        self._transform: Transform = parsed_transform(info.get("transform"))
        self._bits: int = info.get("vertex_quantization_bits", 0)
        if self._bits not in (10, 16):
            raise UnsupportedFormat("vertices of meshes are quantized neither to 10 nor to 16 bits", "make them anew")
        sharding = info.get("sharding")
        self._shards = None if sharding is None else Shards(files, parsed_sharding(sharding))

    def mesh(self, segment_id: int) -> list[Surface] | None:
        """A segment's mesh, its fragments joined; None where it has no manifest, empty where it has no surface.

        Raises:
            ChunkCorrupt, UnsupportedFormat, ConfigInvalid, StoreUnavailable, Cancelled, DeadlineExceeded.
        """
        found = self._unsharded(segment_id) if self._shards is None else self._sharded(self._shards, segment_id)
        if found is None:
            return None
        manifest, name, start = found
        if not manifest.size:
            return []
        data = self._files.part(name, start, start + manifest.size)
        if data is None:
            raise ChunkCorrupt(f"the mesh of segment {segment_id} has a manifest without fragments", REMEDY)
        fragments = list(self._fragments(manifest, data))
        if not fragments:
            return []
        most = (1 << self._bits) - 1
        places, faces = joined(fragments, most)
        return [(self._transform.apply(manifest.origin + manifest.chunk_shape * (places / most)), faces)]

    def _unsharded(self, segment_id: int) -> tuple[Manifest, str, int] | None:
        manifest = self._files.whole(f"{segment_id}.index", parsed_manifest, _MOST_MANIFEST_BYTES)
        return None if manifest is None else (manifest, str(segment_id), 0)

    def _sharded(self, shards: Shards, segment_id: int) -> tuple[Manifest, str, int] | None:
        stored: Stored | None = shards.find(segment_id)
        if stored is None:
            return None
        manifest = parsed_manifest(shards.read(stored))
        return manifest, stored.name, stored.start - manifest.total

    def _fragments(self, manifest: Manifest, data: bytes) -> Iterator[Fragment]:
        start = budget = 0
        for position, size in zip(manifest.positions, manifest.sizes, strict=True):
            self._files.context.check()
            fragment, start = data[start : start + size], start + size
            if not fragment:
                continue  # the format's way to have a fragment at a coarser level only
            integers, faces = decoded(fragment, self._bits)
            budget += integers.nbytes + faces.nbytes
            if budget > MOST_BYTES:
                raise ChunkCorrupt(f"a stored mesh has more than {MOST_BYTES} bytes", REMEDY)
            yield position, integers, faces


def joined(fragments: Sequence[Fragment], most: int) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.uint32]]:
    """One surface of fragments: vertices at the ends of their frames that lie at one place become one.

    Args:
        fragments: of one level.
        most: the greatest integer of a frame.

    Returns:
        Vertices, shape (n, 3), in units of a frame's extent over `most`; faces, shape (m, 3).
    """
    places = np.concatenate([position.astype(np.int64) * most + integers for position, integers, _ in fragments])
    starts = np.cumsum([0, *(len(integers) for _, integers, _ in fragments)])
    faces = np.concatenate([part + start for (*_, part), start in zip(fragments, starts, strict=False)])
    at_end = np.concatenate([((integers == 0) | (integers == most)).any(axis=1) for _, integers, _ in fragments])
    seams = np.flatnonzero(at_end)
    _, first, same = np.unique(places[seams], axis=0, return_index=True, return_inverse=True)
    owner = np.arange(len(places))
    owner[seams] = seams[first[same.ravel()]]
    kept = owner == np.arange(len(places))
    number = np.cumsum(kept) - 1
    return places[kept], number[owner[faces]].astype(np.uint32)


def parsed_manifest(data: bytes) -> Manifest:
    """A manifest.

    Raises:
        ChunkCorrupt: when it is not exactly one, or says what cannot be.
    """
    levels = int(np.frombuffer(data, "<u4", 1, 24)[0]) if len(data) >= _HEAD_BYTES else 0
    after = _HEAD_BYTES + _LEVEL_BYTES * levels
    if not levels or len(data) < after:
        raise ChunkCorrupt(f"the manifest of a stored mesh has {len(data)} bytes for {levels} levels", REMEDY)
    counts = np.frombuffer(data, "<u4", levels, after - 4 * levels).tolist()
    if len(data) != after + _FRAGMENT_BYTES * sum(counts):
        raise ChunkCorrupt(f"the manifest of a stored mesh has {len(data)} bytes for {sum(counts)} fragments", REMEDY)
    shape, origin = np.frombuffer(data, "<f4", 6).astype(np.float64).reshape(2, 3)
    offset = np.frombuffer(data, "<f4", 3, _HEAD_BYTES + 4 * levels).astype(np.float64)
    if not (np.isfinite(shape).all() and np.isfinite(origin + offset).all()):
        raise ChunkCorrupt("the manifest of a stored mesh says a place that is nowhere", REMEDY)
    tables = [np.frombuffer(data, "<u4", 4 * count, at) for count, at in _tables(counts, after)]
    total = sum(int(table[3 * count :].sum(dtype=np.uint64)) for table, count in zip(tables, counts, strict=True))
    positions, sizes = tables[0][: 3 * counts[0]].reshape(3, -1).T, tables[0][3 * counts[0] :]
    return Manifest(shape, origin + offset, positions, tuple(sizes.tolist()), total)


def _tables(counts: list[int], at: int) -> Iterator[tuple[int, int]]:
    for count in counts:
        yield count, at
        at += _FRAGMENT_BYTES * count
