"""A volume in an HDF5 file: opened and described once, then read by many."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar, cast

from voxgate.model.errors import MetadataInvalid, OutOfBounds
from voxgate.model.geometry import Box
from voxgate.model.volumes import ChunkPresence, OpenOptions, ReadTuning, Tuned, VolumeInfo, Voxels
from voxgate_remotes.checks import bound_time, checked_box, checked_channels, checked_out, chosen_time
from voxgate_remotes.hdf5.access import held
from voxgate_remotes.hdf5.asking import Examiner, changed
from voxgate_remotes.hdf5.chunks import DatasetReader
from voxgate_remotes.hdf5.datasets import Layer
from voxgate_remotes.hdf5.layout import Request

C = TypeVar("C")


@dataclass(frozen=True, slots=True)
class OpenedHdf5:
    """A described volume, to be bound to callers. Holds no handle.

    Attributes:
        info: its description.
        file: the HDF5 file.
        layers: where each scale lies in it.
        examiner: says where their chunks are.
    """

    info: VolumeInfo
    file: Path
    layers: tuple[Layer, ...]
    examiner: Examiner

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
        self._examiner = opened_file.examiner
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
        """One read at a time: a read of many chunks decodes in threads by itself."""
        return ReadTuning(parallel_reads=1)

    @contextmanager
    def _reader(self, scale: int) -> Iterator[tuple[DatasetReader, int]]:
        """A reader of a scale at the bound time and the index along t, while the file is open and stays as it is."""
        self._context.check()
        layer = self._layers[scale]
        path, time = self._place(layer)
        with held(self._file) as file:
            stored, index = self._examiner.index(self._file, path, file.identity, self._context.check)
            if index is None or stored != layer.stored:
                raise MetadataInvalid(
                    f"the dataset {'/'.join(path)!r} is not what it was when the volume was opened, or not as at the"
                    " other times",
                    "open the volume again",
                )
            yield DatasetReader(file, layer, index), time
            if not file.is_unchanged:
                raise changed()

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
