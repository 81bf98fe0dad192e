"""Reading blocks ahead of the work, bounded in bytes, and stopping as soon as the caller does."""

from __future__ import annotations

import itertools
from collections import deque
from collections.abc import Generator, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor, wait
from dataclasses import dataclass
from typing import Any

from voxgate.model.volumes import CallContext, Volume, Voxels
from voxgate_mesh.blocks import Block

HEARTBEAT_S = 0.5
"""While waiting, how often the caller's patience is checked and a sign of life can be given."""


def awaited(future: Future[Any], context: CallContext) -> Iterator[None]:
    """Wait for a future: yields once for each heartbeat that it is not done.

    Raises:
        Cancelled, DeadlineExceeded: when the caller's patience ends first.
    """
    while True:
        context.check()
        if wait([future], timeout=HEARTBEAT_S).done:
            return
        yield


@dataclass(frozen=True, slots=True)
class ReadAhead:
    """How far to read ahead.

    Attributes:
        thread_count: reads at one time.
        max_bytes: voxel bytes read and not yet worked on; one block is always allowed.
    """

    thread_count: int = 4
    max_bytes: int = 256 << 20


def read_blocks(
    volume: Volume, blocks: Iterable[Block], *, scale: int, context: CallContext, ahead: ReadAhead
) -> Generator[tuple[Block, Voxels] | None]:
    """Read blocks in order, several at a time; None is a heartbeat.

    Raises:
        Cancelled, DeadlineExceeded: when the caller's patience ends; no read is started after that.
        VoxgateError: whatever the volume raises.
    """

    def read(block: Block) -> Voxels:
        context.check()
        return volume.read(block.box, scale=scale)

    item_bytes = volume.info.dtype.itemsize * volume.info.channel_count
    queue = iter(blocks)
    pending: deque[tuple[Block, Future[Voxels]]] = deque()
    pending_bytes = 0
    executor = ThreadPoolExecutor(ahead.thread_count, thread_name_prefix="mesh-read")
    try:
        while True:
            while len(pending) < 2 * ahead.thread_count and (block := next(queue, None)) is not None:
                size = block.box.voxel_count * item_bytes
                if pending and pending_bytes + size > ahead.max_bytes:
                    queue = itertools.chain([block], queue)
                    break
                pending.append((block, executor.submit(read, block)))
                pending_bytes += size
            if not pending:
                return
            block, future = pending.popleft()
            yield from awaited(future, context)
            pending_bytes -= block.box.voxel_count * item_bytes
            yield block, future.result()
    finally:
        executor.shutdown(wait=False, cancel_futures=True)
