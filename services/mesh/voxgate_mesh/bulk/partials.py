"""Partial files: what the chunks of a bulk meshing leave for the blocks after them, in a folder that goes in the end.

For each chunk there are two. "{level}/{x}_{y}_{z}" holds its encoded pieces, by partition, with a table at the front of
which a partition's part can be read alone. Little-endian: 8 bytes of magic, uint64 number of partitions P, uint64 (P +
1,) first row of each; rows of ROW, ascending by partition, then segment; the pieces' bytes in the order of their rows,
so that a partition's pieces lie together. "{level}/{x}_{y}_{z}.up" holds what the level above is made of: see
`voxgate_mesh.bulk.rising`.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from voxgate.model.errors import ChunkCorrupt, ChunkMissing
from voxgate.model.mesh_stores import ProductFiles
from voxgate_mesh.bulk.plan import LevelBlock, MeshPlan

ROW: np.dtype[Any] = np.dtype(
    [
        ("segment_id", "<u8"),
        ("voxel_count", "<u8"),
        ("area_nm2", "<f8"),
        ("volume_nm3", "<f8"),
        ("face_count", "<u8"),
        ("offset", "<u8"),
        ("length", "<u8"),
        ("rises", "<u8"),
    ]
)
"""A piece as tables have it: `offset` and `length` say where its bytes are in the file; the rest is as of `Piece`."""

Rows = npt.NDArray[Any]
"""A structured array of dtype ROW and shape (n,), ascending by segment."""

_MAGIC = b"vgpiece1"
_REMEDY = "the job's partial files were changed from outside: cancel it and start it anew"


@dataclass(frozen=True, slots=True, eq=False)
class Piece:
    """What a chunk has of one segment.

    A chunk that a segment fills has voxels of it and no triangle; one that it only touches has triangles and no voxel.

    Attributes:
        segment_id: from 1 to 2**64 - 1.
        voxel_count: at level 0, its voxels that are the chunk's own: over all chunks each counts once. 0 above.
        area_nm2: at level 0, of the piece's triangles as they are before they are rounded to be stored. 0 above.
        volume_nm3: at level 0, between these triangles and the plan's `base_nm`: summed over all chunks, what the
            segment's surface encloses. 0 above.
        face_count: triangles that are stored.
        draco: the piece, positions being integers of the plan's bits in the chunk's frame; empty without triangles.
        rises: whether the chunk of the level above has this piece in its own. False for what is complete in the chunk:
            where the segment has parts elsewhere that do rise, the last stage puts it into their coarser levels.
    """

    segment_id: int
    voxel_count: int
    area_nm2: float
    volume_nm3: float
    face_count: int
    draco: bytes
    rises: bool = True


def partial_folder(folder: str, plan: MeshPlan) -> str:
    """The folder of partial files, below that of the meshes (which may be empty), without a slash at the end."""
    name = f"voxgate-partial-{plan.digest[:16]}"
    return f"{folder}/{name}" if folder else name


def pieces_name(partials: str, block: LevelBlock) -> str:
    """The file of a chunk's pieces."""
    return f"{partials}/{block.level}/{block.position.x}_{block.position.y}_{block.position.z}"


def rising_name(partials: str, block: LevelBlock) -> str:
    """The file of what a chunk hands to the level above."""
    return f"{pieces_name(partials, block)}.up"


def write_pieces(files: ProductFiles, name: str, pieces: Sequence[Piece], plan: MeshPlan) -> bytes:
    """Write a chunk's pieces, in any order, none of one segment twice.

    Returns:
        The SHA-256 of the file, 32 bytes.

    Raises:
        StoreUnavailable.
    """
    segments = np.fromiter((piece.segment_id for piece in pieces), np.uint64, len(pieces))
    partitions = plan.partitions_of(segments)
    order = np.lexsort((segments, partitions))
    ordered = [pieces[at] for at in order]
    starts = np.searchsorted(partitions[order], np.arange(plan.partition_count + 1)).astype("<u8")
    rows = np.zeros(len(pieces), ROW)
    rows["segment_id"] = segments[order]
    for field in ("voxel_count", "area_nm2", "volume_nm3", "face_count", "rises"):
        rows[field] = [getattr(piece, field) for piece in ordered]
    rows["length"] = [len(piece.draco) for piece in ordered]
    head = _MAGIC + np.array([plan.partition_count], "<u8").tobytes() + starts.tobytes()
    ends = np.cumsum(rows["length"]) + np.uint64(len(head) + rows.nbytes)
    rows["offset"] = ends - rows["length"]
    digest = hashlib.sha256()

    def parts() -> Iterator[bytes]:
        for part in (head, rows.tobytes(), *(piece.draco for piece in ordered)):
            digest.update(part)
            yield part

    files.write(name, parts())
    return digest.digest()


def read_table(files: ProductFiles, name: str, partition: int) -> Rows:
    """The rows of a partition's pieces; a few kilobytes are read.

    Raises:
        ChunkMissing, ChunkCorrupt: when the file is not there, or not what was written.
        StoreUnavailable.
    """
    head = _read(files, name, 0, 16)
    count = int.from_bytes(head[8:16], "little")
    if head[:8] != _MAGIC or not 0 <= partition < count:
        raise ChunkCorrupt("a partial file of a meshing job is not what was written", _REMEDY)
    first, last = np.frombuffer(_read(files, name, 16 + 8 * partition, 32 + 8 * partition), "<u8").tolist()
    if first == last:
        return np.zeros(0, ROW)
    start = 16 + 8 * (count + 1)
    return np.frombuffer(_read(files, name, start + ROW.itemsize * first, start + ROW.itemsize * last), ROW)


def _read(files: ProductFiles, name: str, start: int, stop: int) -> bytes:
    data = files.read(name, start, stop)
    if data is None:
        raise ChunkMissing("a partial file of a meshing job is gone", _REMEDY)
    if len(data) != stop - start:
        raise ChunkCorrupt("a partial file of a meshing job is cut short", _REMEDY)
    return data
