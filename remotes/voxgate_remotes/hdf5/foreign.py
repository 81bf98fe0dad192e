"""Chunks that only the HDF5 library can decode: from a container of ours in memory, not from the caller's file.

The library sees nothing of that file but the chunk's own bytes, the size of which was measured.
"""

from __future__ import annotations

import threading
import uuid
from types import TracebackType
from typing import Any

import numpy as np

from voxgate.model.volumes import Voxels
from voxgate_remotes.hdf5.datasets import Stored
from voxgate_remotes.hdf5.files import library
from voxgate_remotes.hdf5.filters import Filter, Undecodable

_ERRORS = (OSError, RuntimeError, ValueError, KeyError)
"""What h5py raises while it reads voxels."""


class Container:
    """Datasets of one chunk in memory. Thread-safe; a context manager."""

    def __init__(self, stored: Stored) -> None:
        """Take how chunks are stored."""
        self._stored = stored
        self._lock = threading.Lock()
        self._file: Any = None
        self._datasets: dict[tuple[Filter, ...], Any] = {}

    def __enter__(self) -> Container:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, frames: TracebackType | None
    ) -> None:
        """Give the memory back."""
        self._datasets.clear()
        if self._file is not None:
            self._file.close()

    def decoded(self, data: memoryview, applied: tuple[Filter, ...]) -> Voxels:
        """The voxels of a chunk.

        Args:
            data: as stored.
            applied: the filters that it went through. A dataset for each choice of them, as the library (2.0) reads a
                chunk that was put into it with a mask of skipped filters as if none was skipped.

        Raises:
            Undecodable.
        """
        chunks = self._stored.chunks or ()
        voxels: Voxels = np.empty(chunks, self._stored.dtype)
        try:
            with self._lock:
                if applied not in self._datasets:
                    self._datasets[applied] = self._made(chunks, applied)
                h5s = library().h5s
                self._datasets[applied].write_direct_chunk((0,) * len(chunks), bytes(data))
                self._datasets[applied].read(h5s.ALL, h5s.ALL, voxels)
        except _ERRORS as error:
            raise Undecodable("its stream is damaged") from error
        return voxels

    def _made(self, chunks: tuple[int, ...], applied: tuple[Filter, ...]) -> Any:
        h5py = library()
        if self._file is None:
            size = self._stored.chunk_bytes + (1 << 16)
            self._file = h5py.File(uuid.uuid4().hex, "w", driver="core", backing_store=False, block_size=size)
        creation = h5py.h5p.create(h5py.h5p.DATASET_CREATE)
        creation.set_chunk(chunks)
        for each in applied:
            creation.set_filter(each.id, h5py.h5z.FLAG_OPTIONAL, each.values)
        space = h5py.h5s.create_simple(chunks)
        kind = h5py.h5t.py_create(self._stored.dtype)
        name = f"voxels{len(self._datasets)}".encode()
        return h5py.h5d.create(self._file.id, name, kind, space, creation)
