"""An array with the properties that intern's has, beside numpy's."""

from __future__ import annotations

import operator
from collections.abc import Sequence

from voxgate.client.array import VolumeArray
from voxgate.model.downsampling import DownsamplingState
from voxgate.model.errors import InvalidArgument, UnknownScale
from voxgate.model.names import VolumeName
from voxgate.model.volumes import Scale

_STATUS = {
    DownsamplingState.NONE: "NOT_DOWNSAMPLED",
    DownsamplingState.QUEUED: "QUEUED",
    DownsamplingState.RUNNING: "IN_PROGRESS",
    DownsamplingState.DONE: "DOWNSAMPLED",
    DownsamplingState.FAILED: "FAILED",
}


def scale_of_resolution(scales: Sequence[Scale], resolution: int) -> int:
    """The index of the scale that a store calls `resolution`.

    Raises:
        UnknownScale: naming those there are.
    """
    number = operator.index(resolution)
    names = resolutions_of(scales)
    if number not in names:
        raise UnknownScale(f"there is no resolution {number}", f"there are {', '.join(map(str, names))}")
    return names.index(number)


def resolutions_of(scales: Sequence[Scale]) -> list[int]:
    """What each scale is called by a number: its key, or its index in a store whose keys are no numbers."""
    keys = [scale.key for scale in scales]
    if all(key.isdecimal() and key.isascii() for key in keys) and len({int(key) for key in keys}) == len(keys):
        return [int(key) for key in keys]
    return list(range(len(keys)))


class InternArray(VolumeArray):
    """A VolumeArray that answers to intern's names too. Brackets are numpy's: no axis of extent 1 is dropped."""

    __slots__ = ()

    def in_order(self, axis_order: str) -> InternArray:
        """The same voxels with the axes in intern's way of saying it: "ZYX", "XYZ" …; others stay in front.

        Raises:
            InvalidArgument: for what is no order of z, y and x, or of all axes.
        """
        said = axis_order.lower()
        order = said if len(said) == self.ndim else self.axes.removesuffix("zyx") + said
        if sorted(order) != sorted(self.axes):
            raise InvalidArgument(f"{axis_order!r} is no order of the axes {self.axes.upper()}", 'say "ZYX" or "XYZ"')
        return InternArray._of(self.as_axes(order)._binding)

    @property
    def voxel_size(self) -> tuple[float, ...] | None:
        """Nanometres of a voxel of this scale, in the order of z, y and x in `axes`; None where unknown."""
        size = self.voxel_size_nm
        return None if size is None else tuple(getattr(size, axis) for axis in self.axes if axis in "zyx")

    @property
    def voxel_unit(self) -> str:
        """Always "nanometers", whatever unit the store keeps."""
        return "nanometers"

    @property
    def resolution(self) -> int:
        """What `voxgate.array(…, resolution=…)` calls the scale that is shown."""
        return self.available_resolutions[self.scale_index]

    @property
    def available_resolutions(self) -> list[int]:
        """What `voxgate.array(…, resolution=…)` takes."""
        return resolutions_of(self.scales)

    @property
    def downsample_status(self) -> str:
        """How far the store is with computing coarser levels, in BossDB's words.

        Raises:
            MissingCapability: when it computes none.
        """
        return _STATUS[self.downsampling()]

    @property
    def collection_name(self) -> str:
        """The last but two part of the name; empty where there is none."""
        return self._part(-3)

    @property
    def experiment_name(self) -> str:
        """The last but one part of the name; empty where there is none."""
        return self._part(-2)

    @property
    def channel_name(self) -> str:
        """The last part of the name; empty for a remote that is itself a volume."""
        return self._part(-1)

    def _part(self, index: int) -> str:
        segments = VolumeName.parse(self.name).segments
        return segments[index] if len(segments) >= -index else ""
