"""The allocator of a client's process: tuned by the first connection, left alone when told to."""

import os
import subprocess
import sys

import pytest

from voxgate.wire.allocator import tune_allocator

KEPT = """
import os, sys
import numpy as np
import psutil
import voxgate

process = psutil.Process()
voxgate.connect(sys.argv[1]).server_info()
before = process.memory_info().rss
for _ in range(3):
    np.ones(96 << 20, np.uint8)
print((process.memory_info().rss - before) >> 20)
"""


@pytest.mark.skipif(not tune_allocator(), reason="glibc only")
@pytest.mark.parametrize(
    ("environment", "is_tuned"),
    [
        ({}, True),
        ({"VOXGATE_TUNE_ALLOCATOR": "0"}, False),
        ({"VOXGATE_TUNE_ALLOCATOR": "False"}, False),
        ({"MALLOC_TOP_PAD_": "131072"}, False),
    ],
)
def test_a_process_that_connects_keeps_its_memory_unless_told_otherwise(server, environment, is_tuned):
    command = [sys.executable, "-c", KEPT, server.address]
    plain = {key: value for key, value in os.environ.items() if not key.startswith(("MALLOC_", "VOXGATE_"))}
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, env={**plain, **environment})
    assert done.returncode == 0, done.stderr
    kept_mib = int(done.stdout)
    assert kept_mib > 80 if is_tuned else kept_mib < 48
