"""A volume in an HDF5 file: opened and described once, then read by many."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeVar, cast

import numpy as np

from voxgate.model.errors import MetadataInvalid, OutOfBounds, StoreUnavailable
from voxgate.model.geometry import Box
from voxgate.model.volumes import ChunkPresence, OpenOptions, ReadTuning, Tuned, VolumeInfo, Voxels
from voxgate_remotes.checks import bound_time, checked_box, checked_channels, checked_out, chosen_time
from voxgate_remotes.hdf5.chunks import DatasetReader, Request
from voxgate_remotes.hdf5.datasets import ChunkIndex, Layer, index_of, stored_of
from voxgate_remotes.hdf5.files import Object, find, is_dataset, opened
from voxgate_remotes.metadata import Stamp, stamp

C = TypeVar("C")


class Indexes:
    """What is known of the chunks of datasets, looked up once in each state of their file. Thread-safe."""

    def __init__(self) -> None:
        self._found: dict[tuple[str, ...], tuple[Stamp, ChunkIndex]] = {}

    def of(self, dataset: Object, layer: Layer, path: tuple[str, ...], now: Stamp) -> ChunkIndex:
        """That of a dataset, the file of which looks like `now`; see `datasets.index_of`."""
        known = self._found.get(path)
        if known is None or known[0] != now:
            known = self._found[path] = (now, index_of(dataset, layer.stored))
        return known[1]


@dataclass(frozen=True, slots=True)
class OpenedHdf5:
    """A described volume, to be bound to callers. Holds no handle.

    Attributes:
        info: its description.
        file: the HDF5 file.
        layers: where each scale lies in it.
        indexes: of the datasets that were read.
    """

    info: VolumeInfo
    file: Path
    layers: tuple[Layer, ...]
    indexes: Indexes = field(default_factory=Indexes)

    def bind(self, info: VolumeInfo, options: OpenOptions) -> Hdf5Volume:
        """A volume for one caller.

        Raises:
            UnknownVersion, OutOfBounds: for a version, or a time that does not exist.
        """
        return Hdf5Volume(info, self, options)


class Hdf5Volume:
    """A volume of datasets in one file. Thread-safe, and safe to use after a fork: each read opens the file."""

    def __init__(self, info: VolumeInfo, opened_file: OpenedHdf5, options: OpenOptions) -> None:
        """Bind datasets to a caller.

        Raises:
            UnknownVersion, OutOfBounds: for a version, or a time that does not exist.
        """
        self._info = info
        self._file = opened_file.file
        self._layers = opened_file.layers
        self._indexes = opened_file.indexes
        self._time = bound_time(info, options)
        self._context = options.context

    @property
    def info(self) -> VolumeInfo:
        """The volume's description."""
        return self._info

    def read(
        self, box: Box, *, scale: int = 0, channels: Sequence[int] | None = None, out: Voxels | None = None
    ) -> Voxels:
        """Read a box; see `voxgate.model.volumes.Volume.read`. After a failure `out` may be partly filled.

        Raises:
            MetadataInvalid: when the file was replaced by one with other datasets; open the volume again.
            StoreUnavailable: when the file changed meanwhile; StoreBusy: while somebody writes to it.
        """
        checked_box(self._info, box, scale)
        wanted = checked_channels(self._info, channels)
        out = checked_out((len(wanted), *box.shape.zyx), self._info.dtype, out)
        # Numbers as stored: BigDataViewer stores unsigned ones as signed, and HDF5 would clip them.
        into = out.view(self._layers[scale].stored.dtype.newbyteorder("<"))
        with self._reader(scale) as (reader, time):
            reader.read(Request(box, wanted, time, into, self._context))
        return out

    def is_absent(self, box: Box, *, scale: int = 0) -> bool:
        """Whether no stored chunk overlaps `box`; see `voxgate.model.volumes.ChunkPresence`."""
        checked_box(self._info, box, scale)
        with self._reader(scale) as (reader, time):
            return reader.is_absent(box, time, self._info.channel_count, self._context)

    def capability(self, kind: type[C]) -> C | None:
        """ChunkPresence and Tuned; HDF5 files are not written to."""
        return cast("C", self) if kind in (ChunkPresence, Tuned) else None

    @property
    def tuning(self) -> ReadTuning:
        """One read at a time: the HDF5 library does one thing at a time, and a read decodes in threads by itself."""
        return ReadTuning(parallel_reads=1)

    @contextmanager
    def _reader(self, scale: int) -> Iterator[tuple[DatasetReader, int]]:
        """A reader of a scale at the bound time and the index along t, while the file is open and stays as it is."""
        self._context.check()
        layer = self._layers[scale]
        path, time = self._place(layer)
        before = stamp([self._file])
        with opened(self._file) as root:
            dataset = find(root, path)
            if not is_dataset(dataset) or stored_of(dataset) != layer.stored:
                raise MetadataInvalid(
                    f"the dataset {'/'.join(path)!r} is not what it was when the volume was opened, or not as at the"
                    " other times",
                    "open the volume again",
                )
            yield DatasetReader(dataset, layer, self._indexes.of(dataset, layer, path, before)), time
        if stamp([self._file]) != before:
            raise StoreUnavailable("the HDF5 file changed while it was read", "read again, once it is complete")

    def _place(self, layer: Layer) -> tuple[tuple[str, ...], int]:
        """The path of the dataset of the bound time, and the index along its axis t.

        Raises:
            InvalidArgument: when no time was given at open and there are several.
            OutOfBounds: when the time is not stored.
        """
        time = chosen_time(self._info, self._time)
        if "t" in layer.axes or self._info.axes[0] != "t":
            return layer.paths[0], time
        if time not in layer.paths:
            raise OutOfBounds(
                f"time {time} of this volume is not stored",
                f"stored are {', '.join(map(str, sorted(layer.paths)[:20]))}",
            )
        return layer.paths[time], 0


def little_endian(layer: Layer) -> np.dtype[np.generic]:
    """The dtype that a layer's voxels are served in."""
    return layer.stored.dtype.newbyteorder("<")
