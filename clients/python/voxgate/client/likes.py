"""What a transfer would create, in another format than the destination's own."""

from __future__ import annotations

from voxgate.model.errors import InvalidArgument
from voxgate.model.geometry import Box
from voxgate.model.jobs import TransferSpec
from voxgate.model.volumes import ScaleSpec, VolumeInfo, VolumeSpec


def spec_like(info: VolumeInfo, asked: TransferSpec, format_name: str) -> VolumeSpec:
    """The volume that a transfer copies into, in a format of its own; voxel sizes are left to the server.

    Args:
        info: of the source.
        asked: which part of it is copied and where to.
        format_name: "precomputed", "zarr2" or "zarr3".

    Raises:
        InvalidArgument: for a part of several scales, whose coarser bounds only the server computes.
    """
    chosen = asked.scales or tuple(range(len(info.scales)))
    if asked.pyramid is not None:
        chosen = chosen[:1]
    moved = asked.box is not None or asked.destination_start is not None
    if moved and len(chosen) != 1:
        raise InvalidArgument(
            "a format and a box or place together are for one scale", "choose one scale, or leave the format out"
        )
    scales = [ScaleSpec(_placed(info.scales[index].bounds, asked)) for index in chosen]
    channels = info.channels
    if asked.channels:
        channels = tuple(channels[index] for index in asked.channels) if channels else channels
    dtype = asked.dtype or info.dtype
    fill = info.fill_value if dtype == info.dtype else 0
    return VolumeSpec(dtype, info.kind, tuple(scales), channels, fill, format_name)


def _placed(bounds: Box, asked: TransferSpec) -> Box:
    box = asked.box or bounds
    return box if asked.destination_start is None else box.shifted(asked.destination_start - box.start)
