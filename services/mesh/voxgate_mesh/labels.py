"""The requested segments of a block, as small labels: meshers are up to three times slower on 64-bit ids."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from voxgate.model.volumes import Voxels
from voxgate_blocks.compiled import compiled


class LabelTable:
    """Between segment ids and the labels 1, 2, … of one request. Thread-safe."""

    def __init__(self, segment_ids: Sequence[int], dtype: np.dtype[Any]) -> None:
        """Number `segment_ids`, of which those that a voxel of `dtype` cannot hold occur nowhere."""
        self._ids = list(segment_ids)
        top = int(np.iinfo(dtype).max)
        found = sorted((segment_id, i + 1) for i, segment_id in enumerate(self._ids) if segment_id <= top)
        self.dtype: np.dtype[Any] = np.min_scalar_type(len(self._ids))
        self._sorted = np.array([segment_id for segment_id, _ in found], dtype)
        self._labels = np.array([label for _, label in found], self.dtype)

    def segment_id(self, label: int) -> int:
        """The id behind a label."""
        return self._ids[label - 1]

    def compact(self, voxels: Voxels) -> tuple[npt.NDArray[Any] | None, dict[int, int]]:
        """Replace ids by labels, and everything not asked for by 0.

        Args:
            voxels: integer array of shape (1, z, y, x).

        Returns:
            Array of shape (z, y, x) and dtype `self.dtype`, or None where nothing asked for occurs; and the voxels of
            each label that occurs.
        """
        counts = np.zeros(len(self._ids) + 1, np.int64)
        if not len(self._sorted):
            return None, {}
        labels: npt.NDArray[Any] = np.zeros(voxels.shape[1:], self.dtype)
        _compact(np.ascontiguousarray(voxels).reshape(-1), (self._sorted, self._labels), labels.reshape(-1), counts)
        found = {int(label): int(counts[label]) for label in np.flatnonzero(counts)}
        return (labels if found else None), found


@compiled
def _compact(
    voxels: npt.NDArray[Any],
    table: tuple[npt.NDArray[Any], npt.NDArray[Any]],
    labels: npt.NDArray[Any],
    counts: npt.NDArray[np.int64],
) -> None:
    """Write labels, where they are not 0, and count them.

    Args:
        voxels: of shape (n,).
        table: ids of the voxels' dtype, ascending, and the label of each.
        labels: zeros of shape (n,).
        counts: added to, by label.
    """
    ids, names = table
    start = 0
    while start < len(voxels):
        # Segments are long runs: an id is looked up once for each.
        segment, stop = voxels[start], start + 1
        while stop < len(voxels) and voxels[stop] == segment:
            stop += 1
        place = np.searchsorted(ids, segment)
        if place < len(ids) and ids[place] == segment:
            labels[start:stop] = names[place]
            counts[names[place]] += stop - start
        start = stop
