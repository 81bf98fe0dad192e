"""Fragments of meshes in Draco, decoded only where what they declare can be true.

Format: Draco Bitstream Specification 2.2 (google.github.io/draco/spec): "DRACO", version, encoder type (1: mesh),
encoder method (0: sequential, 1: edgebreaker), uint16 flags (bit 15: metadata follows); then metadata; then the
connectivity, which begins with its counts as varints. Draco's decoder allocates by those counts.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from voxgate.model.errors import ChunkCorrupt, ConfigInvalid, UnsupportedFormat
from voxgate_remotes.precomputed_kept.files import REMEDY
from voxgate_remotes.precomputed_kept.places import check_indices

_MAGIC, _VERSION, _MESH, _SEQUENTIAL, _EDGEBREAKER = b"DRACO", (2, 2), 1, 0, 1
_HEADER_BYTES = 11
_HAS_METADATA = 0x8000
_MOST_NESTED = 8
# A flat sheet of 320,000 faces was seen in 967 bytes, so small files may declare much; large ones less for each byte.
_FREE_FACES, _FACES_PER_BYTE, _MOST_FACES = 2**21, 64, 2**26


def decoded(data: bytes, bits: int) -> tuple[npt.NDArray[np.uint32], npt.NDArray[np.uint32]]:
    """The vertices (n, 3) of a fragment as the integers that are stored, and its faces (m, 3).

    Args:
        data: one Draco mesh.
        bits: what the integers have at most.

    Raises:
        ChunkCorrupt: when it is none, or declares more than it can have.
        UnsupportedFormat: for a bitstream of another version.
        ConfigInvalid: when DracoPy is not installed.
    """
    check_counts(data)
    mesh = _mesh(data)
    points = np.asarray(mesh.points)
    faces = np.asarray(getattr(mesh, "faces", ()))  # DracoPy calls a mesh without faces a cloud of points
    if not len(faces):
        return np.empty((0, 3), np.uint32), np.empty((0, 3), np.uint32)
    if points.ndim != 2 or points.shape[1] != 3 or faces.ndim != 2 or faces.shape[1] != 3:
        raise ChunkCorrupt("a stored fragment has no triangles with vertices in three dimensions", REMEDY)
    with np.errstate(invalid="ignore"):
        whole = points.astype(np.int64)
    if not np.array_equal(whole, points) or whole.min() < 0 or whole.max() >= 1 << bits:
        raise ChunkCorrupt(f"vertices of a stored fragment are no integers of {bits} bits", REMEDY)
    check_indices(faces, len(points))
    return whole.astype(np.uint32), faces.astype(np.uint32)


def _mesh(data: bytes) -> Any:
    try:
        import DracoPy  # noqa: PLC0415  (heavy, and an extra)
    except ImportError:
        raise ConfigInvalid(
            "meshes in Draco cannot be decoded here", 'install it: pip install "voxgate-remotes[meshes]"'
        ) from None
    try:
        return DracoPy.decode(data)
    except (DracoPy.FileTypeException, ValueError, RuntimeError, OverflowError, MemoryError) as error:
        raise ChunkCorrupt("a stored fragment cannot be decoded by Draco", REMEDY) from error


def check_counts(data: bytes) -> None:
    """Refuse a mesh that declares more than its bytes can say.

    Raises:
        ChunkCorrupt, UnsupportedFormat.
    """
    if len(data) < _HEADER_BYTES or not data.startswith(_MAGIC) or data[7] != _MESH:
        raise ChunkCorrupt("a stored fragment is no Draco mesh", REMEDY)
    if (data[5], data[6]) != _VERSION:
        raise UnsupportedFormat(f"Draco's bitstream {data[5]}.{data[6]} is not supported", "encode it as 2.2")
    reader = _Reader(data, _HEADER_BYTES)
    if int.from_bytes(data[9:11], "little") & _HAS_METADATA:
        for _ in range(reader.varint()):
            reader.varint()
            reader.skip_metadata(0)
        reader.skip_metadata(0)
    if data[8] == _SEQUENTIAL:
        faces, vertices = reader.varint(), reader.varint()
    elif data[8] == _EDGEBREAKER:
        reader.skip(1)  # how the traversal is encoded
        vertices, faces = reader.varint(), reader.varint()
    else:
        raise ChunkCorrupt("a stored fragment is encoded as Draco does not", REMEDY)
    most = min(_FREE_FACES + _FACES_PER_BYTE * len(data), _MOST_FACES)
    if faces > most or vertices > 3 * faces:
        raise ChunkCorrupt(
            f"a stored fragment of {len(data)} bytes declares {faces} faces and {vertices} vertices", REMEDY
        )


class _Reader:
    """Reads along bytes.

    Raises:
        ChunkCorrupt: when they end.
    """

    def __init__(self, data: bytes, at: int) -> None:
        self._data = data
        self._at = at

    def varint(self) -> int:
        """An unsigned number of up to 32 bits: seven a byte, the lowest first."""
        number = 0
        for shift in range(0, 35, 7):
            byte = self._byte()
            number |= (byte & 0x7F) << shift
            if byte < 0x80:
                return number
        raise ChunkCorrupt("a stored fragment declares a number that is too large", REMEDY)

    def skip(self, count: int) -> None:
        """Pass some bytes."""
        self._at += count
        if self._at > len(self._data):
            raise ChunkCorrupt("a stored fragment is cut short", REMEDY)

    def skip_metadata(self, depth: int) -> None:
        """Pass entries of names (a byte of length) and values (a varint of length), and what is nested below."""
        if depth > _MOST_NESTED:
            raise ChunkCorrupt("the metadata of a stored fragment is nested too deeply", REMEDY)
        for _ in range(self.varint()):
            self.skip(self._byte())
            self.skip(self.varint())
        for _ in range(self.varint()):
            self.skip(self._byte())
            self.skip_metadata(depth + 1)

    def _byte(self) -> int:
        self.skip(1)
        return self._data[self._at - 1]
