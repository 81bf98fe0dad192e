"""Manifests and `info` of multi-resolution meshes.

Format: github.com/google/neuroglancer, src/datasource/precomputed/meshes.md, "Multi-resolution mesh format". A
manifest is, little-endian: float32 chunk_shape[3] and grid_origin[3], uint32 number of levels, float32 scale and
vertex_offsets[3] of each, uint32 number of fragments of each; then of each level uint32 positions of shape (3, n) along
the Z-curve and n sizes in bytes. A fragment of 0 bytes is a place with nothing to draw at its level.

How neuroglancer chooses (src/mesh/multiscale.ts): the coarsest level whose scale is at most `detailCutoff` (10, unless
its user says otherwise) times the extent of a screen's pixel.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from voxgate.model.geometry import Vec3
from voxgate_mesh.bulk.plan import MeshPlan

TYPE = "neuroglancer_multilod_draco"
_SHARDS = "neuroglancer_uint64_sharded_v1"
_SCALE_OF_ERROR = 8.0
"""A level is drawn where it is off by at most about a pixel: 10 / 8."""
_HEAD_BYTES, _LEVEL_BYTES, _FRAGMENT_BYTES = 28, 20, 16

Fragments = Sequence[tuple[Vec3, int]]
"""Where the fragments of a level are in its grid, along the Z-curve, and their bytes."""


def manifest(plan: MeshPlan, levels: Sequence[Fragments]) -> bytes:
    """The manifest of one segment's mesh, finest level first. Stored coordinates are nanometres."""
    origin = plan.base_nm.astype("<f4")
    rounded = (plan.base_nm - origin).astype("<f4")  # float32 is too coarse far from 0; readers add the two
    parts = [
        plan.chunk_nm.astype("<f4").tobytes(),
        origin.tobytes(),
        np.array([len(levels)], "<u4").tobytes(),
        (2.0 ** np.arange(len(levels))).astype("<f4").tobytes(),
        np.tile(rounded, len(levels)).tobytes(),
        np.array([len(fragments) for fragments in levels], "<u4").tobytes(),
    ]
    for fragments in levels:
        table = np.array([(*position, size) for position, size in fragments], "<u4").reshape(-1, 4)
        parts.append(table.T.tobytes())
    return b"".join(parts)


def manifest_size(counts: Sequence[int]) -> int:
    """The bytes of a manifest, from the number of fragments of each level."""
    return _HEAD_BYTES + _LEVEL_BYTES * len(counts) + _FRAGMENT_BYTES * sum(counts)


def mesh_info(plan: MeshPlan, properties: str) -> dict[str, Any]:
    """The `info` of a plan's meshes.

    Args:
        plan: of the job.
        properties: the folder of segment properties, relative to that of the meshes; empty for none.
    """
    info: dict[str, Any] = {
        "@type": TYPE,
        "vertex_quantization_bits": plan.quantization_bits,
        "transform": [1, 0, 0, 0, 0, 1, 0, 0, 0, 0, 1, 0],
        "lod_scale_multiplier": _SCALE_OF_ERROR * plan.coarse_error_nm,
    }
    if plan.spec.sharded:
        info["sharding"] = {
            "@type": _SHARDS,
            "preshift_bits": 0,
            "hash": "murmurhash3_x86_128",
            "minishard_bits": plan.minishard_bits,
            "shard_bits": plan.shard_bits,
            "minishard_index_encoding": "gzip",
            "data_encoding": "raw",
        }
    return {**info, "segment_properties": properties} if properties else info
