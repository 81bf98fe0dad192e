"""Worker processes that can be killed: for long work of libraries that never look up. Never forked, see `workers`.

A worker is started when it is first needed, kept for the next piece of work, and ends by itself when there is none.
"""

from __future__ import annotations

import multiprocessing
import pickle
import signal
import threading
import time
from collections.abc import Callable, Generator
from multiprocessing.connection import Connection
from typing import Any, Protocol, TypeVar, cast

from voxgate.model.errors import ConfigInvalid, InternalError, LimitExceeded
from voxgate.model.volumes import CallContext
from voxgate_serving.workers import DIED_TWICE, DIED_TWICE_REMEDY

R = TypeVar("R")

_POLL_S = 0.2
"""How often patience is looked at: whoever leaves stops the work within a second."""
_IDLE_S = 60.0
_ATTEMPTS = 2


class _ProcessLike(Protocol):
    def is_alive(self) -> bool: ...
    def kill(self) -> None: ...
    def join(self, timeout: float | None = None) -> None: ...


class _WorkerDied(Exception):
    """The process ended before it answered."""


class _Worker:
    """One process, and the line to it."""

    def __init__(self, start_method: str, idle_s: float) -> None:
        context = multiprocessing.get_context(start_method)
        self._line, theirs = context.Pipe()
        # Typed by hand: every start method has a Process of its own, without a common type.
        process: Any = cast("Any", context).Process(target=_serve, args=(theirs, idle_s), daemon=True)
        process.start()
        theirs.close()
        self._process: _ProcessLike = process

    @property
    def is_alive(self) -> bool:
        """Whether it can be given work."""
        return self._process.is_alive()

    def kill(self) -> None:
        """End it now, whatever it does."""
        self._process.kill()
        self._process.join()
        self._line.close()

    def answer(self, task: bytes, context: CallContext, tick_s: float | None) -> Generator[None, None, Any]:
        """Give it a task and wait, looking at the caller's patience; returns (whether it worked, result or error).

        Raises:
            _WorkerDied, Cancelled, DeadlineExceeded.
        """
        try:
            self._line.send_bytes(task)
            last = time.monotonic()
            while not self._line.poll(_POLL_S):
                context.check()
                if tick_s is not None and time.monotonic() - last >= tick_s:
                    last = time.monotonic()
                    yield
            return self._line.recv()
        except (EOFError, OSError):
            raise _WorkerDied from None


class KillableWorkers:
    """Runs picklable functions in at most `count` processes at a time, each of which can be killed. Thread-safe."""

    def __init__(self, count: int, *, start_method: str = "forkserver", idle_s: float = _IDLE_S) -> None:
        """Start nothing yet.

        Args:
            count: processes at a time; at least one, for what runs inline cannot be killed.
            start_method: "forkserver" or "spawn".
            idle_s: a worker without work for so long ends.

        Raises:
            ConfigInvalid: for the start method "fork".
        """
        if start_method == "fork":
            raise ConfigInvalid("worker processes must not be forked", 'use "forkserver" or "spawn"')
        self._slots = threading.Semaphore(max(1, count))
        self._start_method = start_method
        self._idle_s = idle_s
        self._lock = threading.Lock()
        self._workers: set[_Worker] = set()
        self._free: list[_Worker] = []
        self._closed = False

    def run(
        self, function: Callable[..., R], *args: Any, context: CallContext, tick_s: float | None = None
    ) -> Generator[None, None, R]:
        """Run a module-level function; its arguments and result are pickled. `yield from` answers the result.

        Its process is killed within a second when the caller goes away, the deadline passes or the generator is
        closed. A process that dies by itself is tried once more.

        Args:
            function: what to run.
            args: its arguments.
            context: the caller's patience, which also ends waiting for a free process.
            tick_s: yield this often; None for never.

        Raises:
            Whatever the function raises; Cancelled, DeadlineExceeded; InternalError when the process died twice.
            LimitExceeded: when it needs more memory than there is.
        """
        last = time.monotonic()
        while not self._slots.acquire(timeout=_POLL_S):
            context.check()
            if tick_s is not None and time.monotonic() - last >= tick_s:
                last = time.monotonic()
                yield
        try:
            worked, outcome = yield from self._attempted(pickle.dumps((function, args)), context, tick_s)
        finally:
            self._slots.release()
        if not worked:
            raise outcome
        return cast("R", outcome)

    def _attempted(self, task: bytes, context: CallContext, tick_s: float | None) -> Generator[None, None, Any]:
        for _ in range(_ATTEMPTS):
            context.check()
            worker = self._taken()
            answered = False
            try:
                outcome = yield from worker.answer(task, context, tick_s)
                answered = True
            except _WorkerDied:
                continue
            finally:
                self._returned(worker, reusable=answered)
            return outcome
        if self._closed:
            raise InternalError("the workers are closed")
        raise InternalError(DIED_TWICE, DIED_TWICE_REMEDY)

    def _taken(self) -> _Worker:
        with self._lock:
            if self._closed:
                raise InternalError("the workers are closed")
            while self._free:
                worker = self._free.pop()
                if worker.is_alive:
                    return worker
                self._forget(worker)
            worker = _Worker(self._start_method, self._idle_s)
            self._workers.add(worker)
            return worker

    def _returned(self, worker: _Worker, *, reusable: bool) -> None:
        with self._lock:
            if reusable and not self._closed:
                self._free.append(worker)
            else:
                self._forget(worker)

    def _forget(self, worker: _Worker) -> None:
        if worker in self._workers:
            self._workers.remove(worker)
            worker.kill()

    def close(self) -> None:
        """Kill every process; what runs fails."""
        with self._lock:
            self._closed = True
            self._free.clear()
            for worker in tuple(self._workers):
                self._forget(worker)


def _serve(line: Connection, idle_s: float) -> None:
    """What a worker does: one task after the other, until there is none for `idle_s` seconds or nobody who asks."""
    # The server tells its workers when to end; a key pressed in its terminal is for the server.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        while line.poll(idle_s):
            line.send_bytes(_done(line.recv_bytes()))
    except (EOFError, OSError):
        return


def _done(task: bytes) -> bytes:
    """The pickled answer to a task."""
    try:
        function, args = pickle.loads(task)  # noqa: S301  (from the process that started this one)
        return pickle.dumps((True, function(*args)))
    except MemoryError:
        return pickle.dumps((False, LimitExceeded("the work needs more memory than there is", "ask for less")))
    except Exception as error:  # noqa: BLE001  (whoever asked is told any error)
        return _pickled_error(error)


def _pickled_error(error: Exception) -> bytes:
    try:
        data = pickle.dumps((False, error))
        pickle.loads(data)  # noqa: S301  (made one line above)
    except Exception:  # noqa: BLE001  (an error that does not travel)
        return pickle.dumps((False, InternalError(f"the work failed with {type(error).__name__}")))
    return data
