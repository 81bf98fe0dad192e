"""OBJ, PLY and STL: tables of vertices and faces behind a header of text.

Sources of the formats: OBJ: Wavefront's "Object Files (.obj)" appendix B1; PLY: Turk, "The PLY Polygon File Format";
STL: 3D Systems' StereoLithography Interface Specification, binary.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from voxgate.model.errors import InvalidArgument
from voxgate.model.mesh_documents import shared_provenance
from voxgate.model.mesh_files.comments import FIRST_LINE, provenance_comments, segment_comments
from voxgate.model.meshes import Mesh

_ROWS_AT_A_TIME = 1 << 16  # of text, so that its Python objects stay few


def encode_obj(meshes: Sequence[Mesh]) -> bytes:
    """OBJ: an object and a group for each segment, named by its id, since readers split on the one or the other.

    A mesh with normals has them; each index of a face is then its vertex's and its normal's.
    """
    shared = shared_provenance(meshes)
    parts = [f"# {line}\n" for line in (FIRST_LINE, *provenance_comments(shared))]
    offset, normal_offset = 1, 1  # indices of the format start at 1 and run through the file
    for mesh in meshes:
        parts.extend(f"# {line}\n" for line in segment_comments(mesh, shared))
        parts.append(f"o {mesh.segment_id}\ng {mesh.segment_id}\n")
        # Nine significant digits bring every float32 back exactly.
        parts.extend(_rows("v %.9g %.9g %.9g\n", mesh.vertices))
        corners = mesh.faces.astype(np.int64) + offset
        if mesh.normals is None:
            parts.extend(_rows("f %d %d %d\n", corners))
        else:
            parts.extend(_rows("vn %.9g %.9g %.9g\n", mesh.normals))
            pairs = np.stack([corners, mesh.faces.astype(np.int64) + normal_offset], axis=-1)
            parts.extend(_rows("f %d//%d %d//%d %d//%d\n", pairs.reshape(-1, 6)))
            normal_offset += len(mesh.normals)
        offset += len(mesh.vertices)
    return "".join(parts).encode("ascii")


def _rows(template: str, table: npt.NDArray[Any]) -> list[str]:
    blocks = (table[start : start + _ROWS_AT_A_TIME] for start in range(0, len(table), _ROWS_AT_A_TIME))
    return [template * len(block) % tuple(block.ravel().tolist()) for block in blocks]


def encode_ply(meshes: Sequence[Mesh]) -> bytes:
    """Binary little-endian PLY, with a comment for each segment's ranges of vertices and faces.

    All rows of a table are alike, so that there are normals only where every mesh has them.
    """
    shared = shared_provenance(meshes)
    header = ["ply", "format binary_little_endian 1.0"]
    header += [f"comment {line}" for line in (FIRST_LINE, *provenance_comments(shared))]
    faces, vertex_count, face_count = [], 0, 0
    for mesh in meshes:
        vertices_end, faces_end = vertex_count + len(mesh.vertices), face_count + len(mesh.faces)
        header.append(
            f"comment segment {mesh.segment_id} vertices {vertex_count}:{vertices_end} faces {face_count}:{faces_end}"
        )
        header += [f"comment {line}" for line in segment_comments(mesh, shared)]
        faces.append(mesh.faces.astype(np.int64) + vertex_count)
        vertex_count, face_count = vertices_end, faces_end
    if vertex_count > 2**31 - 1:
        raise InvalidArgument(f"a PLY file cannot number {vertex_count} vertices", "write several files")
    tables = _ply_vertices(meshes)
    header += [f"element vertex {vertex_count}", *(f"property float {name}" for name in _ply_columns(meshes))]
    header += [f"element face {face_count}", "property list uchar int vertex_indices", "end_header", ""]
    rows = np.zeros(face_count, np.dtype([("count", "u1"), ("indices", "<i4", (3,))]))
    rows["count"] = 3
    rows["indices"] = np.concatenate(faces)
    return b"".join(["\n".join(header).encode("ascii"), *tables, rows.tobytes()])


def _ply_columns(meshes: Sequence[Mesh]) -> tuple[str, ...]:
    return ("x", "y", "z", "nx", "ny", "nz") if _all_have_normals(meshes) else ("x", "y", "z")


def _all_have_normals(meshes: Sequence[Mesh]) -> bool:
    return all(mesh.normals is not None for mesh in meshes)


def _ply_vertices(meshes: Sequence[Mesh]) -> list[bytes]:
    tables = []
    with_normals = _all_have_normals(meshes)
    for mesh in meshes:
        columns = [mesh.vertices, mesh.normals] if with_normals and mesh.normals is not None else [mesh.vertices]
        tables.append(np.concatenate(columns, axis=1).astype("<f4").tobytes())
    return tables


def encode_stl(meshes: Sequence[Mesh]) -> bytes:
    """Binary STL: one soup of triangles, each with its own normal, in the order of the meshes."""
    corners = np.concatenate([mesh.vertices[mesh.faces].reshape(-1, 3, 3) for mesh in meshes])
    rows = np.zeros(len(corners), np.dtype([("normal", "<f4", (3,)), ("corners", "<f4", (3, 3)), ("attribute", "<u2")]))
    rows["corners"] = corners
    rows["normal"] = _face_normals(corners)
    # Readers take a file that begins with "solid" for the text variant.
    header = FIRST_LINE.encode("ascii").ljust(80, b" ")
    return header + np.array(len(rows), "<u4").tobytes() + rows.tobytes()


def _face_normals(corners: npt.NDArray[np.float32]) -> npt.NDArray[np.float64]:
    """Unit normals of triangles (n, 3, 3), outward where corners are counter-clockwise; 0 for degenerate ones."""
    exact = corners.astype(np.float64)
    crosses = np.cross(exact[:, 1] - exact[:, 0], exact[:, 2] - exact[:, 0])
    lengths = np.linalg.norm(crosses, axis=1, keepdims=True)
    normals: npt.NDArray[np.float64] = np.divide(crosses, lengths, out=np.zeros_like(crosses), where=lengths > 0)
    return normals
