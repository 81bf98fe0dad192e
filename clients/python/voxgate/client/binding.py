"""What an array is bound to: a volume, a scale, an order of axes; and reading voxels in that order."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from voxgate.model.errors import DataTypeMismatch, InvalidArgument, ShapeMismatch, UnknownScale
from voxgate.model.geometry import Box
from voxgate.model.volumes import Scale, Volume, VolumeInfo

Reopen = Callable[[int], Volume]
"""Opens the same volume at another time index."""

_STORED_ORDER = "tczyx"


@dataclass(frozen=True, slots=True)
class Binding:
    """Everything an array object stands for; arrays are made by replacing one field.

    Attributes:
        volume: bound to one time; where `axes` has "t" only its description is used.
        scale: index into `volume.info.scales`.
        axes: the axes of the array, slowest first: any order of those of the store that are not bound.
        channel: the one channel that is bound, if one is.
        reopen: opens another time; None where the time is bound or there is none.
    """

    volume: Volume
    scale: int
    axes: str
    channel: int | None = None
    reopen: Reopen | None = None

    @property
    def info(self) -> VolumeInfo:
        """The volume's description."""
        return self.volume.info

    @property
    def level(self) -> Scale:
        """The bound scale."""
        return self.level_at(self.scale)

    def level_at(self, scale: int) -> Scale:
        """A scale by index.

        Raises:
            UnknownScale: when there is none.
        """
        scales = self.info.scales
        if not 0 <= scale < len(scales):
            there_is = f"it has scales 0 to {len(scales) - 1}" if scales else "it has no voxels"
            raise UnknownScale(f"{self.info.name or 'the volume'} has no scale {scale}", there_is)
        return scales[scale]

    @property
    def shape(self) -> tuple[int, ...]:
        """The extents, in the order of `axes`."""
        extents = dict(zip("xyz", self.level.bounds.shape, strict=True))
        extents |= {"c": self.info.channel_count, "t": self.info.time_count}
        return tuple(extents[axis] for axis in self.axes)

    @property
    def channels(self) -> list[int] | None:
        """The channels that a plain read asks for; None means all."""
        return None if self.channel is None else [self.channel]

    def load(
        self,
        box: Box,
        *,
        scale: int,
        channels: Sequence[int] | None,
        times: Sequence[int] = (),
        out: npt.NDArray[Any] | None = None,
    ) -> npt.NDArray[Any]:
        """Read into an array with the axes of this binding.

        Args:
            box: global coordinates of `scale`.
            scale: index of the scale.
            channels: which channels, in this order; None means all.
            times: which times, in this order; used where `axes` has "t".
            out: an array with the result's axes, shape and dtype to fill and return.
        """
        channel_count = self.info.channel_count if channels is None else len(channels)
        shape = (len(times) if "t" in self.axes else 1, channel_count, *box.shape.zyx)
        if out is not None:
            self._check_out(out, shape)
            whole = self._stored_order(out)
        elif "t" in self.axes:
            whole = np.empty(shape, self.info.dtype)
        else:
            return self._own_order(self.volume.read(box, scale=scale, channels=channels)[np.newaxis])
        for target, volume in zip(whole, self._volumes(times), strict=True):
            volume.read(box, scale=scale, channels=channels, out=target)
        return self._own_order(whole) if out is None else out

    def _volumes(self, times: Sequence[int]) -> list[Volume]:
        if "t" in self.axes and self.reopen is not None:
            return [self.reopen(time) for time in times]
        return [self.volume]

    def _check_out(self, out: npt.NDArray[Any], stored_shape: Sequence[int]) -> None:
        extents = dict(zip(_STORED_ORDER, stored_shape, strict=True))
        shape = tuple(extents[axis] for axis in self.axes)
        if out.shape != shape:
            raise ShapeMismatch(f"out has shape {out.shape}, the result has {shape}", f"the axes are {self.axes!r}")
        if out.dtype != self.info.dtype:
            raise DataTypeMismatch(f"out has dtype {out.dtype}, the volume has {self.info.dtype}")
        if not out.flags.writeable:
            raise InvalidArgument("out cannot be written to", "give an array that owns its voxels")

    def _own_order(self, stored: npt.NDArray[Any]) -> npt.NDArray[Any]:
        """A view of a (t, c, z, y, x) array with the axes of this binding."""
        kept = [axis for axis in _STORED_ORDER if axis in self.axes]
        cut = stored[tuple(slice(None) if axis in kept else 0 for axis in _STORED_ORDER)]
        return cut.transpose([kept.index(axis) for axis in self.axes])

    def _stored_order(self, own: npt.NDArray[Any]) -> npt.NDArray[Any]:
        """A (t, c, z, y, x) view of an array with the axes of this binding."""
        kept = [axis for axis in _STORED_ORDER if axis in self.axes]
        ordered = own.transpose([self.axes.index(axis) for axis in kept])
        return ordered[tuple(slice(None) if axis in kept else np.newaxis for axis in _STORED_ORDER)]

    def stored_voxels(self, own: npt.NDArray[Any]) -> npt.NDArray[Any]:
        """A (c, z, y, x) view of an array with the axes of this binding, "t" not among them."""
        stored: npt.NDArray[Any] = self._stored_order(own)[0]
        return stored

    def ranges(self, positions: Sequence[range]) -> Mapping[str, range]:
        """Positions along each axis by its name."""
        return dict(zip(self.axes, positions, strict=True))
