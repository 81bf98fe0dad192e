"""Loops over voxels and triangles, compiled by numba without Python's lock.

Compiled on first use for each dtype, and kept in `__pycache__` beside the module (where that cannot be written, in the
user's cache, or where NUMBA_CACHE_DIR says): a few seconds once, a few milliseconds in every later process.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar, cast

from numba import njit

F = TypeVar("F", bound=Callable[..., Any])


def compiled(function: F) -> F:
    """A function of arrays and numbers as machine code; indices are not checked, so callers check what they pass."""
    return cast("F", njit(cache=True, nogil=True)(function))
