"""The cache of one remote: two tiers, one fetch for all who ask at the same time, and what makes an entry old."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping, Sequence

from voxgate.model.errors import ChunkCorrupt, StoreUnavailable
from voxgate.model.geometry import Box, aligned_outward
from voxgate.model.volumes import CallContext, Scale
from voxgate_remotes.caching.counts import CacheReport, Counts
from voxgate_remotes.caching.flights import Flight, Flights
from voxgate_remotes.caching.keys import Kept, Key, Place, cell_at
from voxgate_remotes.caching.tier_disk import DiskTier
from voxgate_remotes.caching.tier_memory import MemoryTier

Fetch = Callable[[Sequence[Key]], Mapping[Key, Kept]]
"""Asks the store for chunks, all of them; `made` is filled in by the cache where it is 0."""

_OF_THE_STORE = (StoreUnavailable, ChunkCorrupt)
"""Errors that all who wait for a fetch may be told; others are about the one who fetched."""


class ChunkCache:
    """Parts of chunks in memory and on disk. Thread-safe. A fetch that fails leaves nothing behind."""

    def __init__(
        self,
        memory: MemoryTier,
        disk: DiskTier | None,
        counts: Counts,
        *,
        ttl_s: float,
        is_written: bool,
        clock: Callable[[], float] = time.time,
    ) -> None:
        """Join tiers.

        Args:
            memory: the first tier.
            disk: the second; None for none.
            counts: where things are counted.
            ttl_s: how long what may change is believed; what never changes is believed for ever.
            is_written: whether the remote takes writes through this process. What may change is then kept in memory
                alone: processes that share a disk could not be told of a write.
            clock: seconds since 1970.
        """
        self._memory = memory
        self._disk = disk
        self._counts = counts
        self._ttl_s = ttl_s
        self._is_written = is_written
        self._clock = clock
        self._lock = threading.Lock()
        self._flights = Flights()
        self._drops = 0

    def obtain(self, keys: Sequence[Key], fetch: Fetch, context: CallContext) -> dict[Key, Kept]:
        """Parts of chunks, from the cache or the store.

        Args:
            keys: which; each once.
            fetch: asks the store for those that are nowhere and that nobody else is fetching.
            context: the caller's patience.

        Raises:
            Whatever `fetch` raises, for this caller or for another who fetched the same; Cancelled, DeadlineExceeded.
        """
        found = self.look(keys)
        missing = [key for key in keys if key not in found]
        while missing:
            with self._lock:
                boarding = self._flights.board(missing, self._in_memory)
            found.update(boarding.found)
            if boarding.own is not None:
                found.update(self._fly(boarding.own, fetch))
            self._counts.add("shared", len(boarding.others))
            missing = []
            for key, flight in boarding.others.items():
                flight.wait(context)
                if flight.error is not None:
                    raise flight.error
                if key in flight.fetched:
                    found[key] = flight.fetched[key]
                else:
                    missing.append(key)
        return found

    def look(self, keys: Sequence[Key]) -> dict[Key, Kept]:
        """Those parts of chunks that are kept and not too old."""
        found: dict[Key, Kept] = {}
        with self._lock:
            for key in keys:
                kept = self._in_memory(key)
                if kept is not None:
                    found[key] = kept
        self._counts.add("memory_hits", len(found))
        if self._disk is not None and len(found) < len(keys) and self._may_be_on_disk(keys[0].place):
            for key in keys:
                if key not in found and (kept := self._from_disk(self._disk, key)) is not None:
                    found[key] = kept
        return found

    def wrote(self, kin: str, level: Scale, scale: int, box: Box) -> None:
        """Voxels of a volume were written, or may have been: nobody who asks from now on gets what was there before.

        Other scales of the volume are forgotten whole: some stores compute them anew by themselves. The volume is told
        by its kin, because it may be open under two names.
        """
        whole = aligned_outward(box, level.stored_chunk_shape, level.grid_origin)
        cells = Box(cell_at(level, whole.start), cell_at(level, whole.stop))

        def here(place: Place) -> bool:
            return place.changes and place.kin == kin and place.scale == scale

        def beside(place: Place) -> bool:
            return place.changes and place.kin == kin and place.scale != scale

        self._drop(here, cells)
        self._drop(beside)

    def forget(self, path: tuple[str, ...]) -> None:
        """A volume was created or deleted: whatever was there before is none of its voxels."""
        self._drop(lambda place: place.path == path)
        if self._disk is not None:
            self._disk.forget(path)
            # What somebody read from the disk right before that, too.
            self._drop(lambda place: place.path == path)

    def settle(self) -> None:
        """Wait until what is to be on disk is there."""
        if self._disk is not None:
            self._disk.settle()

    def count(self, name: str, count: int = 1) -> None:
        """Count something of COUNTERS that a volume saw."""
        self._counts.add(name, count)

    def report(self, remote: str) -> CacheReport:
        """The cache as it is now."""
        disk = 0 if self._disk is None else self._disk.held_bytes
        return CacheReport(remote, self._counts.all(), {"memory_bytes": self._memory.held_bytes, "disk_bytes": disk})

    def _fly(self, flight: Flight, fetch: Fetch) -> Mapping[Key, Kept]:
        """Fetch for all who wait, and keep it."""
        # What the store says is as old as the question.
        made = self._clock()
        try:
            fetched = {key: kept if kept.made else kept._replace(made=made) for key, kept in fetch(flight.keys).items()}
        except BaseException as error:
            with self._lock:
                self._flights.close(flight)
            flight.crash(error if isinstance(error, _OF_THE_STORE) else None)
            raise
        with self._lock:
            good = [key for key in self._flights.close(flight) if self._is_fresh(key, fetched[key])]
            for key in good:
                self._memory.put(key, fetched[key])
            if self._disk is not None and self._may_be_on_disk(flight.keys[0].place):
                for key in good:
                    self._disk.put(key, fetched[key])
        flight.land(fetched)
        return fetched

    def _in_memory(self, key: Key) -> Kept | None:
        kept = self._memory.get(key)
        if kept is None or self._is_fresh(key, kept):
            return kept
        self._memory.drop(key)
        return None

    def _from_disk(self, disk: DiskTier, key: Key) -> Kept | None:
        drops = self._drops
        kept = disk.get(key)
        if kept is None:
            return None
        if not self._is_fresh(key, kept):
            disk.drop(key)
            return None
        with self._lock:
            if self._drops != drops:
                return None  # perhaps of this
            self._memory.put(key, kept)
        self._counts.add("disk_hits")
        return kept

    def _is_fresh(self, key: Key, kept: Kept) -> bool:
        """Whether an entry is still believed; one from the future is not, if the clock was set back."""
        return not key.place.changes or 0 <= self._clock() - kept.made < self._ttl_s

    def _may_be_on_disk(self, place: Place) -> bool:
        return not (place.changes and self._is_written)

    def _drop(self, matches: Callable[[Place], bool], cells: Box | None = None) -> None:
        """Forget all of some places, or a box of their cells, and keep nothing of it that is on its way."""
        with self._lock:
            self._drops += 1
            self._memory.drop_where(matches, cells)
            self._flights.give_up(lambda key: matches(key.place) and (cells is None or cells.contains_point(key.cell)))
