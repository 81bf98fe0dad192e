"""Readers that are not ours, to compare with: tensorstore on the sample's files, zarr-python on what was written."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import tensorstore as ts
import zarr

from tools.demo_suite import DemoFailed
from voxgate import Box

Array = npt.NDArray[Any]


def read_precomputed(folder: Path, scale: int, bounds: Box | None = None) -> Array:
    """A box (everything without one) of a precomputed volume as tensorstore reads it: array of shape (z, y, x)."""
    spec = {"driver": "neuroglancer_precomputed", "kvstore": f"file://{folder}/", "scale_index": scale}
    store = ts.open(spec, read=True).result()[..., 0]
    if bounds is not None:
        store = store[tuple(slice(*span) for span in zip(bounds.start, bounds.stop, strict=True))]
    voxels: Array = store.read().result().transpose()
    return voxels


def read_sharded_zarr(folder: Path) -> list[Array]:
    """Every level of an OME-Zarr as zarr-python reads it, finest first: arrays of shape (z, y, x).

    Raises:
        DemoFailed: unless the group is Zarr v3 with OME multiscales and every level is sharded.
    """
    group = zarr.open_group(folder, mode="r", zarr_format=3)
    ome: Any = group.attrs.get("ome")
    if not ome:
        raise DemoFailed("the copy has no OME metadata")
    levels = []
    for dataset in ome["multiscales"][0]["datasets"]:
        array = group[dataset["path"]]
        if not isinstance(array, zarr.Array) or array.shards is None:
            raise DemoFailed(f"level {dataset['path']} of the copy is not sharded")
        levels.append(np.asarray(array[...]))
    return levels


def same_voxels(what: str, ours: Array, reference: Array) -> int:
    """The number of voxels that were compared.

    Raises:
        DemoFailed: when shape, number type or any voxel differs; says how many and where the first is.
    """
    if ours.shape != reference.shape or ours.dtype != reference.dtype:
        raise DemoFailed(
            f"{what}: {ours.dtype} {ours.shape} was answered, the reference has {reference.dtype} {reference.shape}"
        )
    different = np.flatnonzero(ours.ravel() != reference.ravel())
    if different.size:
        first = tuple(map(int, np.unravel_index(different[0], ours.shape)))
        raise DemoFailed(f"{what}: {different.size} of {ours.size} voxels differ, the first at {first} (z, y, x)")
    return ours.size


def require(holds: object, otherwise: str) -> None:
    """Go on only if `holds`.

    Raises:
        DemoFailed: with the message `otherwise`.
    """
    if not holds:
        raise DemoFailed(otherwise)
