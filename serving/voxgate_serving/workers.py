"""Worker processes: for pure work that holds the interpreter's lock. Never forked.

A forked child inherits the locks of threads that no longer run (gRPC's, tensorstore's) and hangs or aborts; so workers
start fresh, before the server does. A killed worker costs its own task, which is tried once more.
"""

from __future__ import annotations

import multiprocessing
import threading
from collections.abc import Callable
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from typing import ParamSpec, TypeVar

from voxgate.model.errors import ConfigInvalid, InternalError

P = ParamSpec("P")
R = TypeVar("R")

DIED_TWICE = "a worker process died twice at the same task"
DIED_TWICE_REMEDY = "ask for less at once; the operator looks whether the machine ran out of memory"


def _ready() -> None:
    """Nothing: a first task that makes a worker start."""


class WorkerPool:
    """Runs picklable functions in `count` processes; with 0, inline in the calling thread. Thread-safe."""

    def __init__(self, count: int, *, start_method: str = "forkserver") -> None:
        """Start the workers.

        Raises:
            ConfigInvalid: for the start method "fork".
        """
        if start_method == "fork":
            raise ConfigInvalid("worker processes must not be forked", 'use "forkserver" or "spawn"')
        self._count = count
        self._start_method = start_method
        self._lock = threading.Lock()
        self._executor = self._start() if count else None

    def _start(self) -> ProcessPoolExecutor:
        context = multiprocessing.get_context(self._start_method)
        executor = ProcessPoolExecutor(self._count, mp_context=context)
        for future in [executor.submit(_ready) for _ in range(self._count)]:
            future.result()
        return executor

    @property
    def parallelism(self) -> int:
        """How many tasks run at once."""
        return max(1, self._count)

    def submit(self, function: Callable[P, R], *args: P.args, **kwargs: P.kwargs) -> Future[R]:
        """Run a module-level function; its arguments and result are pickled."""
        result: Future[R] = Future()
        if self._count == 0:
            try:
                result.set_result(function(*args, **kwargs))
            except Exception as error:  # noqa: BLE001  (a future carries any error)
                result.set_exception(error)
            return result
        self._attempt(result, 2, lambda executor: executor.submit(function, *args, **kwargs))
        return result

    def _attempt(self, result: Future[R], attempts: int, start: Callable[[ProcessPoolExecutor], Future[R]]) -> None:
        executor = self._executor
        if executor is None:
            result.set_exception(InternalError("the worker pool is closed"))
            return
        try:
            inner = start(executor)
        except (BrokenProcessPool, RuntimeError):
            self._retry(result, attempts, executor, start)
            return

        def finished(done: Future[R]) -> None:
            error = done.exception()
            if isinstance(error, BrokenProcessPool):
                self._retry(result, attempts, executor, start)
            elif error is not None:
                result.set_exception(error)
            else:
                result.set_result(done.result())

        inner.add_done_callback(finished)

    def _retry(
        self,
        result: Future[R],
        attempts: int,
        broken: ProcessPoolExecutor,
        start: Callable[[ProcessPoolExecutor], Future[R]],
    ) -> None:
        if attempts <= 1:
            result.set_exception(InternalError(DIED_TWICE, DIED_TWICE_REMEDY))
            return
        # Restarting waits for new processes, and this may run in the broken pool's own callback thread.
        threading.Thread(target=self._restart_and_attempt, args=(result, attempts, broken, start), daemon=True).start()

    def _restart_and_attempt(
        self,
        result: Future[R],
        attempts: int,
        broken: ProcessPoolExecutor,
        start: Callable[[ProcessPoolExecutor], Future[R]],
    ) -> None:
        with self._lock:
            if self._executor is broken:
                broken.shutdown(wait=False)
                self._executor = self._start()
        self._attempt(result, attempts - 1, start)

    def close(self) -> None:
        """Finish running tasks, drop waiting ones, end the processes."""
        with self._lock:
            executor, self._executor = self._executor, None
        if executor is not None:
            executor.shutdown(wait=True, cancel_futures=True)
