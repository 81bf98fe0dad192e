"""Transforms of stored coordinates into nanometres, and what tells that positions are none.

Formats: github.com/google/neuroglancer, src/datasource/precomputed/meshes.md and skeletons.md: `transform` is twelve
numbers, a matrix of three rows and four columns, row after row, from "stored model" to "model" coordinates; the latter
are nanometres in the global frame.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from voxgate.model.errors import ChunkCorrupt, MetadataInvalid
from voxgate_remotes.precomputed_kept.files import REMEDY

_UNIFORM = 1e-6


@dataclass(frozen=True, slots=True, eq=False)
class Transform:
    """From stored coordinates to nanometres.

    Attributes:
        matrix: float64 array of shape (3, 4).
    """

    matrix: npt.NDArray[np.float64]

    def apply(self, positions: npt.NDArray[Any]) -> npt.NDArray[np.float32]:
        """Positions (n, 3) in nanometres.

        Raises:
            ChunkCorrupt: when one is not a finite number.
        """
        with np.errstate(over="ignore", invalid="ignore"):
            placed = (positions.astype(np.float64) @ self.matrix[:, :3].T + self.matrix[:, 3]).astype(np.float32)
        if not np.isfinite(placed).all():
            raise ChunkCorrupt("a stored vertex is nowhere", REMEDY)
        return placed

    @property
    def is_identity(self) -> bool:
        """Whether stored coordinates are nanometres already."""
        return np.array_equal(self.matrix, np.eye(3, 4))

    @property
    def scale(self) -> float | None:
        """By what lengths grow; None where that depends on their direction."""
        grown = self.matrix[:, :3] @ self.matrix[:, :3].T
        square = float(np.trace(grown)) / 3
        return math.sqrt(square) if np.allclose(grown, square * np.eye(3), rtol=0, atol=_UNIFORM * square) else None


def parsed_transform(stated: Any) -> Transform:
    """A transform; the identity where none is stated.

    Raises:
        MetadataInvalid: for anything but twelve finite numbers.
    """
    if stated is None:
        return Transform(np.eye(3, 4))
    if not isinstance(stated, list) or len(stated) != 12 or not all(is_number(each) for each in stated):
        raise MetadataInvalid("`transform` in `info` is not twelve numbers", "compare it with the format's description")
    return Transform(np.array(stated, np.float64).reshape(3, 4))


def is_number(value: object) -> bool:
    """Whether JSON says a finite number that a float can hold."""
    try:
        return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)
    except OverflowError:  # an integer that no float can hold
        return False


def check_indices(indices: npt.NDArray[Any], count: int) -> None:
    """Refuse faces and edges without vertices.

    Raises:
        ChunkCorrupt.
    """
    if indices.size and int(indices.max()) >= count:
        raise ChunkCorrupt(f"what is stored names vertex {int(indices.max())} of {count}", REMEDY)
