"""Threads to mesh in, for meshers that free Python's lock: nothing is pickled, nothing is copied."""

from __future__ import annotations

import os
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import ParamSpec, TypeVar

P = ParamSpec("P")
R = TypeVar("R")

_MOST = 8


class ThreadWorkers:
    """Runs functions in threads of this process, as many as there are processors; satisfies `Workers`."""

    def __init__(self, count: int | None = None) -> None:
        """Take `count` threads; None means one for each processor, up to 8. They start when they are needed."""
        self._count = max(1, min(_MOST, os.cpu_count() or 1) if count is None else count)
        self._executor = ThreadPoolExecutor(self._count, thread_name_prefix="mesh")

    @property
    def parallelism(self) -> int:
        """How many tasks run at once."""
        return self._count

    def submit(self, function: Callable[P, R], *args: P.args, **kwargs: P.kwargs) -> Future[R]:
        """Run a function, later and in another thread."""
        return self._executor.submit(function, *args, **kwargs)

    def close(self) -> None:
        """Drop waiting tasks and wait for nobody: the threads end with what they run."""
        self._executor.shutdown(wait=False, cancel_futures=True)
