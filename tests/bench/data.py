"""What the rows work on: the FIB-25 sample, made larger by reflection, as precomputed in a temporary folder."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from tools.demo_references import read_precomputed
from tools.demo_suite import SAMPLES
from tools.make_sample import Level, write_precomputed
from voxgate import Box

Array = npt.NDArray[Any]

SHAPE_ZYX = (360, 384, 400)
START = (1088, 2056, 3000)
CHUNK = (64, 64, 64)
MISALIGNED = Box.of(x=(1189, 1445), y=(2173, 2429), z=(3093, 3349))
"""256 voxels along each axis, on no chunk's border: x, y, z, global."""


def tiled(voxels: Array, shape: tuple[int, ...]) -> Array:
    """An array of this shape: `voxels` repeated by reflection along each axis, or cut."""
    for axis, length in enumerate(shape):
        period = 2 * voxels.shape[axis]
        place = np.arange(length) % period
        voxels = voxels.take(np.minimum(place, period - 1 - place), axis=axis)
    return np.ascontiguousarray(voxels)


@dataclass(frozen=True, slots=True)
class Data:
    """Volumes in a folder, each written when it is first asked for.

    Attributes:
        folder: below it `em` and `seg`, one scale each, 64^3 chunks; `em` raw uint8, `seg` compressed_segmentation
            uint64.
    """

    folder: Path

    def em(self) -> Path:
        """The folder of the image."""
        return self._written("em", "image")

    def seg(self) -> Path:
        """The folder of the segmentation."""
        return self._written("seg", "segmentation")

    def labels(self, shape: tuple[int, int, int]) -> Array:
        """Labels of the sample, array of shape (z, y, x)."""
        return tiled(read_precomputed(SAMPLES / "fib25" / "seg", 0), shape)

    def _written(self, name: str, kind: str) -> Path:
        folder = self.folder / name
        if not folder.exists():
            voxels = tiled(read_precomputed(SAMPLES / "fib25" / name, 0), SHAPE_ZYX)
            write_precomputed(folder, [Level(voxels, START, (10, 10, 10))], kind=kind, chunk=CHUNK)
        return folder
