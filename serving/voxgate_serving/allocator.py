"""glibc's allocator, tuned for megabyte messages.

By default glibc maps and unmaps every large buffer, and page faults cost more than the copying itself; keeping freed
memory in the process made streams 1.3 to 3 times faster (measured; see docs/explanations/architecture.md). Resident
size then stays at its peak. VOXGATE_TUNE_ALLOCATOR=0 opts out.
"""

from __future__ import annotations

import ctypes

_M_TRIM_THRESHOLD = -1
_M_TOP_PAD = -2
_M_MMAP_THRESHOLD = -3


def tune_allocator() -> bool:
    """Tune the C library's allocator of this process; False where it is not glibc's."""
    try:
        mallopt = ctypes.CDLL(None).mallopt
    except (AttributeError, OSError):
        return False
    done = [mallopt(_M_MMAP_THRESHOLD, 1 << 30), mallopt(_M_TRIM_THRESHOLD, 2**31 - 1), mallopt(_M_TOP_PAD, 64 << 20)]
    return all(done)
