"""A volume as the arrays that both Zarr versions speak of: axes, extents, one chunk grid, and what a chunk holds.

Axes are z, y, x, after a channel axis where a volume has several channels: cloud-volume reads no Zarr v3 array with
one. All levels have the chunk extents of the finest: cloud-volume decodes every level with those of level 0, and where
others have as many voxels it would show them out of place without an error.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import reduce

import numpy as np

from voxgate.model.errors import UnsupportedFormat
from voxgate.model.geometry import Box, Vec3
from voxgate.model.volumes import Scale, VolumeInfo, Voxels
from voxgate_gateway.grid import chunk_shape

DTYPES = ("uint8", "uint16", "uint32", "uint64", "int8", "int16", "int32", "int64", "float32", "float64")
"""The voxel types that both Zarr versions have by these names."""


@dataclass(frozen=True, slots=True)
class Image:
    """A volume as a multiscale image.

    Attributes:
        info: the volume's description.
        chunk: a chunk's extent in voxels, the same in every level; chunks at the end are padded to it.
    """

    info: VolumeInfo
    chunk: Vec3

    @property
    def axes(self) -> str:
        """The arrays' axes, slowest first: "zyx", or "czyx" for several channels."""
        return "czyx" if self.info.channel_count > 1 else "zyx"

    @property
    def levels(self) -> tuple[Scale, ...]:
        """The scales, finest first; level "0" is the first."""
        return self.info.scales

    def shape(self, level: Scale) -> list[int]:
        """The extents of a level's array, in the order of `axes`."""
        return self._channels(self.info.channel_count) + list(level.bounds.shape.zyx)

    @property
    def chunk_shape(self) -> list[int]:
        """The extents of a chunk, in the order of `axes`: one channel at a time."""
        return self._channels(1) + list(self.chunk.zyx)

    def cell(self, level: Scale, indices: Sequence[int]) -> tuple[int | None, Box] | None:
        """The channel (None: the only one) and the box, clipped to the bounds, of a chunk; None where there is none."""
        extents = zip(self.shape(level), self.chunk_shape, strict=True)
        counts = [-(-extent // edge) for extent, edge in extents]
        if len(indices) != len(counts) or not all(0 <= i < n for i, n in zip(indices, counts, strict=True)):
            return None
        z, y, x = indices[-3:]
        corner = level.bounds.start + Vec3(x * self.chunk.x, y * self.chunk.y, z * self.chunk.z)
        box = Box.at(corner, self.chunk).intersection(level.bounds)
        return (indices[0] if self._channels(1) else None), box

    def padded(self, voxels: Voxels) -> Voxels:
        """The whole chunk, C-order: (1, z, y, x) voxels, and the fill value behind them where they end before it."""
        shape = (1, *self.chunk.zyx)
        if voxels.shape == shape:
            return np.ascontiguousarray(voxels)
        whole = np.full(shape, self.info.fill_value, self.info.dtype)
        whole[tuple(slice(extent) for extent in voxels.shape)] = voxels
        return whole

    def _channels(self, extent: int) -> list[int]:
        return [extent] if self.axes == "czyx" else []


def image_of(info: VolumeInfo, budget_bytes: int) -> Image:
    """The image that a volume is served as.

    Args:
        info: the volume's description.
        budget_bytes: how many raw bytes a chunk may have.

    Raises:
        UnsupportedFormat: for a volume that cannot be one; the message says what is in the way and what to do.
    """
    refuse_unsupported(info)
    one_channel = replace(info, axes="zyx", channels=())
    # Padding makes a chunk larger than a small level possible; larger than all of them it would only be longer.
    extent = reduce(Vec3.maximum, (scale.bounds.shape for scale in info.scales))
    finest = info.scales[0]
    return Image(
        info, chunk_shape(one_channel, replace(finest, bounds=Box.at(finest.bounds.start, extent)), budget_bytes)
    )


def refuse_unsupported(info: VolumeInfo) -> None:
    """Check that an OME-NGFF image can say what this volume is.

    Raises:
        UnsupportedFormat.
    """
    if not info.scales:
        raise UnsupportedFormat(f"{info.name} has no voxels, so there is nothing to show as Zarr")
    if info.dtype.name not in DTYPES:
        raise UnsupportedFormat(
            f"{info.name} is {info.dtype.name}, which is no voxel type of Zarr", "read it through the gRPC API"
        )
    if info.time_count > 1:
        raise UnsupportedFormat(
            f"{info.name} has {info.time_count} time points, and Zarr is served without a time axis",
            "read one time point through the gRPC API",
        )
