"""The requested segments of a block, as small labels: meshers are up to three times slower on 64-bit ids."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import fastremap
import numpy as np
import numpy.typing as npt

from voxgate.model.volumes import Voxels

_FEW = 8  # one comparison for each id is cheaper than looking up every voxel


class LabelTable:
    """Between segment ids and the labels 1, 2, … of one request."""

    def __init__(self, segment_ids: Sequence[int], dtype: np.dtype[Any]) -> None:
        """Number `segment_ids`, of which those that a voxel of `dtype` cannot hold occur nowhere."""
        self._ids = list(segment_ids)
        top = int(np.iinfo(dtype).max)
        self._labels = {segment_id: i + 1 for i, segment_id in enumerate(self._ids) if segment_id <= top}
        self._wanted = list(self._labels)
        self.dtype: np.dtype[Any] = np.min_scalar_type(len(self._ids))

    def segment_id(self, label: int) -> int:
        """The id behind a label."""
        return self._ids[label - 1]

    def compact(self, voxels: Voxels) -> tuple[npt.NDArray[Any] | None, set[int]]:
        """Replace ids by labels, and everything not asked for by 0.

        Args:
            voxels: integer array of shape (1, z, y, x).

        Returns:
            Array of shape (z, y, x) and dtype `self.dtype`, or None where nothing asked for occurs; and the segment
            ids that occur.
        """
        labels = self._by_comparing(voxels[0]) if len(self._labels) <= _FEW else self._by_mapping(voxels[0])
        if labels is None:
            return None, set()
        return labels, {self.segment_id(int(label)) for label in fastremap.unique(labels) if label}

    def _by_comparing(self, voxels: npt.NDArray[Any]) -> npt.NDArray[Any] | None:
        labels = None
        for segment_id, label in self._labels.items():
            mask = voxels == voxels.dtype.type(segment_id)
            if mask.any():
                labels = np.zeros(voxels.shape, self.dtype) if labels is None else labels
                labels[mask] = label
        return labels

    def _by_mapping(self, voxels: npt.NDArray[Any]) -> npt.NDArray[Any] | None:
        masked = fastremap.mask_except(voxels, self._wanted)
        if not masked.any():
            return None
        labels: npt.NDArray[Any] = fastremap.remap(masked, self._labels | {0: 0}, in_place=True).astype(self.dtype)
        return labels
