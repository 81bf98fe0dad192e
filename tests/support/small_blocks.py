"""A program of ours with small blocks and short leases: `python -m support.small_blocks MODULE ARGUMENT…`.

As they are, a block is 32 MiB and a dead coordinator's jobs are taken up after twenty seconds. A test wants to kill a
job of a few megabytes in its middle, often. Everything else is the program as it is; unless SMALL_BLOCK_LIES states a
seed: then the destination accepts every block, and keeps one in 200 with a bit that is wrong, the first time. With
SMALL_BLOCK_TELLS it says what it commits. With SMALL_BLOCK_ASKS, a URL, it asks at "URL/blocks/NUMBER" before each
block of a pyramid, and begins it once it is answered anything but 503.
"""

from __future__ import annotations

import os
import runpy
import sys
import threading
import urllib.error
import urllib.request
import zlib
from dataclasses import replace
from typing import Any

import numpy as np

from voxgate.model.geometry import Box
from voxgate.model.volumes import Volume, Writable
from voxgate_jobs import desk
from voxgate_jobs.sqlledger import SqlLedger
from voxgate_jobs.tuning import EngineSettings, RetryPolicy
from voxgate_transfer import coarsening, transfers

TASK_BYTES = int(os.environ.get("SMALL_BLOCK_BYTES") or 512 << 10)
ASKS = os.environ.get("SMALL_BLOCK_ASKS", "")
LIES = os.environ.get("SMALL_BLOCK_LIES", "")
LEASE_S = 3.0
QUICK = RetryPolicy(attempts=8, first_delay_s=0.05, longest_delay_s=2.0)
SETTINGS = EngineSettings(
    batch_s=0.1, commit_s=0.1, progress_s=0.1, look_s=0.1, lease_s=LEASE_S, poll_s=0.2, retry=QUICK
)


def is_lied_about(seed: str, box: Box) -> bool:
    """Whether a destination corrupts a block: one in 200, as the seed says."""
    return zlib.crc32(f"{seed} {tuple(box.start)}".encode()) % 200 == 0


class Liar:
    """A volume that answers every write, and silently stores one block in 200 with a bit flipped, once."""

    def __init__(self, inner: Volume, seed: str, told: set[Box], lock: threading.Lock) -> None:
        self._inner, self._seed, self._told, self._lock = inner, seed, told, lock

    def __getattr__(self, name: str) -> Any:
        return getattr(self._inner, name)

    def capability(self, kind: type) -> Any:
        found = self._inner.capability(kind)
        return self if kind is Writable and found else found

    def write(self, box: Box, voxels: np.ndarray, *, scale: int = 0) -> None:
        with self._lock:
            lies = is_lied_about(self._seed, box) and box not in self._told
            self._told |= {box} if lies else set()
        if lies:
            voxels = voxels.copy()
            voxels.reshape(-1)[zlib.crc32(str(box).encode()) % voxels.size] ^= np.uint64(1 << 63)
        self._inner.capability(Writable).write(box, voxels, scale=scale)


def tell_commits() -> None:
    """Write the blocks of each commit to standard error before it, as one call that strace sees."""
    commit = SqlLedger.commit

    def told(self: SqlLedger, lease: Any, index: int, results: Any) -> None:
        os.write(2, f"commits {' '.join(map(str, results))}\n".encode())
        commit(self, lease, index, results)

    SqlLedger.commit = told  # type: ignore[method-assign]


def ask_first(url: str) -> None:
    """Have blocks of pyramids wait until they may begin."""
    run = coarsening.PyramidWork.run_block

    def is_turned_away(index: int) -> bool:
        try:
            urllib.request.urlopen(f"{url}/blocks/{index}", timeout=600).close()
        except urllib.error.HTTPError as error:
            return error.code == 503
        return False

    def asked(self: coarsening.PyramidWork, index: int) -> Any:
        while is_turned_away(index):
            pass
        return run(self, index)

    coarsening.PyramidWork.run_block = asked  # type: ignore[method-assign]


def put(module: Any, name: str, value: Any) -> None:
    """Replace what a module has under a name; it must be there, else a test would show nothing."""
    assert hasattr(module, name), name
    setattr(module, name, value)


def shrink() -> None:
    """Change this process."""
    if ASKS:
        ask_first(ASKS)
    if os.environ.get("SMALL_BLOCK_TELLS"):
        tell_commits()
    open_truly = transfers.open_transfer
    for opens in (open_truly, coarsening.open_pyramid):
        opens.__kwdefaults__["task_bytes"] = TASK_BYTES
    put(desk, "EngineSettings", lambda: SETTINGS)
    if LIES:
        told: set[Box] = set()
        lock = threading.Lock()

        def open_lying(*arguments: Any) -> Any:
            work = open_truly(*arguments)
            return replace(work, destination=Liar(work.destination, LIES, told, lock))

        put(transfers, "open_transfer", open_lying)  # found there by the name of its entry point


if __name__ == "__main__":
    shrink()
    module, *sys.argv[1:] = sys.argv[1:]
    runpy.run_module(module, run_name="__main__", alter_sys=True)
