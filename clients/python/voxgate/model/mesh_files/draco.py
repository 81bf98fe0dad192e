"""Draco: small files of one surface, as neuroglancer and glTF know it.

Source of the format: Google, "Draco Bitstream Specification" 2.2; written by its own encoder, through DracoPy.
"""

from __future__ import annotations

from typing import Any, Final

import numpy as np

from voxgate.model.errors import InvalidArgument
from voxgate.model.extras import loaded
from voxgate.model.meshes import Mesh

POSITION_BITS: Final = 16
"""Of one coordinate: a step is the longest side of the surface's bounds / (2**16 - 1)."""
_NORMAL_BITS: Final = 10  # of an octahedral map: within about a tenth of a degree
_COMPRESSION_LEVEL: Final = 7  # of 10, as cloud-volume and igneous choose: the slower ones win a few per cent


def check_draco() -> None:
    """Check that Draco files can be written here.

    Raises:
        Unimplemented: without the extra `voxgate[draco]`.
    """
    loaded("DracoPy", "draco")


def encode_draco(mesh: Mesh) -> bytes:
    """One surface as Draco, nanometres, in the global frame.

    A vertex moves by at most half a step of POSITION_BITS along each axis, and by what rounding to float32 adds. Faces
    keep their directions, not their order, nor do vertices. Draco has no vertex without a face, no face with a vertex
    twice, and no vertex at which two sheets meet: there it has one vertex for each sheet, at the same place.

    Raises:
        InvalidArgument: for a surface without an area, which Draco cannot hold.
        Unimplemented: without the extra `voxgate[draco]`.
    """
    draco = loaded("DracoPy", "draco")
    if not _has_a_triangle(mesh):
        raise _without_area(mesh)
    try:
        return _encoded(draco, mesh)
    except draco.EncodingFailedException:  # what 16 bits leave of the triangles are lines and points
        raise _without_area(mesh) from None


def _has_a_triangle(mesh: Mesh) -> bool:
    """Whether coordinates are finite and some triangle has three corners at different places."""
    if not np.isfinite(mesh.vertices).all():
        return False
    corners = mesh.vertices[mesh.faces]
    differ = [(corners[:, a] != corners[:, b]).any(axis=1) for a, b in ((0, 1), (1, 2), (2, 0))]
    return bool(np.logical_and.reduce(differ).any())


def _without_area(mesh: Mesh) -> InvalidArgument:
    return InvalidArgument(
        f"the mesh of segment {mesh.segment_id} has no triangle with an area; Draco holds none without",
        "write it as obj, ply or precomputed",
    )


def _encoded(draco: Any, mesh: Mesh) -> bytes:
    data: bytes = draco.encode(
        mesh.vertices,
        mesh.faces,
        quantization_bits=POSITION_BITS,
        compression_level=_COMPRESSION_LEVEL,
        # The binding asks for float64, and keeps float32.
        normals=None if mesh.normals is None else mesh.normals.astype(np.float64),
        normal_quantization_bits=None if mesh.normals is None else _NORMAL_BITS,
    )
    return data
