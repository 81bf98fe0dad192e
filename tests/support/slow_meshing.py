"""Programs whose meshing jobs wait at a gate: `python -m support.slow_meshing MODULE …` runs MODULE in this process.

Each block of a job appends its number to the file "runs" in the folder that MESHING_GATE names, one line of 8 bytes,
and waits until the file "allowed" has a number beyond that line's.
"""

from __future__ import annotations

import os
import runpy
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from voxgate_jobs import desk
from voxgate_jobs.tuning import EngineSettings
from voxgate_mesh.bulk.work import MeshWork

LINE = 8
SETTINGS = EngineSettings(batch_s=0.1, commit_s=0.1, progress_s=0.1, look_s=0.1, lease_s=3.0, poll_s=0.2)


class Gate:
    """What the blocks of all programs ask; of a test, which says how many may run."""

    def __init__(self, folder: Path) -> None:
        self._runs, self._allowed = folder / "runs", folder / "allowed"

    def allow(self, more: int) -> None:
        """Let so many more blocks run. Those that were held up when their process was killed count as run."""
        part = self._allowed.with_suffix(".part")
        part.write_text(str(len(self.runs()) + more))
        part.replace(self._allowed)

    def runs(self) -> list[int]:
        """The numbers of the blocks that began, in their order."""
        return list(map(int, self._runs.read_text().split())) if self._runs.exists() else []

    def is_used_up(self) -> bool:
        """Whether as many began as are allowed."""
        return len(self.runs()) >= int(self._allowed.read_text())

    def pass_(self, index: int, has_ended: Callable[[], bool]) -> None:
        """Return when a block may run."""
        with self._runs.open("ab", buffering=0) as runs:
            runs.write(f"{index:{LINE - 1}d}\n".encode())
            line = runs.tell() // LINE
        while not has_ended() and line > int(self._allowed.read_text()):
            time.sleep(0.01)


def slow(gate: Gate) -> None:
    """Have all blocks of this process ask first."""
    run = MeshWork.run_block

    def asked(self: MeshWork, index: int) -> Any:
        gate.pass_(index, self.patience.reading.stop.is_set)
        return run(self, index)

    MeshWork.run_block = asked  # type: ignore[method-assign]


if __name__ == "__main__":
    slow(Gate(Path(os.environ["MESHING_GATE"])))
    desk.EngineSettings = lambda: SETTINGS  # type: ignore[misc, assignment]
    module, *sys.argv[1:] = sys.argv[1:]
    runpy.run_module(module, run_name="__main__", alter_sys=True)
