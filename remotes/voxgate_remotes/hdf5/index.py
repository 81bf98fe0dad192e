"""Where the voxels of a dataset lie in its file: looked up by the HDF5 library once, then read without it."""

from __future__ import annotations

from array import array
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from voxgate.model.errors import MetadataInvalid, UnsupportedFormat
from voxgate_remotes.hdf5.datasets import Stored, is_allocated
from voxgate_remotes.hdf5.files import Object, described

MOST_CHUNKS = 1 << 23
_NOWHERE = (1 << 64) - 1
_RECORD = np.dtype([("cell", "<u8"), ("offset", "<u8"), ("size", "<u8"), ("skipped", "<u4")])
_RESTORE = "restore the file from its source"

Cell = tuple[int, ...]
"""The first indices of a chunk, in the dataset's order."""


@dataclass(frozen=True, slots=True)
class Place:
    """Where something is stored.

    Attributes:
        offset: in the file, in bytes.
        size: in bytes.
        skipped: bit i is set where filter i was not applied.
    """

    offset: int
    size: int
    skipped: int = 0


class ChunkIndex:
    """Where the voxels of one dataset are. Immutable.

    Attributes:
        whole: of a dataset in one piece that lies in the file; None elsewhere.
        inline: the voxels of a dataset so small that they lie in its description; None elsewhere.
    """

    def __init__(self, stored: Stored, said: Mapping[str, Any], data: bytes) -> None:
        """Take what `index_of` answered of a dataset."""
        self._chunks = stored.chunks or stored.shape
        self._counts = _counts(stored)
        self._records: npt.NDArray[Any] = np.frombuffer(data if said["layout"] == "chunks" else b"", _RECORD)
        # Apart, as searching in a field of records would copy all of it each time.
        self._cells = np.ascontiguousarray(self._records["cell"])
        self.whole = Place(int(said["offset"]), int(said["size"])) if said["layout"] == "whole" else None
        self.inline = data if said["layout"] == "inline" else None

    @property
    def is_empty(self) -> bool:
        """Whether nothing is stored, so that every voxel is the fill value."""
        return self.whole is None and self.inline is None and len(self._cells) == 0

    def find(self, cell: Cell) -> Place | None:
        """Where a chunk is stored; None where it is not."""
        number = 0
        for start, size, count in zip(cell, self._chunks, self._counts, strict=True):
            number = number * count + start // size
        place = int(np.searchsorted(self._cells, np.uint64(number)))
        if place == len(self._cells) or int(self._cells[place]) != number:
            return None
        _, offset, size, skipped = self._records[place].tolist()
        return Place(offset, size, skipped)


def index_of(dataset: Object, stored: Stored) -> tuple[dict[str, Any], bytes]:
    """Where the voxels of a dataset are, for `ChunkIndex`; looks at all of its chunks, 2 s for a million.

    Raises:
        MetadataInvalid: when the file is damaged there.
        UnsupportedFormat: for too many chunks.
    """
    with described("where the voxels of a dataset are"):
        if stored.chunks is not None:
            return {"layout": "chunks"}, _chunks(dataset, stored)
        if not is_allocated(dataset):
            return {"layout": "none"}, b""
        size = int(dataset.id.get_storage_size())
        offset = dataset.id.get_offset()
        if offset is None:
            return {"layout": "inline"}, np.ascontiguousarray(dataset[...]).tobytes()
        return {"layout": "whole", "offset": int(offset), "size": size}, b""


def _chunks(dataset: Object, stored: Stored) -> bytes:
    count = dataset.id.get_num_chunks()
    if count > MOST_CHUNKS:
        raise UnsupportedFormat(
            f"the dataset has {count} stored chunks, more than the {MOST_CHUNKS} that are looked up",
            "repack it in larger chunks",
        )
    if count == 0:
        return b""
    rank = len(stored.shape)
    found = array("Q")

    def look(chunk: Any) -> None:
        offset = _NOWHERE if chunk.byte_offset is None else chunk.byte_offset
        found.extend((*chunk.chunk_offset, offset, chunk.size, chunk.filter_mask))

    dataset.id.chunk_iter(look)
    table = np.frombuffer(found, np.uint64).reshape(-1, rank + 3)
    table = table[table[:, rank] != _NOWHERE]
    places, rest = np.divmod(table[:, :rank], np.array(stored.chunks, np.uint64))
    counts = _counts(stored)
    if rest.any() or (places >= np.array(counts, np.uint64)).any():
        raise MetadataInvalid("the index of a dataset's chunks is damaged: one has no place in it", _RESTORE)
    records = np.zeros(len(table), _RECORD)
    records["cell"] = np.ravel_multi_index(tuple(places.T.astype(np.int64)), counts) if len(table) else 0
    for name, column in zip(("offset", "size", "skipped"), table[:, rank:].T, strict=True):
        records[name] = column
    records.sort(order="cell")
    if (records["cell"][1:] == records["cell"][:-1]).any():
        raise MetadataInvalid("the index of a dataset's chunks is damaged: it has one chunk twice", _RESTORE)
    return _checked(dataset, stored, records).tobytes()


def _checked(dataset: Object, stored: Stored, records: npt.NDArray[Any]) -> npt.NDArray[Any]:
    """The records with places from the file's first byte on.

    Before HDF5 1.14.4 the library tells them from the end of the user block that a file may begin with.
    """
    start = dataset.file.userblock_size
    if not start:
        return records
    place = np.unravel_index(int(records["cell"][0]), _counts(stored))
    cell = tuple(int(i) * size for i, size in zip(place, stored.chunks or (), strict=True))
    if int(records["size"][0]) > 2 * stored.chunk_bytes + 65536:  # not to be read
        return records
    _, data = dataset.id.read_direct_chunk(cell)
    with open(dataset.file.filename, "rb") as stream:
        stream.seek(int(records["offset"][0]))
        if stream.read(len(data)) != data:
            records["offset"] += start
    return records


def _counts(stored: Stored) -> tuple[int, ...]:
    """How many chunks there are along each axis."""
    return tuple(-(-extent // size) for extent, size in zip(stored.shape, stored.chunks or stored.shape, strict=True))
