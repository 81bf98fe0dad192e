"""The array over any Volume, local or remote: numpy's basic indexing, physical coordinates, segments and meshes."""

from __future__ import annotations

import operator
from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import numpy.typing as npt

from voxgate.client import physical, writing
from voxgate.client.binding import Binding, Reopen
from voxgate.client.indexing import parse_basic_index
from voxgate.client.meshed import scale_index_of
from voxgate.client.physical import Choice, Points, Triple
from voxgate.client.remote_versions import Deletes
from voxgate.client.versioned import VersionedArray
from voxgate.model.errors import FailedPrecondition, InvalidArgument, MissingCapability, OutOfBounds
from voxgate.model.geometry import Box, Vec3, VoxelSize
from voxgate.model.volumes import Volume


class VolumeArray(VersionedArray):
    """A volume as an array. Nothing is read before it is indexed, and nothing about an array can be changed.

    Two kinds of coordinates, never mixed:

    - Brackets, `em[10:60, 5:77]`, are numpy's: they start at 0, in the order of `axes` ("zyx" unless asked otherwise).
    - Everything named is global and in the order **x, y, z**: boxes and points in voxels of one scale, counted from
      the volume's own origin (`bounds.start` is index 0), and everything that ends in `_nm` in nanometres.

    Attributes and methods follow numpy where numpy has them. The object is bound to one version, one scale and one
    time; `scale`, `at_resolution`, `as_axes` and `sel` answer new objects.
    """

    __slots__ = ()

    def __init__(self, volume: Volume, *, scale: int | str = 0, reopen: Reopen | None = None) -> None:
        """Wrap a volume.

        Args:
            volume: any Volume. Of one with a time axis, the object shows the time it was opened at.
            scale: the scale to show, by index or key.
            reopen: opens the same volume at another time index. With it, an array over a volume with a time axis has
                the axis "t", and `volume` itself serves for its description only.
        """
        info = volume.info
        has_time = "t" in info.axes and reopen is not None
        axes = info.axes if has_time else info.axes.replace("t", "")
        unscaled = Binding(volume, 0, axes, reopen=reopen if has_time else None)
        self._binding = replace(unscaled, scale=scale_index_of(unscaled, scale))

    # Other views

    def scale(self, scale: int | str) -> VolumeArray:
        """The same volume at another scale, by index or key.

        Raises:
            UnknownScale: when there is none.
        """
        return self._of(replace(self._binding, scale=scale_index_of(self._binding, scale)))

    def at_resolution(self, voxel_size_nm: Triple, *, choose: Choice = "exact") -> VolumeArray:
        """The same volume at the scale of this voxel size.

        Args:
            voxel_size_nm: x, y, z in nanometres.
            choose: "exact"; "finer": the coarsest scale that is nowhere coarser than asked; "coarser": the finest that
                is nowhere finer; "nearest". Scales of unknown voxel size are passed over.

        Raises:
            UnknownScale: when no scale answers; says which there are.
        """
        return self.scale(physical.pick_scale(self.scales, voxel_size_nm, choose))

    def as_axes(self, axes: str) -> VolumeArray:
        """The same voxels with the axes in another order: `as_axes("xyz")`. Results are transposed views, not copies.

        Raises:
            InvalidArgument: unless `axes` is a permutation of this array's axes.
        """
        if sorted(axes) != sorted(self.axes):
            raise InvalidArgument(f"{axes!r} is not an order of the axes {self.axes!r}", "drop an axis with sel()")
        return self._of(replace(self._binding, axes=axes))

    def sel(self, *, channel: int | str | None = None, time: int | None = None) -> VolumeArray:
        """Bind a channel (by index or name), a time (by index) or both; the axis disappears.

        Raises:
            InvalidArgument: when the array has no such axis (any more).
            OutOfBounds: when there is no such channel or time.
        """
        binding = self._binding
        if channel is not None:
            self._need_axis("c", "channel")
            binding = replace(binding, channel=self._channel(channel), axes=binding.axes.replace("c", ""))
        if time is not None:
            self._need_axis("t", "time")
            index = _index_within(time, self.info.time_count, "time")
            volume = binding.reopen(index) if binding.reopen else binding.volume
            binding = replace(binding, volume=volume, reopen=None, axes=binding.axes.replace("t", ""))
        return self._of(binding)

    def _need_axis(self, axis: str, what: str) -> None:
        if axis not in self.axes:
            why = "is bound already" if axis in self.info.axes else "does not exist in the store"
            raise InvalidArgument(f"{what} cannot be chosen: the axis {axis!r} {why}", f"the axes are {self.axes!r}")

    def _channel(self, channel: int | str) -> int:
        names = [each.name for each in self.info.channels]
        if not isinstance(channel, str):
            return _index_within(channel, len(names), "channel")
        if names.count(channel) != 1:
            problem = "names no channel" if channel not in names else "names several channels"
            raise OutOfBounds(f"{channel!r} {problem}", f"there are {names}; give an index where names are not enough")
        return names.index(channel)

    # Reading

    def __getitem__(self, index: Any) -> Any:
        """Read with numpy's basic indexing: exactly the answer of the same index on the whole array.

        Of "z", "y" and "x", a step reads everything that it spans; single channels and times are read alone.

        Raises:
            IndexError: where numpy raises it.
            TypeError: for boolean masks and integer arrays.
        """
        parsed = parse_basic_index(index, self.shape, exact=[i for i, axis in enumerate(self.axes) if axis in "ct"])
        if parsed.is_empty:
            return np.empty(parsed.shape, self.dtype)[parsed.local]
        at = self._binding.ranges(parsed.covering)
        origin = self.bounds.start
        box = Box(
            Vec3(at["x"].start, at["y"].start, at["z"].start) + origin,
            Vec3(at["x"].stop, at["y"].stop, at["z"].stop) + origin,
        )
        channels = list(at["c"]) if "c" in at else self._binding.channels
        block = self._binding.load(box, scale=self.scale_index, channels=channels, times=at.get("t", ()))
        result = block[parsed.local]
        # A strided view would keep everything it spans in memory.
        return result.copy(order="K") if parsed.strided else result

    def read(
        self,
        box: Box | None = None,
        *,
        start_nm: Triple | None = None,
        stop_nm: Triple | None = None,
        scale: int | str | None = None,
        channels: Sequence[int | str] | None = None,
        out: npt.NDArray[Any] | None = None,
    ) -> npt.NDArray[Any]:
        """Read a box of global coordinates.

        Args:
            box: in voxels of the scale that is read; or give `start_nm` and `stop_nm` instead.
            start_nm: x, y, z in nanometres; the box is grown to whole voxels.
            stop_nm: x, y, z in nanometres, itself outside.
            scale: another scale than this array's, by index or key.
            channels: which channels, in this order, by index or name; all when not given.
            out: an array of the result's axes, shape and dtype (any strides) to fill and return; when a read fails in
                the middle, parts of it are filled.

        Returns:
            Array with the axes of this array, in its dtype.

        Raises:
            EmptyBox, OutOfBounds, UnknownScale: for a bad box.
            InvalidArgument: for neither or both kinds of box, or channels where the axis is bound.
            FailedPrecondition: for nanometres where the voxel size is unknown.
            ShapeMismatch, DataTypeMismatch: for a bad `out`.
        """
        shown = self if scale is None else self.scale(scale)
        if box is None and start_nm is not None and stop_nm is not None:
            box = shown.box_between(start_nm, stop_nm)
        elif box is None or start_nm is not None or stop_nm is not None:
            raise InvalidArgument("give either a box or both start_nm and stop_nm", "read(em.bounds) reads everything")
        chosen = self._binding.channels
        if channels is not None:
            self._need_axis("c", "channels")
            chosen = [self._channel(channel) for channel in channels]
        times = range(self.info.time_count) if "t" in self.axes else ()
        return self._binding.load(box, scale=shown.scale_index, channels=chosen, times=times, out=out)

    def around(self, point_nm: Triple, size_nm: Triple | float) -> npt.NDArray[Any]:
        """Read the box of about `size_nm` whose middle voxel contains a point; see `box_around` for which that is.

        Args:
            point_nm: x, y, z in nanometres.
            size_nm: the full extent along x, y, z in nanometres, or one number for all.

        Raises:
            OutOfBounds: when the box sticks out; cut it with `box_around(…).intersection(bounds)`.
        """
        return self.read(self.box_around(point_nm, size_nm))

    def __array__(self, dtype: npt.DTypeLike | None = None, copy: bool | None = None) -> npt.NDArray[Any]:
        """Read everything, for `np.asarray`."""
        if copy is False:
            raise ValueError("reading a volume always makes a new array; leave copy=False out")
        whole: npt.NDArray[Any] = self[...]
        return whole if dtype is None else whole.astype(dtype, copy=False)

    def __len__(self) -> int:
        return self.shape[0]

    def __iter__(self) -> Iterator[Any]:
        """Read along the first axis, one position at a time."""
        return (self[i] for i in range(len(self)))

    # Coordinates

    def _known_voxel_size(self) -> VoxelSize:
        size = self.voxel_size_nm
        if size is None:
            raise FailedPrecondition(
                f"the voxel size of {self.name or 'the volume'} is unknown",
                "use voxels, or state voxel_size_nm in the remote's configuration",
            )
        return size

    def to_voxels(self, points_nm: Points) -> npt.NDArray[np.int64]:
        """The voxel of this scale that contains each point.

        Args:
            points_nm: x, y, z in nanometres, array-like of shape (3,) or (n, 3), such as a mesh's vertices.

        Returns:
            int64 array of the same shape, columns x, y, z, global coordinates; it may lie outside of `bounds`.
        """
        return physical.floor_voxels(points_nm, self._known_voxel_size())

    def to_nm(self, points: Points, *, center: bool = False) -> npt.NDArray[np.float64]:
        """Where voxel coordinates of this scale are: voxel i spans [i * size, (i + 1) * size).

        Args:
            points: x, y, z in voxels, array-like of shape (3,) or (n, 3), fractions allowed.
            center: answer the middle of each voxel instead of its low corner.

        Returns:
            float64 array of the same shape, columns x, y, z, nanometres.
        """
        size = np.array(tuple(self._known_voxel_size()))
        nm: npt.NDArray[np.float64] = (physical.as_points(points) + (0.5 if center else 0.0)) * size
        return nm

    def box_between(self, start_nm: Triple, stop_nm: Triple) -> Box:
        """The smallest box of voxels of this scale that contains [start_nm, stop_nm), x, y, z in nanometres."""
        return physical.box_between(start_nm, stop_nm, self._known_voxel_size())

    def box_around(self, point_nm: Triple, size_nm: Triple | float) -> Box:
        """The box that `around` reads: its shape depends on `size_nm` alone, so that reads around points stack."""
        return physical.box_around(point_nm, size_nm, self._known_voxel_size())

    # Writing

    def write(self, box: Box, voxels: npt.ArrayLike) -> None:
        """Write a box of this scale, zeros included.

        Args:
            box: global coordinates.
            voxels: array with the axes of this array, of exactly its dtype; every channel.

        Raises:
            ReadOnly: when the volume takes no writes.
            DataTypeMismatch, ShapeMismatch: nothing is cast or broadcast silently.
            OutOfBounds, EmptyBox, UnalignedWrite: for a box that cannot be written.
        """
        writing.write(self._binding, box, np.asarray(voxels))

    def __setitem__(self, index: Any, value: Any) -> None:
        """Write with numpy's basic indexing, steps of 1 and -1 only; what is smaller is broadcast, a number fills.

        Raises:
            ReadOnly: when the volume takes no writes.
            DataTypeMismatch: for an array of another dtype; nothing is cast.
            IndexError, ValueError, OverflowError: where numpy raises them.
            TypeError: for another step, a boolean mask or an integer array.
            PartialWriteError: when a part was written; says which was not.
        """
        writing.assign(self._binding, index, value)

    def delete(self) -> None:
        """Delete the volume for good, voxels and metadata, all its scales and versions.

        Raises:
            ReadOnly: unless its operator allows it.
            UnknownVolume: when it is deleted already.
            MissingCapability: where the store's volumes cannot be deleted.
            StoreRefused: when the store keeps it, e.g. because another volume lies within.
        """
        deletes = self.volume.capability(Deletes)
        if deletes is None:
            raise MissingCapability(f"{self.name or 'the volume'} cannot be deleted from here")
        deletes.delete()


def _index_within(index: int, count: int, what: str) -> int:
    number = operator.index(index)
    if not 0 <= number < count:
        raise OutOfBounds(f"there is no {what} {number}", f"give 0 to {count - 1}")
    return number
