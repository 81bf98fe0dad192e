"""A volume whose planes are pictures: only the pictures that a box cuts are decoded, by a few threads."""

from __future__ import annotations

import os
from collections.abc import Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Any, Protocol, TypeVar, cast

import numpy.typing as npt

from voxgate.model.geometry import Box, Vec3
from voxgate.model.volumes import (
    Channel,
    ChunkPresence,
    OpenOptions,
    ReadTuning,
    Scale,
    Tuned,
    VolumeInfo,
    VolumeKind,
    Voxels,
)
from voxgate_remotes.checks import bound_time, checked_box, checked_channels, checked_out, chosen_time
from voxgate_remotes.config import VolumeOverrides
from voxgate_remotes.images.axes import Planes
from voxgate_remotes.images.layout import Shape
from voxgate_remotes.images.windows import Targets, Window
from voxgate_remotes.parallel import share

C = TypeVar("C")

_MOST_THREADS = 4
_THREADS_BYTES = 256 << 20
"""What the threads of one read may hold of decoded pictures together; one is always decoded."""


class ReadPicture(Protocol):
    """Fills arrays with a window of a picture; called by several threads."""

    def __call__(self, index: int, window: Window, targets: Targets) -> None:
        """Fill them; raises ChunkCorrupt, ChunkMissing, StoreUnavailable."""
        ...


class Pictures(Protocol):
    """Pictures of one shape and dtype."""

    @property
    def decoded_bytes(self) -> int:
        """What decoding a window of one holds in memory at most."""
        ...

    def reading(self) -> AbstractContextManager[ReadPicture]:
        """Whatever files one read needs are open within the block, and closed after it."""
        ...


@dataclass(frozen=True, slots=True)
class Described:
    """What pictures have in common.

    Attributes:
        shape: height, width, samples of a pixel, dtype.
        names: of the samples.
        chunk_shape: the unit in which they are decoded.
    """

    shape: Shape
    names: tuple[str, ...]
    chunk_shape: Vec3


@dataclass(frozen=True, slots=True)
class OpenedPictures:
    """An opened volume, to be bound to callers."""

    info: VolumeInfo
    planes: Planes
    pictures: Pictures

    def bind(self, info: VolumeInfo, options: OpenOptions) -> PictureVolume:
        """A volume for one caller.

        Raises:
            UnknownVersion, OutOfBounds: for a version, or a time that does not exist.
        """
        return PictureVolume(info, self.planes, self.pictures, options)


def opened_pictures(
    planes: Planes, described: Described, pictures: Pictures, overrides: VolumeOverrides
) -> OpenedPictures:
    """Describe a volume of pictures, at (0, 0, 0) unless the operator states another offset."""
    height, width, samples, dtype = described.shape
    times, channels, depth = planes.pages.shape
    offset = overrides.voxel_offset
    start = Vec3(*(offset or (0, 0, 0)))
    scale = Scale(
        key="0",
        bounds=Box.at(start, Vec3(width, height, depth)),
        stored_chunk_shape=described.chunk_shape,
        write_granule_shape=described.chunk_shape,
        grid_origin=start,
        voxel_size_nm=planes.voxel_size_nm,
    )
    has = {"z": True, "t": "t" in planes.axes, "c": "c" in planes.axes or samples > 1}
    names = described.names if samples > 1 else planes.names
    info = VolumeInfo(
        name="",
        dtype=dtype,
        kind=VolumeKind.IMAGE if "R" in described.names else VolumeKind.UNKNOWN,
        scales=(scale,),
        axes="".join(axis for axis in "tcz" if has[axis]) + "yx",
        channels=tuple(map(Channel, names)) if has["c"] else (),
        time_count=times,
        fill_value=dtype.type(0).item(),
        inferred=(*planes.inferred, *(() if offset else ("voxel_offset",))),
    )
    if has["c"] and len(info.channels) != channels * samples:
        raise AssertionError("each channel has a name, be it an empty one")
    return OpenedPictures(info, planes, pictures)


class PictureVolume:
    """A volume of pictures, for one caller. Thread-safe; holds no open file between reads."""

    def __init__(self, info: VolumeInfo, planes: Planes, pictures: Pictures, options: OpenOptions) -> None:
        self._info = info
        self._planes = planes
        self._pictures = pictures
        self._context = options.context
        self._time = bound_time(info, options)

    @property
    def info(self) -> VolumeInfo:
        """The volume's description."""
        return self._info

    def read(
        self, box: Box, *, scale: int = 0, channels: Sequence[int] | None = None, out: Voxels | None = None
    ) -> Voxels:
        """Read a box; see `voxgate.model.volumes.Volume.read`. After a failure `out` may be partly filled."""
        level = checked_box(self._info, box, scale)
        wanted = checked_channels(self._info, channels)
        out = checked_out((len(wanted), *box.shape.zyx), self._info.dtype, out)
        time = self._chosen_time()
        self._context.check()
        start = box.start - level.bounds.start
        window = Window(start.y, start.y + box.shape.y, start.x, start.x + box.shape.x)
        jobs = self._jobs(time, range(start.z, start.z + box.shape.z), wanted, out)
        threads = min(_MOST_THREADS, os.cpu_count() or 1, len(jobs))
        threads = max(1, min(threads, _THREADS_BYTES // max(1, self._pictures.decoded_bytes)))
        with self._pictures.reading() as read_picture:

            def one(job: tuple[int, list[tuple[int, npt.NDArray[Any]]]]) -> None:
                self._context.check()
                read_picture(job[0], window, job[1])

            share(jobs, lambda: one, threads)
        return out

    def _jobs(
        self, time: int, depths: range, wanted: list[int], out: Voxels
    ) -> list[tuple[int, list[tuple[int, npt.NDArray[Any]]]]]:
        """Each picture that is needed, with which of its samples goes where."""
        pages = self._planes.pages[time]
        samples = max(1, self._info.channel_count // pages.shape[0])
        jobs: dict[int, list[tuple[int, npt.NDArray[Any]]]] = {}
        for place, channel in enumerate(wanted):
            for row, depth in enumerate(depths):
                index = int(pages[channel // samples, depth])
                jobs.setdefault(index, []).append((channel % samples, out[place, row]))
        return list(jobs.items())

    def is_absent(self, box: Box, *, scale: int = 0) -> bool:
        """Nothing is: a picture that is missing is an error; see `voxgate.model.volumes.ChunkPresence`."""
        checked_box(self._info, box, scale)
        self._context.check()
        return False

    @property
    def tuning(self) -> ReadTuning:
        """One read at a time, which uses threads by itself."""
        return ReadTuning(parallel_reads=1)

    def capability(self, kind: type[C]) -> C | None:
        """ChunkPresence and Tuned."""
        return cast("C", self) if kind in (ChunkPresence, Tuned) else None

    def _chosen_time(self) -> int:
        """The bound time.

        Raises:
            InvalidArgument: when no time was given at open and there are several.
        """
        return chosen_time(self._info, self._time)
