"""What an array says of itself, to programs and to people."""

from __future__ import annotations

import html
import math
from collections.abc import Iterable
from typing import Any

import numpy as np

from voxgate.client.binding import Binding
from voxgate.client.physical import Triple
from voxgate.client.viewing import View, Viewable, view_url
from voxgate.model.geometry import Box, VoxelSize
from voxgate.model.meshes import MeshSource
from voxgate.model.segment_properties import SegmentProperties
from voxgate.model.segments import SegmentIdReservation, SegmentIndex, Supervoxels
from voxgate.model.volumes import (
    Channel,
    Scale,
    Volume,
    VolumeInfo,
    VolumeKind,
    Writable,
)


def capability_names(volume: Volume) -> tuple[str, ...]:
    """What a volume can do, in words."""
    powers: tuple[tuple[str, type[Any]], ...] = (
        ("write", Writable),
        ("segments", SegmentIndex),
        ("meshes", MeshSource),
        ("supervoxels", Supervoxels),
        ("reserve_ids", SegmentIdReservation),
        ("properties", SegmentProperties),
    )
    return ("read", *(word for word, kind in powers if volume.capability(kind) is not None))


def size_text(size: VoxelSize | None) -> str:
    """A voxel size for people, x, y, z."""
    return f"{' x '.join(f'{s:g}' for s in size)} nm" if size else "unknown"


def as_text(binding: Binding) -> str:
    """One line."""
    info, level = binding.info, binding.level
    extents = ", ".join(f"{axis}={extent}" for axis, extent in zip(binding.axes, binding.shape, strict=True))
    name = f"{info.name}@{info.resolved_version}" if info.resolved_version else info.name
    return (
        f"<VolumeArray {name or '(unnamed)'} ({extents}) {info.dtype} {info.kind.value},"
        f" scale {binding.scale} of {len(info.scales)}, voxel {size_text(level.voxel_size_nm)}, bounds {level.bounds}>"
    )


def as_html(binding: Binding) -> str:
    """A small table, for notebooks."""
    info, level = binding.info, binding.level
    rows = {
        "volume": info.name or "(unnamed)",
        "version": info.resolved_version or "-",
        "kind": info.kind.value,
        "axes": binding.axes,
        "shape": " x ".join(str(extent) for extent in binding.shape),
        "dtype": str(info.dtype),
        "scale": f"{binding.scale} of {len(info.scales)} (key {level.key!r})",
        "voxel size (x, y, z)": size_text(level.voxel_size_nm),
        "bounds": str(level.bounds),
    }
    cells = "".join(f"<tr><th>{html.escape(k)}</th><td>{html.escape(v)}</td></tr>" for k, v in rows.items())
    return f"<table>{cells}</table>"


class DescribedArray:
    """The part of VolumeArray that reads no voxels: its description."""

    __slots__ = ("_binding",)
    _binding: Binding

    @property
    def info(self) -> VolumeInfo:
        """The volume's description, all of it."""
        return self._binding.info

    @property
    def volume(self) -> Volume:
        """The volume that is wrapped."""
        return self._binding.volume

    @property
    def name(self) -> str:
        """The volume's name, "remote/path", without its version."""
        return self.info.name

    @property
    def kind(self) -> VolumeKind:
        """What the voxels mean."""
        return self.info.kind

    @property
    def axes(self) -> str:
        """The name of each axis, slowest first: "zyx", "czyx", "tzyx" or "tczyx", less what `sel` bound."""
        return self._binding.axes

    @property
    def shape(self) -> tuple[int, ...]:
        """The extents, in the order of `axes`."""
        return self._binding.shape

    @property
    def ndim(self) -> int:
        """The number of axes."""
        return len(self.axes)

    @property
    def size(self) -> int:
        """The number of elements."""
        return math.prod(self.shape)

    @property
    def dtype(self) -> np.dtype[Any]:
        """The voxels' type."""
        return self.info.dtype

    @property
    def nbytes(self) -> int:
        """The size of all voxels of this scale in memory, bytes."""
        return self.size * self.dtype.itemsize

    @property
    def channels(self) -> tuple[Channel, ...]:
        """The channels along the axis "c", or the one that `sel` bound; empty where the store has no channels."""
        bound = self._binding.channel
        return self.info.channels if bound is None else (self.info.channels[bound],)

    @property
    def scales(self) -> tuple[Scale, ...]:
        """Every scale of the volume, as the store states them."""
        return self.info.scales

    @property
    def scale_index(self) -> int:
        """The index in `scales` of the scale that is shown."""
        return self._binding.scale

    @property
    def voxel_size_nm(self) -> VoxelSize | None:
        """The size of a voxel of this scale, named x, y, z, whatever the order of `axes`; None where unknown."""
        return self._binding.level.voxel_size_nm

    @property
    def bounds(self) -> Box:
        """The voxels that exist at this scale, global coordinates: index 0 of each axis is `bounds.start`."""
        return self._binding.level.bounds

    @property
    def capabilities(self) -> tuple[str, ...]:
        """What the volume can do: "read", "write", "segments", "meshes", "supervoxels", "reserve_ids", "properties"."""
        return capability_names(self.volume)

    def view(
        self,
        *,
        segments: Iterable[int] | str = (),
        position_nm: Triple | None = None,
        gateway: str = "",
        height_px: int = 600,
    ) -> View:
        """Look at the volume in neuroglancer: a frame in a notebook, an address to open elsewhere.

        Args:
            segments: ids to show in 3-D, too; "some" for the largest in the middle.
            position_nm: x, y, z of the middle of the view, nanometres; None for the middle of the volume.
            gateway: the gateway as your browser reaches it, such as "/user/x/proxy/8080" in a notebook of JupyterHub;
                else what the server says.
            height_px: of the frame.

        Raises:
            FailedPrecondition: where nobody says where the gateway is.
            InvalidArgument: for something that is no id or no position.
        """
        url = self.neuroglancer_url(segments=segments, position_nm=position_nm, gateway=gateway)
        return View(url, height_px)

    def neuroglancer_url(
        self, *, segments: Iterable[int] | str = (), position_nm: Triple | None = None, gateway: str = ""
    ) -> str:
        """The address that opens the volume in the gateway's neuroglancer; see `view`."""
        viewable = self.volume.capability(Viewable)
        told = viewable.gateway_url if viewable is not None else ""
        return view_url(self.info, gateway or told, segments, position_nm)

    def __repr__(self) -> str:
        return as_text(self._binding)

    def _repr_html_(self) -> str:
        return as_html(self._binding)
