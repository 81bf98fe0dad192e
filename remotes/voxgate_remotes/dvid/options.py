"""The options of a DVID remote.

| option          | default | meaning                                                                                |
|-----------------|---------|----------------------------------------------------------------------------------------|
| `cache_seconds` | 2       | how long branches, lists of instances and descriptions are remembered; 0 for never     |
| `empty_bounds`  | none    | "x,y,z,x,y,z": bounds (one past the last) of instances without voxels that state none  |
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from voxgate.model.errors import ConfigInvalid
from voxgate.model.geometry import Box, Vec3
from voxgate_remotes.config import nearest

_KNOWN = ("cache_seconds", "empty_bounds")


@dataclass(frozen=True, slots=True)
class DvidOptions:
    """The options of the table above, checked."""

    cache_seconds: float = 2.0
    empty_bounds: Box | None = None

    @staticmethod
    def of(given: Mapping[str, str | int | float | bool]) -> DvidOptions:
        """Check the options of a remote.

        Raises:
            ConfigInvalid: for an unknown option or a value that means nothing; names it.
        """
        for key in given:
            if key not in _KNOWN:
                raise ConfigInvalid(f"a dvid remote has no option {key!r}", nearest(key, _KNOWN))
        return DvidOptions(_seconds(given.get("cache_seconds", 2.0)), _bounds(given.get("empty_bounds")))


def _seconds(value: object) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value <= 3600:
        raise ConfigInvalid(f"the option 'cache_seconds' cannot be {value!r}", "give a number from 0 to 3600")
    return float(value)


def _bounds(value: object) -> Box | None:
    if value is None:
        return None
    try:
        x0, y0, z0, x1, y1, z1 = (int(part) for part in str(value).split(","))
    except ValueError:
        box = Box(Vec3(0, 0, 0), Vec3(0, 0, 0))
    else:
        box = Box(Vec3(x0, y0, z0), Vec3(x1, y1, z1))
    if box.is_empty:
        remedy = 'give the first voxel and one past the last: "x,y,z,x,y,z"'
        raise ConfigInvalid(f"the option 'empty_bounds' cannot be {value!r}", remedy)
    return box
