"""Reading ahead: a few blocks in flight, bounded by bytes, delivered in order."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Generator, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor, wait
from dataclasses import dataclass
from typing import Any

from voxgate.model.geometry import Box
from voxgate.model.requests import raw_size
from voxgate.model.volumes import CallContext, Volume, Voxels

_POLL_S = 0.25


@dataclass(frozen=True, slots=True)
class ReadAhead:
    """How far to read ahead, and how long to stay silent.

    Attributes:
        in_flight_bytes: raw bytes of all blocks that are being read or wait to be taken; one block is always allowed.
        threads: reads at the same time.
        tick_s: while nothing is ready, a tick is yielded this often; None for never.
    """

    in_flight_bytes: int = 64 << 20
    threads: int = 4
    tick_s: float | None = None


@dataclass(frozen=True, slots=True)
class Selection:
    """Which voxels of each box: a scale, and channels (None means all)."""

    scale: int = 0
    channels: tuple[int, ...] | None = None


_Waiting = deque[tuple[Box, int, Future[Voxels]]]


def read_blocks(
    volume: Volume,
    boxes: Iterable[Box],
    selection: Selection = Selection(),
    *,
    ahead: ReadAhead = ReadAhead(),
    context: CallContext | None = None,
) -> Generator[tuple[Box, Voxels | None]]:
    """Read boxes in order, some of them ahead of time.

    No read starts after the context's stop event is set, its deadline has passed or the iterator was closed; reads
    that run then finish in their threads and are dropped, so that a store that hangs holds nobody.

    Yields:
        (box, voxels of shape (c, z, y, x)) for each box, in the given order; with `ahead.tick_s` also (box, None):
        still waiting for that box.

    Raises:
        Whatever the volume's read raises; Cancelled or DeadlineExceeded from the context.
    """
    patience = context or CallContext()
    channel_count = None if selection.channels is None else len(selection.channels)

    def read(box: Box) -> Voxels:
        patience.check()
        return volume.read(box, scale=selection.scale, channels=selection.channels)

    waiting: _Waiting = deque()
    in_flight = 0
    pool = ThreadPoolExecutor(ahead.threads, thread_name_prefix="read-ahead")
    try:
        for box in boxes:
            size = raw_size(volume.info, box, channel_count)
            while waiting and in_flight + size > ahead.in_flight_bytes:
                in_flight -= waiting[0][1]
                yield from _take(waiting, ahead.tick_s, patience)
            patience.check()
            waiting.append((box, size, pool.submit(read, box)))
            in_flight += size
        while waiting:
            yield from _take(waiting, ahead.tick_s, patience)
    finally:
        pool.shutdown(wait=False, cancel_futures=True)


def _take(waiting: _Waiting, tick_s: float | None, patience: CallContext) -> Iterator[tuple[Box, Voxels | None]]:
    """Wait for the oldest block, ticking; then yield it."""
    box, _, future = waiting.popleft()
    for _ in awaited(future, patience, tick_s):
        yield box, None
    yield box, future.result()


def awaited(future: Future[Any], context: CallContext, tick_s: float | None) -> Iterator[None]:
    """Wait for a future, yielding every `tick_s` seconds that it is not done (None: never).

    Raises:
        Cancelled, DeadlineExceeded: when the caller's patience ends first.
    """
    last = time.monotonic()
    while not wait([future], timeout=_POLL_S).done:
        context.check()
        if tick_s is not None and time.monotonic() - last >= tick_s:
            last = time.monotonic()
            yield
