"""Looking into files in a process of its own: what a library does with a damaged file ends that process, not this one.

A `Prober` keeps a few child processes of one module, each of which answers one request after another through pipes, so
that a hundred files do not cost a hundred starts of an interpreter. A child that dies, or does not answer in time, is
ended and replaced, and the file that it was looking at is told of. Children are started, never forked, with a bare
environment, and end when this process does, or when nobody asked for a while. `probes` is their side,
`probe_processes` what they and this one say to one another.
"""

from __future__ import annotations

import json
import os
import threading
import time
import weakref
from collections import OrderedDict
from collections.abc import Callable, Hashable, Mapping
from dataclasses import dataclass, field
from typing import Any

from voxgate.model import errors
from voxgate.model.errors import InternalError, VoxgateError
from voxgate_remotes.probe_processes import Answer, Child, ProbeFailed, TookTooLong

__all__ = ["Answer", "ProbeFailed", "Prober"]

_CHILDREN = 4
_MOST_ANSWERS = 256
"""After so many a child is replaced: what a library lost or broke in it by then is gone with it."""
_LOOK_S = 0.05
_MOST_FAILURES = 1024
_FAILURE_S = 600.0
"""For so long nothing is tried again: a disk that was slow may have been the cause, not the file."""
_REMEMBERED_BYTES = 1 << 29


@dataclass(slots=True)
class _Call:
    """A request under way; whoever asks the same meanwhile waits with the first."""

    done: threading.Event = field(default_factory=threading.Event)
    answer: Answer | None = None
    error: BaseException | None = None


class _State:
    """What a prober has in one process: a forked one begins anew, as children and locks are its parent's."""

    def __init__(self) -> None:
        self.pid = os.getpid()
        self.lock = threading.Lock()
        self.slots = threading.Semaphore(_CHILDREN)
        self.idle: list[Child] = []
        self.busy: set[Child] = set()
        self.is_over = False
        self.calls: dict[Hashable, _Call] = {}
        self.failed: OrderedDict[Hashable, tuple[str, float]] = OrderedDict()
        self.known: OrderedDict[Hashable, Answer] = OrderedDict()
        self.known_bytes = 0

    def remember(self, key: Hashable, answer: Answer) -> None:
        """Keep an answer, and forget those that were asked for longest ago."""
        with self.lock:
            self.known[key] = answer
            self.known_bytes += answer.size
            while self.known_bytes > _REMEMBERED_BYTES:
                _, old = self.known.popitem(last=False)
                self.known_bytes -= old.size

    def failure(self, key: Hashable) -> ProbeFailed | None:
        """How it failed a short while ago; call it with the lock."""
        how, until = self.failed.get(key, ("", 0.0))
        return ProbeFailed(how) if time.monotonic() < until else None

    def remember_failure(self, key: Hashable, how: str) -> None:
        """Do not try this again for a while."""
        with self.lock:
            self.failed[key] = (how, time.monotonic() + _FAILURE_S)
            while len(self.failed) > _MOST_FAILURES:
                self.failed.popitem(last=False)

    def end(self) -> None:
        """End all children; one that goes round in circles would not notice that nobody is left."""
        if self.pid != os.getpid():
            return
        with self.lock:
            self.is_over = True
            children = [*self.idle, *self.busy]
            self.idle.clear()
        for child in children:
            child.end()


class Prober:
    """Asks child processes of one module. Starts none before it is asked. Thread-safe, also after a fork."""

    def __init__(self, module: str) -> None:
        """Take the module to be run: `python -m MODULE`, which calls `probes.serve`."""
        self._module = module
        self._state = _State()
        self._end = weakref.finalize(self, _end, [self._state])

    def ask(
        self,
        request: Mapping[str, Any],
        identity: Hashable | None,
        *,
        seconds: float,
        check: Callable[[], None] = lambda: None,
    ) -> Answer:
        """What a child answers.

        Args:
            request: JSON.
            identity: of what it is about, such as a state of a file: what was answered, or failed, is remembered for
                it, and two that ask at once share one answer. None where that cannot be told.
            seconds: how long a child may take.
            check: called now and then; what it raises ends the wait, not the work.

        Raises:
            ProbeFailed: when the child died of it or took too long.
            StoreUnavailable: when no child can be started.
            InternalError: when the child's own code failed.
            VoxgateError: what the child raised.
        """
        text = json.dumps(request, sort_keys=True)
        key: Hashable = object() if identity is None else (identity, text)
        state = self._of_this_process()
        with state.lock:
            failure = state.failure(key)
            if failure is not None:
                raise failure
            if key in state.known:
                state.known.move_to_end(key)
                return state.known[key]
            call = state.calls.get(key)
            if call is None:
                call = state.calls[key] = _Call()
                work = (state, None if identity is None else key, call, request, seconds)
                threading.Thread(target=self._run, args=(*work, key), name="probe", daemon=True).start()
        while not call.done.wait(_LOOK_S):
            check()
        if call.answer is None:
            raise _again(call.error)
        return call.answer

    def _of_this_process(self) -> _State:
        if self._state.pid != os.getpid():
            self._state = _State()
            self._end = weakref.finalize(self, _end, [self._state])
        return self._state

    def _run(
        self,
        state: _State,
        remembered: Hashable | None,
        call: _Call,
        request: Mapping[str, Any],
        seconds: float,
        key: Hashable,
    ) -> None:
        try:
            with state.slots:
                answer = self._answered(state, request, seconds)
            error = answer.said.get("error")
            if error is not None:
                call.error = _error_of(error)
            else:
                call.answer = answer
                if remembered is not None:
                    state.remember(remembered, answer)
        except ProbeFailed as failure:
            call.error = failure
            if remembered is not None:
                state.remember_failure(remembered, str(failure))
        except BaseException as error:  # noqa: BLE001  (raised where it is waited for)
            call.error = error
        finally:
            with state.lock:
                state.calls.pop(key, None)
            call.done.set()

    def _answered(self, state: _State, request: Mapping[str, Any], seconds: float) -> Answer:
        with state.lock:
            child = state.idle.pop() if state.idle else None
        if child is not None:
            # It may have left for want of requests, or have been harmed by an earlier file: no news of this one.
            try:
                return self._asked(state, child, request, seconds)
            except TookTooLong:
                raise
            except ProbeFailed:
                if state.is_over:
                    raise
        return self._asked(state, Child(self._module), request, seconds)

    def _asked(self, state: _State, child: Child, request: Mapping[str, Any], seconds: float) -> Answer:
        with state.lock:
            state.busy.add(child)
        try:
            answer = child.ask(request, seconds)
        except BaseException:
            child.end()
            raise
        finally:
            with state.lock:
                state.busy.discard(child)
        if child.answers < _MOST_ANSWERS:
            with state.lock:
                state.idle.append(child)
        else:
            child.end()
        return answer


def _end(states: list[_State]) -> None:
    for state in states:
        state.end()


def _error_of(said: Mapping[str, Any]) -> VoxgateError:
    """The error that a child told, see `probes`."""
    kind = getattr(errors, str(said.get("type")), None)
    if not (isinstance(kind, type) and issubclass(kind, VoxgateError)):
        return InternalError(f"looking into a file failed: {str(said.get('type'))[:50]}")
    found = kind(str(said["message"]), str(said["remedy"]), details=said["details"])
    found.retry_after_s = said["retry_after_s"]
    return found


def _again(error: BaseException | None) -> BaseException:
    """An error for one of those who wait for it: one raised in several threads would collect all their frames."""
    if isinstance(error, VoxgateError):
        return type(error)(error.message, error.remedy, details=error.details, retry_after_s=error.retry_after_s)
    return ProbeFailed(str(error)) if isinstance(error, ProbeFailed) else error or InternalError("nothing was answered")
