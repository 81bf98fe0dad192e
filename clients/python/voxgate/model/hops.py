"""What voxgate servers tell one another over HTTP, beside what the dialect that they speak has words for.

Headers alone, so that whoever knows the dialect and not these is told nothing else than by any other server of it.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass

from voxgate.model.errors import MetadataInvalid
from voxgate.model.geometry import Box, Vec3, VoxelSize

VIA_KEY = "voxgate-via"
"""Of requests: the ids of the voxgate servers that a call came through, comma-separated. Metadata of gRPC, too."""

REASON_HEADER = "voxgate-reason"
"""Of refusals: the reason of the typed error, see `voxgate.model.errors`."""

LEVELS_HEADER = "voxgate-levels"
"""Of a volume's document: where each scale lies; see `levels_text`."""


@dataclass(frozen=True, slots=True)
class ToldLevel:
    """A scale, as a header tells it.

    Attributes:
        bounds: its voxels, global coordinates.
        voxel_size_nm: None where nobody knows.
    """

    bounds: Box
    voxel_size_nm: VoxelSize | None


def levels_text(levels: Sequence[ToldLevel]) -> str:
    """What LEVELS_HEADER says of scales, finest first: JSON, for each [start, stop, voxel size or null], x, y, z."""
    told = [
        (tuple(each.bounds.start), tuple(each.bounds.stop), each.voxel_size_nm and tuple(each.voxel_size_nm))
        for each in levels
    ]
    return json.dumps(told, separators=(",", ":"), allow_nan=False)


def levels_of_text(text: str) -> tuple[ToldLevel, ...]:
    """The scales that a LEVELS_HEADER tells of.

    Raises:
        MetadataInvalid: when it is none, or tells of none.
    """
    try:
        levels = tuple(_level(*each) for each in json.loads(text))
    except (ValueError, TypeError, RecursionError):
        levels = ()
    if not levels or any(level.bounds.is_empty for level in levels):
        raise MetadataInvalid(f"the other server's {LEVELS_HEADER} cannot be understood", "upgrade the older of both")
    return levels


def _level(start: list[int], stop: list[int], size: list[float] | None) -> ToldLevel:
    corners = [Vec3(*map(_whole, each)) for each in (start, stop)]
    if size is not None and not all(isinstance(each, int | float) and 0 < each < float("inf") for each in size):
        raise ValueError
    return ToldLevel(Box(*corners), None if size is None else VoxelSize(*map(float, size)))


def _whole(number: object) -> int:
    if not isinstance(number, int) or isinstance(number, bool):
        raise TypeError
    return number
