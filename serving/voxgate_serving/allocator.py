"""The allocator of a server's process: the SDK tunes clients in the same way, so it is kept there."""

from __future__ import annotations

from voxgate.wire.allocator import tune_allocator

__all__ = ["tune_allocator"]
