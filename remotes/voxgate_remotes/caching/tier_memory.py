"""The tier of a cache that is in memory."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Mapping

from voxgate.model.geometry import Box, Vec3, grid_cells
from voxgate_remotes.caching.counts import Counts
from voxgate_remotes.caching.keys import Kept, Key, Place

_ONE = Vec3(1, 1, 1)


class MemoryTier:
    """Parts of chunks within a number of bytes; of too many, those go that were not used for longest.

    Not thread-safe: whoever has it holds a lock.
    """

    def __init__(self, most_bytes: int, counts: Counts) -> None:
        self._most_bytes = most_bytes
        self._counts = counts
        self._kept: OrderedDict[Key, Kept] = OrderedDict()
        self._by_place: dict[Place, dict[Vec3, set[str]]] = {}
        self.held_bytes = 0

    def get(self, key: Key) -> Kept | None:
        """What is kept, if it is; it is then the one that was used last."""
        kept = self._kept.get(key)
        if kept is not None:
            self._kept.move_to_end(key)
        return kept

    def put(self, key: Key, kept: Kept) -> None:
        """Keep something, unless it is larger than all there is room for."""
        self.drop(key)
        if kept.cost > self._most_bytes:
            return
        self._kept[key] = kept
        self._by_place.setdefault(key.place, {}).setdefault(key.cell, set()).add(key.part)
        self.held_bytes += kept.cost
        while self.held_bytes > self._most_bytes:
            self.drop(next(iter(self._kept)))
            self._counts.add("memory_evicted")

    def drop(self, key: Key) -> None:
        """Keep it no longer, if it is kept."""
        kept = self._kept.pop(key, None)
        if kept is None:
            return
        self.held_bytes -= kept.cost
        cells = self._by_place[key.place]
        parts = cells[key.cell]
        parts.discard(key.part)
        if not parts:
            del cells[key.cell]
        if not cells:
            del self._by_place[key.place]

    def drop_where(self, matches: Callable[[Place], bool], cells: Box | None = None) -> None:
        """Keep no longer what there is of some places: all of it, or that of a box of cells of their grids."""
        for place in [place for place in self._by_place if matches(place)]:
            there = self._by_place[place]
            for cell in _cells_of(there, cells):
                for part in list(there.get(cell, ())):
                    self.drop(Key(place, cell, part))


def _cells_of(there: Mapping[Vec3, object], cells: Box | None) -> list[Vec3]:
    """The cells of a box, or those of them that are there, whichever is quicker to say."""
    if cells is None:
        return list(there)
    if cells.voxel_count > len(there):
        return [cell for cell in there if cells.contains_point(cell)]
    return [cell.start for cell in grid_cells(cells, _ONE, cells.start)]
