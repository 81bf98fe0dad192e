"""The `info` of a volume, and those of its meshes, skeletons and segment properties.

Format: https://github.com/google/neuroglancer, src/datasource/precomputed/{volume,meshes,skeletons}.md.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from typing import Any

from voxgate.model.volumes import ArrayCodec, VolumeKind
from voxgate_gateway.backend import Described
from voxgate_gateway.precomputed.layout import Level, is_jpeg_image, levels_of

MESHES, SKELETONS, PROPERTIES = "mesh", "skeletons", "segment_properties"
"""The directories beside the scales."""

MESH_INFO = {"@type": "neuroglancer_legacy_mesh"}
SKELETON_INFO = {
    "@type": "neuroglancer_skeletons",
    "transform": [1, 0, 0, 0, 0, 1, 0, 0, 0, 0, 1, 0],
    "vertex_attributes": [{"id": "radius", "data_type": "float32", "num_components": 1}],
}


def directories(described: Described) -> tuple[str, ...]:
    """Which of MESHES, SKELETONS and PROPERTIES a volume has."""
    found = []
    if described.mesh_address is not None and described.offers("mesh"):
        found.append(MESHES)
    stored = "stored_skeletons" in described.powers
    if described.mesh_address is not None and described.offers("skeletons") and (stored or described.can_skeletonize):
        found.append(SKELETONS)
    if "segment_properties" in described.powers:
        found.append(PROPERTIES)
    return tuple(found)


def describe(described: Described, wanted: str = "", *, pictured: bool = False) -> dict[str, Any]:
    """The `info` file of a volume, all scales.

    Args:
        described: the volume.
        wanted: the encoding of every chunk, one of `layout.ENCODINGS`; empty leaves it to us.
        pictured: whether the operator wants images to leave as JPEG where nothing else is asked for.

    Raises:
        UnsupportedFormat, InvalidArgument, UnsupportedEncoding: see `levels_of`.
    """
    info = described.info
    # The format knows two types only; voxels that nobody calls segment ids are shown as intensities.
    kind = "segmentation" if info.kind is VolumeKind.SEGMENTATION else "image"
    document: dict[str, Any] = {
        "@type": "neuroglancer_multiscale_volume",
        "type": kind,
        "data_type": info.dtype.name,
        "num_channels": info.channel_count,
        "scales": list(_scales(_levels(described, wanted, pictured=pictured))),
    }
    return document | {name: name for name in directories(described)}


def _levels(described: Described, wanted: str, *, pictured: bool) -> list[Level]:
    if wanted or not pictured or not is_jpeg_image(described.info):
        return levels_of(described, wanted)
    # Where they are for who asks for them: one address never has chunks of two encodings, whatever caches kept of it.
    return [replace(level, key=f"jpeg/{level.key}") for level in levels_of(described, "jpeg")]


def _scales(levels: Iterable[Level]) -> Iterable[dict[str, Any]]:
    for level in levels:
        scale = {
            "key": level.key,
            "size": list(level.scale.bounds.shape),
            "voxel_offset": list(level.scale.bounds.start),
            "resolution": list(level.scale.voxel_size_nm or ()),
            "chunk_sizes": [list(level.chunk)],
            "encoding": level.encoding.array.value,
        }
        if level.encoding.array is ArrayCodec.COMPRESSED_SEGMENTATION:
            scale["compressed_segmentation_block_size"] = list(level.encoding.block_shape or ())
        yield scale
