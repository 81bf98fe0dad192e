"""The pieces of surfaces that are held until they are whole, within a number of bytes."""

from __future__ import annotations

from collections import Counter, defaultdict

from voxgate.model.errors import LimitExceeded
from voxgate.model.mesh_stream import MeshEnding, MeshPiece
from voxgate.model.volumes import Scale, VolumeInfo
from voxgate_mesh.projecting import is_size

ROW_BYTES = 12
"""Of a vertex, 3 float32, and of a triangle, 3 uint32."""


class Holding:
    """Pieces by segment. Where they get too many bytes, the largest segment is let go."""

    def __init__(self, info: VolumeInfo, max_bytes: int) -> None:
        """Hold nothing yet."""
        self._info = info
        self._max_bytes = max_bytes
        self._bytes = 0
        self._sizes: Counter[int] = Counter()
        self._pieces: defaultdict[int, list[MeshPiece]] = defaultdict(list)
        self._let_go: set[int] = set()

    def add(self, piece: MeshPiece) -> None:
        """Hold a piece, unless its segment was let go."""
        if piece.segment_id in self._let_go:
            return
        self._pieces[piece.segment_id].append(piece)
        self._sizes[piece.segment_id] += piece.byte_count
        self._bytes += piece.byte_count
        while self._bytes > self._max_bytes and self._sizes:
            largest = max(self._sizes, key=self._sizes.__getitem__)
            self.forget(largest)
            self._let_go.add(largest)

    def forget(self, segment_id: int) -> None:
        """Drop what is held of a segment: it begins anew."""
        self._bytes -= self._sizes.pop(segment_id, 0)
        self._pieces.pop(segment_id, None)
        self._let_go.discard(segment_id)

    def taken(self, segment_id: int) -> list[MeshPiece]:
        """The pieces of a segment that ended. Their bytes count until they are released."""
        self._sizes.pop(segment_id, None)
        self._let_go.discard(segment_id)
        return self._pieces.pop(segment_id, [])

    def release(self, size: int) -> None:
        """Count bytes no longer."""
        self._bytes -= size

    def refused(self, ending: MeshEnding) -> LimitExceeded | None:
        """Why a segment that was let go has no mesh; None when it was not."""
        if ending.segment_id not in self._let_go:
            return None
        asked = (ending.vertex_count + ending.face_count) * ROW_BYTES
        return too_large(
            self._info, f"the surface of segment {ending.segment_id}", ending.scale, asked, self._max_bytes
        )


def too_large(info: VolumeInfo, what: str, scale: int, asked: int, limit: int) -> LimitExceeded:
    """The error for surfaces of too many bytes; names the finest scale at which they are expected to fit.

    Args:
        info: the volume.
        what: what is wrong, in words.
        scale: index of the scale they are meshed at.
        asked: their bytes, as far as is known.
        limit: the most there may be.
    """
    details = {"limit": str(limit), "asked": str(asked)}
    fits = next((i for i in range(scale + 1, len(info.scales)) if _bytes_at(info, scale, i, asked) <= limit), None)
    remedy = "pass bounds around a part of it: there is no coarser scale that fits"
    if asked <= limit:
        remedy = "ask for fewer segments in one request: this one alone would fit"
    elif fits is not None:
        details |= {"scale": str(fits), "scale_key": info.scales[fits].key}
        remedy = f"mesh a coarser scale: {fits} ({info.scales[fits].key!r}) is expected to fit"
    return LimitExceeded(
        f"{what}: {asked:,} bytes at scale {scale}, and this server holds at most {limit:,} bytes for one call",
        remedy,
        details=details,
    )


def _bytes_at(info: VolumeInfo, scale: int, other: int, size: int) -> float:
    """The bytes of a surface at another scale, from those at one: a triangle for each face of a voxel, about.

    Taken for a surface that lies in the plane in which voxels grow least.
    """
    one, two = _size(info.scales[scale]), _size(info.scales[other])
    if one is None or two is None:
        return float("inf")
    x, y, z = (b / a for a, b in zip(one, two, strict=True))
    return size / max(min(x * y, y * z, z * x), 1e-9)


def _size(scale: Scale) -> tuple[float, float, float] | None:
    size = scale.voxel_size_nm
    return None if size is None or not is_size(size) else (size.x, size.y, size.z)
