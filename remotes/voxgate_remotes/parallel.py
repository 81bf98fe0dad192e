"""A few threads for one read."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

T = TypeVar("T")

_RUNS = 8
"""How many runs each thread takes: enough to even out threads that are slowed down."""


def share(items: Sequence[T], worker: Callable[[], Callable[[T], None]], threads: int) -> None:
    """Do each item once, by the caller and, with it, by other threads; the first failure ends it and is raised.

    Args:
        items: taken in runs of neighbours, which mostly share cache lines of what they write.
        worker: called by each thread once; what it returns does an item.
        threads: how many, the caller's included.
    """
    size = max(1, len(items) // (_RUNS * max(1, threads)))
    runs = iter(range(0, len(items), size))
    taking = threading.Lock()
    failed = threading.Event()

    def take() -> None:
        work = worker()
        while not failed.is_set():
            with taking:
                start = next(runs, None)
            if start is None:
                return
            try:
                for item in items[start : start + size]:
                    work(item)
            except BaseException:
                failed.set()
                raise

    if threads <= 1:
        take()
        return
    with ThreadPoolExecutor(threads - 1, "voxgate-read") as pool:
        others = [pool.submit(take) for _ in range(threads - 1)]
        take()
    for other in others:
        other.result()
