"""Neuroglancer precomputed volumes in folders, read and written through tensorstore.

Format: github.com/google/neuroglancer, src/datasource/precomputed/volume.md. `info` lists the scales; the chunk of a
grid cell is the file `{key}/{x0}-{x1}_{y0}-{y1}_{z0}-{z1}`, global coordinates, clipped to the bounds, little-endian
and x-fastest; a sharded scale has its chunks in shard files instead.
"""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, TypeVar, cast

import numpy as np

from voxgate.model.errors import MetadataInvalid, ReadOnly, UnsupportedFormat
from voxgate.model.geometry import Box, Vec3, VoxelSize
from voxgate.model.provenance import KeepsProvenance
from voxgate.model.volumes import (
    ArrayCodec,
    ByteCodec,
    CallContext,
    Channel,
    EncodedChunk,
    Encoding,
    OpenOptions,
    Scale,
    VolumeInfo,
    VolumeKind,
    Voxels,
)
from voxgate_remotes.checks import checked_box, checked_write
from voxgate_remotes.chunk_files import ChunkFiles, passed_as, usual_suffix
from voxgate_remotes.chunk_layout import ChunkLayout
from voxgate_remotes.encoded import PassingVolume
from voxgate_remotes.folders import Folder, required_json
from voxgate_remotes.kept_provenance import precomputed_provenance
from voxgate_remotes.known_sizes import bounded_views
from voxgate_remotes.metadata import is_size
from voxgate_remotes.precomputed_elsewhere import OpenedElsewhere, far_chunks, largest_chunk
from voxgate_remotes.precomputed_kept import Kept
from voxgate_remotes.shard_grid import ShardGrid
from voxgate_remotes.shards import ShardedChunks, open_shards
from voxgate_remotes.tensorstores import (
    STORE_ERRORS,
    Tuning,
    View,
    bounds_of,
    checked_dtype,
    global_view,
    grids_of,
    open_arrays,
    store_error,
)

C = TypeVar("C")

TYPE = "neuroglancer_multiscale_volume"
_ENCODINGS = {
    "raw": ArrayCodec.RAW,
    "compressed_segmentation": ArrayCodec.COMPRESSED_SEGMENTATION,
    "jpeg": ArrayCodec.JPEG,
    "png": ArrayCodec.PNG,
}
_ADDRESS = re.compile(r"(?:precomputed://)?[a-z0-9]+://[A-Za-z0-9._:/-]{1,300}")
_REMEDY = "compare `info` with the precomputed format's description"


def claims(folder: Folder) -> bool:
    """Whether a folder is a precomputed volume, be it a broken one; `info` of meshes and properties is none.

    Raises:
        StoreUnavailable.
    """
    try:
        info = folder.json("info")
    except MetadataInvalid:
        return True
    return info is not None and ("scales" in info or "redirect" in info or info.get("@type") == TYPE)


@dataclass(frozen=True, slots=True)
class _Stored:
    """The stored chunks of one scale. Of sharded ones the shard's own compression is already undone."""

    chunks: ChunkFiles | ShardedChunks
    encoding: Encoding

    @property
    def encodings(self) -> tuple[Encoding, ...]:
        """As they are, and behind a compression suffix, the usual one first; each may be there."""
        if isinstance(self.chunks, ShardedChunks):
            return (self.encoding,)
        usual = passed_as(self.chunks.usual)
        others = [codec for codec in (ByteCodec.NONE, ByteCodec.GZIP, ByteCodec.ZSTD) if codec is not usual]
        return tuple(replace(self.encoding, bytes=codec) for codec in (usual, *others))

    def read_encoded(self, cells: Sequence[Box], time: int, context: CallContext) -> list[EncodedChunk | None]:  # noqa: ARG002
        """The chunks of grid cells in order; this format has no time."""
        return self.chunks.read_encoded(cells, self.encoding, context)


@dataclass(frozen=True, slots=True)
class OpenedPrecomputed:
    """An opened volume, to be bound to callers.

    Attributes:
        info: its description.
        views: of each scale, for tensorstore to read and write.
        chunks: of each scale, the stored chunks.
        stored: the same, to be handed out as they are.
        reads_files: whether raw chunks are read from their files directly, not through tensorstore and its cache.
        kept: meshes, skeletons and segment properties.
    """

    info: VolumeInfo
    views: tuple[View, ...]
    chunks: tuple[ChunkFiles | ShardedChunks, ...]
    stored: tuple[_Stored, ...]
    reads_files: bool
    kept: Kept

    def bind(self, info: VolumeInfo, options: OpenOptions) -> PrecomputedVolume:
        """A volume for one caller."""
        return PrecomputedVolume(info, self, options)


class PrecomputedVolume(PassingVolume):
    """A precomputed volume. Chunks stored as `NAME.gz`, `NAME.br` … are read; over them nothing is written."""

    def __init__(self, info: VolumeInfo, opened: OpenedPrecomputed, options: OpenOptions) -> None:
        super().__init__(info, opened.views, options, opened.stored)
        self._chunks = opened.chunks
        self._reads_files = opened.reads_files
        self._kept = opened.kept

    def capability(self, kind: type[C]) -> C | None:
        """What is kept beside the voxels, and what every volume of chunk files has."""
        path = self._kept.folder.path
        if kind is KeepsProvenance and path is not None:
            return cast("C", precomputed_provenance(path))
        return self._kept.capability(kind, self._context) or super().capability(kind)

    def _fill(self, box: Box, scale: int, channels: list[int] | None, out: Voxels) -> None:
        files = self._chunks[scale]
        if isinstance(files, ShardedChunks):
            if self._reads_files and self._is_raw(scale):
                files.fill(box, channels, out, self._context)
                return
            files.check(box, 0, self._context)
        elif (files.is_raw and self._reads_files) or files.compressed_in(box):
            files.fill(box, channels, out, self._context)
            return
        else:
            files.check(box, self._context)
        super()._fill(box, scale, channels, out)

    def _is_raw(self, scale: int) -> bool:
        return self._stored[scale].encodings[0].array is ArrayCodec.RAW

    def write(self, box: Box, voxels: Voxels, *, scale: int = 0) -> None:
        """Write a box; see `voxgate.model.volumes.Writable.write`.

        Raises:
            ReadOnly: over chunks with a compression suffix: readers would go on preferring those files.
        """
        checked_write(self._info, box, voxels, scale)
        files = self._chunks[scale]
        if isinstance(files, ChunkFiles) and files.compressed_in(box):
            raise ReadOnly(
                "some chunks there are stored with a compression suffix (.gz, .br …)", "write to a new volume"
            )
        if isinstance(files, ChunkFiles) and not files.layout.is_whole(box):  # cut chunks are read, to be merged
            files.check(box, self._context)
        super().write(box, voxels, scale=scale)

    def is_absent(self, box: Box, *, scale: int = 0) -> bool:
        """Whether no stored chunk overlaps `box`; see `voxgate.model.volumes.ChunkPresence`."""
        checked_box(self._info, box, scale)
        self._context.check()
        try:
            return not self._chunks[scale].any_in(box)
        except STORE_ERRORS as error:
            raise store_error(error, f"looking for the stored chunks of {box}") from error


def metadata_files(folder: Path) -> list[Path]:
    """The files whose change makes an opened volume stale."""
    return [folder / "info"]


def open_store(folder: Folder, tuning: Tuning) -> OpenedPrecomputed | OpenedElsewhere:
    """Open and describe the volume in a folder. See `precomputed_elsewhere` for one elsewhere.

    Raises:
        MetadataInvalid, UnsupportedFormat, PathRefused, StoreUnavailable.
    """
    metadata = required_json(folder, "info")
    _check(metadata)
    scales = metadata["scales"]
    folders = [folder.within(scale["key"]) for scale in scales]
    stores = open_arrays([_spec(folder, *each) for each in enumerate(scales)], tuning)
    views = tuple(global_view(store, "xyzc", Vec3(*store.domain.inclusive_min[:3])) for store in stores)
    dtype = checked_dtype(np.dtype(stores[0].dtype.numpy_dtype))
    grids = [grids_of(view) for view in views]
    chunks: list[ChunkFiles | ShardedChunks] = []
    for scale, view, where, grid in zip(scales, views, folders, grids, strict=True):
        if where.path is not None:
            voxel_bytes = dtype.itemsize * int(view.shape[1])
            chunks.append(_chunks_of(where.path, (metadata, scale), bounds_of(view), grid, tuning, voxel_bytes))
    files: list[ChunkFiles | ShardedChunks | None] = [*chunks] or [None] * len(scales)
    described = [_scale_of(*each) for each in zip(scales, views, grids, files, strict=True)]
    channel_count = int(stores[0].shape[3])
    info = VolumeInfo(
        name="",
        dtype=dtype,
        kind=VolumeKind(metadata["type"]),
        scales=tuple(described),
        axes="czyx" if channel_count > 1 else "zyx",
        channels=tuple(Channel() for _ in range(channel_count)) if channel_count > 1 else (),
    )
    kept = Kept(folder, metadata)
    if not chunks:
        layouts = [_layout(metadata, *each) for each in zip(scales, map(bounds_of, views), grids, strict=True)]
        views = bounded_views(views, [largest_chunk(layout) for layout in layouts], folder.kvstore(), tuning)
        return OpenedElsewhere(info, views, far_chunks(layouts, views, folders, tuning), kept)
    stored = tuple(_Stored(of, _encoding(scale)) for of, scale in zip(chunks, scales, strict=True))
    return OpenedPrecomputed(info, views, tuple(chunks), stored, tuning.cache_bytes == 0, kept)


Grid = tuple[Vec3, Vec3, Vec3]
"""Stored chunk shape, write granule shape, origin."""


def _spec(folder: Folder, index: int, scale: dict[str, Any]) -> dict[str, Any]:
    """Tensorstore's spec of a scale. Far away an absent chunk is an error, for it may be there with a suffix."""
    spec = {"driver": "neuroglancer_precomputed", "kvstore": folder.kvstore(), "scale_index": index}
    return spec if folder.path is not None or scale.get("sharding") else {**spec, "fill_missing_data_reads": False}


def _layout(metadata: dict[str, Any], scale: dict[str, Any], bounds: Box, grid: Grid) -> ChunkLayout:
    chunk, _, origin = grid
    return ChunkLayout(metadata, scale, bounds, chunk, origin)


def _chunks_of(
    where: Path,
    documents: tuple[dict[str, Any], dict[str, Any]],
    bounds: Box,
    grid: Grid,
    tuning: Tuning,
    voxel_bytes: int,
) -> ChunkFiles | ShardedChunks:
    """The stored chunks of a scale on this machine; `documents` are `info` and its part for the scale."""
    metadata, scale = documents
    chunk, _, origin = grid
    if sharding := scale.get("sharding"):
        shards = open_shards(where, sharding, tuning.context())
        compressed = sharding.get("data_encoding") == "gzip"
        return ShardedChunks(shards, compressed, ShardGrid(bounds, chunk, origin, voxel_bytes))
    return ChunkFiles(where, _layout(metadata, scale, bounds, grid), usual_suffix(where))


def _scale_of(scale: dict[str, Any], view: View, grid: Grid, files: ChunkFiles | ShardedChunks | None) -> Scale:
    is_compressed = files is not None and files.looks_compressed
    chunk, granule, origin = grid
    return Scale(
        key=scale["key"],
        bounds=bounds_of(view),
        stored_chunk_shape=chunk,
        write_granule_shape=granule,
        grid_origin=origin,
        voxel_size_nm=VoxelSize(*map(float, scale["resolution"])),
        stored_encodings=(_encoding(scale, _usual_codec(files)),),
        # A shard is only sanely written whole and once; compressed files would go on hiding what is written.
        writable="sharding" not in scale and not is_compressed,
    )


def _usual_codec(files: ChunkFiles | ShardedChunks | None) -> ByteCodec:
    if isinstance(files, ChunkFiles):
        return passed_as(files.usual)
    return ByteCodec.GZIP if files is not None and files.looks_compressed else ByteCodec.NONE


def _check(info: dict[str, Any]) -> None:
    """Refuse what cannot be read, in words that help more than a driver's.

    Raises:
        MetadataInvalid, UnsupportedFormat.
    """
    if info.get("redirect"):
        raise UnsupportedFormat(
            f"`info` redirects to another place{_shown(info['redirect'])}", "configure that place itself as a remote"
        )
    if info.get("@type", TYPE) != TYPE:
        raise UnsupportedFormat(f"`info` describes a {json.dumps(info['@type'])}, not a volume", "open a volume")
    scales = info.get("scales")
    if not isinstance(scales, list) or not scales or info.get("type") not in ("image", "segmentation"):
        raise MetadataInvalid("`info` lacks its type or its scales", _REMEDY)
    if info.get("data_type") in ("int64", "float64"):  # cloud-volume writes them; no other reader has them
        raise UnsupportedFormat(f"voxels of type {info['data_type']} are not part of this format", "convert the volume")
    for scale in scales:
        if not isinstance(scale, dict) or not isinstance(scale.get("key"), str) or not is_size(scale.get("resolution")):
            raise MetadataInvalid("a scale of `info` lacks its key or a resolution of three positive numbers", _REMEDY)
        encoding = scale.get("encoding")
        if not isinstance(encoding, str) or encoding not in _ENCODINGS:
            raise UnsupportedFormat(
                f"the encoding {json.dumps(encoding)[:60]} is not supported", f"known: {', '.join(_ENCODINGS)}"
            )


def _shown(place: object) -> str:
    """An address in a file of the store, where it is one that holds no secret and can be shown; or nothing."""
    return f" ({place})" if isinstance(place, str) and _ADDRESS.fullmatch(place) else ""


def _encoding(scale: dict[str, Any], compression: ByteCodec = ByteCodec.NONE) -> Encoding:
    array = _ENCODINGS[scale["encoding"]]
    if array is ArrayCodec.COMPRESSED_SEGMENTATION:
        return Encoding(array, compression, Vec3(*scale["compressed_segmentation_block_size"]))
    return Encoding(array, compression)
