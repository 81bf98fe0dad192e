"""One plane of voxels as a PNG: grey images, coloured segments."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from voxgate.model.errors import InvalidArgument
from voxgate.model.geometry import Box
from voxgate.model.volumes import VolumeKind

_REMEDY = "choose one plane, such as --box 0:100,0:80,7, or write .npy or .tif"


def check_one_plane(box: Box) -> None:
    """Check before reading that a box is one plane.

    Raises:
        InvalidArgument: when it is not.
    """
    if min(box.shape) > 1:
        raise InvalidArgument(f"a PNG holds one plane, and {box} has {min(box.shape)} or more on every axis", _REMEDY)


def save_png(path: Path, voxels: npt.NDArray[Any], kind: VolumeKind) -> None:
    """Write one plane.

    Args:
        path: where to.
        voxels: array of shape (z, y, x) with an extent of 1 on at least one axis; the first such axis is left out,
            the next one runs downwards, the last one to the right.
        kind: segmentations, and ids of 32 or 64 bits, are coloured; other unsigned numbers of 8 or 16 bits are grey.

    Raises:
        InvalidArgument: for what a PNG cannot show unchanged.
    """
    from PIL import Image  # noqa: PLC0415  (only PNGs need it)

    plane = voxels.squeeze(axis=voxels.shape.index(1))
    is_ids = kind is VolumeKind.SEGMENTATION or (kind is VolumeKind.UNKNOWN and plane.dtype.itemsize >= 4)
    if is_ids and plane.dtype.kind in "iu":
        picture = Image.fromarray(colours_of(plane))
    elif plane.dtype in (np.dtype("u1"), np.dtype("<u2")):
        picture = Image.fromarray(np.ascontiguousarray(plane))
    else:
        raise InvalidArgument(f"a PNG cannot hold {plane.dtype} unchanged", "write .npy or .tif")
    picture.save(path, format="PNG")


def colours_of(ids: npt.NDArray[Any]) -> npt.NDArray[np.uint8]:
    """A colour for each id: the same everywhere and always, black for 0, never dark otherwise.

    Args:
        ids: array of integers, any shape.

    Returns:
        uint8 array of shape (*ids.shape, 3).
    """
    # The finaliser of splitmix64 (Steele, Lea, Flood 2014): neighbouring ids get unrelated bits.
    mixed = np.ascontiguousarray(ids).astype(np.uint64)
    for shift, factor in ((30, 0xBF58476D1CE4E5B9), (27, 0x94D049BB133111EB)):
        mixed = (mixed ^ (mixed >> np.uint64(shift))) * np.uint64(factor)
    mixed ^= mixed >> np.uint64(31)
    channels = np.stack([(mixed >> np.uint64(shift)) & np.uint64(0xFF) for shift in (0, 8, 16)], axis=-1)
    bright: npt.NDArray[np.uint8] = (64 + channels * np.uint64(191) // np.uint64(255)).astype(np.uint8)
    bright[ids == 0] = 0
    return bright
