"""One read of some stored chunks through a cache: what is missing is read at once, and straight into the result."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from voxgate.model.geometry import Box, Vec3, grid_cells, merged
from voxgate.model.volumes import RAW, CallContext, EncodedChunks, Scale, Volume, Voxels
from voxgate_remotes.caching.chunks import ChunkCache
from voxgate_remotes.caching.forms import voxels_of
from voxgate_remotes.caching.keys import ENCODED, Kept, Key, Place, cell_at
from voxgate_remotes.cuts import requests_of
from voxgate_remotes.grid import whole_cell
from voxgate_remotes.parallel import share

MOST_BYTES = 64 << 20
"""Chunks with larger channels are not kept."""
_AT_ONCE_BYTES = 64 << 20
_CELLS_FOR_ONE = 4
_WASTE = 2
"""One request that asks again for what is kept already may be so many times as large as several that do not."""
_REQUESTS_AT_ONCE = 4
_ORIGIN = Vec3(0, 0, 0)


def cells_of(level: Scale, box: Box, voxel_bytes: int) -> Iterator[Box]:
    """A box cut along the stored grid, so that the whole chunks of a part are not much more than can be held."""
    most = max(1, _AT_ONCE_BYTES // _CELLS_FOR_ONE // voxel_bytes)
    origin = level.grid_origin
    for part in requests_of(box.shifted(_ORIGIN - origin), level.stored_chunk_shape, most):
        yield part.shifted(origin)


class Reading:
    """A box of a volume, read by one caller."""

    def __init__(
        self, volume: Volume, kept_in: tuple[ChunkCache, Place], box: Box, channels: tuple[int, ...], target: Voxels
    ) -> None:
        """Plan.

        Args:
            volume: the one that asks the store.
            kept_in: the cache, and the place of the scale in it.
            box: inside its bounds.
            channels: which, in order.
            target: array of shape (c, z, y, x) to fill.
        """
        self._volume = volume
        self._cache, self._place = kept_in
        self._level = volume.info.scales[self._place.scale]
        self._box = box
        self._channels = channels
        self._target = target
        self._filled: set[Vec3] = set()

    def fill(self, context: CallContext) -> None:
        """Fill the target.

        Raises:
            What `Volume.read` raises.
        """
        level = self._level
        cells = [cell_at(level, part.start) for part in grid_cells(self._box, level.stored_chunk_shape, self._origin)]
        keys = [Key(self._place, cell, str(channel)) for cell in cells for channel in dict.fromkeys(self._channels)]
        kept = self._cache.obtain(keys, self._fetch, context)
        for cell in cells:
            if cell not in self._filled:
                self._fill(cell, kept)

    @property
    def _origin(self) -> Vec3:
        return self._level.grid_origin

    def _fill(self, cell: Vec3, kept: Mapping[Key, Kept]) -> None:
        """Copy what is kept of a cell."""
        whole = self._cell_box(cell)
        part = whole.intersection(self._box)
        target = self._target[:, *part.slices_zyx(self._box.start)]
        dtype = self._volume.info.dtype
        for row, channel in enumerate(self._channels):
            voxels = np.frombuffer(kept[Key(self._place, cell, str(channel))].data, dtype)
            if voxels.size == 1:
                target[row] = voxels[0]
            else:
                target[row] = voxels.reshape(whole.shape.zyx)[part.slices_zyx(whole.start)]

    def _fetch(self, keys: Sequence[Key]) -> dict[Key, Kept]:
        """Ask the store for channels of cells; whole cells come straight into the target where they can."""
        wanted = {key.part for key in keys}
        channels = tuple(channel for channel in dict.fromkeys(self._channels) if str(channel) in wanted)
        cells = list(dict.fromkeys(key.cell for key in keys))
        found = self._from_chunks(keys) if self._passes_raw() else {}
        lacking = {key.cell for key in keys if key not in found}
        missing = [cell for cell in cells if cell in lacking]

        def read(region: Box) -> None:
            voxels = self._read(region, channels)
            for part in grid_cells(region, self._level.stored_chunk_shape, self._origin):
                cell = cell_at(self._level, part.start)
                for row, channel in enumerate(channels):
                    key = Key(self._place, cell, str(channel))
                    if key in asked and key not in found:
                        found[key] = Kept(_packed(voxels[row, *part.slices_zyx(region.start)]))

        asked = set(keys)
        regions = _regions([self._cell_box(cell) for cell in missing]) if missing else []
        self._cache.count("misses", len(keys) - len(found))
        share(regions, lambda: read, min(len(regions), _REQUESTS_AT_ONCE))
        return found

    def _passes_raw(self) -> bool:
        chunks = self._volume.capability(EncodedChunks)
        return chunks is not None and RAW in chunks.encodings_of(self._place.scale)

    def _from_chunks(self, keys: Sequence[Key]) -> dict[Key, Kept]:
        """Those of which the stored chunk is kept, and is plain voxels or absent."""
        by_cell: dict[Vec3, list[Key]] = {}
        for key in keys:
            by_cell.setdefault(key.cell, []).append(key)
        found: dict[Key, Kept] = {}
        for chunk, kept in self._cache.look([Key(self._place, cell, ENCODED) for cell in by_cell]).items():
            voxels = voxels_of(kept, self._cell_box(chunk.cell), self._volume.info)
            if voxels is not None:
                for key in by_cell[chunk.cell]:
                    found[key] = Kept(_packed(voxels[int(key.part)]), made=kept.made)
        return found

    def _read(self, region: Box, channels: tuple[int, ...]) -> Voxels:
        scale = self._place.scale
        every = channels == tuple(range(self._volume.info.channel_count))
        asked = None if every else channels
        if channels != self._channels:
            return self._volume.read(region, scale=scale, channels=asked)
        inside = region.intersection(self._box)
        target = self._target[:, *inside.slices_zyx(self._box.start)]
        voxels = self._volume.read(region, scale=scale, channels=asked, out=target if inside == region else None)
        if inside != region:
            target[...] = voxels[:, *inside.slices_zyx(region.start)]
        for part in grid_cells(inside, self._level.stored_chunk_shape, self._origin):
            self._filled.add(cell_at(self._level, part.start))
        return voxels

    def _cell_box(self, cell: Vec3) -> Box:
        """The voxels of a cell that exist."""
        return whole_cell(self._level, cell).intersection(self._level.bounds)


def _regions(cells: list[Box]) -> list[Box]:
    """Boxes to ask the store for, which cover cells: one, where it is not much more than they are."""
    joined = merged(cells)
    if len(joined) == 1:
        return joined
    start, stop = joined[0].start, joined[0].stop
    for box in joined[1:]:
        start, stop = Vec3.minimum(start, box.start), Vec3.maximum(stop, box.stop)
    around = Box(start, stop)
    return [around] if around.voxel_count <= _WASTE * sum(box.voxel_count for box in joined) else joined


def _packed(voxels: npt.NDArray[Any]) -> bytes:
    """The bytes of an array of shape (z, y, x) in C-order; of one voxel where all are the same, bit by bit."""
    first, last = voxels[0, 0, 0], voxels[-1, -1, -1]
    if first == last and bool((voxels == first).all()):
        one: bytes = first.tobytes()
        # Zeros of floating point are equal and not the same.
        if voxels.dtype.kind != "f" or first != 0 or not np.signbit(voxels).any() or np.signbit(voxels).all():
            return one
    return voxels.tobytes()
