"""What is known of meshes as JSON: the same names in files and in answers of the command line."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from typing import Any

from voxgate.model.mesh_facts import MeshProvenance, MeshStatistics
from voxgate.model.meshes import Mesh


def shared_provenance(meshes: Sequence[Mesh]) -> MeshProvenance | None:
    """How all of these meshes came to be; None where nobody knows or they differ."""
    first = meshes[0].provenance
    return first if all(mesh.provenance == first for mesh in meshes) else None


def segment_document(mesh: Mesh, *, shared: MeshProvenance | None = None) -> dict[str, Any]:
    """The JSON of one segment's mesh, by the names of `Mesh`: all but its surface.

    The id is a decimal string: JSON numbers lose bits above 2**53.

    Args:
        mesh: the mesh.
        shared: provenance that is told elsewhere; another one is told here.
    """
    document: dict[str, Any] = {
        "segment_id": str(mesh.segment_id),
        "origin": mesh.origin,
        "scale": mesh.scale,
        "resolved_version": mesh.resolved_version,
        "mesher": mesh.mesher,
        "search": mesh.search,
        "statistics": None if mesh.statistics is None else statistics_document(mesh.statistics),
    }
    if mesh.provenance is not None and mesh.provenance != shared:
        document["provenance"] = provenance_document(mesh.provenance)
    return document


def statistics_document(measured: MeshStatistics) -> dict[str, Any]:
    """The JSON of statistics, by the names of `MeshStatistics`; null for what is not known."""
    return {
        "voxel_count": measured.voxel_count,
        "volume_nm3": _number(measured.volume_nm3),
        "surface_nm2": _number(measured.surface_nm2),
        "min_nm": [_number(each) for each in measured.min_nm],
        "max_nm": [_number(each) for each in measured.max_nm],
        "watertight": measured.watertight,
        "error_nm": _number(measured.error_nm),
    }


def provenance_document(provenance: MeshProvenance) -> dict[str, Any]:
    """The JSON of provenance, by the names of `MeshProvenance`."""
    return {
        "volume": provenance.volume,
        "resolved_version": provenance.resolved_version,
        "server_version": provenance.server_version,
        "parameters": _plain(provenance.parameters),
    }


def json_text(document: Mapping[str, Any]) -> str:
    """One line of ASCII, the same for the same facts: what anybody named cannot begin another line."""
    return json.dumps(document, sort_keys=True, separators=(",", ":"), allow_nan=False)


def _number(value: float | None) -> float | None:
    return value if value is not None and math.isfinite(value) else None


def _plain(value: object) -> Any:
    """What JSON has; anything else, such as a number without an end, as its text."""
    if isinstance(value, Mapping):
        return {str(name): _plain(each) for name, each in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(each) for each in value]
    if value is None or isinstance(value, bool | int | str) or (isinstance(value, float) and math.isfinite(value)):
        return value
    return str(value)
