"""Threads that a remote's reads and writes share, and that a caller can walk away from."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from contextlib import contextmanager
from typing import TypeVar

from voxgate.model.errors import Cancelled
from voxgate.model.volumes import CallContext

T = TypeVar("T")

_PATIENCE_S = 0.1


class Gate:
    """Stands before a caller's memory: once closed, nobody touches it any more."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._inside = 0
        self._is_closed = False

    @contextmanager
    def passed(self) -> Iterator[None]:
        """Be inside for a moment.

        Raises:
            Cancelled: when the gate is closed.
        """
        with self._changed:
            if self._is_closed:
                raise Cancelled("the caller went away")
            self._inside += 1
        try:
            yield
        finally:
            with self._changed:
                self._inside -= 1
                self._changed.notify_all()

    def close(self) -> None:
        """Let nobody in any more, and wait until nobody is inside."""
        with self._changed:
            self._is_closed = True
            while self._inside:
                self._changed.wait()


class Workers:
    """A bounded number of threads, made when they are first needed."""

    def __init__(self, threads: int) -> None:
        self._pool = ThreadPoolExecutor(threads, "voxgate-bossdb")

    def run(self, items: Iterable[T], work: Callable[[T, Gate], None], context: CallContext, at_once: int) -> None:
        """Do each item, some at a time; the first failure, or the end of the caller's patience, ends it.

        When this returns or raises, no item is inside of its gate and none passes it any more; items that wait for
        the store outside of it are left to themselves.

        Args:
            items: taken one after another, no more than `at_once` ahead, so that several callers take turns.
            work: does an item; passes the gate to touch anything of the caller's.
            context: the caller's patience.
            at_once: items in work at a time.

        Raises:
            Cancelled, DeadlineExceeded, and whatever `work` raises.
        """
        gate = Gate()
        left = iter(items)
        running: set[Future[None]] = set()
        try:
            while True:
                context.check()
                while len(running) < at_once:
                    item = next(left, _END)
                    if isinstance(item, _End):
                        break
                    running.add(self._pool.submit(work, item, gate))
                if not running:
                    return
                done, running = wait(running, _PATIENCE_S, FIRST_COMPLETED)
                for future in done:
                    future.result()
        finally:
            for future in running:
                future.cancel()
            gate.close()


class _End:
    """No item."""


_END = _End()
