"""How a volume is laid out as precomputed: the key, the chunks and the encoding of every scale."""

from __future__ import annotations

import re
from collections.abc import Collection
from dataclasses import dataclass, replace

from voxgate.model.errors import InvalidArgument, UnsupportedEncoding, UnsupportedFormat
from voxgate.model.geometry import Vec3
from voxgate.model.names import VolumeName
from voxgate.model.volumes import RAW, ArrayCodec, ByteCodec, Encoding, Scale, VolumeInfo, VolumeKind
from voxgate.wire.picture_codecs import has_jpeg, has_png
from voxgate.wire.segmentation_codec import DEFAULT_BLOCK
from voxgate_gateway.backend import Described
from voxgate_gateway.grid import chunk_shape

_DTYPES = ("uint8", "uint16", "uint32", "uint64", "int8", "int16", "int32", "float32")
_PLAIN_KEY = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._-]*")
_IDS = ("uint32", "uint64")
_PICTURES: dict[ArrayCodec, dict[str, tuple[int, ...]]] = {
    ArrayCodec.JPEG: {"uint8": (1, 3)},
    ArrayCodec.PNG: {"uint8": (1, 2, 3, 4), "uint16": (1,)},
}
"""The numbers of channels that a picture of voxels of a type can have."""
ENCODINGS = {
    "raw": ArrayCodec.RAW,
    "jpeg": ArrayCodec.JPEG,
    "png": ArrayCodec.PNG,
    "compressed_segmentation": ArrayCodec.COMPRESSED_SEGMENTATION,
}
"""The encodings that an address can ask for: `/ng/NAME/-/jpeg/info` has every chunk as JPEG."""


@dataclass(frozen=True, slots=True)
class Level:
    """One scale as it is served.

    Attributes:
        key: its directory.
        scale: as the store states it.
        chunk: the extent of its virtual chunks.
        encoding: of the chunks.
    """

    key: str
    scale: Scale
    chunk: Vec3
    encoding: Encoding = RAW


def refuse_unsupported(info: VolumeInfo) -> None:
    """Check that precomputed can say what this volume is.

    Raises:
        UnsupportedFormat: when it cannot; the message says what is in the way and what to do.
    """
    name = info.name
    if not info.scales:
        raise UnsupportedFormat(f"{name} has no voxels, so there is nothing to show as precomputed")
    if info.dtype.name not in _DTYPES:
        raise UnsupportedFormat(
            f"{name} is {info.dtype.name}, which precomputed cannot hold",
            f"precomputed holds {', '.join(_DTYPES)}; read this volume through the gRPC API",
        )
    if info.time_count > 1:
        raise UnsupportedFormat(
            f"{name} has {info.time_count} time points and precomputed has no time axis",
            "read one time point through the gRPC API",
        )
    if any(scale.voxel_size_nm is None for scale in info.scales):
        raise UnsupportedFormat(
            f"the voxel size of {name} is unknown, and precomputed must state it",
            f"state it in voxgate.toml: {_override(name)} voxel_size_nm = [x, y, z] in nanometres",
        )


def scale_keys(info: VolumeInfo) -> list[str]:
    """The directory of each scale: the store's own key where it is one plain path segment, else its number."""
    plain = [scale.key if _PLAIN_KEY.fullmatch(scale.key) else f"s{i}" for i, scale in enumerate(info.scales)]
    return plain if len(set(plain)) == len(plain) else [f"s{i}" for i in range(len(plain))]


def levels_of(described: Described, wanted: str = "") -> list[Level]:
    """Every scale of a volume as it is served.

    Args:
        described: the volume.
        wanted: one of ENCODINGS; empty leaves it to us: segment ids in tables, where the server makes them; JPEG where
            the store keeps the very pictures; else raw voxels.

    Raises:
        UnsupportedFormat: for a volume that precomputed cannot say.
        InvalidArgument: for an encoding that cannot hold these voxels.
        UnsupportedEncoding: for one whose library is not installed here.
    """
    info = described.info
    refuse_unsupported(info)
    if wanted:
        _refuse_encoding(info, wanted, described.encodings)
    levels = []
    for key, scale in zip(scale_keys(info), info.scales, strict=True):
        chunk = chunk_shape(info, scale, described.max_chunk_bytes)
        encoding = _asked_for(scale, wanted) if wanted else _fitting(described, scale, chunk)
        levels.append(Level(key, scale, chunk, encoding))
    return levels


def _override(name: str) -> str:
    """The table of voxgate.toml that speaks of one volume."""
    parsed = VolumeName.parse(name)
    return f'[remotes.{parsed.remote}.volumes."{parsed.path}"]'


def _refuse_encoding(info: VolumeInfo, wanted: str, encodings: Collection[Encoding]) -> None:
    codec = ENCODINGS[wanted]
    if codec is ArrayCodec.COMPRESSED_SEGMENTATION:
        if info.dtype.name not in _IDS:
            raise InvalidArgument(f"compressed_segmentation holds uint32 or uint64, not {info.dtype.name}", _PLAIN)
        if not _makes_tables(encodings):
            raise UnsupportedEncoding("the volume server cannot make compressed_segmentation", _PLAIN)
    if codec not in _PICTURES:
        return
    if not _is_picture(info, codec):
        raise InvalidArgument(f"{wanted} holds {_HELD[codec]}, not the voxels of {info.name}", _PLAIN)
    if codec is ArrayCodec.JPEG and info.kind is VolumeKind.SEGMENTATION:
        raise InvalidArgument(f"{info.name} holds segment ids, and jpeg would change them", _PLAIN)
    if not (has_jpeg() if codec is ArrayCodec.JPEG else has_png()):
        raise UnsupportedEncoding(
            f"{wanted} cannot be made here", "pip install 'voxgate[codecs]' where the gateway runs"
        )


_PLAIN = "leave the encoding out of the address"
_HELD = {
    ArrayCodec.JPEG: "uint8 of 1 or 3 channels",
    ArrayCodec.PNG: "uint8 of 1 to 4 channels or uint16 of one",
}


def _asked_for(scale: Scale, wanted: str) -> Encoding:
    codec = ENCODINGS[wanted]
    return _tables(scale) if codec is ArrayCodec.COMPRESSED_SEGMENTATION else Encoding(codec)


def _fitting(described: Described, scale: Scale, chunk: Vec3) -> Encoding:
    info = described.info
    if info.kind is VolumeKind.SEGMENTATION and info.dtype.name in _IDS and _makes_tables(described.encodings):
        return _tables(scale)
    # PNG is for who asks for it: as it is installed, cloud-volume cannot read it.
    is_jpeg = any(stored.array is ArrayCodec.JPEG for stored in scale.stored_encodings[:1])
    if is_jpeg and _is_picture(info, ArrayCodec.JPEG) and _is_stored_chunk(scale, chunk):
        return Encoding(ArrayCodec.JPEG)
    return RAW


def _tables(scale: Scale) -> Encoding:
    """Tables of segment ids, with the blocks that the store has where it has them: then its bytes pass unchanged."""
    for stored in scale.stored_encodings:
        if stored.array is ArrayCodec.COMPRESSED_SEGMENTATION and stored.block_shape is not None:
            return replace(stored, bytes=ByteCodec.NONE)
    return Encoding(ArrayCodec.COMPRESSED_SEGMENTATION, ByteCodec.NONE, DEFAULT_BLOCK)


def _makes_tables(encodings: Collection[Encoding]) -> bool:
    return any(encoding.array is ArrayCodec.COMPRESSED_SEGMENTATION for encoding in encodings)


def is_jpeg_image(info: VolumeInfo) -> bool:
    """Whether voxels are an image, as its store says, that JPEG can hold: what nobody calls one may be segment ids."""
    stated = info.kind is VolumeKind.IMAGE and "kind" not in info.inferred
    return stated and _is_picture(info, ArrayCodec.JPEG)


def _is_picture(info: VolumeInfo, codec: ArrayCodec) -> bool:
    return info.channel_count in _PICTURES[codec].get(info.dtype.name, ())


def _is_stored_chunk(scale: Scale, chunk: Vec3) -> bool:
    """Whether the virtual chunks are the stored ones: of their extent, on their grid."""
    offset = scale.bounds.start - scale.grid_origin
    return chunk == scale.stored_chunk_shape and all(o % edge == 0 for o, edge in zip(offset, chunk, strict=True))
