"""Which formats there are, and what each can hold."""

from __future__ import annotations

from dataclasses import dataclass

from voxgate.model.errors import InvalidArgument
from voxgate.model.mesh_files.draco import check_draco
from voxgate.model.meshes import MESH_FORMATS


@dataclass(frozen=True, slots=True)
class MeshFileType:
    """What a file of a format is.

    Attributes:
        media_type: as in HTTP's Content-Type.
        extension: the usual ending of its name, without a dot; empty where there is none.
    """

    media_type: str
    extension: str


_TYPES = {
    "obj": MeshFileType("model/obj", "obj"),
    "ply": MeshFileType("model/ply", "ply"),
    "stl": MeshFileType("model/stl", "stl"),
    "glb": MeshFileType("model/gltf-binary", "glb"),
    "drc": MeshFileType("application/octet-stream", "drc"),
    "precomputed": MeshFileType("application/octet-stream", ""),
}
_OF_ONE_SEGMENT = {"drc": "a Draco file", "precomputed": "a precomputed fragment"}


def mesh_file_type(fmt: str) -> MeshFileType:
    """What a file of a format is.

    Raises:
        InvalidArgument: for an unknown format.
    """
    if fmt not in _TYPES:
        raise InvalidArgument(f"{fmt!r} is not a format of mesh files", f"use one of {', '.join(MESH_FORMATS)}")
    return _TYPES[fmt]


def check_mesh_file(mesh_count: int, fmt: str) -> None:
    """Check that a file of a format can hold so many meshes, and be written here, before they are made.

    Raises:
        InvalidArgument: for an unknown format, no mesh, or several in a format that takes one.
        Unimplemented: for "drc" without the extra `voxgate[draco]`.
    """
    mesh_file_type(fmt)
    if mesh_count < 1:
        raise InvalidArgument("there is no mesh to write", "give at least one")
    if fmt in _OF_ONE_SEGMENT and mesh_count != 1:
        raise InvalidArgument(
            f"{_OF_ONE_SEGMENT[fmt]} holds one segment, not {mesh_count}", "write one file for each segment"
        )
    if fmt == "drc":
        check_draco()
