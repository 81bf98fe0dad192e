"""Arrays of other libraries over a volume: dask and xarray, which read when they compute."""

from __future__ import annotations

import uuid
from dataclasses import replace
from typing import Any, Literal, Self

import numpy as np

from voxgate.client.binding import Binding
from voxgate.client.chunking import Chunks, chunk_extents
from voxgate.client.describing import DescribedArray
from voxgate.model.errors import InvalidArgument
from voxgate.model.extras import loaded


class LazilyViewedArray(DescribedArray):
    """The part of VolumeArray that hands it to other libraries unread."""

    __slots__ = ()

    @classmethod
    def _of(cls, binding: Binding) -> Self:
        made = cls.__new__(cls)
        made._binding = binding
        return made

    def to_dask(self, chunks: Chunks | None = None, *, scales: Literal["all"] | None = None) -> Any:
        """A dask array of the same axes, dtype and voxels, which reads chunk by chunk when it is computed.

        Args:
            chunks: extents, one for each axis, or by name of the axis, or one for z, y and x; each is rounded up to a
                multiple of the stored chunk, -1 is the whole axis. By default about 64 MiB. Edges lie between stored
                chunks, so that the first chunk is smaller where the bounds are unaligned.
            scales: "all" answers a list of every scale, largest first, as napari's `add_image(multiscale=True)` takes.

        Raises:
            Unimplemented: without the extra `voxgate[dask]`.
            InvalidArgument: for extents that are not positive or not one for each axis.
        """
        if scales is None:
            return self._to_dask(chunks)
        if scales != "all":
            raise InvalidArgument(f"scales={scales!r} is unknown", 'give "all", or choose one with scale()')
        views = [self._of(replace(self._binding, scale=index)) for index in range(len(self.scales))]
        return [view._to_dask(chunks) for view in sorted(views, key=lambda view: -view.size)]

    def _to_dask(self, chunks: Chunks | None) -> Any:
        return loaded("dask.array", "dask").from_array(
            self,
            chunks=chunk_extents(self._binding, chunks),
            # Never the same name twice: what a volume that can change held once may not be taken for what it holds.
            name=f"voxgate-{uuid.uuid4().hex}",
            fancy=False,
            meta=np.empty((0,) * self.ndim, self.dtype),
        )

    def to_xarray(self, chunks: Chunks | None = None) -> Any:
        """An `xarray.DataArray` over `to_dask()`, one dimension for each axis.

        Its coordinates "z", "y" and "x" are the centres of the voxels in nanometres, in the volume's own frame
        (attribute units = "nm"); they are left out where the voxel size is unknown. Its coordinate "c" has the
        channels' names where each has its own. Its attributes are name, kind, version, scale (the key),
        voxel_size_nm (x, y, z) and bounds_start (x, y, z, voxels).

        Args:
            chunks: as for `to_dask`.

        Raises:
            Unimplemented: without the extra `voxgate[xarray]`.
            InvalidArgument: as `to_dask`.
        """
        xarray = loaded("xarray", "xarray")
        return xarray.DataArray(
            self.to_dask(chunks), dims=tuple(self.axes), coords=self._coordinates(), name=self.name, attrs=self._facts()
        )

    def _coordinates(self) -> dict[str, Any]:
        coordinates: dict[str, Any] = {}
        size = self.voxel_size_nm
        if size is not None:
            facts = {"units": "nm", "long_name": "centre of the voxel"}
            spans = zip("xyz", self.bounds.start, self.bounds.stop, size, strict=True)
            coordinates = {axis: (axis, (np.arange(a, b) + 0.5) * step, facts) for axis, a, b, step in spans}
        names = [channel.name for channel in self.channels]
        if "c" in self.axes and all(names) and len(set(names)) == len(names):
            coordinates["c"] = ("c", names)
        return coordinates

    def _facts(self) -> dict[str, Any]:
        facts: dict[str, Any] = {
            "name": self.name,
            "kind": self.kind.value,
            "version": self.info.resolved_version,
            "scale": self._binding.level.key,
            "bounds_start": list(self.bounds.start),
        }
        if self.voxel_size_nm is not None:
            facts["voxel_size_nm"] = list(self.voxel_size_nm)
        return facts
