"""The chunks of a sharded precomputed scale in a store that is not on this machine.

Tensorstore believes what shards state of sizes, and decompresses whole what they hold (1 MB of gzip, a chunk or an
index, cost 1 GiB; release 0.1.86). So it only fetches: where a minishard's index is, the index, and the chunks, each
as far as its size was compared with the metadata before, in as many rounds as its own driver needs. They are
decompressed here, within the limits of `voxgate_remotes.shard_files`, and what is not raw is decoded from memory.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import tensorstore as ts

from voxgate.model.errors import ChunkCorrupt
from voxgate.model.geometry import Box
from voxgate.model.volumes import CallContext, Voxels
from voxgate_remotes.chunk_layout import ChunkLayout
from voxgate_remotes.file_access import REMEDY, too_large
from voxgate_remotes.parallel import share
from voxgate_remotes.precomputed_kept.shards import Sharding, Stored, parsed_sharding
from voxgate_remotes.raw_chunks import Part
from voxgate_remotes.shard_files import entry_place, gunzipped, index_limit, index_of, index_place, rows_of
from voxgate_remotes.shard_grid import ShardGrid
from voxgate_remotes.tensorstores import STORE_ERRORS, store_error, wait

_AT_ONCE = 256
_DECODERS = 4

Place = tuple[str, int, int]
"""An object, the first byte, and the one after the last."""
Minishard = tuple[str, int]
"""A shard, and the number of one of its indexes."""


@dataclass(frozen=True, slots=True)
class FarShards:
    """The chunks of one sharded scale.

    Attributes:
        sharding: how chunks are spread over shards.
        grid: the chunks.
        layout: the same as of a scale without shards.
        kvstore: tensorstore's spec of the scale's folder.
        context: the ts.Context whose credentials and connections all reads share.
    """

    sharding: Sharding
    grid: ShardGrid
    layout: ChunkLayout
    kvstore: dict[str, Any] = field(repr=False)  # it may hold a token
    context: Any = field(default_factory=ts.Context, repr=False, compare=False)

    def fill(self, box: Box, channels: list[int] | None, out: Voxels, context: CallContext) -> None:
        """Read `box` into `out`, shape (c, z, y, x); `channels` None means all in order.

        Raises:
            ChunkCorrupt, StoreUnavailable, UnsupportedFormat, Cancelled, DeadlineExceeded.
        """
        cells = self.grid.cells(box)
        found = self._find(cells, context)
        parts = self.layout.parts(box)
        for start in range(0, len(parts), _AT_ONCE):
            some = parts[start : start + _AT_ONCE]
            places = {self.grid.key(part.cell): part for part in some}
            there = [key for key in places if key in found]
            asked = self._asked([self._checked(found[key], cells[key]) for key in there], context)
            futures = dict(zip(there, asked, strict=True))
            try:
                share(list(places), self._worker(places, futures, (box, channels, out), context), _DECODERS)
            finally:
                for future in futures.values():
                    future.cancel()

    def is_absent(self, box: Box, time: int, patience: Callable[[], CallContext]) -> bool:  # noqa: ARG002
        """Whether no stored chunk overlaps `box`: each is looked up in its shard's index; there is but one time.

        Raises:
            ChunkCorrupt, StoreUnavailable, Cancelled, DeadlineExceeded.
        """
        return not self._find(self.grid.cells(box), patience())

    def _worker(
        self,
        parts: Mapping[int, Part],
        futures: Mapping[int, Any],
        wanted: tuple[Box, list[int] | None, Voxels],
        context: CallContext,
    ) -> Callable[[], Callable[[int], None]]:
        """What makes, for one thread, what puts the part with a key into place."""
        box, channels, out = wanted

        def worker() -> Callable[[int], None]:
            decode = self.layout.decoder(channels, context)

            def work(key: int) -> None:
                part = parts[key]
                if key not in futures:
                    part.of(out, box)[...] = 0
                    return
                data = _came(futures[key], f"reading the stored chunk with the voxels {part}", context)
                if data is None:
                    raise ChunkCorrupt(f"the shard of the stored chunk with the voxels {part} went away", REMEDY)
                if self.sharding.data_is_gzip:
                    data = gunzipped(data, self.grid.limit(part.cell), f"the stored chunk with the voxels {part}")
                decode(data, part, part.of(out, box))

            return work

        return worker

    def _find(self, cells: Mapping[int, Box], context: CallContext) -> dict[int, Stored]:
        """Where those chunks are that there are, by key.

        Raises:
            ChunkCorrupt: when an index cannot be right; StoreUnavailable, Cancelled, DeadlineExceeded.
        """
        limit = index_limit(self.grid.most_chunks)
        keys: dict[Minishard, list[int]] = defaultdict(list)
        for key in cells:
            keys[self.sharding.place(key)].append(key)

        def what(one: Minishard) -> str:
            return f"the index of the stored chunk with the voxels {cells[keys[one][0]]}"

        indexes: dict[Minishard, Place] = {}
        entries = {one: (one[0], *entry_place(one[1])) for one in keys}
        for one, entry in self._read(entries, what, context):
            place = index_place(self.sharding, entry, limit, what(one))
            if place is not None:
                indexes[one] = _in_reach((one[0], *place), what(one))
        found: dict[int, Stored] = {}
        for one, stored in self._read(indexes, what, context):
            index = index_of(self.sharding, stored, limit, what(one))
            found |= rows_of(self.sharding, index, one[0], keys[one])
        return found

    def _read(
        self, places: Mapping[Minishard, Place], what: Callable[[Minishard], str], context: CallContext
    ) -> Iterator[tuple[Minishard, bytes]]:
        """Parts of shards; nothing of those that are absent."""
        names = list(places)
        for start in range(0, len(names), _AT_ONCE):
            some = names[start : start + _AT_ONCE]
            for one, future in zip(some, self._asked([places[name] for name in some], context), strict=True):
                data = _came(future, f"reading {what(one)}", context)
                if data is not None:
                    yield one, data

    def _checked(self, stored: Stored, cell: Box) -> Place:
        """Where a chunk is, if it is not too large."""
        if stored.stop - stored.start > self.grid.limit(cell):
            raise too_large(cell)
        return _in_reach((stored.name, stored.start, stored.stop), f"the stored chunk with the voxels {cell}")

    def _asked(self, places: Iterable[Place], context: CallContext) -> Sequence[Any]:
        """The futures of parts of objects; what lies together is asked for together."""
        together = ts.Batch()
        try:
            store = wait(ts.KvStore.open(self.kvstore, context=self.context), context)
            return [store.read(name, byte_range=slice(start, stop), batch=together) for name, start, stop in places]
        except STORE_ERRORS as error:
            raise store_error(error, "opening the shards") from error
        finally:
            together.submit()


def _in_reach(place: Place, what: str) -> Place:
    """A place that can be asked for.

    Raises:
        ChunkCorrupt: where a shard would have to be larger than any; names `what` is there.
    """
    if not 0 <= place[1] <= place[2] < 2**63:
        raise ChunkCorrupt(f"a shard ends before {what} does", REMEDY)
    return place


def _came(future: Any, doing: str, context: CallContext) -> bytes | None:
    """What was read; None where there is no such object.

    Raises:
        ChunkCorrupt: when it is shorter; StoreUnavailable, Cancelled, DeadlineExceeded.
    """
    try:
        found = wait(future, context)
    except STORE_ERRORS as error:
        raise store_error(error, doing) from error
    return bytes(found.value) if found.state == "value" else None


def far_shards(layout: ChunkLayout, kvstore: dict[str, Any]) -> FarShards:
    """The chunks of a sharded scale.

    Args:
        layout: of the scale.
        kvstore: tensorstore's spec of its folder.

    Raises:
        MetadataInvalid: for an unknown sharding.
    """
    scale = layout.scale
    voxel_bytes = layout.dtype.itemsize * layout.channel_count
    grid = ShardGrid(layout.bounds, layout.chunk_shape, layout.grid_origin, voxel_bytes)
    unsharded = replace(layout, scale={key: value for key, value in scale.items() if key != "sharding"})
    return FarShards(parsed_sharding(scale["sharding"]), grid, unsharded, kvstore)
