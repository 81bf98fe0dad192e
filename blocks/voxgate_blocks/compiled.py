"""Loops over voxels and triangles, compiled by numba without Python's lock.

Nothing happens before the first call: numba takes a second to import, and looks for a place to keep what it compiles.
That is `__pycache__` beside the module, where it cannot be written the user's cache, or where NUMBA_CACHE_DIR says: a
few seconds once, a few milliseconds in every later process.
"""

from __future__ import annotations

import functools
import hashlib
import types
from collections.abc import Callable
from typing import Any, Generic, ParamSpec, TypeVar

P = ParamSpec("P")
R = TypeVar("R")


class Compiled(Generic[P, R]):
    """A function of arrays and numbers as machine code, made at its first call. Thread-safe.

    Indices are not checked, so callers check what they pass. Functions that it calls are Compiled too.
    """

    def __init__(self, function: Callable[P, R], counting: bool = True) -> None:
        """Compile nothing yet.

        Args:
            function: of arrays and numbers.
            counting: whether it counts references to arrays. It must, where it makes some.
        """
        self._function: Any = function
        self._counting = counting
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
        named = self._named
        called = {name: each.machine_code for name, each in named.items() if isinstance(each, Compiled)}
        linked = types.FunctionType(function.__code__, function.__globals__ | called, function.__name__)
        linked.__module__ = function.__module__
        # Numba keeps code by the name, and forgets it when the function's own file changes. What it takes from
        # elsewhere becomes a part of it too, so that goes into the name.
        linked.__qualname__ = f"{function.__qualname__}_{self.taken}"
        compiler: Any = njit  # `_nrt` is an option that its type does not know
        return compiler(cache=True, nogil=True, _nrt=self._counting)(linked)

    @functools.cached_property
    def taken(self) -> str:
        """A digest of what becomes a part of this function: the functions that it calls, and constants."""
        digest = hashlib.sha256(str(self._counting).encode())
        for name, each in sorted(self._named.items()):
            if isinstance(each, Compiled):
                code = each._function.__code__
                numbers = [const for const in code.co_consts if isinstance(const, bool | int | float)]
                digest.update(f"{name} {each.taken} {code.co_names} {numbers}".encode() + code.co_code)
            elif isinstance(each, bool | int | float):
                digest.update(f"{name} {each!r}".encode())
        return digest.hexdigest()[:8]

    @property
    def _named(self) -> dict[str, Any]:
        """What the function's names stand for in its module."""
        function = self._function
        return {name: function.__globals__.get(name) for name in function.__code__.co_names}


def compiled(function: Callable[P, R]) -> Compiled[P, R]:
    """The function as machine code."""
    return Compiled(function)


def lean(function: Callable[P, R]) -> Compiled[P, R]:
    """The same for one that makes no arrays, nor calls one that does: references to arrays are not counted.

    Where arrays go from function to function in an inner loop, counting took a fifth of the time.
    """
    return Compiled(function, counting=False)
