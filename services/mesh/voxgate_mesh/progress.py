"""How far the work on a request has come."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class ScanProgress:
    """How many voxel bytes have been searched or meshed.

    Attributes:
        phase: "locating" while it is found out where the segments are, then "meshing".
        done_bytes: of the voxels of this phase.
        total_bytes: of the voxels of this phase, as far as is known by now; 0 while unknown.
    """

    phase: str
    done_bytes: int
    total_bytes: int
