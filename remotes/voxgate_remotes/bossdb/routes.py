"""The addresses of BossDB's REST interface v1: `https://HOST/v1/…`, names and ranges in the path.

Names are of letters, digits, "_" and "-", at most 255 of them. A cutout's address has the resolution as one digit and
the ranges as start:stop of x, y, z and, for a time series, t. The ranges take digits alone, so a voxel at a negative
coordinate has no address.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from voxgate.model.geometry import Box

_NAME = re.compile(r"[a-zA-Z0-9_-]{1,255}")
MOST_RESOLUTION = 9
"""The resolution is one digit of a cutout's address."""

COLLECTIONS = "/v1/collection/"


def is_name(text: str) -> bool:
    """Whether BossDB could have something of this name."""
    return _NAME.fullmatch(text) is not None


def resource(path: tuple[str, ...]) -> str:
    """The address of a collection, an experiment or a channel."""
    return "/v1/collection/" + "/".join(_alternating(path, ("experiment", "channel")))


def children(path: tuple[str, ...]) -> str:
    """The address of the experiments of a collection, or of the channels of an experiment."""
    return f"{resource(path)}/{('experiment', 'channel')[len(path) - 1]}/"


def frame(name: str) -> str:
    """The address of a coordinate frame."""
    return f"/v1/coord/{name}"


def metadata(path: tuple[str, ...]) -> str:
    """The address of the key-values of a collection, an experiment or a channel."""
    return f"/v1/meta/{'/'.join(path)}/"


def downsample(path: tuple[str, ...]) -> str:
    """The address of a channel's resolution levels."""
    return f"/v1/downsample/{'/'.join(path)}/"


def reserve(path: tuple[str, ...], count: int) -> str:
    """The address that hands out ids."""
    return f"/v1/reserve/{'/'.join(path)}/{count}"


def bounding_box(path: tuple[str, ...], resolution: str, segment_id: int) -> str:
    """The address of where a segment is."""
    return f"/v1/boundingbox/{'/'.join(path)}/{resolution}/{segment_id}/"


@dataclass(frozen=True, slots=True)
class Region:
    """Voxels of a channel.

    Attributes:
        path: collection, experiment, channel.
        resolution: the level's number.
        time: None for a channel without time.
    """

    path: tuple[str, ...]
    resolution: str
    box: Box
    time: int | None = None

    def at(self, box: Box) -> Region:
        """Other voxels of the same channel, level and time."""
        return Region(self.path, self.resolution, box, self.time)

    @property
    def cutout(self) -> str:
        """The address to read from and to write to."""
        return f"/v1/cutout/{self._ranges}"

    @property
    def to_black(self) -> str:
        """The address that erases."""
        return f"/v1/cutout/to_black/{self._ranges}"

    @property
    def ids(self) -> str:
        """The address of the ids in the box."""
        return f"/v1/ids/{self._ranges}" + ("0:1/" if self.time is None else "")

    @property
    def _ranges(self) -> str:
        spans = [f"{a}:{b}" for a, b in zip(self.box.start, self.box.stop, strict=True)]
        if self.time is not None:
            spans.append(f"{self.time}:{self.time + 1}")
        return "/".join((*self.path, self.resolution, *spans)) + "/"


def _alternating(names: tuple[str, ...], kinds: tuple[str, ...]) -> list[str]:
    parts = list(names[:1])
    for kind, name in zip(kinds, names[1:], strict=False):
        parts += [kind, name]
    return parts
