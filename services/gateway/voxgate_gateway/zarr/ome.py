"""OME-NGFF attributes of an image: axes, levels, where they lie, and what channels are called.

Formats: ngff.openmicroscopy.org, 0.4 (in Zarr v2) and 0.5 (in Zarr v3). What they have no place for is in a `voxgate`
attribute, which readers other than voxgate pass over. A segmentation is no `image-label`: that names the labels of an
image two folders above, and napari's plug-in fails to open one that has none at an address.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from voxgate.model.volumes import Channel, Scale
from voxgate_gateway.zarr.image import Image

Json = dict[str, Any]

_WHITE = "FFFFFF"


def group_attributes(image: Image, version: str) -> Json:
    """The attributes of the group, as 0.5 keeps them under `ome` and 0.4 on top.

    Args:
        image: the volume.
        version: "0.4" or "0.5".
    """
    inside = {"version": version} if version == "0.4" else {}
    multiscale = {**inside, "name": image.info.name, "axes": _axes(image), "datasets": _datasets(image)}
    found: Json = {"multiscales": [multiscale]}
    omero = omero_of(image.info.channels, image.info.dtype)
    if omero is not None:
        found["omero"] = {**inside, **omero}
    return found


def array_attributes(image: Image, level: Scale) -> Json:
    """The `voxgate` attribute of a level's array: kind, voxel offset (x, y, z), and voxel size in nm where known."""
    ours: Json = {"kind": image.info.kind.value, "voxel_offset": list(level.bounds.start)}
    if level.voxel_size_nm is not None:
        ours["voxel_size_nm"] = [float(size) for size in level.voxel_size_nm]
    return {"voxgate": ours}


def _axes(image: Image) -> list[Json]:
    unit = {"unit": "nanometer"} if _sizes_are_known(image) else {}
    space: list[Json] = [{"name": name, "type": "space", **unit} for name in "zyx"]
    return [{"name": "c", "type": "channel"}, *space] if "c" in image.axes else space


def _sizes_are_known(image: Image) -> bool:
    return all(level.voxel_size_nm is not None for level in image.levels)


def _size(image: Image, level: Scale) -> tuple[float, ...]:
    """The extent of a voxel, z, y, x: in nm, or in voxels of the finest level where no unit is known.

    The format demands a scale in any case; without a unit it is guessed from the extents.
    """
    if _sizes_are_known(image) and level.voxel_size_nm is not None:
        return tuple(map(float, level.voxel_size_nm.zyx))
    extents = zip(image.levels[0].bounds.shape.zyx, level.bounds.shape.zyx, strict=True)
    return tuple(float(max(1, round(a / b))) for a, b in extents)


def _datasets(image: Image) -> list[Json]:
    """Each level's transformations: index to nanometres.

    The finest level's voxel 0 is at offset * size. A coarser one's is at the centre of its voxel 0 if that of the
    finest is at a centre: neuroglancer and napari place voxels by their centres, and levels that are placed by their
    corners would lie (size - finest size) / 2 beside one another there.
    """
    lead = [1.0] if "c" in image.axes else []
    finest = _size(image, image.levels[0])
    datasets = []
    for index, level in enumerate(image.levels):
        size = _size(image, level)
        starts = zip(level.bounds.start.zyx, size, finest, strict=True)
        translation = [start * here + (here - first) / 2 for start, here, first in starts]
        transforms = [
            {"type": "scale", "scale": [*lead, *size]},
            {"type": "translation", "translation": [*(0.0 for _ in lead), *translation]},
        ]
        datasets.append({"path": str(index), "coordinateTransformations": transforms})
    return datasets


def omero_of(channels: tuple[Channel, ...], dtype: np.dtype[Any]) -> Json | None:
    """The `omero` metadata of channels; None where nothing is known of any.

    The format demands a colour and a window of each: what is not known is white, and all values of the type (0 to 1
    for floats), and named in the channel's `voxgate:unknown`. `active` is left out: cloud-volume counts channels by it
    and then decodes chunks of one channel as if they held all.
    """
    if all(channel == Channel() for channel in channels):
        return None
    return {"channels": [_channel(channel, dtype) for channel in channels]}


def _channel(channel: Channel, dtype: np.dtype[Any]) -> Json:
    least, most = (0.0, 1.0) if dtype.kind == "f" else (int(np.iinfo(dtype).min), int(np.iinfo(dtype).max))
    low, high = channel.value_range or channel.window or (least, most)
    start, end = channel.window or (low, high)
    unknown = [name for name in ("window", "value_range", "color") if not getattr(channel, name)]
    return {
        "label": channel.name,
        "color": channel.color.removeprefix("#") or _WHITE,
        "window": {"start": start, "end": end, "min": low, "max": high},
        **({"voxgate:unknown": unknown} if unknown else {}),
    }
