"""A contender's own process: `python -m tests.bench.player MODULE:FUNCTION ARGUMENTS`.

The function is a context manager that yields what is to be run. One word a line on standard input asks for something,
one line of JSON answers: "answer": a digest of what a run produced; "seconds": how long a run takes; "once": how long
the next run alone takes; "run": 0 after one run. Every contender has an allocator, an interpreter lock and a heap
of its own, as it would have with its users.
"""

from __future__ import annotations

import hashlib
import importlib
import json
import os
import sys
import time
from collections.abc import Callable
from typing import Any

import numpy as np

_LEAST_SECONDS = 0.25
"""Short work is repeated for so long, and the mean counts: what takes 10 ms is otherwise all noise."""


def main(target: str, arguments: str) -> None:
    """Serve requests until standard input ends."""
    answers = os.fdopen(os.dup(1), "w", buffering=1)
    os.dup2(2, 1)  # what libraries print is no answer
    module, _, name = target.partition(":")
    prepare = getattr(importlib.import_module(module), name)
    doing = {"answer": _digest, "seconds": _seconds, "once": _once, "run": _run}
    with prepare(**json.loads(arguments)) as run:
        answers.write('"ready"\n')
        for line in sys.stdin:
            answers.write(json.dumps(doing[line.strip()](run)) + "\n")


def _digest(run: Callable[[], Any]) -> str:
    """Type, shape and a hash of an array's voxels in C order."""
    voxels = np.ascontiguousarray(run())
    return f"{voxels.dtype} {voxels.shape} {hashlib.sha256(voxels.reshape(-1).view(np.uint8).data).hexdigest()}"


def _seconds(run: Callable[[], Any]) -> float:
    """Mean seconds of a run until its result is at hand; letting go of the result is not counted."""
    spent, count = 0.0, 0
    while spent < _LEAST_SECONDS:
        begin = time.perf_counter()
        result = run()
        spent += time.perf_counter() - begin
        del result
        count += 1
    return spent / count


def _once(run: Callable[[], Any]) -> float:
    """Seconds of one run, for what is measured cold."""
    begin = time.perf_counter()
    result = run()
    seconds = time.perf_counter() - begin
    del result
    return seconds


def _run(run: Callable[[], Any]) -> float:
    run()
    return 0.0


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2])
