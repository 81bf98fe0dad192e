"""The lower resolutions, computed as the service does (public source of boss-tools, downsample_volume.py)."""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np
import numpy.typing as npt
from PIL import Image

from .resources import Channel
from .voxels import CUBOID, Level, Region, cell

Array = npt.NDArray[Any]
_SPREAD = 4
"""Voxels kept around what was written, so that interpolated edges are those of the whole cuboid."""


def downsample(channel: Channel) -> None:
    """Compute every resolution above the base, up to the experiment's number of levels, at time sample 0.

    The number of levels counts from 0, not from the base: a channel with a base above 0 gets fewer than may be read.
    """
    experiment = channel.experiment
    for resolution in range(channel.base_resolution, experiment.num_hierarchy_levels - 1):
        if experiment.hierarchy_method == "isotropic":
            _halve(channel, Level(resolution), Level(resolution + 1), (2, 2, 2))
            continue
        _halve(channel, Level(resolution), Level(resolution + 1), (1, 2, 2))
        nearest = experiment.isotropic_resolution()
        if resolution >= nearest:
            above = Level(resolution, iso=resolution > nearest)
            _halve(channel, above, Level(resolution + 1, iso=True), (2, 2, 2))


def _halve(channel: Channel, above: Level, below: Level, step: tuple[int, int, int]) -> None:
    """Compute the cuboids of one level, each from the 4 or 8 above it and from nothing else."""
    written = channel.voxels.written(above)
    if written is None:
        return
    edges = tuple(edge * factor for edge, factor in zip(CUBOID, step, strict=True))
    ranges = (range(a // e, -(-b // e)) for a, b, e in zip(written.start, written.stop, edges, strict=True))
    for index in itertools.product(*ranges):
        part = cell(index, edges).clipped(_even(written))
        assert part is not None
        volume = channel.voxels.read(above, part)[0]
        smaller = _labels(volume, step) if channel.type == "annotation" else _image(volume, step)
        corner = tuple(first // factor for first, factor in zip(part.start, step, strict=True))
        channel.voxels.erase(below, cell(index, CUBOID))
        channel.voxels.replace(below, corner, smaller[None])


def _even(region: Region) -> Region:
    """A region grown to even bounds, with what interpolation needs around it."""
    start = tuple(max(0, (first - _SPREAD) // 2 * 2) for first in region.start)
    return Region(start, tuple((last + _SPREAD + 1) // 2 * 2 for last in region.stop))


def _image(volume: Array, step: tuple[int, int, int]) -> Array:
    """Bilinear in x and y; of two slices the first is taken, the second is not looked at."""
    slices = volume[:: step[0]]
    size = (volume.shape[2] // 2, volume.shape[1] // 2)
    return np.stack([np.asarray(Image.fromarray(one).resize(size, Image.Resampling.BILINEAR)) for one in slices])


def _labels(volume: Array, step: tuple[int, int, int]) -> Array:
    """A value of the four, or of the four behind them when the first four give 0."""
    first = _label_of_four(volume[:: step[0]])
    if step[0] == 1:
        return first
    return np.where(first == 0, _label_of_four(volume[1::2]), first)


def _label_of_four(volume: Array) -> Array:
    """The service's choice among four values, with its slip: a value in the last place alone is lost."""
    a, b = volume[:, ::2, ::2], volume[:, ::2, 1::2]
    c, d = volume[:, 1::2, ::2], volume[:, 1::2, 1::2]
    value = np.where(a != 0, a, b)
    value = np.where((c != 0) & ((value == 0) | (c == a) | (c == b)), c, value)
    lost = (d != 0) & (value == 0)
    agreed = (d != 0) & ((d == a) | (d == b) | (d == c))
    return np.where(lost, c, np.where(agreed, d, value))
