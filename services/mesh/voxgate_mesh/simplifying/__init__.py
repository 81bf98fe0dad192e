"""Surfaces with fewer triangles: pure numpy in and out, compiled, without Python's lock."""

from voxgate_mesh.simplifying.reducing import Simplified, simplify

__all__ = ["Simplified", "simplify"]
