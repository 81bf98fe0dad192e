"""The options of a procedural remote, in its `options` or in its URI (`procedural://?size=100000&seed=7`).

| option         | default    | meaning                                                                        |
|----------------|------------|--------------------------------------------------------------------------------|
| `seed`         | 0          | another seed is another world                                                  |
| `size`         | 1000000    | voxels at scale 0: one number, or "x,y,z"                                       |
| `offset`       | 0          | first voxel at scale 0, may be negative: one number, or "x,y,z"                 |
| `chunk`        | 64         | stored chunk shape: one number, or "x,y,z"                                      |
| `voxel_size`   | "4,4,40"   | nanometres at scale 0: one number, or "x,y,z"                                   |
| `channels`     | 0          | channels of `em`; 0 means no channel axis                                      |
| `pattern`      | "smooth"   | `em`: "smooth" (interpolated, 16 bits deep) or "noise" (every bit of the dtype)  |
| `latency_ms`   | 0          | each read waits this long first                                                |
| `failure_rate` | 0          | this share of reads raises StoreUnavailable, chosen by the seed                |
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qsl, urlsplit

from voxgate.model.errors import ConfigInvalid
from voxgate.model.geometry import Vec3, VoxelSize
from voxgate_remotes.config import RemoteConfig

_MILLION = Vec3(1_000_000, 1_000_000, 1_000_000)
_ORIGIN = Vec3(0, 0, 0)
_CHUNK = Vec3(64, 64, 64)
_VOXEL_SIZE = VoxelSize(4.0, 4.0, 40.0)


@dataclass(frozen=True, slots=True)
class ProceduralOptions:
    """The options of the table above, checked."""

    seed: int = 0
    size: Vec3 = _MILLION
    offset: Vec3 = _ORIGIN
    chunk: Vec3 = _CHUNK
    voxel_size: VoxelSize = _VOXEL_SIZE
    channels: int = 0
    pattern: str = "smooth"
    latency_ms: float = 0.0
    failure_rate: float = 0.0

    @staticmethod
    def of(config: RemoteConfig) -> ProceduralOptions:
        """Check the options of a remote.

        Raises:
            ConfigInvalid: for an unknown option, one stated twice, or a value that means nothing; names it.
        """
        stated = parse_qsl(urlsplit(config.uri).query, keep_blank_values=True)
        keys = [*config.options, *(key for key, _ in stated)]
        for key in keys:
            if keys.count(key) > 1:
                raise ConfigInvalid(f"the option {key!r} is stated twice", "state it once")
        return ProceduralOptions._parse({**config.options, **dict(stated)})

    @staticmethod
    def _parse(given: Mapping[str, str | int | float | bool]) -> ProceduralOptions:
        values: dict[str, Any] = {}
        for key, value in given.items():
            if key not in _PARSERS:
                raise ConfigInvalid(f"a procedural remote has no option {key!r}", f"it has {', '.join(_PARSERS)}")
            parser, meaning = _PARSERS[key]
            try:
                values[key] = parser(value)
            except ValueError:
                message = f"the option {key!r} of a procedural remote cannot be {value!r}"
                raise ConfigInvalid(message, f"give {meaning}") from None
        return ProceduralOptions(**values)


def _integer(value: object, low: int, high: int = 2**40) -> int:
    number = int(str(value))
    if isinstance(value, bool) or not low <= number <= high:
        raise ValueError(value)
    return number


def _real(value: object, high: float) -> float:
    number = float(str(value))
    if isinstance(value, bool) or not 0 <= number <= high:
        raise ValueError(value)
    return number


def _three(value: object) -> list[str]:
    parts = str(value).split(",")
    return parts * 3 if len(parts) == 1 else parts


def _extent(value: object) -> Vec3:
    x, y, z = (_integer(part, 1) for part in _three(value))
    return Vec3(x, y, z)


def _point(value: object) -> Vec3:
    x, y, z = (_integer(part, -(2**40)) for part in _three(value))
    return Vec3(x, y, z)


def _voxel_size(value: object) -> VoxelSize:
    x, y, z = (_real(part, 1e9) for part in _three(value))
    if min(x, y, z) <= 0:
        raise ValueError(value)
    return VoxelSize(x, y, z)


def _pattern(value: object) -> str:
    if value not in ("smooth", "noise"):
        raise ValueError(value)
    return str(value)


_PARSERS: dict[str, tuple[Callable[[object], Any], str]] = {
    "seed": (lambda value: _integer(value, 0, 2**64 - 1), "a whole number from 0 to 2**64 - 1"),
    "size": (_extent, 'a positive whole number, or "x,y,z"'),
    "offset": (_point, 'a whole number, or "x,y,z"'),
    "chunk": (_extent, 'a positive whole number, or "x,y,z"'),
    "voxel_size": (_voxel_size, 'nanometres: a positive number, or "x,y,z"'),
    "channels": (lambda value: _integer(value, 0, 64), "a whole number from 0 to 64"),
    "pattern": (_pattern, '"smooth" or "noise"'),
    "latency_ms": (lambda value: _real(value, 3_600_000), "a number from 0 to 3600000"),
    "failure_rate": (lambda value: _real(value, 1), "a number from 0 to 1"),
}
