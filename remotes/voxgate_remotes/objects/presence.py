"""Which chunks a store behind a network has.

Tensorstore's storage_statistics is not asked: it needs a listing, which web servers do not have, and over the emulators
of S3 and GCS (release 0.1.86) it called a scale that was all there not stored, and ended the whole process. Instead the
first voxel of a chunk is read by views that take an absent chunk for an error (`fill_missing_data_reads`).
"""

from __future__ import annotations

import itertools
import threading
from collections.abc import Callable, Iterator, Sequence
from typing import Any, Protocol

import tensorstore as ts

from voxgate.model.geometry import Box, grid_cells
from voxgate.model.volumes import CallContext, VolumeInfo
from voxgate_remotes.known_sizes import respelled
from voxgate_remotes.objects.patience import Patience
from voxgate_remotes.tensorstores import STORE_ERRORS, View, store_error, wait

_AT_ONCE = 32

DOING = "looking for stored chunks"


class Fetched(Protocol):
    """The chunks of a scale that tensorstore must not decode as they are stored."""

    def is_absent(self, box: Box, time: int, patience: Callable[[], CallContext]) -> bool:
        """Whether no stored chunk overlaps `box`, asked with a new `patience` for some chunks at a time."""
        ...


class Presence:
    """The stored chunks of one opened volume. Thread-safe; opens nothing before it is asked."""

    def __init__(
        self,
        views: Sequence[View],
        kvstore: dict[str, Any],
        patience: Patience,
        fetched: Sequence[Fetched | None] = (),
    ) -> None:
        """Look into a volume.

        Args:
            views: of all scales, with the axes t, c, z, y, x in global coordinates.
            kvstore: tensorstore's spec of its folder.
            patience: with the store.
            fetched: of scales whose chunks tensorstore must not decode as they are stored.
        """
        self._views = views
        self._kvstore = kvstore
        self._fetched = fetched or [None] * len(views)
        self._patience = patience
        self._strict: dict[int, View] = {}
        self._lock = threading.Lock()

    def is_absent(self, info: VolumeInfo, box: Box, scale: int, time: int, context: CallContext) -> bool:
        """Whether no stored chunk overlaps `box`, which lies inside of the scale.

        Raises:
            ChunkCorrupt, StoreUnavailable, Cancelled, DeadlineExceeded, and what tensorstore raises while it opens.
        """
        fetched = self._fetched[scale]
        if fetched is not None:
            return fetched.is_absent(box, time, lambda: self._patience.of(context, DOING))
        view = self._strict_view(scale, context)[time]
        level = info.scales[scale]
        step = int((self._views[scale].chunk_layout.read_chunk.shape or [0, 1])[1] or info.channel_count)
        cells = grid_cells(box, level.stored_chunk_shape, level.grid_origin)
        firsts = ((c, *cell.start.zyx) for cell in cells for c in range(0, info.channel_count, step))
        return not any(_is_there(view, places, self._patience.of(context, DOING)) for places in _batches(firsts))

    def _strict_view(self, scale: int, context: CallContext) -> View:
        with self._lock:
            known = self._strict.get(scale)
        if known is not None:
            return known
        spec = {**respelled(self._views[scale], self._kvstore), "fill_missing_data_reads": False}
        view = wait(ts.open(spec, open=True, context=ts.Context()), self._patience.of(context, DOING))
        with self._lock:
            return self._strict.setdefault(scale, view)


def _batches(firsts: Iterator[tuple[int, ...]]) -> Iterator[list[tuple[int, ...]]]:
    while batch := list(itertools.islice(firsts, _AT_ONCE)):
        yield batch


def _is_there(view: View, places: list[tuple[int, ...]], context: CallContext) -> bool:
    """Whether one of the chunks that these voxels (c, z, y, x) lie in is stored."""
    futures: list[Any] = [view[place].read() for place in places]
    found = False
    for future in futures:
        try:
            wait(future, context)
            found = True
        except STORE_ERRORS as error:
            if not str(error).startswith("NOT_FOUND"):
                raise store_error(error, DOING) from error
    return found
