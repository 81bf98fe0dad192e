"""A program of ours with small blocks and short leases: `python -m support.small_blocks MODULE ARGUMENT…`.

As they are, a block is 32 MiB and a dead coordinator's jobs are taken up after twenty seconds. A test wants to kill a
job of a few megabytes in its middle, often. Everything else is the program as it is.
"""

import os
import runpy
import sys

from voxgate_jobs.tuning import EngineSettings, RetryPolicy
from voxgate_transfer import service, transfers

TASK_BYTES = int(os.environ.get("SMALL_BLOCK_BYTES") or 512 << 10)
LEASE_S = 3.0
QUICK = RetryPolicy(attempts=8, first_delay_s=0.05, longest_delay_s=2.0)
SETTINGS = EngineSettings(
    batch_s=0.1, commit_s=0.1, progress_s=0.1, look_s=0.1, lease_s=LEASE_S, poll_s=0.2, retry=QUICK
)


def shrink() -> None:
    """Change this process."""
    transfers.open_transfer.__kwdefaults__["task_bytes"] = TASK_BYTES
    service.EngineSettings = lambda: SETTINGS  # type: ignore[assignment,misc]


if __name__ == "__main__":
    shrink()
    module, *sys.argv[1:] = sys.argv[1:]
    runpy.run_module(module, run_name="__main__", alter_sys=True)
