"""What a scene needs to know of volumes: what goes with one, which values it has, which segments are in its middle."""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor

import numpy as np

from voxgate.model.errors import VoxgateError
from voxgate.model.volumes import VolumeInfo
from voxgate_gateway.backend import Backend, Described, VolumeRef
from voxgate_gateway.precomputed import refuse_unsupported
from voxgate_gateway.preview import middle_slice
from voxgate_gateway.viewer.places import likeness
from voxgate_gateway.viewer.scene import Layer

_MOST_SIBLINGS = 24
_PATIENCE_S = 4.0
_SOME = 5
"""Segments shown to who wants to see some."""


def layers_with(backend: Backend, described: Described) -> list[Layer]:
    """A volume and what goes with it: the volume of the other kind beside it that shows most nearly the same place.

    Whatever goes wrong with others is no reason not to show this one.
    """
    found = [described]
    partner = _partner(backend, described)
    if partner is not None:
        found.append(partner)
    return [Layer(each, _window(backend, each)) for each in found]


def some_segments(backend: Backend, described: Described) -> tuple[int, ...]:
    """The largest segments of a slice through the middle.

    Raises:
        VoxgateError: where it cannot be read.
    """
    scale, box = middle_slice(described.info, described.max_chunk_bytes)
    voxels = backend.read_array(described, box, scale=scale)
    ids, counts = np.unique(voxels, return_counts=True)
    largest = [int(ids[at]) for at in np.argsort(-counts, kind="stable") if ids[at] > 0]
    return tuple(largest[:_SOME])


def _partner(backend: Backend, described: Described) -> Described | None:
    until = time.monotonic() + _PATIENCE_S
    group = described.ref.name.rpartition("/")[0]
    if not group:
        return None
    try:
        names = [e.name for e in backend.list(group, timeout_s=_PATIENCE_S) if e.is_volume]
    except VoxgateError:
        return None
    others = _nearest(names, described.ref.name)

    def known(name: str) -> Described | None:
        try:
            other = backend.describe(VolumeRef(name), timeout_s=max(until - time.monotonic(), 0.1))
            refuse_unsupported(other.info)
        except VoxgateError:
            return None
        return other

    with ThreadPoolExecutor(max_workers=8, thread_name_prefix="siblings") as pool:
        there = [other for other in pool.map(known, others) if other is not None]
    likely = [(likeness(described.info, other.info), other) for other in there]
    best = max(likely, key=lambda pair: pair[0], default=(0.0, None))
    return best[1] if best[0] > 0 else None


def _nearest(names: list[str], name: str) -> list[str]:
    """At most a few others, those that stand next to it in the list."""
    ordered = sorted({*names, name})
    at = ordered.index(name)
    return sorted((n for n in ordered if n != name), key=lambda n: abs(ordered.index(n) - at))[:_MOST_SIBLINGS]


def _window(backend: Backend, described: Described) -> tuple[float, float] | None:
    """The values between which an image of other than eight bits has something to show."""
    info = described.info
    if any(channel.window for channel in info.channels):
        return next(channel.window for channel in info.channels if channel.window)
    if Layer(described).is_segmentation or info.dtype.name == "uint8":
        return None
    try:
        return _common_values(backend, described, info)
    except VoxgateError:
        return None


def _common_values(backend: Backend, described: Described, info: VolumeInfo) -> tuple[float, float] | None:
    scale, box = middle_slice(info, described.max_chunk_bytes)
    voxels = backend.read_array(described, box, scale=scale).astype(np.float64)
    values = voxels[np.isfinite(voxels)]
    if not values.size:
        return None
    low, high = (float(level) for level in np.percentile(values, (0.5, 99.5)))
    return (low, high) if high > low else None
