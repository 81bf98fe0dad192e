"""What is compiled once is found again, and never when something that became a part of it has changed."""

from __future__ import annotations

import importlib
import sys
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest
from numba.core.errors import NumbaError

from voxgate_blocks.compiled import Compiled, compiled, lean

CALLEE = """
from voxgate_blocks.compiled import compiled

STEP = {step}

@compiled
def grown(x):
    return x * {factor}
"""

CALLER = """
from voxgate_blocks.compiled import compiled
from callee_of_test import STEP, grown

@compiled
def outer(x):
    return grown(x) + STEP
"""


def loaded(folder: Path, factor: int, step: int) -> ModuleType:
    """The caller's module, as a new process would see it after its callee's file was changed."""
    (folder / "callee_of_test.py").write_text(CALLEE.format(factor=factor, step=step))
    for name in ("callee_of_test", "caller_of_test"):
        sys.modules.pop(name, None)
    importlib.invalidate_caches()
    sys.dont_write_bytecode, before = True, sys.dont_write_bytecode
    try:
        return importlib.import_module("caller_of_test")
    finally:
        sys.dont_write_bytecode = before


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / "caller_of_test.py").write_text(CALLER)
    monkeypatch.syspath_prepend(str(tmp_path))
    return tmp_path


def test_a_callee_of_another_file_that_changed_is_compiled_anew(folder: Path) -> None:
    assert loaded(folder, 3, 1).outer(7) == 22
    assert loaded(folder, 5, 1).outer(7) == 36


def test_a_constant_of_another_file_that_changed_is_compiled_anew(folder: Path) -> None:
    assert loaded(folder, 3, 1).outer(7) == 22
    assert loaded(folder, 3, 1000).outer(7) == 1021


def test_what_did_not_change_is_not_compiled_again(folder: Path) -> None:
    loaded(folder, 3, 1).outer(7)
    again = loaded(folder, 3, 1)
    assert again.outer(7) == 22
    (hits,) = again.outer.machine_code.stats.cache_hits.values()
    assert hits == 1


@lean
def _sum(numbers, out):  # type: ignore[no-untyped-def]
    for i in range(len(numbers)):
        out[0] += numbers[i]


@lean
def _making(numbers):  # type: ignore[no-untyped-def]
    return len(np.zeros(len(numbers)))


def test_a_lean_function_works_on_arrays_and_is_refused_when_it_makes_one() -> None:
    numbers, out = np.arange(5.0), np.zeros(1)
    before = sys.getrefcount(numbers), sys.getrefcount(out)
    _sum(numbers, out)
    assert out[0] == 10
    assert (sys.getrefcount(numbers), sys.getrefcount(out)) == before
    with pytest.raises(NumbaError):
        _making(numbers)


def test_a_compiled_function_says_what_it_is() -> None:
    def plain(x: int) -> int:
        """Docs."""
        return x

    assert isinstance(compiled(plain), Compiled)
    assert (compiled(plain).__name__, compiled(plain).__doc__) == ("plain", "Docs.")
