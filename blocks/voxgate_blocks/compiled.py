"""Loops over voxels and triangles, compiled by numba without Python's lock.

Nothing happens before the first call: numba takes a second to import, and looks for a place to keep what it compiles.
That is `__pycache__` beside the module, where it cannot be written the user's cache, or where NUMBA_CACHE_DIR says: a
few seconds once, a few milliseconds in every later process.
"""

from __future__ import annotations

import functools
import types
from collections.abc import Callable
from typing import Any, Generic, ParamSpec, TypeVar

P = ParamSpec("P")
R = TypeVar("R")


class Compiled(Generic[P, R]):
    """A function of arrays and numbers as machine code, made at its first call. Thread-safe.

    Indices are not checked, so callers check what they pass. Functions that it calls are Compiled and of the
    same module: a change of another would not make numba compile it anew.
    """

    def __init__(self, function: Callable[P, R]) -> None:
        self._function: Any = function
        functools.update_wrapper(self, function)

    def __call__(self, *args: P.args, **kwargs: P.kwargs) -> R:
        """Run it."""
        result: R = self.machine_code(*args, **kwargs)
        return result

    @functools.cached_property
    def machine_code(self) -> Any:
        """What numba makes of the function."""
        from numba import njit  # noqa: PLC0415  (see above)

        function = self._function
        named = {name: function.__globals__.get(name) for name in function.__code__.co_names}
        called = {name: each.machine_code for name, each in named.items() if isinstance(each, Compiled)}
        linked = types.FunctionType(function.__code__, function.__globals__ | called, function.__name__)
        linked.__module__, linked.__qualname__ = function.__module__, function.__qualname__
        return njit(cache=True, nogil=True)(linked)


def compiled(function: Callable[P, R]) -> Compiled[P, R]:
    """The function as machine code."""
    return Compiled(function)
