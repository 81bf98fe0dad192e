"""Reading a large box piece by piece, straight into the output file."""

from __future__ import annotations

import math
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from voxgate.cli.progress import Meter
from voxgate.client.array import VolumeArray
from voxgate.model.geometry import Box, Vec3, aligned_outward, grid_cells
from voxgate.model.volumes import Scale

PIECE_BYTES = 32 << 20
"""About how much is read at a time: often enough to show progress, large enough to keep the server's chunks whole."""


def pieces(scale: Scale, box: Box, voxel_bytes: int, *, piece_bytes: int) -> Iterator[Box]:
    """Cut a box along the grid of stored chunks, so that no chunk is fetched twice.

    Args:
        scale: whose grid.
        box: what to cut, inside the scale.
        voxel_bytes: bytes of one voxel, all channels and times.
        piece_bytes: grow pieces from one chunk up to about this, along x first, then y, then z.
    """
    chunk, whole = scale.stored_chunk_shape, aligned_outward(box, scale.stored_chunk_shape, scale.grid_origin).shape
    budget = max(1, piece_bytes // (chunk.product * voxel_bytes))
    counts = []
    for extent, step in zip(whole, chunk, strict=True):
        along = min(extent // step, budget)
        counts.append(along)
        budget = max(1, budget // along)
    cell = Vec3(*[count * step for count, step in zip(counts, chunk, strict=True)])
    yield from grid_cells(box, cell, scale.grid_origin)


def stream(array: VolumeArray, box: Box, target: npt.NDArray[Any], meter: Meter) -> None:
    """Read a box into an array with the same axes, piece by piece.

    Args:
        array: what to read.
        box: inside its bounds.
        target: array of the box's shape in the order of `array.axes`.
        meter: called after each piece.
    """
    others = math.prod(extent for axis, extent in zip(array.axes, array.shape, strict=True) if axis in "tc")
    level = array.scales[array.scale_index]
    meter("read", 0, target.nbytes)
    done = 0
    for piece in pieces(level, box, others * array.dtype.itemsize, piece_bytes=PIECE_BYTES):
        z, y, x = piece.slices_zyx(box.start)
        cuts = {"z": z, "y": y, "x": x}
        part = target[tuple(cuts.get(axis, slice(None)) for axis in array.axes)]
        array.read(piece, out=part)
        done += part.nbytes
        meter("read", done, target.nbytes)


def shape_of(array: VolumeArray, box: Box) -> tuple[int, ...]:
    """The shape of a box in the order of the array's axes."""
    extents = dict(zip("xyz", box.shape, strict=True))
    return tuple(extents.get(axis, extent) for axis, extent in zip(array.axes, array.shape, strict=True))


def npy_target(path: Path, array: VolumeArray, shape: tuple[int, ...]) -> np.memmap[Any, Any]:
    """A .npy file as an array to fill; of reversed axes, in Fortran order, so that both are written front to back."""
    fortran_order = array.axes.index("x") < array.axes.index("z")
    target = np.lib.format.open_memmap(path, mode="w+", dtype=array.dtype, shape=shape, fortran_order=fortran_order)
    reserve(path)
    return target


def tif_target(path: Path, array: VolumeArray, shape: tuple[int, ...]) -> np.memmap[Any, Any]:
    """A TIFF file of grey pages as an array to fill, with its axes and, where it is known, its voxel size."""
    import tifffile  # noqa: PLC0415  (only TIFFs need it)

    size = array.voxel_size_nm
    target: np.memmap[Any, Any] = tifffile.memmap(
        path,
        shape=shape,
        dtype=array.dtype,
        photometric="minisblack",
        bigtiff=math.prod(shape) * array.dtype.itemsize > 1 << 31,
        metadata={"axes": array.axes.upper(), **({"spacing": size.z, "unit": "nm"} if size else {})},
        # Pixels per centimetre, of which a nanometre is 1e-7.
        resolution=(1e7 / size.x, 1e7 / size.y) if size else None,
        resolutionunit="CENTIMETER" if size else None,
    )
    reserve(path)
    return target


def reserve(path: Path) -> None:
    """Take the file's room on disk now: a disk that fills up under a mapped file would kill the process."""
    if hasattr(os, "posix_fallocate"):
        with path.open("r+b") as file:
            os.posix_fallocate(file.fileno(), 0, path.stat().st_size)
