"""Zarr arrays and OME groups written by zarr-python, for tests of the adapter."""

import numpy as np
import zarr

from voxgate.model.geometry import Box, Vec3

SHAPE = (11, 14, 19)  # z, y, x
BOX = Box.of(x=(3, 18), y=(1, 13), z=(2, 9))
"""Inside of an array of SHAPE at offset 0; cuts chunks on every side."""


def ids(shape, dtype="uint64"):
    """Distinct numbers that fill the dtype's range from the top: a swap of axes or bytes shows."""
    count = int(np.prod(shape))
    top = np.iinfo(dtype).max
    numbers = top - np.arange(count, dtype=np.uint64) % np.uint64(top)
    return numbers.astype(dtype).reshape(shape)


def cut(array, box=BOX):
    return array[(..., *box.slices_zyx(Vec3(0, 0, 0)))]


def bare(folder, array, **options):
    options = {"chunks": (4, 5, 6), "zarr_format": 3, **options}
    store = zarr.create_array(folder, shape=array.shape, dtype=array.dtype, **options)
    store[...] = array
    return store


def multiscale(folder, levels, axes="zyx", *, version="0.5", unit="nanometer", **more):
    """An OME-NGFF group as zarr-python writes it: `levels` are (array, scale, translation or None)."""
    group = zarr.open_group(folder, mode="w", zarr_format=3 if version == "0.5" else 2)
    types = {"c": "channel", "t": "time"}
    described = [{"name": name, "type": types.get(name, "space")} for name in axes]
    for axis in described:
        if axis["type"] == "space" and unit:
            axis["unit"] = unit
    datasets = []
    for index, (array, scale, translation) in enumerate(levels):
        chunks = tuple(min(n, c) for n, c in zip(array.shape, (1, 2, 4, 5, 6)[-array.ndim :], strict=True))
        group.create_array(str(index), shape=array.shape, dtype=array.dtype, chunks=chunks)[...] = array
        transforms = [{"type": "scale", "scale": list(scale)}]
        if translation is not None:
            transforms.append({"type": "translation", "translation": list(map(float, translation))})
        datasets.append({"path": str(index), "coordinateTransformations": transforms})
    image = {"axes": described, "datasets": datasets}
    if version == "0.5":
        group.attrs["ome"] = {"version": version, "multiscales": [image], **more}
    else:
        group.attrs["multiscales"] = [{"version": version, **image}]
        for key, value in more.items():
            group.attrs[key] = value
