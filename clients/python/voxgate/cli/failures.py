"""How a command fails: one line, a remedy, and an exit code. Never a traceback.

| exit code | meaning |
|---|---|
| 0 | done |
| 1 | voxgate refused or failed, or a file could not be written |
| 2 | the command line is wrong |
| 3 | what was named does not exist: volume, version, scale, segment, job |
| 4 | the server or its store does not answer |
| 130 | interrupted; a job that was watched goes on |
| 143 | terminated |
"""

from __future__ import annotations

import json
import os
import sys
import traceback

from voxgate.model.errors import Cancelled, NotFound, Unavailable, VoxgateError

_GOES_ON = "goes_on"
DONE, FAILED, USAGE, NOT_FOUND, UNREACHABLE, INTERRUPTED, TERMINATED = 0, 1, 2, 3, 4, 130, 143


def detached(job: str) -> Cancelled:
    """What to raise when a user stops watching a job, which goes on. No kind of its own: kinds are the contract's."""
    return Cancelled(
        f"{job} goes on without being watched",
        f"follow it: voxgate jobs watch {job}; stop it: voxgate jobs cancel {job}",
        details={"job": job, _GOES_ON: "true"},
    )


def is_detached(error: VoxgateError) -> bool:
    """Whether `detached` made the error."""
    return _GOES_ON in error.details


def exit_code(error: VoxgateError) -> int:
    """The exit code of an error of voxgate's."""
    if is_detached(error):
        return INTERRUPTED
    if isinstance(error, NotFound):
        return NOT_FOUND
    return UNREACHABLE if isinstance(error, Unavailable) else FAILED


def report(reason: str, message: str, remedy: str, *, as_json: bool, word: str = "error") -> None:
    """Say what went wrong: on stderr for people, as the one JSON document on stdout for programs."""
    if as_json:
        document = {"error": {"reason": reason, "message": message, "remedy": remedy}}
        print(json.dumps(document), flush=True)
        return
    print(f"{word}: {message}", file=sys.stderr)
    if remedy:
        print(f"  {remedy}", file=sys.stderr)


def report_error(error: VoxgateError, *, as_json: bool) -> int:
    """Report an error of voxgate's; answers its exit code."""
    word = "interrupted" if is_detached(error) else "error"
    report(error.reason, error.message, error.remedy, as_json=as_json, word=word)
    return exit_code(error)


def report_os_error(error: OSError, *, as_json: bool) -> int:
    """Report what the operating system refused: a full disk, a folder that is not there; answers the exit code."""
    # The path is the caller's own, from their command line.
    where = f": {error.filename}" if error.filename else ""
    message = f"{error.strerror or error}{where}"
    report("OS_ERROR", message[0].lower() + message[1:], "", as_json=as_json)
    return FAILED


def report_fault(error: Exception, *, as_json: bool) -> int:
    """Report a fault of voxgate's own; answers the exit code. VOXGATE_TRACEBACK=1 shows where it happened."""
    if os.environ.get("VOXGATE_TRACEBACK"):
        traceback.print_exception(error)
    remedy = "this is a fault of voxgate; VOXGATE_TRACEBACK=1 shows where it happened"
    report("INTERNAL", f"{type(error).__name__}: {error}", remedy, as_json=as_json)
    return FAILED
