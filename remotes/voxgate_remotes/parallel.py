"""A few threads for one read."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

T = TypeVar("T")


def share(items: Iterable[T], worker: Callable[[], Callable[[T], None]], threads: int) -> None:
    """Do each item once, by the caller and, with it, by other threads; the first failure ends it and is raised.

    Args:
        items: taken one at a time, so nothing runs ahead of the work.
        worker: called by each thread once; what it returns does an item.
        threads: how many, the caller's included.
    """
    upcoming = iter(items)
    taking = threading.Lock()
    failed = threading.Event()
    nothing = object()

    def run() -> None:
        work = worker()
        while not failed.is_set():
            with taking:
                item = next(upcoming, nothing)
            if item is nothing:
                return
            try:
                work(item)  # type: ignore[arg-type]
            except BaseException:
                failed.set()
                raise

    if threads <= 1:
        run()
        return
    with ThreadPoolExecutor(threads - 1, "voxgate-read") as pool:
        running = [pool.submit(run) for _ in range(threads - 1)]
        run()
    for future in running:
        future.result()
