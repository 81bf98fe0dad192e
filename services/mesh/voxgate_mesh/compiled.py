"""Loops over voxels and triangles as machine code: `voxgate_blocks.compiled`, under the name that meshers know."""

from __future__ import annotations

from voxgate_blocks.compiled import Compiled, compiled

__all__ = ["Compiled", "compiled"]
