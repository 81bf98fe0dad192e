"""One process that looks into files, as the one that started it sees it; `probing` keeps a few.

A request is one line of JSON: what is asked, and after how many seconds the process is to end itself should nobody be
left who does. An answer is the length of its JSON, the length of its bytes, both as 8 bytes, little-endian, and then
the two.
"""

from __future__ import annotations

import json
import os
import select
import struct
import subprocess
import sys
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from voxgate.model.errors import StoreUnavailable

HEADER = struct.Struct("<QQ")
_LARGEST_TEXT = 1 << 28
_LARGEST_BYTES = 1 << 30
_START_S = 120.0
_GRACE_S = 5.0
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


class TookTooLong(ProbeFailed):
    """It was ended."""


class Child:
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

    def ask(self, request: Mapping[str, Any], seconds: float) -> Answer:
        """What it answers.

        Raises:
            ProbeFailed.
        """
        deadline = time.monotonic() + seconds
        text = json.dumps({"ask": request, "seconds": seconds + _GRACE_S}).encode() + b"\n"
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
                raise TookTooLong(f"did not come to an end in {seconds:g} s")
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


def _environment() -> dict[str, str]:
    """What a child needs: where modules are, and how to stay small."""
    path = os.pathsep.join(each or os.getcwd() for each in sys.path)
    passed = {name: os.environ[name] for name in _PASSED_ON if name in os.environ}
    threads = dict.fromkeys(("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS"), "1")
    return {**passed, **threads, "PYTHONPATH": path, "PYTHONDONTWRITEBYTECODE": "1", "HDF5_PLUGIN_PRELOAD": "::"}
