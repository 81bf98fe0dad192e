"""Where this room looks for locks by name; they are `voxgate_jobs.locks`, because other services start jobs, too."""

from __future__ import annotations

from voxgate_jobs.locks import NamedLocks

__all__ = ["NamedLocks"]
