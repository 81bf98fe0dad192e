"""Reading part of an array that lies in a file in one piece: in as few reads as is fast, none of what is not needed."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from voxgate.model.volumes import Voxels
from voxgate_remotes.hdf5.access import HeldFile
from voxgate_remotes.hdf5.datasets import Stored

_GAP_BYTES = 1 << 15
"""Reading so much that nobody wants costs about as much as another call."""
_SPAN_BYTES = 1 << 24


class Piece:
    """The voxels of a dataset in one piece."""

    def __init__(self, file: HeldFile, offset: int, stored: Stored) -> None:
        """Take where the first voxel is."""
        self._file = file
        self._offset = offset
        self._dtype = stored.dtype
        sizes = [math.prod(stored.shape[axis + 1 :]) for axis in range(len(stored.shape))]
        self._strides = [size * stored.dtype.itemsize for size in sizes]

    def read(self, start: Sequence[int], into: Voxels) -> None:
        """Read a box into an array of its shape, in the dataset's own order; byte order is converted.

        Raises:
            ChunkCorrupt, StoreUnavailable.
        """
        counts = into.shape
        offset = self._offset + sum(a * stride for a, stride in zip(start, self._strides, strict=True))
        axis = self._axis_of(counts)
        rest = counts[axis:]
        length = self._length(rest, axis)
        outer = list(np.ndindex(*counts[:axis]))
        in_a_row = into.dtype == self._dtype and length == math.prod(rest) * self._dtype.itemsize
        if in_a_row and all(into[index].flags.c_contiguous for index in outer[:1]):
            for index in outer:
                self._file.read_into(into[index].reshape(-1).view(np.uint8).data, self._at(offset, index))
            return
        buffer = np.empty(length, np.uint8)
        view: np.ndarray[Any, Any] = np.ndarray(rest, self._dtype, buffer, strides=self._strides[axis:])
        for index in outer:
            self._file.read_into(buffer.data, self._at(offset, index))
            into[index] = view

    def _at(self, offset: int, index: Sequence[int]) -> int:
        return offset + sum(i * stride for i, stride in zip(index, self._strides, strict=False))

    def _axis_of(self, counts: Sequence[int]) -> int:
        """The first axis from which on all is read at once."""
        for axis in range(len(counts)):
            rest = tuple(counts[axis:])
            length = self._length(rest, axis)
            rows = math.prod(rest[:-1])
            unwanted = length - math.prod(rest) * self._dtype.itemsize
            if unwanted == 0 or (length <= _SPAN_BYTES and unwanted <= rows * _GAP_BYTES):
                return axis
        return len(counts) - 1

    def _length(self, counts: Sequence[int], axis: int) -> int:
        """Bytes from the first to the last voxel of a box of the last axes."""
        strides = self._strides[axis:]
        return sum((count - 1) * stride for count, stride in zip(counts, strides, strict=True)) + self._dtype.itemsize
