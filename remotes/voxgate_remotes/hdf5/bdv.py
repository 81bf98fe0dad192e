"""BigDataViewer's HDF5 files: one volume for each setup, with its scales and time points.

Format (imagej.net/plugins/bdv, "About the BigDataViewer data format"; bigdataviewer-core's Hdf5ImageLoader):
`/sNN/resolutions` has a row of factors x, y, z for each level, `/tNNNNN/sNN/L/cells` the voxels (z, y, x) of a time
point at level L. Where `/sNN` has no attribute `dataType`, 16-bit voxels are unsigned, though stored as signed ones.
Voxel size and the place of a setup are in the XML file beside it, which is not read: the operator states them.
"""

from __future__ import annotations

import math
import re
from typing import Any

import numpy as np

from voxgate.model.errors import MetadataInvalid, UnknownVolume
from voxgate.model.geometry import Vec3, VoxelSize
from voxgate.model.volumes import VolumeKind
from voxgate_remotes.config import VolumeOverrides
from voxgate_remotes.hdf5.datasets import Layer, stored_of
from voxgate_remotes.hdf5.documents import Description
from voxgate_remotes.hdf5.files import Object, described, find, is_dataset, is_group, names_in

_SETUP = re.compile(r"s\d{2,}")
_TIME = re.compile(r"t(\d{5,})")
_MANY_TIMES = 1_000_000
_LARGEST_FACTOR = 1 << 31


def is_setup(root: Object, path: tuple[str, ...]) -> bool:
    """Whether a path names a setup."""
    if len(path) != 1 or not _SETUP.fullmatch(path[0]):
        return False
    group = _found(root, path)
    return is_group(group) and is_dataset(_found(root, (*path, "resolutions")))


def is_part(root: Object, path: tuple[str, ...]) -> bool:
    """Whether a path lies in a time point of setups: those are volumes, their parts are not."""
    if not path or not _TIME.fullmatch(path[0]):
        return False
    setups = [path[1]] if len(path) > 1 else [name for name in names_in(root) if _SETUP.fullmatch(name)]
    return any(is_setup(root, (name,)) for name in setups)


def setup_of(root: Object, name: str, overrides: VolumeOverrides) -> Description:
    """The setup of a name.

    Raises:
        MetadataInvalid: when its levels or time points contradict one another.
        UnsupportedFormat, PathRefused: as of any dataset.
    """
    times = _times(root, name)
    first = find(root, (times[min(times)], name))
    levels = sorted((part for part in names_in(first) if part.isdecimal()), key=int)
    factors = _factors(root, name, len(levels))
    stated, start = overrides.voxel_size_nm, Vec3(*(overrides.voxel_offset or (0, 0, 0)))
    layers, sizes, exact = [], [], overrides.voxel_offset is not None
    for level, factor in zip(levels, factors, strict=True):
        ratio = [a / b for a, b in zip(factor, factors[0], strict=True)]
        offset = [place / by for place, by in zip(start, ratio, strict=True)]
        exact = exact and all(number == round(number) for number in offset)
        paths = {number: (time, name, level, "cells") for number, time in times.items()}
        stored = stored_of(find(root, paths[min(times)]))
        layers.append(Layer(paths, "zyx", stored, Vec3(*(math.floor(number) for number in offset))))
        sizes.append(None if stated is None else VoxelSize(*(s * r for s, r in zip(stated, ratio, strict=True))))
    if len({layer.stored.dtype for layer in layers}) != 1 or any(len(layer.stored.shape) != 3 for layer in layers):
        raise MetadataInvalid(f"the levels of setup {name} differ in type, or are not 3-D", "compare them with the XML")
    inferred = () if exact else ("voxel_offset",)
    return Description(
        layers=tuple(layers),
        sizes=tuple(sizes),
        dtype=_dtype(root, name, layers[0]),
        axes="tzyx",
        time_count=max(times) + 1,
        kind=VolumeKind.UNKNOWN,
        inferred=inferred,
    )


def _times(root: Object, name: str) -> dict[int, str]:
    """The names of the time points that a setup is stored at, by number."""
    numbered = [(int(match.group(1)), match.group()) for match in map(_TIME.fullmatch, names_in(root)) if match]
    found = {number: time for number, time in numbered if _found(root, (time, name, "0", "cells")) is not None}
    if not found or max(found) >= _MANY_TIMES:
        raise MetadataInvalid(f"setup {name} has no time points, or impossible ones", "restore the file")
    return found


def _factors(root: Object, name: str, count: int) -> list[list[float]]:
    """Factors x, y, z of each level."""
    with described(f"the resolutions of setup {name}"):
        dataset = find(root, (name, "resolutions"))
        rows = dataset[...].astype(float).tolist() if dataset.shape == (count, 3) else []
    if not rows or not all(1 <= number < _LARGEST_FACTOR for row in rows for number in row):
        raise MetadataInvalid(
            f"the resolutions of setup {name} are not x, y, z for each of its {count} levels", "restore the file"
        )
    return [[float(number) for number in row] for row in rows]


def _dtype(root: Object, name: str, layer: Layer) -> np.dtype[Any]:
    """What voxels are, which may be the unsigned type of the signed one that they are stored as."""
    stored = layer.stored.dtype.newbyteorder("<")
    with described(f"the attributes of setup {name}"):
        said = find(root, (name,)).attrs.get("dataType")
    said = said.decode(errors="replace") if isinstance(said, bytes) else said
    if stored == np.dtype("<i2") and said in (None, "uint16"):
        return np.dtype("<u2")
    if said not in (None, stored.name):
        raise MetadataInvalid(f"setup {name} says {str(said)[:20]!r} and has voxels of {stored}", "restore the file")
    return stored


def _found(root: Object, path: tuple[str, ...]) -> Object | None:
    try:
        return find(root, path)
    except UnknownVolume:
        return None
