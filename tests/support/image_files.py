"""Volumes that tifffile and Pillow write, and opening them without a registry."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import tifffile
from PIL import Image

from voxgate.model.geometry import Vec3, VoxelSize
from voxgate.model.volumes import OpenOptions, Volume, VolumeKind
from voxgate_remotes.config import VolumeOverrides
from voxgate_remotes.folders import LocalFolder
from voxgate_remotes.guard import PathGuard
from voxgate_remotes.images import ImageStackFormat, TiffFormat
from voxgate_remotes.tensorstores import Tuning
from voxgate_remotes.testing import ScaleFacts, VolumeCase

OFFSET = (-5, 20, 3)
STATED = VolumeOverrides(voxel_offset=OFFSET)


def noise(shape, dtype, seed=0):
    """Numbers over the whole range of a dtype, the extremes included."""
    random = np.random.default_rng(seed)
    dtype = np.dtype(dtype)
    if dtype.kind == "f":
        return random.normal(0, 1e6, shape).astype(dtype)
    limits = np.iinfo(dtype)
    numbers = random.integers(limits.min, limits.max, shape, dtype.newbyteorder("="), endpoint=True).astype(dtype)
    numbers.flat[0], numbers.flat[-1] = limits.max, limits.min
    return numbers


def open_tiff(path: Path, options: OpenOptions | None = None, inner=(), overrides=STATED) -> Volume:
    opened = TiffFormat().open(path, inner, overrides)
    return opened.bind(opened.info, options or OpenOptions())


def open_stack(folder: Path, options: OpenOptions | None = None, overrides=STATED) -> Volume:
    opened = ImageStackFormat().open(LocalFolder(folder, PathGuard(folder)), Tuning(), overrides)
    return opened.bind(opened.info, options or OpenOptions())


def case(
    open_volume: Callable[[OpenOptions], Volume], voxels, *, axes="zyx", times=1, time=None, size=None, **more
) -> VolumeCase:
    """A case of (c, z, y, x) voxels at OFFSET."""
    facts = ScaleFacts(voxels=voxels, start=Vec3(*OFFSET), voxel_size_nm=VoxelSize(*size) if size else None)
    return VolumeCase(
        open=lambda options: open_volume(replace(options, time_index=time)),
        scales=(facts,),
        kind=more.get("kind", VolumeKind.UNKNOWN),
        axes=axes,
        time_count=times,
    )


def slices_of_tiff(folder: Path, voxels, **options) -> Path:
    """(z, y, x[, samples]) voxels as numbered files, not padded: img8.tif to img12.tif."""
    folder.mkdir(parents=True)
    for number, plane in enumerate(voxels, start=8):
        tifffile.imwrite(folder / f"img{number}.tif", plane, **options)
    return folder


def slices_by_pillow(folder: Path, voxels, ending: str, **options) -> Path:
    """The same by Pillow."""
    folder.mkdir(parents=True)
    for number, plane in enumerate(voxels, start=8):
        Image.fromarray(plane).save(folder / f"img{number}.{ending}", **options)
    return folder
