"""What takes long and is asked for twice: made once, by a few threads, and kept for whoever asks next.

A viewer asks for a mesh's manifest and then for its fragment; cloud-volume asks, hangs up and asks again. So whatever
is begun is finished, and found by the next request.
"""

from __future__ import annotations

import asyncio
import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Hashable
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

from voxgate.model.errors import ServerBusy, VoxgateError
from voxgate_gateway.answers import status_of


@dataclass(frozen=True, slots=True)
class MakingLimits:
    """How much is made and kept.

    Attributes:
        threads: how many things are made at a time.
        waiting: how many may wait for their turn.
        kept_bytes: how many bytes of finished things are kept; the newest one always is.
        patience_s: how long a request waits, before it is told to come back.
        keep_s: how long things that may change are kept.
        keep_lasting_s: how long things that never change are kept.
    """

    threads: int = 4
    waiting: int = 64
    kept_bytes: int = 256 << 20
    patience_s: float = 25.0
    keep_s: float = 10.0
    keep_lasting_s: float = 3600.0


@dataclass(frozen=True, slots=True)
class Task:
    """Something to make.

    Attributes:
        key: tells it from everything else; includes who asks and which version.
        make: makes it.
        size: its bytes.
        is_lasting: whether it never changes.
    """

    key: Hashable
    make: Callable[[], Any]
    size: Callable[[Any], int]
    is_lasting: bool = False


@dataclass(slots=True)
class _Kept:
    """One thing, made or being made. `until` is a value of time.monotonic(); None while it is being made."""

    future: Future[Any]
    until: float | None = None
    size: int = 0


class Making:
    """Makes things, each once at a time. Thread-safe."""

    def __init__(self, limits: MakingLimits | None = None) -> None:
        self._limits = limits or MakingLimits()
        self._lock = threading.RLock()  # a future that is done already calls back at once
        self._kept: OrderedDict[Hashable, _Kept] = OrderedDict()
        self._pool = ThreadPoolExecutor(self._limits.threads, thread_name_prefix="making")

    async def made(self, task: Task) -> Any:
        """The thing, as soon as it is made.

        Raises:
            ServerBusy: when that takes longer than a request may wait, or too many others wait; it goes on being made
                in the first case, so whoever asks again finds it.
            VoxgateError: why it cannot be made.
        """
        future = asyncio.wrap_future(self._begun(task))
        try:
            return await asyncio.wait_for(asyncio.shield(future), self._limits.patience_s)
        except TimeoutError:
            # It may fail after all, with nobody there to be told.
            future.add_done_callback(lambda done: done.cancelled() or done.exception())
            raise ServerBusy("it is still being made", "ask again: it goes on meanwhile", retry_after_s=3.0) from None

    def close(self) -> None:
        """Begin nothing more."""
        self._pool.shutdown(wait=False, cancel_futures=True)

    def _begun(self, task: Task) -> Future[Any]:
        with self._lock:
            self._forget_old()
            kept = self._kept.get(task.key)
            if kept is None:
                if sum(each.until is None for each in self._kept.values()) >= self._limits.waiting:
                    raise ServerBusy("too much is being made already", "ask again in a moment", retry_after_s=3.0)
                begun = self._kept[task.key] = _Kept(self._pool.submit(task.make))
                begun.future.add_done_callback(lambda _: self._finished(task, begun))
                return begun.future
            self._kept.move_to_end(task.key)
            return kept.future

    def _finished(self, task: Task, kept: _Kept) -> None:
        """Keep what was made, and refusals as long as what may change; what may work the next time is not kept."""
        error = kept.future.exception() if not kept.future.cancelled() else None
        with self._lock:
            if kept.future.cancelled() or (error is not None and _may_work_later(error)):
                self._kept.pop(task.key, None)
                return
            lasting = task.is_lasting and error is None
            kept.until = time.monotonic() + (self._limits.keep_lasting_s if lasting else self._limits.keep_s)
            kept.size = 0 if error is not None else task.size(kept.future.result())
            self._make_room(task.key)

    def _forget_old(self) -> None:
        now = time.monotonic()
        for key in [key for key, kept in self._kept.items() if kept.until is not None and kept.until < now]:
            del self._kept[key]

    def _make_room(self, newest: Hashable) -> None:
        held = sum(kept.size for kept in self._kept.values())
        for key in list(self._kept):
            if held <= self._limits.kept_bytes:
                return
            if key != newest and self._kept[key].until is not None:
                held -= self._kept.pop(key).size


def _may_work_later(error: BaseException) -> bool:
    return not isinstance(error, VoxgateError) or status_of(error) >= 500
