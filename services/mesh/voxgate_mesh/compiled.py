"""Loops over voxels and triangles as machine code: `voxgate_blocks.compiled`, under the name that meshers know."""

from __future__ import annotations

from voxgate_blocks.compiled import Compiled, compiled, lean

__all__ = ["Compiled", "compiled", "lean"]
