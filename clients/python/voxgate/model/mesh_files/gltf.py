"""GLB: one file for programs that draw, in metres.

Source of the format: Khronos glTF 2.0, chapters 3 and 4.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from voxgate.model.mesh_documents import json_text, provenance_document, segment_document, shared_provenance
from voxgate.model.mesh_facts import MeshProvenance
from voxgate.model.meshes import Mesh

_NM_PER_M = 1e9
_FLOAT32, _UINT32 = 5126, 5125  # glTF component types
_VERTEX_BUFFER, _INDEX_BUFFER = 34962, 34963  # glTF buffer view targets
_JSON_CHUNK, _BIN_CHUNK = 0x4E4F534A, 0x004E4942  # glTF chunk types


def encode_glb(meshes: Sequence[Mesh]) -> bytes:
    """GLB with one node for each segment, named by its id.

    Vertices are relative to their node's translation: metres far from the origin would not fit a float32. What is
    known of a segment is its node's `extras`, how the meshes came to be is the asset's.
    """
    shared = shared_provenance(meshes)
    document: dict[str, Any] = {
        "asset": _asset(shared),
        "scene": 0,
        "scenes": [{"nodes": list(range(len(meshes)))}],
        "nodes": [],
        "meshes": [],
        "accessors": [],
        "bufferViews": [],
    }
    payload = bytearray()
    for mesh in meshes:
        name, extras = str(mesh.segment_id), segment_document(mesh, shared=shared)
        if not len(mesh.faces):  # an accessor may not be empty
            document["nodes"].append({"name": name, "extras": extras})
            continue
        origin_nm = np.floor(mesh.vertices.min(axis=0).astype(np.float64))
        primitive = _primitive(document, payload, mesh, origin_nm)
        translation = (origin_nm / _NM_PER_M).tolist()
        document["nodes"].append(
            {"name": name, "mesh": len(document["meshes"]), "translation": translation, "extras": extras}
        )
        document["meshes"].append({"name": name, "primitives": [primitive]})
    if payload:
        document["buffers"] = [{"byteLength": len(payload)}]
    kept = {key: value for key, value in document.items() if value != []}
    text = json_text(kept).encode("ascii")
    chunks = _chunk(_JSON_CHUNK, text, b" ") + (_chunk(_BIN_CHUNK, bytes(payload), b"\0") if payload else b"")
    return b"glTF" + np.array([2, 12 + len(chunks)], "<u4").tobytes() + chunks


def _asset(shared: MeshProvenance | None) -> dict[str, Any]:
    asset: dict[str, Any] = {"version": "2.0", "generator": "voxgate"}
    return asset if shared is None else asset | {"extras": {"provenance": provenance_document(shared)}}


def _primitive(
    document: dict[str, Any], payload: bytearray, mesh: Mesh, origin_nm: npt.NDArray[np.float64]
) -> dict[str, Any]:
    positions = ((mesh.vertices.astype(np.float64) - origin_nm) / _NM_PER_M).astype("<f4")
    bounds = {"min": positions.min(axis=0).tolist(), "max": positions.max(axis=0).tolist()}
    attributes = {"POSITION": _accessor(document, payload, positions, _FLOAT32, bounds)}
    if mesh.normals is not None:
        attributes["NORMAL"] = _accessor(document, payload, mesh.normals.astype("<f4"), _FLOAT32, {})
    index = _accessor(document, payload, mesh.faces.astype("<u4").reshape(-1), _UINT32, {})
    return {"attributes": attributes, "indices": index, "mode": 4}


def _accessor(
    document: dict[str, Any], payload: bytearray, values: npt.NDArray[Any], component: int, extra: dict[str, Any]
) -> int:
    """Append values to the buffer (always a multiple of four bytes); the number of their accessor."""
    is_vector = values.ndim == 2
    view = {
        "buffer": 0,
        "byteOffset": len(payload),
        "byteLength": values.nbytes,
        "target": _VERTEX_BUFFER if is_vector else _INDEX_BUFFER,
    }
    payload += values.tobytes()
    document["bufferViews"].append(view)
    document["accessors"].append(
        {
            "bufferView": len(document["bufferViews"]) - 1,
            "componentType": component,
            "count": len(values),
            "type": "VEC3" if is_vector else "SCALAR",
            **extra,
        }
    )
    return len(document["accessors"]) - 1


def _chunk(kind: int, data: bytes, padding: bytes) -> bytes:
    data += padding * (-len(data) % 4)
    return np.array([len(data), kind], "<u4").tobytes() + data
