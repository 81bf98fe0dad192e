"""A volume whose stored chunks are kept: what is read of it twice, its store is asked for once."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TypeVar, cast

from voxgate.model.errors import MissingCapability
from voxgate.model.geometry import Box, Vec3
from voxgate.model.volumes import (
    RAW,
    ChunkPresence,
    EncodedChunk,
    EncodedChunks,
    Encoding,
    OpenOptions,
    Scale,
    Volume,
    VolumeInfo,
    Voxels,
    Writable,
)
from voxgate_remotes.caching.chunks import ChunkCache
from voxgate_remotes.caching.forms import ABSENT, PRESENT, chunk_of, kept_chunk, stored_chunk
from voxgate_remotes.caching.keys import ENCODED, PRESENCE, Kept, Key, Place, cell_at
from voxgate_remotes.caching.reading import MOST_BYTES, Reading, cells_of
from voxgate_remotes.checks import checked_box, checked_channels, checked_out
from voxgate_remotes.grid import cell_index, whole_cell
from voxgate_remotes.readonly import refuse_write

C = TypeVar("C")


@dataclass(frozen=True, slots=True)
class Shelf:
    """Where the chunks of a volume are kept.

    Attributes:
        cache: of its remote.
        places: of each scale.
    """

    cache: ChunkCache
    places: tuple[Place, ...]


class CachedVolume:
    """A volume of a slow store, read by whole stored chunks through a cache. Thread-safe as the inner one is.

    Voxels are kept as voxels, chunks that are passed on as they are stored are kept so, and whether a chunk is there is
    kept too. What else the volume can do is the inner one's. Chunks that are larger than what a cache keeps, and
    volumes of which no time was picked, are left to the inner volume.
    """

    def __init__(self, inner: Volume, shelf: Shelf, options: OpenOptions) -> None:
        self._inner = inner
        self._info = inner.info
        self._cache = shelf.cache
        self._places = shelf.places
        self._context = options.context
        self._has_time = self._info.time_count == 1 or options.time_index is not None

    @property
    def info(self) -> VolumeInfo:
        """The volume's description."""
        return self._info

    def read(
        self, box: Box, *, scale: int = 0, channels: Sequence[int] | None = None, out: Voxels | None = None
    ) -> Voxels:
        """Read a box; see `voxgate.model.volumes.Volume.read`. Whole stored chunks are asked of the store."""
        level = checked_box(self._info, box, scale)
        chosen = checked_channels(self._info, channels)
        if not chosen or not self._keeps(level):
            self._cache.count("bypassed")
            return self._inner.read(box, scale=scale, channels=channels, out=out)
        result = checked_out((len(chosen), *box.shape.zyx), self._info.dtype, out)
        self._context.check()
        for part in cells_of(level, box, self._info.dtype.itemsize * len(chosen)):
            target = result[:, *part.slices_zyx(box.start)]
            kept_in = (self._cache, self._places[scale])
            Reading(self._inner, kept_in, part, tuple(chosen), target).fill(self._context)
        return result

    def write(self, box: Box, voxels: Voxels, *, scale: int = 0) -> None:
        """Write a box; see `voxgate.model.volumes.Writable.write`. What was kept of it is forgotten, whatever happens.

        Raises:
            ReadOnly: when the volume takes no writes.
        """
        writable = self._inner.capability(Writable)
        if writable is None:
            refuse_write()
        try:
            writable.write(box, voxels, scale=scale)
        finally:
            if 0 <= scale < len(self._info.scales) and not box.is_empty:
                self._cache.wrote(self._places[scale].kin, self._info.scales[scale], scale, box)

    def is_absent(self, box: Box, *, scale: int = 0) -> bool:
        """Whether no stored chunk overlaps `box`; see `voxgate.model.volumes.ChunkPresence`."""
        presence = self._power(ChunkPresence)
        if not 0 <= scale < len(self._info.scales) or not self._has_time:
            return presence.is_absent(box, scale=scale)
        level, place = self._info.scales[scale], self._places[scale]
        if box.is_empty or not level.bounds.contains(box):
            return presence.is_absent(box, scale=scale)
        first, last = cell_at(level, box.start), cell_at(level, box.stop - Vec3(1, 1, 1))
        if first != last:
            return presence.is_absent(box, scale=scale)
        self._context.check()
        key = Key(place, first, PRESENCE)

        def ask(keys: Sequence[Key]) -> dict[Key, Kept]:
            chunk = self._cache.look([Key(place, first, ENCODED)]).get(Key(place, first, ENCODED))
            if chunk is not None:
                return {key: Kept(ABSENT if chunk.facts == ABSENT else PRESENT, made=chunk.made)}
            cell = whole_cell(level, first).intersection(level.bounds)
            self._cache.count("misses")
            said = ABSENT if presence.is_absent(cell, scale=scale) else PRESENT
            return dict.fromkeys(keys, Kept(said))

        return self._cache.obtain([key], ask, self._context)[key].data == ABSENT

    def encodings_of(self, scale: int) -> tuple[Encoding, ...]:
        """What chunks may come in; see `voxgate.model.volumes.EncodedChunks.encodings_of`."""
        return self._power(EncodedChunks).encodings_of(scale)

    def read_encoded(self, cells: Sequence[Box], *, scale: int = 0) -> list[EncodedChunk | None]:
        """Stored chunks, and those that are absent; see `voxgate.model.volumes.EncodedChunks.read_encoded`."""
        chunks = self._power(EncodedChunks)
        if not chunks.encodings_of(scale) or not self._keeps(self._info.scales[scale]):
            return chunks.read_encoded(cells, scale=scale)
        level, place = self._info.scales[scale], self._places[scale]
        boxes = {Key(place, cell_index(level, cell), ENCODED): cell for cell in cells}
        self._context.check()

        def ask(keys: Sequence[Key]) -> dict[Key, Kept]:
            known = {} if RAW not in chunks.encodings_of(scale) else self._from_voxels(keys, boxes)
            missing = [key for key in keys if key not in known]
            self._cache.count("misses", len(missing))
            found = chunks.read_encoded([boxes[key] for key in missing], scale=scale) if missing else []
            return {**known, **{key: kept_chunk(chunk) for key, chunk in zip(missing, found, strict=True)}}

        kept = self._cache.obtain(list(boxes), ask, self._context)
        answers = {boxes[key]: stored_chunk(one) for key, one in kept.items()}
        return [answers[cell] for cell in cells]

    def capability(self, kind: type[C]) -> C | None:
        """What the inner volume can do; what touches chunks only through here."""
        found = self._inner.capability(kind)
        if found is not None and kind in (Writable, ChunkPresence, EncodedChunks):
            return cast("C", self)
        return found

    def _from_voxels(self, keys: Sequence[Key], boxes: Mapping[Key, Box]) -> dict[Key, Kept]:
        """Those plain raw chunks whose voxels are kept."""
        parts = {key: [key._replace(part=str(i)) for i in range(self._info.channel_count)] for key in keys}
        kept = self._cache.look([part for each in parts.values() for part in each])
        found = {}
        for key, channels in parts.items():
            if all(channel in kept for channel in channels):
                chunk = chunk_of([kept[channel] for channel in channels], boxes[key], self._info)
                if chunk is not None:
                    found[key] = chunk
        return found

    def _keeps(self, level: Scale) -> bool:
        return self._has_time and level.stored_chunk_shape.product * self._info.dtype.itemsize <= MOST_BYTES

    def _power(self, kind: type[C]) -> C:
        found = self._inner.capability(kind)
        if found is None:
            raise MissingCapability(f"this volume has no {kind.__name__}", details={"capability": kind.__name__})
        return found
