"""Volumes as pictures: a numbered file for each z, written slab by slab, and OME-TIFF files to fill."""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from voxgate.cli.progress import Meter
from voxgate.cli.streaming import PIECE_BYTES, pieces, reserve
from voxgate.model.errors import InvalidArgument
from voxgate.model.geometry import Box, Vec3, grid_cells

if TYPE_CHECKING:
    from voxgate.client.array import VolumeArray

_PNG_BYTES = 256 << 20
_MOST_SLICES = 512
_IMAGEJ_TYPES = ("uint8", "uint16", "float32")
_CENTIMETRE_NM = 1e7


@dataclass(frozen=True, slots=True)
class Slices:
    """How pictures are written.

    Attributes:
        ending: "tif" or "png".
        channels: samples of each pixel.
        is_colours: they are red, green, blue and perhaps alpha.
    """

    ending: str
    channels: int
    is_colours: bool


def check_png(dtype: np.dtype[Any], channels: int, *, is_colours: bool) -> None:
    """Check that a PNG holds such pixels unchanged.

    Raises:
        InvalidArgument.
    """
    if dtype not in (np.dtype("u1"), np.dtype("<u2")):
        raise InvalidArgument(f"a PNG cannot hold {dtype} unchanged", "choose --format tif")
    if channels > 1 and not is_colours:
        raise InvalidArgument(f"a PNG cannot hold these {channels} channels", "choose --channel, or --format tif")


def write_slices(array: VolumeArray, box: Box, slices: Slices, folder: Path, meter: Meter) -> None:
    """Write a numbered picture for each z of a box: z0000.tif, z0001.tif.

    Slabs of stored chunks are read piece by piece into the files of their slices, so that no chunk is fetched twice and
    memory holds one piece; PNGs are compressed whole, so that memory holds a slab of about 256 MiB, or one slice.

    Args:
        array: with the axes zyx or czyx.
        box: inside its bounds.
        slices: how pictures are written.
        folder: where to.
        meter: called after each piece.
    """
    level = array.scales[array.scale_index]
    voxel_bytes = slices.channels * array.dtype.itemsize
    plane_bytes = box.shape.x * box.shape.y * voxel_bytes
    depth = min(level.stored_chunk_shape.z, _MOST_SLICES)
    if slices.ending == "png":
        depth = max(1, min(depth, _PNG_BYTES // plane_bytes))
    digits = max(4, len(str(box.shape.z - 1)))
    done, total = 0, plane_bytes * box.shape.z
    meter("export", 0, total)
    # Of a slab only z matters: its other corner is the box's, wherever the grid is.
    origin = Vec3(box.start.x, box.start.y, level.grid_origin.z)
    for slab in grid_cells(box, Vec3(box.shape.x, box.shape.y, depth), origin):
        first = slab.start.z - box.start.z
        paths = [folder / f"z{first + i:0{digits}}.{slices.ending}" for i in range(slab.shape.z)]
        targets = [_target(path, array, slab, slices) for path in paths]
        for piece in pieces(level, slab, voxel_bytes, piece_bytes=PIECE_BYTES):
            voxels = array.read(piece)
            z, y, x = piece.slices_zyx(slab.start)
            for target, plane in zip(targets[z], np.moveaxis(voxels, array.axes.index("z"), 0), strict=True):
                target[..., y, x] = plane
            done += voxels.nbytes
            meter("export", done, total)
        for path, target in zip(paths, targets, strict=True):
            _finish(path, target)


def _target(path: Path, array: VolumeArray, slab: Box, slices: Slices) -> npt.NDArray[Any]:
    """A picture to fill: an array of shape (y, x), or (c, y, x) with channels."""
    plane = (slab.shape.y, slab.shape.x)
    shape = (slices.channels, *plane) if "c" in array.axes else plane
    if slices.ending == "png":
        return np.empty(shape, array.dtype)
    return _tif_slice(path, array, shape, slices)


def _finish(path: Path, target: npt.NDArray[Any]) -> None:
    """Write what is not in its file yet."""
    if path.suffix == ".png":
        from PIL import Image  # noqa: PLC0415  (only PNGs need it)

        pixels = target if target.ndim == 2 else np.moveaxis(target, 0, -1)
        Image.fromarray(np.ascontiguousarray(pixels)).save(path, format="PNG")
        return
    base = target if isinstance(target, np.memmap) else target.base
    if isinstance(base, np.memmap):
        base.flush()


def _tif_slice(path: Path, array: VolumeArray, shape: tuple[int, ...], slices: Slices) -> npt.NDArray[Any]:
    import tifffile  # noqa: PLC0415  (only TIFFs need it)

    size = array.voxel_size_nm
    is_imagej = array.dtype.name in _IMAGEJ_TYPES and slices.channels == 1
    stored = (*shape[1:], shape[0]) if slices.is_colours and len(shape) == 3 else shape
    layout: dict[str, Any] = {"photometric": "rgb" if slices.is_colours else "minisblack"}
    if slices.channels > 1 and not slices.is_colours:
        layout["planarconfig"] = "separate"
    if slices.is_colours and slices.channels == 4:
        layout["extrasamples"] = ["unassalpha"]
    if size is not None:
        # ImageJ counts pixels for each of its units; TIFF itself has no unit smaller than a centimetre.
        per = (1 / size.x, 1 / size.y) if is_imagej else (_CENTIMETRE_NM / size.x, _CENTIMETRE_NM / size.y)
        layout |= {"resolution": per, "resolutionunit": "NONE" if is_imagej else "CENTIMETER"}
    target: npt.NDArray[Any] = tifffile.memmap(
        path,
        shape=stored,
        dtype=array.dtype,
        imagej=is_imagej,
        bigtiff=None if is_imagej else _is_big(stored, array.dtype),
        metadata={"spacing": size.z, "unit": "nm"} if size else {},
        **layout,
    )
    reserve(path)
    return np.moveaxis(target, -1, 0) if stored != shape else target


def ome_target(path: Path, array: VolumeArray, shape: tuple[int, ...]) -> np.memmap[Any, Any]:
    """An OME-TIFF as an array to fill, with its axes, names of channels and, where it is known, its voxel size.

    Raises:
        InvalidArgument: for 64-bit integers, which OME does not have.
    """
    import tifffile  # noqa: PLC0415  (only TIFFs need it)

    if array.dtype.kind in "iu" and array.dtype.itemsize == 8:
        raise InvalidArgument(f"an OME-TIFF cannot hold {array.dtype}", "export a folder of TIFF pictures")
    size = array.voxel_size_nm
    metadata: dict[str, Any] = {"axes": array.axes.upper()}
    if size is not None:
        for letter, length in zip("XYZ", size, strict=True):
            metadata |= {f"PhysicalSize{letter}": length, f"PhysicalSize{letter}Unit": "nm"}
    if "c" in array.axes and all(channel.name for channel in array.channels):
        metadata["Channel"] = {"Name": [channel.name for channel in array.channels]}
    target: np.memmap[Any, Any] = tifffile.memmap(
        path,
        shape=shape,
        dtype=array.dtype,
        ome=True,
        photometric="minisblack",
        bigtiff=_is_big(shape, array.dtype),
        metadata=metadata,
    )
    reserve(path)
    return target


def _is_big(shape: tuple[int, ...], dtype: np.dtype[Any]) -> bool:
    return math.prod(shape) * dtype.itemsize > 1 << 31
