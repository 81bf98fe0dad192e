"""Between a request's box and the axes of a dataset: which indices, which chunks, and where voxels go."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from voxgate.model.geometry import Box
from voxgate.model.volumes import CallContext, Voxels
from voxgate_remotes.hdf5.datasets import Layer
from voxgate_remotes.hdf5.index import Cell


@dataclass(frozen=True, slots=True)
class Request:
    """What is wanted of a dataset.

    Attributes:
        box: global coordinates.
        channels: in this order.
        time: index along t; 0 where the dataset has no such axis.
        out: array of shape (c, z, y, x) to fill, of the stored number type, little-endian.
        context: looked at between chunks and blocks.
    """

    box: Box
    channels: Sequence[int]
    time: int
    out: Voxels
    context: CallContext


def span(layer: Layer, box: Box, axis: str, time: int) -> tuple[int, int]:
    """Where a box lies along an axis of a dataset, not of channels."""
    if axis == "t":
        return time, time + 1
    start = getattr(layer.start, axis)
    return getattr(box.start, axis) - start, getattr(box.stop, axis) - start


def cells_of(layer: Layer, box: Box, channels: Sequence[int], time: int) -> Iterator[Cell]:
    """The chunks with voxels of a box, in the order in which they are numbered."""
    chunks = layer.stored.chunks or layer.stored.shape
    axes = []
    for axis, size in zip(layer.axes, chunks, strict=True):
        if axis == "c":
            axes.append(sorted({channel // size * size for channel in channels}))
        else:
            start, stop = span(layer, box, axis, time)
            axes.append(list(range(start // size * size, stop, size)))
    yield from itertools.product(*axes)


def place(layer: Layer, request: Request, voxels: Voxels, first: Sequence[int]) -> None:
    """Put what `out` wants of some voxels there; they are in the dataset's order and start at `first`."""
    cut: list[Any] = []
    into: dict[str, slice] = dict.fromkeys("zyx", slice(None))
    channels = [(0, number) for number in range(len(request.channels))]
    for axis, start, size in zip(layer.axes, first, voxels.shape, strict=True):
        if axis == "c":
            channels = [(c - start, p) for p, c in enumerate(request.channels) if start <= c < start + size]
            cut.append(slice(None))
            continue
        low, high = span(layer, request.box, axis, request.time)
        a, b = max(low, start), min(high, start + size)
        cut.append(a - start if axis == "t" else slice(a - start, b - start))
        if axis != "t":
            into[axis] = slice(a - low, b - low)
    ordered = _in_order(voxels[tuple(cut)], layer.axes.replace("t", ""))
    where = (into["z"], into["y"], into["x"])
    for channel, number in channels:
        request.out[number][where] = ordered[channel]


def window(layer: Layer, request: Request, box: Box) -> Voxels | None:
    """Where part of a request's box goes in `out`, as a view with the dataset's axes; None if channels are picked."""
    wanted = list(request.channels)
    if wanted != list(range(wanted[0], wanted[0] + len(wanted))):
        return None
    part = request.out[:, *box.slices_zyx(request.box.start)]
    there = "t" + "".join(axis for axis in "czyx" if axis in layer.axes)
    part = part[tuple(slice(None) if axis in layer.axes else 0 for axis in "czyx")][np.newaxis]
    if "t" not in layer.axes:
        part, there = part[0], there[1:]
    return part.transpose([there.index(axis) for axis in layer.axes])


def _in_order(voxels: Voxels, axes: str) -> Voxels:
    """Voxels as a view with the axes c, z, y, x."""
    ordered = voxels.transpose([axes.index(axis) for axis in "czyx" if axis in axes])
    for number, axis in enumerate("czyx"):
        if axis not in axes:
            ordered = np.expand_dims(ordered, number)
    return ordered
