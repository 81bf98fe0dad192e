"""The side of the child processes of `probing`: answers requests, one after another, until nobody asks."""

from __future__ import annotations

import json
import os
import resource
import select
import signal
from collections.abc import Callable, Mapping
from typing import Any, BinaryIO

from voxgate.model.errors import VoxgateError
from voxgate_remotes.probe_processes import HEADER

_IDLE_S = 60
_MEMORY_BYTES = 6 << 30
_FILES = 256

Handler = Callable[[Mapping[str, Any]], tuple[dict[str, Any], bytes]]
"""Answers a request with JSON and bytes; what it raises of our errors is told to who asked."""


def serve(handle: Handler) -> None:
    """Answer until the other end closes, or nobody asked for a minute.

    The process may take 6 GiB of addresses, write to no file and leave no core. A handler that runs out of memory ends
    it.
    """
    _limit(resource.RLIMIT_AS, _MEMORY_BYTES)
    _limit(resource.RLIMIT_NOFILE, _FILES)
    _limit(resource.RLIMIT_FSIZE, 0)
    _limit(resource.RLIMIT_CORE, 0)
    signal.signal(signal.SIGALRM, signal.SIG_DFL)
    # Libraries may print; what they print is no answer.
    with os.fdopen(os.dup(1), "wb") as answers, os.fdopen(os.dup(0), "rb") as requests:
        nothing = os.open(os.devnull, os.O_RDWR)
        for stream in (0, 1):
            os.dup2(nothing, stream)
        _send(answers, {"ready": True}, b"")
        while _is_asked(requests):
            line = requests.readline()
            if not line:
                return
            request = json.loads(line)
            # The signal ends the process, whatever a library does meanwhile: who asked may not be there to do it.
            signal.setitimer(signal.ITIMER_REAL, request["seconds"])
            said, data = _handled(handle, request["ask"])
            signal.setitimer(signal.ITIMER_REAL, 0)
            _send(answers, said, data)


def _limit(what: int, most: int) -> None:
    _, hard = resource.getrlimit(what)
    most = most if hard == resource.RLIM_INFINITY else min(most, hard)
    resource.setrlimit(what, (most, most))


def _is_asked(requests: BinaryIO) -> bool:
    """Wait for a request; its sender waits for its answer, so there never is a second one in the buffer."""
    poll = select.poll()
    poll.register(requests, select.POLLIN)
    return bool(poll.poll(_IDLE_S * 1000))


def _handled(handle: Handler, request: Mapping[str, Any]) -> tuple[dict[str, Any], bytes]:
    try:
        return handle(request)
    except VoxgateError as error:
        said = {
            "type": type(error).__name__,
            "message": error.message,
            "remedy": error.remedy,
            "details": error.details,
            "retry_after_s": error.retry_after_s,
        }
        return {"error": said}, b""
    except MemoryError:
        raise SystemExit(1) from None
    except Exception as error:  # noqa: BLE001  (a fault of ours, told by its kind)
        return {"error": {"type": f"({type(error).__name__})"}}, b""


def _send(answers: BinaryIO, said: Mapping[str, Any], data: bytes) -> None:
    text = json.dumps(said).encode()
    answers.write(HEADER.pack(len(text), len(data)))
    answers.write(text)
    answers.write(data)
    answers.flush()
