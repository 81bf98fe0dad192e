"""Looking into files in a process of its own: what a library does with a damaged file ends that process, not this one.

A `Prober` keeps a few child processes of one module, each of which answers one request after another through pipes, so
that a hundred files do not cost a hundred starts of an interpreter. A child that dies, or does not answer in time, is
ended and replaced, and the file that it was looking at is told of. Children are started, never forked, with a bare
environment, and end when this process does, or when nobody asked for a while. `probes` is their side.

A request is one line of JSON. An answer is the length of its JSON, the length of its bytes, both as 8 bytes,
little-endian, and then the two.
"""

from __future__ import annotations

import json
import os
import select
import struct
import subprocess
import sys
import threading
import time
import weakref
from collections import OrderedDict
from collections.abc import Callable, Hashable, Mapping
from dataclasses import dataclass, field
from typing import Any

from voxgate.model import errors
from voxgate.model.errors import InternalError, StoreUnavailable, VoxgateError

HEADER = struct.Struct("<QQ")
_LARGEST_TEXT = 1 << 28
_LARGEST_BYTES = 1 << 30
_CHILDREN = 4
_MOST_ANSWERS = 256
"""After so many a child is replaced: what a library lost or broke in it by then is gone with it."""
_START_S = 120.0
_LOOK_S = 0.05
_MOST_FAILURES = 1024
_FAILURE_S = 600.0
"""For so long nothing is tried again: a disk that was slow may have been the cause, not the file."""
_REMEMBERED_BYTES = 1 << 29
_PASSED_ON = ("PATH", "LD_LIBRARY_PATH", "DYLD_LIBRARY_PATH", "LANG", "LC_ALL", "TZ", "TMPDIR")
"""What a child sees of this process's environment, which may hold credentials."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What a child said.

    Attributes:
        said: JSON.
        data: bytes beside it.
    """

    said: dict[str, Any]
    data: bytes

    @property
    def size(self) -> int:
        """About how many bytes it takes to remember."""
        return len(self.data) + 4096


class ProbeFailed(Exception):
    """A child ended, or was ended, while it looked at what it was asked about; the text says how: "crashed" or so."""


class _TookTooLong(ProbeFailed):
    """It was ended."""


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
        self.idle: list[_Child] = []
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
        """End the children that nobody uses."""
        if self.pid != os.getpid():
            return
        while self.idle:
            self.idle.pop().end()


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
        text = json.dumps(request, sort_keys=True).encode() + b"\n"
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
                work = (state, None if identity is None else key, call, text, seconds)
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
        self, state: _State, remembered: Hashable | None, call: _Call, text: bytes, seconds: float, key: Hashable
    ) -> None:
        try:
            with state.slots:
                answer = self._answered(state, text, seconds)
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

    def _answered(self, state: _State, text: bytes, seconds: float) -> Answer:
        with state.lock:
            child = state.idle.pop() if state.idle else None
        if child is not None:
            # It may have left for want of requests, or have been harmed by an earlier file: no news of this one.
            try:
                return self._asked(state, child, text, seconds)
            except _TookTooLong:
                raise
            except ProbeFailed:
                pass
        return self._asked(state, _Child(self._module), text, seconds)

    def _asked(self, state: _State, child: _Child, text: bytes, seconds: float) -> Answer:
        try:
            answer = child.ask(text, seconds)
        except BaseException:
            child.end()
            raise
        if child.answers < _MOST_ANSWERS:
            with state.lock:
                state.idle.append(child)
        else:
            child.end()
        return answer


class _Child:
    """One process; used by one thread at a time."""

    def __init__(self, module: str) -> None:
        """Start it and wait until it is ready.

        Raises:
            StoreUnavailable: when it does not get ready.
        """
        self.answers = 0
        try:
            self._process = subprocess.Popen(  # noqa: S603  (this interpreter, our own module)
                [sys.executable, "-m", module],
                bufsize=0,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
                cwd=os.sep,
                env=_environment(),
                start_new_session=True,  # Ctrl-C in a terminal is for this process, which ends it
            )
        except OSError as error:
            raise StoreUnavailable(f"{_NO_START}: {error.strerror}", _START_REMEDY) from None
        try:
            self._receive(time.monotonic() + _START_S)
        except ProbeFailed as failure:
            self.end()
            raise StoreUnavailable(f"{_NO_START}: it {failure}", _START_REMEDY) from None
        except BaseException:
            self.end()
            raise

    def ask(self, text: bytes, seconds: float) -> Answer:
        """What it answers.

        Raises:
            ProbeFailed.
        """
        deadline = time.monotonic() + seconds
        assert self._process.stdin is not None  # noqa: S101  (a pipe, as it was started)
        try:
            self._process.stdin.write(text)
        except OSError:  # it is gone
            raise ProbeFailed(self._how()) from None
        answer = self._receive(deadline, seconds)
        self.answers += 1
        return answer

    def end(self) -> None:
        """Kill it and wait for that: it keeps nothing that could be lost."""
        self._process.kill()
        self._process.wait()
        for pipe in (self._process.stdin, self._process.stdout):
            if pipe is not None:
                pipe.close()

    def _receive(self, deadline: float, seconds: float = _START_S) -> Answer:
        said, data = HEADER.unpack(self._bytes(HEADER.size, deadline, seconds))
        if said > _LARGEST_TEXT or data > _LARGEST_BYTES:
            raise ProbeFailed("answered with more than was asked for")
        text = self._bytes(said, deadline, seconds)
        try:
            return Answer(dict(json.loads(text)), bytes(self._bytes(data, deadline, seconds)))
        except (ValueError, TypeError, RecursionError):
            raise ProbeFailed("answered nonsense") from None

    def _bytes(self, count: int, deadline: float, seconds: float) -> bytearray:
        assert self._process.stdout is not None  # noqa: S101  (a pipe, as it was started)
        pipe = self._process.stdout.fileno()
        poll = select.poll()  # `select` takes no descriptors above 1023
        poll.register(pipe, select.POLLIN)
        found = bytearray()
        while len(found) < count:
            left = deadline - time.monotonic()
            if left <= 0 or not poll.poll(left * 1000):
                raise _TookTooLong(f"did not come to an end in {seconds:g} s")
            part = os.read(pipe, min(count - len(found), 1 << 20))
            if not part:
                raise ProbeFailed(self._how())
            found += part
        return found

    def _how(self) -> str:
        """How it ended, once its pipe is closed."""
        try:
            code = self._process.wait(1)
        except subprocess.TimeoutExpired:
            code = 0
        return f"crashed (signal {-code})" if code < 0 else "crashed"


_NO_START = "the process that looks into files cannot be started"
_START_REMEDY = "the server's operator looks at its limits of processes and memory"


def _end(states: list[_State]) -> None:
    for state in states:
        state.end()


def _environment() -> dict[str, str]:
    """What a child needs: where modules are, and how to stay small."""
    path = os.pathsep.join(each or os.getcwd() for each in sys.path)
    passed = {name: os.environ[name] for name in _PASSED_ON if name in os.environ}
    threads = dict.fromkeys(("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS"), "1")
    return {**passed, **threads, "PYTHONPATH": path, "PYTHONDONTWRITEBYTECODE": "1", "HDF5_PLUGIN_PRELOAD": "::"}


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
