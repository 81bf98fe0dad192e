"""Skeletonizers: the centre lines of one mask. Found by entry point (group "voxgate.skeletonizers"), run in workers.

None is part of the base install: kimimaro, which ours calls, is under the GPL and comes with the extra `skeletons`. Its
code is imported by a worker only, and only where skeletons are computed.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from importlib.metadata import EntryPoint, entry_points

import numpy as np
import numpy.typing as npt

from voxgate.model.errors import InternalError, MissingCapability
from voxgate.model.skeletons import Teasar

Lines = tuple[npt.NDArray[np.int64], npt.NDArray[np.uint32], npt.NDArray[np.float32]]
"""Voxels of the mask on its centre lines, int64 of shape (n, 3), columns x, y, z, each once; edges, uint32 of shape
(m, 2), indices of these; radii, float32 of shape (n,), nanometres."""

Skeletonizer = Callable[[npt.NDArray[np.bool_], tuple[float, float, float], Teasar], Lines]
"""From a mask of shape (z, y, x) with at least one voxel, its voxel size x, y, z in nanometres and the parameters to
the centre lines: exactly one tree for each part of the mask that is connected by faces, edges or corners."""

SkeletonizerLoader = Callable[[], Skeletonizer]
"""What an entry point names: imports what is needed; ModuleNotFoundError where that is not installed."""

DEFAULT_SKELETONIZER = "kimimaro"
_GROUP = "voxgate.skeletonizers"


@dataclass(frozen=True, slots=True)
class PackedMask:
    """A mask with eight voxels to a byte, as it travels to a worker.

    Attributes:
        bits: from `numpy.packbits`.
        shape: z, y, x.
    """

    bits: npt.NDArray[np.uint8]
    shape: tuple[int, ...]

    @staticmethod
    def of(mask: npt.NDArray[np.bool_]) -> PackedMask:
        """Pack a mask of shape (z, y, x)."""
        return PackedMask(np.packbits(mask), mask.shape)

    def unpacked(self) -> npt.NDArray[np.bool_]:
        """The mask of shape (z, y, x)."""
        count = int(np.prod(self.shape))
        return np.unpackbits(self.bits, count=count).view(np.bool_).reshape(self.shape)


def check_skeletonizer() -> None:
    """Do nothing where there is a skeletonizer. Runs in a worker.

    Raises:
        MissingCapability: where there is none.
    """
    _loaded()


def skeletonize_packed(packed: PackedMask, voxel_size_nm: tuple[float, float, float], teasar: Teasar) -> Lines:
    """The centre lines of a mask; see `Skeletonizer`. Runs in a worker.

    Raises:
        MissingCapability: where there is no skeletonizer.
        InternalError: when what it answers are no centre lines.
    """
    mask = packed.unpacked()
    voxels, edges, radii = _loaded()(mask, voxel_size_nm, teasar)
    is_inside = len(voxels) > 0 and (voxels >= 0).all() and (voxels < mask.shape[::-1]).all()
    if not is_inside or len(radii) != len(voxels) or (len(edges) and int(edges.max()) >= len(voxels)):
        raise InternalError("the skeletonizer answered what is no skeleton of the mask")
    return voxels, edges, radii


def _loaded() -> Skeletonizer:
    for entry in sorted(entry_points(group=_GROUP), key=_preference):
        loader: SkeletonizerLoader = entry.load()
        try:
            return loader()
        except ModuleNotFoundError:
            continue  # its extra is not installed
    raise MissingCapability(
        "this server computes no skeletons: it has no skeletonizer",
        "the operator adds one where the Mesh service runs: pip install 'voxgate-mesh[skeletons]' "
        "(kimimaro, under the GPL)",
        details={"capability": "skeletonizer"},
    )


def _preference(entry: EntryPoint) -> tuple[bool, str]:
    """Who installs another one wants it: ours comes last."""
    return entry.name == DEFAULT_SKELETONIZER, entry.name
