"""The threads that run calls, counted."""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any, ParamSpec, TypeVar

from voxgate_serving.metrics import Metric

P = ParamSpec("P")
R = TypeVar("R")


class CallPool(ThreadPoolExecutor):
    """A pool that knows how many calls run in it and how many wait for a thread."""

    def __init__(self, threads: int) -> None:
        super().__init__(threads, thread_name_prefix="call")
        self._threads_allowed = threads
        self._count_lock = threading.Lock()
        self._waiting = self._running = 0

    def submit(self, fn: Callable[P, R], /, *args: P.args, **kwargs: P.kwargs) -> Future[R]:
        """Run a function as soon as a thread is free."""

        def counted() -> R:
            self._count(waiting=-1, running=1)
            try:
                return fn(*args, **kwargs)
            finally:
                self._count(running=-1)

        self._count(waiting=1)
        try:
            future = super().submit(counted)
        except BaseException:
            self._count(waiting=-1)
            raise
        future.add_done_callback(self._dropped)
        return future

    @property
    def waiting(self) -> int:
        """Calls that wait for a thread."""
        with self._count_lock:
            return self._waiting

    def metrics(self) -> list[Metric]:
        """Threads there are, calls that have one, calls that wait for one."""
        with self._count_lock:
            waiting, running = self._waiting, self._running
        return [
            Metric("voxgate_call_threads", "threads that run calls", "gauge", {}, self._threads_allowed),
            Metric("voxgate_call_threads_busy", "threads that run a call", "gauge", {}, running),
            Metric("voxgate_calls_waiting", "calls that wait for a thread", "gauge", {}, waiting),
        ]

    def _dropped(self, future: Future[Any]) -> None:
        if future.cancelled():
            self._count(waiting=-1)

    def _count(self, *, waiting: int = 0, running: int = 0) -> None:
        with self._count_lock:
            self._waiting += waiting
            self._running += running
