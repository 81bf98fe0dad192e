"""Meshes as bytes of common files. Pure numpy.

Sources of the formats: OBJ: Wavefront's "Object Files (.obj)" appendix B1; PLY: Turk, "The PLY Polygon File Format";
STL: 3D Systems' StereoLithography Interface Specification, binary; GLB: Khronos glTF 2.0, chapters 3 and 4;
precomputed: neuroglancer, src/datasource/precomputed/meshes.md, "legacy single-resolution mesh format".
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from voxgate.model.errors import InvalidArgument
from voxgate.model.meshes import MESH_FORMATS, Mesh

_NM_PER_M = 1e9
_ROWS_AT_A_TIME = 1 << 16  # of text, so that its Python objects stay few
_FLOAT32, _UINT32 = 5126, 5125  # glTF component types
_VERTEX_BUFFER, _INDEX_BUFFER = 34962, 34963  # glTF buffer view targets
_JSON_CHUNK, _BIN_CHUNK = 0x4E4F534A, 0x004E4942  # glTF chunk types


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
    "precomputed": MeshFileType("application/octet-stream", ""),
}


def mesh_file_type(fmt: str) -> MeshFileType:
    """What a file of a format is.

    Raises:
        InvalidArgument: for an unknown format.
    """
    if fmt not in _TYPES:
        raise InvalidArgument(f"{fmt!r} is not a format of mesh files", f"use one of {', '.join(MESH_FORMATS)}")
    return _TYPES[fmt]


def check_mesh_file(mesh_count: int, fmt: str) -> None:
    """Check that a file of a format can hold so many meshes, before they are made.

    Raises:
        InvalidArgument: for an unknown format, no mesh, or several in a format that takes one.
    """
    mesh_file_type(fmt)
    if mesh_count < 1:
        raise InvalidArgument("there is no mesh to write", "give at least one")
    if fmt == "precomputed" and mesh_count != 1:
        raise InvalidArgument(
            f"a precomputed fragment holds one segment, not {mesh_count}", "write one file for each segment"
        )


def encode_meshes(meshes: Sequence[Mesh], fmt: str) -> bytes:
    """Write meshes as one file.

    Coordinates are nanometres, in glTF metres. OBJ has one object for each segment, named by its id, glTF one node;
    PLY has a comment for each segment with its ranges of vertices and faces; STL is one soup of triangles.

    Args:
        meshes: at least one; exactly one for "precomputed".
        fmt: one of MESH_FORMATS.

    Raises:
        InvalidArgument: for an unknown format, or a number of meshes it cannot hold.
    """
    check_mesh_file(len(meshes), fmt)
    return _ENCODERS[fmt](meshes)


def _obj(meshes: Sequence[Mesh]) -> bytes:
    parts = ["# voxgate; x y z in nanometres\n"]
    offset = 1  # indices of the format start at 1 and run through the file
    for mesh in meshes:
        parts.append(f"o {mesh.segment_id}\n")
        # Nine significant digits bring every float32 back exactly.
        parts.extend(_rows("v %.9g %.9g %.9g\n", mesh.vertices))
        parts.extend(_rows("f %d %d %d\n", mesh.faces.astype(np.int64) + offset))
        offset += len(mesh.vertices)
    return "".join(parts).encode("ascii")


def _rows(template: str, table: npt.NDArray[Any]) -> list[str]:
    blocks = (table[start : start + _ROWS_AT_A_TIME] for start in range(0, len(table), _ROWS_AT_A_TIME))
    return [template * len(block) % tuple(block.ravel().tolist()) for block in blocks]


def _ply(meshes: Sequence[Mesh]) -> bytes:
    header = ["ply", "format binary_little_endian 1.0", "comment voxgate; x y z in nanometres"]
    faces, vertex_count, face_count = [], 0, 0
    for mesh in meshes:
        vertices_end, faces_end = vertex_count + len(mesh.vertices), face_count + len(mesh.faces)
        header.append(
            f"comment segment {mesh.segment_id} vertices {vertex_count}:{vertices_end} faces {face_count}:{faces_end}"
        )
        faces.append(mesh.faces.astype(np.int64) + vertex_count)
        vertex_count, face_count = vertices_end, faces_end
    if vertex_count > 2**31 - 1:
        raise InvalidArgument(f"a PLY file cannot number {vertex_count} vertices", "write several files")
    header += [f"element vertex {vertex_count}", *(f"property float {axis}" for axis in "xyz")]
    header += [f"element face {face_count}", "property list uchar int vertex_indices", "end_header", ""]
    rows = np.zeros(face_count, np.dtype([("count", "u1"), ("indices", "<i4", (3,))]))
    rows["count"] = 3
    rows["indices"] = np.concatenate(faces)
    return b"".join(
        ["\n".join(header).encode("ascii"), *(_float_bytes(mesh.vertices) for mesh in meshes), rows.tobytes()]
    )


def _stl(meshes: Sequence[Mesh]) -> bytes:
    corners = np.concatenate([mesh.vertices[mesh.faces].reshape(-1, 3, 3) for mesh in meshes])
    rows = np.zeros(len(corners), np.dtype([("normal", "<f4", (3,)), ("corners", "<f4", (3, 3)), ("attribute", "<u2")]))
    rows["corners"] = corners
    rows["normal"] = _normals(corners)
    # Readers take a file that begins with "solid" for the text variant.
    header = b"voxgate; x y z in nanometres".ljust(80, b" ")
    return header + np.array(len(rows), "<u4").tobytes() + rows.tobytes()


def _normals(corners: npt.NDArray[np.float32]) -> npt.NDArray[np.float64]:
    """Unit normals of triangles (n, 3, 3), outward where corners are counter-clockwise; 0 for degenerate ones."""
    exact = corners.astype(np.float64)
    crosses = np.cross(exact[:, 1] - exact[:, 0], exact[:, 2] - exact[:, 0])
    lengths = np.linalg.norm(crosses, axis=1, keepdims=True)
    normals: npt.NDArray[np.float64] = np.divide(crosses, lengths, out=np.zeros_like(crosses), where=lengths > 0)
    return normals


def _glb(meshes: Sequence[Mesh]) -> bytes:
    """Vertices are relative to their node's translation: metres far from the origin would not fit a float32."""
    document: dict[str, Any] = {
        "asset": {"version": "2.0", "generator": "voxgate"},
        "scene": 0,
        "scenes": [{"nodes": list(range(len(meshes)))}],
        "nodes": [],
        "meshes": [],
        "accessors": [],
        "bufferViews": [],
    }
    payload = bytearray()
    for mesh in meshes:
        name = str(mesh.segment_id)
        if not len(mesh.faces):  # an accessor may not be empty
            document["nodes"].append({"name": name})
            continue
        origin_nm = np.floor(mesh.vertices.min(axis=0).astype(np.float64))
        positions = ((mesh.vertices.astype(np.float64) - origin_nm) / _NM_PER_M).astype("<f4")
        bounds = {"min": positions.min(axis=0).tolist(), "max": positions.max(axis=0).tolist()}
        position = _accessor(document, payload, positions, _FLOAT32, bounds)
        index = _accessor(document, payload, mesh.faces.astype("<u4").reshape(-1), _UINT32, {})
        primitive = {"attributes": {"POSITION": position}, "indices": index, "mode": 4}
        document["nodes"].append(
            {"name": name, "mesh": len(document["meshes"]), "translation": (origin_nm / _NM_PER_M).tolist()}
        )
        document["meshes"].append({"name": name, "primitives": [primitive]})
    if payload:
        document["buffers"] = [{"byteLength": len(payload)}]
    text = json.dumps({key: value for key, value in document.items() if value != []}, separators=(",", ":")).encode()
    chunks = _glb_chunk(_JSON_CHUNK, text, b" ") + (_glb_chunk(_BIN_CHUNK, bytes(payload), b"\0") if payload else b"")
    return b"glTF" + np.array([2, 12 + len(chunks)], "<u4").tobytes() + chunks


def _accessor(
    document: dict[str, Any], payload: bytearray, values: npt.NDArray[Any], component: int, extra: dict[str, Any]
) -> int:
    """Append values to the buffer (always a multiple of four bytes); the number of their accessor."""
    is_position = values.ndim == 2
    view = {
        "buffer": 0,
        "byteOffset": len(payload),
        "byteLength": values.nbytes,
        "target": _VERTEX_BUFFER if is_position else _INDEX_BUFFER,
    }
    payload += values.tobytes()
    document["bufferViews"].append(view)
    document["accessors"].append(
        {
            "bufferView": len(document["bufferViews"]) - 1,
            "componentType": component,
            "count": len(values),
            "type": "VEC3" if is_position else "SCALAR",
            **extra,
        }
    )
    return len(document["accessors"]) - 1


def _glb_chunk(kind: int, data: bytes, padding: bytes) -> bytes:
    data += padding * (-len(data) % 4)
    return np.array([len(data), kind], "<u4").tobytes() + data


def _precomputed(meshes: Sequence[Mesh]) -> bytes:
    mesh = meshes[0]
    count = np.array(len(mesh.vertices), "<u4").tobytes()
    return count + _float_bytes(mesh.vertices) + mesh.faces.astype("<u4").tobytes()


def _float_bytes(vertices: npt.NDArray[np.float32]) -> bytes:
    return vertices.astype("<f4").tobytes()


_ENCODERS: dict[str, Callable[[Sequence[Mesh]], bytes]] = {
    "obj": _obj,
    "ply": _ply,
    "stl": _stl,
    "glb": _glb,
    "precomputed": _precomputed,
}
