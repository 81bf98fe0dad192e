"""Neuroglancer precomputed volumes that are not on this machine: read through tensorstore, and under suffixes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeVar, cast

from voxgate.model.geometry import Box
from voxgate.model.volumes import OpenOptions, VolumeInfo, Voxels
from voxgate_remotes.checks import checked_box, checked_write
from voxgate_remotes.chunk_layout import ChunkLayout
from voxgate_remotes.far_chunks import FarChunks, SuffixedChunks
from voxgate_remotes.far_shards import FarShards, far_shards
from voxgate_remotes.folders import Folder
from voxgate_remotes.precomputed_kept import Kept
from voxgate_remotes.tensorstores import WAITING, TensorStoreVolume, Tuning, View

C = TypeVar("C")


@dataclass(frozen=True, slots=True)
class OpenedElsewhere:
    """An opened volume, to be bound to callers; satisfies OpenedStore.

    Attributes:
        info: its description.
        views: of each scale; of unsharded ones, an absent chunk is an error.
        chunks: of each unsharded scale, what may be stored with a suffix; of a sharded one, its shards, unless the
            operator has tensorstore keep decoded chunks.
        kept: meshes, skeletons and segment properties.
    """

    info: VolumeInfo
    views: tuple[View, ...]
    chunks: tuple[FarChunks | FarShards | None, ...]
    kept: Kept

    @property
    def fetched(self) -> tuple[FarShards | None, ...]:
        """Of each scale, what tensorstore must not decode as it is stored; None where it may."""
        return tuple(each if isinstance(each, FarShards) else None for each in self.chunks)

    def bind(self, info: VolumeInfo, options: OpenOptions) -> VolumeElsewhere:
        """A volume for one caller."""
        return VolumeElsewhere(info, self, options)


class VolumeElsewhere(TensorStoreVolume):
    """A precomputed volume that is not on this machine: read through tensorstore, but for chunks with a suffix."""

    def __init__(self, info: VolumeInfo, opened: OpenedElsewhere, options: OpenOptions) -> None:
        super().__init__(info, opened.views, options, WAITING)
        self._chunks = opened.chunks
        self._kept = opened.kept

    def _fill(self, box: Box, scale: int, channels: list[int] | None, out: Voxels) -> None:
        chunks = self._chunks[scale]
        if chunks is None:
            super()._fill(box, scale, channels, out)
        else:
            chunks.fill(box, channels, out, self._context)

    def write(self, box: Box, voxels: Voxels, *, scale: int = 0) -> None:
        """Write a box; see `voxgate.model.volumes.Writable.write`.

        Raises:
            ReadOnly: where it cuts a chunk with a compression suffix: what is stored there could not be merged.
        """
        checked_write(self._info, box, voxels, scale)
        chunks = self._chunks[scale]
        if isinstance(chunks, FarChunks):
            chunks.refuse_merging(box, self._context)
        super().write(box, voxels, scale=scale)

    def is_absent(self, box: Box, *, scale: int = 0) -> bool:
        """Whether no stored chunk overlaps `box`, whatever its name; see `voxgate.model.volumes.ChunkPresence`."""
        return super().is_absent(box, scale=scale) and not self.has_suffixed(box, scale=scale)

    def has_suffixed(self, box: Box, *, scale: int = 0) -> bool:
        """Whether a stored chunk that overlaps `box` has a compression suffix; see `SuffixedChunks`."""
        checked_box(self._info, box, scale)
        chunks = self._chunks[scale]
        return isinstance(chunks, FarChunks) and chunks.any_suffixed(box, self._context)

    def capability(self, kind: type[C]) -> C | None:
        """What is kept beside the voxels, SuffixedChunks, and what every volume of tensorstore has."""
        if kind is SuffixedChunks:
            return cast("C", self)
        return self._kept.capability(kind, self._context) or super().capability(kind)


def far_chunks(
    layouts: Sequence[ChunkLayout], views: Sequence[View], folders: Sequence[Folder], tuning: Tuning
) -> tuple[FarChunks | FarShards | None, ...]:
    """The chunks of each scale; None for a sharded one that tensorstore reads, for its cache's sake."""
    return tuple(
        FarChunks(layout, view, folder.kvstore())
        if not layout.scale.get("sharding")
        else far_shards(layout, folder.kvstore())
        if not tuning.cache_bytes
        else None
        for layout, view, folder in zip(layouts, views, folders, strict=True)
    )


def largest_chunk(layout: ChunkLayout) -> int | None:
    """The most bytes that any object of a scale may have; None for shards."""
    return None if layout.scale.get("sharding") else layout.stored_limit(layout.first_cell)
