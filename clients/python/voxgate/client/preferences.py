"""Which encodings a client accepts, best first: by what the voxels are and how far the server is.

On this machine time goes into bytes being made and copied, so what is stored leaves as it is and only segmentations
that lie around raw are compressed, by what compresses fastest. On a link, time goes into bytes being sent: ids are
gathered in tables and those compressed, a hundredfold and more; images, which hardly shrink, are compressed lightly.
Whatever else can be decoded stands behind: stored chunks in one of those are passed on untouched. Nothing lossy is
ever made; stored JPEG comes as it is stored.
"""

from __future__ import annotations

from voxgate.model.errors import UnsupportedEncoding
from voxgate.model.volumes import (
    ArrayCodec,
    ByteCodec,
    Encoding,
    VolumeInfo,
    VolumeKind,
)
from voxgate.v1 import types_pb2
from voxgate.wire.encodings import decodable
from voxgate.wire.volumes import encoding_to_proto

FAST = "fast"
SMALL = "small"

_Order = tuple[tuple[ArrayCodec, ByteCodec], ...]
_RAW, _TABLES = ArrayCodec.RAW, ArrayCodec.COMPRESSED_SEGMENTATION
_ORDERS: dict[tuple[str, bool], _Order] = {
    (FAST, True): (
        (_RAW, ByteCodec.ZSTD),
        (_TABLES, ByteCodec.NONE),
        (_TABLES, ByteCodec.ZSTD),
        (_RAW, ByteCodec.GZIP),
        (_RAW, ByteCodec.NONE),
    ),
    (SMALL, True): (
        (_TABLES, ByteCodec.ZSTD),
        (_RAW, ByteCodec.ZSTD),
        (_TABLES, ByteCodec.NONE),
        (_RAW, ByteCodec.GZIP),
        (_RAW, ByteCodec.NONE),
    ),
    (FAST, False): ((_RAW, ByteCodec.NONE), (_RAW, ByteCodec.ZSTD), (_RAW, ByteCodec.GZIP)),
    (SMALL, False): ((_RAW, ByteCodec.ZSTD), (_RAW, ByteCodec.NONE), (_RAW, ByteCodec.GZIP)),
}


def preferred_encodings(info: VolumeInfo, wish: tuple[str, ...]) -> list[types_pb2.Encoding]:
    """What to accept for a volume.

    Args:
        info: the volume.
        wish: ("fast",), ("small",), or names of encodings, best first, to accept nothing else.

    Raises:
        UnsupportedEncoding: for a name nothing here decodes for these voxels.
    """
    possible = decodable(info.dtype)
    if wish not in ((FAST,), (SMALL,)):
        return [encoding_to_proto(_named(name, possible)) for name in wish]
    order = _ORDERS[wish[0], info.kind is VolumeKind.SEGMENTATION]

    def rank(encoding: Encoding) -> int:
        pair = (encoding.array, encoding.bytes)
        return order.index(pair) if pair in order else len(order)

    return [encoding_to_proto(encoding) for encoding in sorted(possible, key=rank)]


def encoding_name(encoding: Encoding) -> str:
    """Its name for people: "raw", "raw+zstd", "compressed_segmentation+gzip", "jpeg" and the like."""
    plain = encoding.bytes is ByteCodec.NONE
    return encoding.array.value if plain else f"{encoding.array.value}+{encoding.bytes.value}"


def _named(name: str, possible: tuple[Encoding, ...]) -> Encoding:
    found = next((encoding for encoding in possible if encoding_name(encoding) == name), None)
    if found is None:
        known = ", ".join(encoding_name(encoding) for encoding in possible)
        raise UnsupportedEncoding(
            f"nothing here decodes {name!r} for these voxels", f'known: {known}; "voxgate[codecs]" brings more'
        )
    return found
