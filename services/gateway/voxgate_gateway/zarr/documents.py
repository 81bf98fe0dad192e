"""The metadata documents of an image in both Zarr versions, by key, with the consolidated copy: HTTP lists nothing.

Chunks are Zstandard frames at level 1 around C-order little-endian voxels: every reader that we know of decodes them
without an extra, while cloud-volume wants `blosc` for Blosc and reads no Zarr v2 array without a compressor.
"""

from __future__ import annotations

import math
from typing import Any

from voxgate.model.volumes import Scale, VolumeInfo
from voxgate_gateway.zarr import ome
from voxgate_gateway.zarr.image import Image

Json = dict[str, Any]

_LEVEL = 1


def v3_documents(image: Image) -> dict[str, Json]:
    """Every `zarr.json` of a Zarr v3 group with OME-NGFF 0.5 attributes; the group's holds those of its arrays too."""
    arrays = {str(index): _v3_array(image, level) for index, level in enumerate(image.levels)}
    group = {
        "zarr_format": 3,
        "node_type": "group",
        "attributes": {"ome": {"version": "0.5", **ome.group_attributes(image, "0.5")}, **_whose(image.info)},
        # As zarr-python writes it; the specification of v3 does not have it yet, so readers may pass over it.
        "consolidated_metadata": {"kind": "inline", "must_understand": False, "metadata": arrays},
    }
    return {"zarr.json": group, **{f"{path}/zarr.json": array for path, array in arrays.items()}}


def v2_documents(image: Image) -> dict[str, Json]:
    """`.zgroup`, `.zattrs`, `.zarray` … of a Zarr v2 group with OME-NGFF 0.4 attributes, and `.zmetadata` of all."""
    documents: dict[str, Json] = {
        ".zgroup": {"zarr_format": 2},
        ".zattrs": {**ome.group_attributes(image, "0.4"), **_whose(image.info)},
    }
    for index, level in enumerate(image.levels):
        documents[f"{index}/.zarray"] = _v2_array(image, level)
        documents[f"{index}/.zattrs"] = {"_ARRAY_DIMENSIONS": list(image.axes), **ome.array_attributes(image, level)}
    return {**documents, ".zmetadata": {"zarr_consolidated_format": 1, "metadata": documents}}


def _v3_array(image: Image, level: Scale) -> Json:
    dtype = image.info.dtype
    endian: Json = {"configuration": {"endian": "little"}} if dtype.itemsize > 1 else {}
    return {
        "zarr_format": 3,
        "node_type": "array",
        "shape": image.shape(level),
        "data_type": dtype.name,
        "chunk_grid": {"name": "regular", "configuration": {"chunk_shape": image.chunk_shape}},
        "chunk_key_encoding": {"name": "default", "configuration": {"separator": "/"}},
        "codecs": [
            {"name": "bytes", **endian},
            {"name": "zstd", "configuration": {"level": _LEVEL, "checksum": False}},
        ],
        "fill_value": json_number(image.info),
        "dimension_names": list(image.axes),
        "attributes": ome.array_attributes(image, level),
    }


def _v2_array(image: Image, level: Scale) -> Json:
    return {
        "zarr_format": 2,
        "shape": image.shape(level),
        "chunks": image.chunk_shape,
        "dtype": image.info.dtype.newbyteorder("<").str,
        "compressor": {"id": "zstd", "level": _LEVEL},
        "filters": None,
        "fill_value": json_number(image.info),
        "order": "C",
        "dimension_separator": "/",
    }


def _whose(info: VolumeInfo) -> Json:
    """What the group is, in words of voxgate."""
    return {"voxgate": {"volume": info.name, "version": info.resolved_version, "immutable": info.immutable}}


def json_number(info: VolumeInfo) -> int | float | str:
    """The fill value as both Zarr versions write it: JSON has no number for what is not finite."""
    if info.dtype.kind != "f":
        return int(info.fill_value)
    value = float(info.fill_value)
    if math.isfinite(value):
        return value
    return "NaN" if math.isnan(value) else ("Infinity" if value > 0 else "-Infinity")
