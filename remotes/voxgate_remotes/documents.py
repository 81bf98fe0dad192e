"""The metadata documents of volumes to be created: relative path -> JSON, the one that makes it a volume last.

Formats: see `voxgate_remotes.precomputed`, `voxgate_remotes.zarr` and `voxgate_remotes.ome`.
"""

from __future__ import annotations

import math
from typing import Any

from voxgate.model.errors import UnsupportedFormat
from voxgate.model.geometry import Vec3
from voxgate.model.volumes import (
    ArrayCodec,
    ByteCodec,
    Encoding,
    ScaleSpec,
    VolumeKind,
    VolumeSpec,
)
from voxgate_remotes.ome_channels import omero_of

Documents = dict[str, dict[str, Any]]

DEFAULT_CHUNK_SHAPE = Vec3(64, 64, 64)
_SEGMENTATION_BLOCK = Vec3(8, 8, 8)
_PRECOMPUTED_TYPES = ("uint8", "int8", "uint16", "int16", "uint32", "int32", "uint64", "float32")


def precomputed_documents(spec: VolumeSpec) -> Documents:
    """The `info` of a precomputed volume.

    Raises:
        UnsupportedFormat: for what the format cannot hold or this adapter does not write.
    """
    if spec.dtype.name not in _PRECOMPUTED_TYPES:
        raise _unsupported(f"precomputed has no voxels of type {spec.dtype.name}", "create a zarr3")
    if spec.fill_value != 0:
        raise _unsupported("absent voxels of precomputed are 0, always", "create a zarr3, or leave the fill value 0")
    if spec.kind is VolumeKind.UNKNOWN:
        raise _unsupported("precomputed needs to know what the voxels mean", "state image or segmentation")
    scales = [_precomputed_scale(spec, scale) for scale in spec.scales]
    for index, scale in enumerate(scales):  # levels of one resolution still need keys of their own
        if any(scale["key"] == other["key"] for other in scales[:index]):
            scale["key"] = f"{scale['key']}-{index}"
    return {
        "info": {
            "@type": "neuroglancer_multiscale_volume",
            "type": spec.kind.value,
            "data_type": spec.dtype.name,
            "num_channels": len(spec.channels) or 1,
            "scales": scales,
        }
    }


def _precomputed_scale(spec: VolumeSpec, scale: ScaleSpec) -> dict[str, Any]:
    if scale.shard_shape is not None:
        raise _unsupported("sharded precomputed is read, not written", "create a zarr3, or leave the shards out")
    if scale.voxel_size_nm is None:
        raise _unsupported("precomputed needs a voxel size", "state voxel_size_nm, or create a zarr3")
    encoding = scale.encoding or _precomputed_encoding(spec)
    if encoding.bytes is not ByteCodec.NONE or encoding.array is ArrayCodec.FILL:
        raise _unsupported("chunks of precomputed are written without a codec of bytes", "leave the encoding out")
    resolution = [int(size) if float(size).is_integer() else size for size in scale.voxel_size_nm]
    document = {
        "key": "_".join(map(str, resolution)),
        "size": list(scale.bounds.shape),
        "voxel_offset": list(scale.bounds.start),
        "resolution": resolution,
        "chunk_sizes": [list(scale.chunk_shape or DEFAULT_CHUNK_SHAPE)],
        "encoding": encoding.array.value,
    }
    if encoding.array is ArrayCodec.COMPRESSED_SEGMENTATION:
        document["compressed_segmentation_block_size"] = list(encoding.block_shape or _SEGMENTATION_BLOCK)
    return document


def _precomputed_encoding(spec: VolumeSpec) -> Encoding:
    fits = spec.dtype.name in ("uint32", "uint64") and len(spec.channels) <= 1
    if spec.kind is VolumeKind.SEGMENTATION and fits:
        return Encoding(ArrayCodec.COMPRESSED_SEGMENTATION, block_shape=_SEGMENTATION_BLOCK)
    return Encoding()


def zarr2_documents(spec: VolumeSpec) -> Documents:
    """A Zarr v2 group with OME-NGFF 0.4 multiscales. Levels are named 0, 1 … and have a fill value: cloud-volume asks.

    Raises:
        UnsupportedFormat: for what the format cannot hold.
    """
    documents: Documents = {}
    for index, scale in enumerate(spec.scales):
        if scale.shard_shape is not None:
            raise _unsupported("zarr2 has no shards", "create a zarr3, or leave the shards out")
        dtype = spec.dtype.newbyteorder("<")
        documents[f"{index}/.zattrs"] = _array_attributes(spec, scale)
        documents[f"{index}/.zarray"] = {
            "zarr_format": 2,
            "shape": _shape(spec, scale),
            "chunks": _extents(spec, scale.chunk_shape or DEFAULT_CHUNK_SHAPE),
            "dtype": dtype.str,
            "compressor": _V2_COMPRESSORS[_byte_codec(scale, ByteCodec.GZIP)],
            "filters": None,
            "fill_value": _json_number(spec),
            "order": "C",
            "dimension_separator": "/",
        }
    documents[".zgroup"] = {"zarr_format": 2}
    documents[".zattrs"] = _multiscales(spec, "0.4")
    return documents


def zarr3_documents(spec: VolumeSpec) -> Documents:
    """A Zarr v3 group with OME-NGFF 0.5 multiscales; sharded where the spec states a shard shape.

    Raises:
        UnsupportedFormat: for what the format cannot hold.
    """
    documents: Documents = {}
    for index, scale in enumerate(spec.scales):
        chunk = scale.chunk_shape or DEFAULT_CHUNK_SHAPE
        codecs: list[dict[str, Any]] = [
            _codec("bytes", endian="little") if spec.dtype.itemsize > 1 else _codec("bytes")
        ]
        codecs += _v3_compressor(_byte_codec(scale, ByteCodec.ZSTD), spec.dtype.itemsize)
        if scale.shard_shape is not None:
            if any(s % c for s, c in zip(scale.shard_shape, chunk, strict=True)):
                raise _unsupported(f"a shard of {scale.shard_shape} is not whole chunks of {chunk}", "choose multiples")
            index_codecs = [_codec("bytes", endian="little"), _codec("crc32c")]
            configuration = {"chunk_shape": _extents(spec, chunk), "codecs": codecs}
            codecs = [_codec("sharding_indexed", **configuration, index_codecs=index_codecs, index_location="end")]
        documents[f"{index}/zarr.json"] = {
            "zarr_format": 3,
            "node_type": "array",
            "shape": _shape(spec, scale),
            "data_type": spec.dtype.name,
            "chunk_grid": {
                "name": "regular",
                "configuration": {"chunk_shape": _extents(spec, scale.shard_shape or chunk)},
            },
            "chunk_key_encoding": {"name": "default", "configuration": {"separator": "/"}},
            "codecs": codecs,
            "fill_value": _json_number(spec),
            "dimension_names": list(_axes(spec)),
            "attributes": _array_attributes(spec, scale),
        }
    attributes = {"ome": {"version": "0.5", **_multiscales(spec, None)}}
    documents["zarr.json"] = {"zarr_format": 3, "node_type": "group", "attributes": attributes}
    return documents


def _codec(name: str, **configuration: Any) -> dict[str, Any]:
    return {"name": name, "configuration": configuration} if configuration else {"name": name}


_V2_COMPRESSORS = {
    ByteCodec.NONE: None,
    ByteCodec.GZIP: {"id": "gzip", "level": 1},
    ByteCodec.ZSTD: {"id": "zstd", "level": 1},
    ByteCodec.BLOSC: {"id": "blosc", "cname": "lz4", "clevel": 5, "shuffle": 1, "blocksize": 0},
}


def _v3_compressor(codec: ByteCodec, itemsize: int) -> list[dict[str, Any]]:
    """The Zarr v3 codecs of bytes; zstd has a checksum, without which a flipped bit can pass for voxels."""
    if codec is ByteCodec.GZIP:
        return [_codec("gzip", level=1)]
    if codec is ByteCodec.ZSTD:
        return [_codec("zstd", level=1, checksum=True)]
    if codec is ByteCodec.BLOSC:
        return [_codec("blosc", cname="lz4", clevel=5, shuffle="shuffle", typesize=itemsize, blocksize=0)]
    return []


def _axes(spec: VolumeSpec) -> str:
    return "czyx" if spec.channels else "zyx"


def _shape(spec: VolumeSpec, scale: ScaleSpec) -> list[int]:
    return ([len(spec.channels)] if spec.channels else []) + list(scale.bounds.shape.zyx)


def _extents(spec: VolumeSpec, shape: Vec3) -> list[int]:
    """A chunk's extents in the array's axes: one channel at a time."""
    return ([1] if spec.channels else []) + list(shape.zyx)


def _byte_codec(scale: ScaleSpec, default: ByteCodec) -> ByteCodec:
    if scale.encoding is None:
        return default
    if scale.encoding.array is not ArrayCodec.RAW:
        raise _unsupported(f"Zarr does not keep {scale.encoding.array.value} chunks", "use raw with a codec of bytes")
    return scale.encoding.bytes


def _json_number(spec: VolumeSpec) -> int | float | str:
    """The fill value as both Zarr versions write it."""
    if spec.dtype.kind != "f":
        return int(spec.fill_value)
    value = float(spec.fill_value)
    if math.isfinite(value):
        return value
    return "NaN" if math.isnan(value) else ("Infinity" if value > 0 else "-Infinity")


def _array_attributes(spec: VolumeSpec, scale: ScaleSpec) -> dict[str, Any]:
    ours: dict[str, Any] = {"kind": spec.kind.value, "voxel_offset": list(scale.bounds.start)}
    if scale.voxel_size_nm is not None:
        ours["voxel_size_nm"] = list(scale.voxel_size_nm)
    return {"voxgate": ours}


def _multiscales(spec: VolumeSpec, version: str | None) -> dict[str, Any]:
    """The multiscales (and channel names) of a group; `version` goes inside where the format wants it there."""
    unit = {"unit": "nanometer"} if all(scale.voxel_size_nm for scale in spec.scales) else {}
    axes = [{"name": name, "type": "space", **unit} for name in "zyx"]
    lead = [1.0] if spec.channels else []
    if spec.channels:
        axes.insert(0, {"name": "c", "type": "channel"})
    datasets = []
    for index, scale in enumerate(spec.scales):
        size = scale.voxel_size_nm.zyx if scale.voxel_size_nm else _relative_size(spec, scale)
        offset = [start * s for start, s in zip(scale.bounds.start.zyx, size, strict=True)]
        transforms = [
            {"type": "scale", "scale": [*lead, *map(float, size)]},
            {"type": "translation", "translation": [0.0 for _ in lead] + offset},
        ]
        datasets.append({"path": str(index), "coordinateTransformations": transforms})
    image = {**({"version": version} if version else {}), "axes": axes, "datasets": datasets}
    found: dict[str, Any] = {"multiscales": [image]}
    omero = omero_of(spec.channels, spec.dtype)
    if omero is not None:
        found["omero"] = omero
    return found


def _relative_size(spec: VolumeSpec, scale: ScaleSpec) -> tuple[float, ...]:
    """A voxel's size in voxels of the finest scale, from the extents: OME needs a scale even without a unit."""
    finest = spec.scales[0].bounds.shape.zyx
    return tuple(float(max(1, round(a / b))) for a, b in zip(finest, scale.bounds.shape.zyx, strict=True))


def _unsupported(what: str, remedy: str) -> UnsupportedFormat:
    return UnsupportedFormat(what, remedy)
