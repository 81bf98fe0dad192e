"""glibc's allocator, tuned for megabyte messages.

By default glibc maps and unmaps every large buffer, and page faults cost more than the copying itself; keeping freed
memory in the process made streams 1.3 to 3 times faster (measured; see docs/explanations/architecture.md). Resident
size then stays at its peak. VOXGATE_TUNE_ALLOCATOR=0 opts out.
"""

from __future__ import annotations

import ctypes
import os
import sys

_M_TRIM_THRESHOLD = -1
_M_TOP_PAD = -2
_M_MMAP_THRESHOLD = -3
_OFF = ("0", "false", "no", "off")
_OWN_CHOICES = ("MALLOC_MMAP_THRESHOLD_", "MALLOC_TRIM_THRESHOLD_", "MALLOC_TOP_PAD_")


def tune_allocator() -> bool:
    """Tune the C library's allocator of this process; False where it is not glibc's. Doing it twice does no more."""
    if not sys.platform.startswith("linux"):
        return False
    try:
        mallopt = ctypes.CDLL(None).mallopt
    except (AttributeError, OSError):
        return False
    # Older releases take no more than 32 MiB.
    mapped = mallopt(_M_MMAP_THRESHOLD, 1 << 30) or mallopt(_M_MMAP_THRESHOLD, 32 << 20)
    done = [mapped, mallopt(_M_TRIM_THRESHOLD, 2**31 - 1), mallopt(_M_TOP_PAD, 64 << 20)]
    return all(done)


def tune_unless_told_otherwise() -> bool:
    """Tune, unless VOXGATE_TUNE_ALLOCATOR says no or the user set one of glibc's own variables; whether it did."""
    if os.environ.get("VOXGATE_TUNE_ALLOCATOR", "").lower() in _OFF or any(name in os.environ for name in _OWN_CHOICES):
        return False
    return tune_allocator()
