"""Arrays of Zarr and N5 that are not on this machine: read through tensorstore, what blosc made only once looked at."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from voxgate.model.geometry import Box
from voxgate.model.volumes import CallContext, OpenOptions, VolumeInfo, Voxels
from voxgate_remotes.chunk_bounds import Coded, Sharded
from voxgate_remotes.fetched_chunks import FetchedChunks, Naming, fetched_chunks
from voxgate_remotes.folders import Folder
from voxgate_remotes.known_sizes import bounded_views
from voxgate_remotes.tensorstores import STORE_ERRORS, WAITING, TensorStoreVolume, Tuning, View, store_error


@dataclass(frozen=True, slots=True)
class OpenedArrays:
    """An opened volume, to be bound to callers; satisfies OpenedStore.

    Attributes:
        info: its description.
        views: of each scale.
        fetched: of each scale, what tensorstore must not decode as it is stored; None where it may.
    """

    info: VolumeInfo
    views: tuple[View, ...] = field(repr=False)  # a view shows the headers that it asks with
    fetched: tuple[FetchedChunks | None, ...] = field(repr=False)

    def bind(self, info: VolumeInfo, options: OpenOptions) -> ArraysElsewhere:
        """A volume for one caller."""
        return ArraysElsewhere(info, self, options)


class ArraysElsewhere(TensorStoreVolume):
    """A volume of arrays that are not on this machine."""

    def __init__(self, info: VolumeInfo, opened: OpenedArrays, options: OpenOptions) -> None:
        super().__init__(info, opened.views, options, WAITING, [each or _Believed() for each in opened.fetched])
        self._fetched = opened.fetched

    def _fill(self, box: Box, scale: int, channels: list[int] | None, out: Voxels) -> None:
        fetched = self._fetched[scale]
        if fetched is None:
            super()._fill(box, scale, channels, out)
            return
        try:
            fetched.fill(box, self._chosen_time(), channels, out, self._context)
        except STORE_ERRORS as error:
            raise store_error(error, f"reading the voxels {box}") from error


class _Believed:
    """Chunks whose sizes tensorstore sees to itself, as far as it can; satisfies Bounds."""

    def check(self, box: Box, time: int, context: CallContext) -> None:
        """Look at nothing."""


def opened_elsewhere(
    info: VolumeInfo,
    views: Sequence[View],
    folders: Sequence[Folder],
    objects: Sequence[tuple[Naming, Coded | Sharded]],
    tuning: Tuning,
) -> OpenedArrays:
    """A volume of arrays that are not on this machine.

    Where the operator has decoded chunks kept (`cache_bytes`), tensorstore keeps them, so it decodes all by itself.

    Args:
        info: its description.
        views: of each scale, with the axes t, c, z, y, x in global coordinates.
        folders: of each array.
        objects: of each array: how they are named, and what is in one.
        tuning: how tensorstore is run.
    """
    limits = [None if isinstance(content, Sharded) else content.limit for _, content in objects]
    arrays: list[tuple[Any, ...]] = list(zip(views, folders, objects, info.scales, strict=True))
    fetched = [
        fetched_chunks(view, folder.kvstore(), each, level.bounds.start, info.channel_count)
        for view, folder, each, level in arrays
    ]
    if tuning.cache_bytes:
        fetched = [None] * len(views)
    return OpenedArrays(info, bounded_views(views, limits, folders[0].kvstore(), tuning), tuple(fetched))
