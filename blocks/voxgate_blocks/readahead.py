"""Reading ahead: a few blocks in flight, bounded by bytes, delivered in order."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, wait
from dataclasses import dataclass
from typing import Any, TypeVar

from voxgate.model.geometry import Box
from voxgate.model.requests import raw_size
from voxgate.model.volumes import CallContext, Volume, Voxels

T = TypeVar("T")
K = TypeVar("K")

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


def read_blocks(
    volume: Volume,
    boxes: Iterable[Box],
    selection: Selection = Selection(),
    *,
    ahead: ReadAhead = ReadAhead(),
    context: CallContext | None = None,
) -> Generator[tuple[Box, Voxels | None]]:
    """Read boxes in order, some of them ahead of time; see `work_ahead`.

    Yields:
        (box, voxels of shape (c, z, y, x)) for each box, in the given order; with `ahead.tick_s` also (box, None).
    """
    channel_count = None if selection.channels is None else len(selection.channels)

    def read(box: Box) -> Voxels:
        return volume.read(box, scale=selection.scale, channels=selection.channels)

    def size_of(box: Box) -> int:
        return raw_size(volume.info, box, channel_count)

    return work_ahead(boxes, read, size_of, ahead=ahead, context=context or CallContext())


def work_ahead(
    boxes: Iterable[Box],
    work: Callable[[Box], T],
    size_of: Callable[[Box], int],
    *,
    ahead: ReadAhead,
    context: CallContext,
) -> Generator[tuple[Box, T | None]]:
    """Do something for boxes in threads, some of them ahead of time; the results come in order.

    No work starts after the context's stop event is set, its deadline has passed or the iterator was closed; work that
    runs then finishes in its thread and is dropped, so that a store that hangs holds nobody.

    Args:
        boxes: what to work on.
        work: what to do; runs in other threads.
        size_of: the bytes that a box's work and result hold.
        ahead: how far ahead.
        context: the caller's patience.

    Yields:
        (box, result) for each box, in the given order; with `ahead.tick_s` also (box, None): still waiting for it.

    Raises:
        Whatever the work raises; Cancelled or DeadlineExceeded from the context.
    """

    def run(box: Box) -> T:
        context.check()
        return work(box)

    waiting: deque[tuple[Box, int, Future[T]]] = deque()
    in_flight = 0
    pool = ThreadPoolExecutor(ahead.threads, thread_name_prefix="read-ahead")
    try:
        for box in boxes:
            size = size_of(box)
            while waiting and in_flight + size > ahead.in_flight_bytes:
                in_flight -= waiting[0][1]
                yield from _take(waiting, ahead.tick_s, context)
            context.check()
            waiting.append((box, size, pool.submit(run, box)))
            in_flight += size
        while waiting:
            yield from _take(waiting, ahead.tick_s, context)
    finally:
        pool.shutdown(wait=False, cancel_futures=True)


def _take(
    waiting: deque[tuple[Box, int, Future[T]]], tick_s: float | None, context: CallContext
) -> Iterator[tuple[Box, T | None]]:
    """Wait for the oldest work, ticking; then yield it."""
    box, _, future = waiting.popleft()
    for _ in awaited(future, context, tick_s):
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


def ticking(pieces: Iterator[T], context: CallContext, tick_s: float | None) -> Generator[T | None]:
    """Iterate in a thread, one piece at a time, so that an iterator that hangs holds nobody.

    Yields:
        The pieces, and None every `tick_s` seconds that the next one is waited for (None: never).

    Raises:
        Whatever the iterator raises; Cancelled or DeadlineExceeded from the context.
    """
    pool = ThreadPoolExecutor(1, thread_name_prefix="read-ahead")
    end = object()
    try:
        while True:
            future: Future[Any] = pool.submit(next, pieces, end)
            for _ in awaited(future, context, tick_s):
                yield None
            piece = future.result()
            if piece is end:
                return
            yield piece
    finally:
        close = getattr(pieces, "close", None)
        if close is not None:
            # After the piece that is under way, in its thread: a generator that runs cannot be closed.
            pool.submit(close)
        pool.shutdown(wait=False)


def each_answered(asked: Sequence[K], ask: Callable[[K], T], *, threads: int, context: CallContext) -> list[T]:
    """Ask for several things, some at a time; the answers in order.

    Raises:
        Whatever the first that fails raises; Cancelled or DeadlineExceeded from the context. What was not begun by
        then never is.
    """

    def run(one: K) -> T:
        context.check()
        return ask(one)

    pool = ThreadPoolExecutor(max(1, threads), thread_name_prefix="ask")
    try:
        futures = [pool.submit(run, one) for one in asked]
        answers = []
        for future in futures:
            for _ in awaited(future, context, None):
                pass
            answers.append(future.result())
        return answers
    finally:
        pool.shutdown(wait=False, cancel_futures=True)
