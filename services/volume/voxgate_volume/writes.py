"""Writes: chunks that arrive in any cut, gathered into whole write granules. Pure: knows no grpc."""

from __future__ import annotations

import itertools
from dataclasses import dataclass, field

import numpy as np

from voxgate.model.errors import (
    EmptyBox,
    LimitExceeded,
    OutOfBounds,
    ReadOnly,
    VoxgateError,
    WriteIncomplete,
    WriteOverlap,
)
from voxgate.model.geometry import Box, aligned_outward, grid_cells
from voxgate.model.requests import check_box, check_version_open, raw_size
from voxgate.model.volumes import Volume, Voxels, Writable

MAX_REPORTED_BOXES = 1000


@dataclass(slots=True)
class _Granule:
    """One write granule, clipped to the box that is written, while it fills up."""

    box: Box
    voxels: Voxels
    parts: list[Box] = field(default_factory=list)
    missing: int = 0


@dataclass(slots=True)
class WriteReport:
    """What became of a write.

    Attributes:
        written: boxes written, one a granule.
        failures: boxes not written, and why.
        size_bytes: raw bytes written.
    """

    written: list[Box] = field(default_factory=list)
    failures: list[tuple[Box, VoxgateError]] = field(default_factory=list)
    size_bytes: int = 0


class GranuleWriter:
    """Writes one box of a volume from chunks: a granule is written once when it is complete, never padded.

    Not thread-safe: it belongs to one stream.
    """

    def __init__(self, volume: Volume, box: Box, scale: int, budget_bytes: int) -> None:
        """Refuse what can be refused before anything is written.

        Raises:
            UnknownScale, EmptyBox, OutOfBounds: for a bad box.
            ReadOnly, VersionLocked: when the volume or its version takes no writes.
        """
        level = check_box(volume.info, box, scale)
        writable = volume.capability(Writable)
        if writable is None or not level.writable:
            check_version_open(volume.info)
            raise ReadOnly("the volume takes no writes", "ask the operator for writable = true on its remote")
        self._volume = volume
        self._writable = writable
        self._box = box
        self._scale = scale
        self._level = level
        self._budget_bytes = budget_bytes
        self._held_bytes = 0
        self._open: dict[Box, _Granule] = {}
        self._finished: set[Box] = set()
        self.report = WriteReport()

    def add(self, box: Box, voxels: Voxels) -> None:
        """Take one chunk of shape (c, z, y, x); write the granules it completes.

        Raises:
            EmptyBox, OutOfBounds: when it is not inside the box that is written.
            WriteOverlap: when one of its voxels was sent before.
            LimitExceeded: when too many granules are begun and not finished.
            Whatever the volume's write raises; the granule is then among the failures.
        """
        self.check(box)
        for cell in grid_cells(box, self._level.write_granule_shape, self._level.grid_origin):
            granule = self._granule(cell)
            if any(not part.intersection(cell).is_empty for part in granule.parts):
                raise WriteOverlap(f"voxels of {cell} were sent twice", "send each voxel once")
            target = (slice(None), *cell.slices_zyx(granule.box.start))
            granule.voxels[target] = voxels[(slice(None), *cell.slices_zyx(box.start))]
            granule.parts.append(cell)
            granule.missing -= cell.voxel_count
            if granule.missing == 0:
                self._write(granule)

    def check(self, box: Box) -> None:
        """Refuse a chunk's box before its bytes are decoded.

        Raises:
            EmptyBox, OutOfBounds: when it is not inside the box that is written.
        """
        if box.is_empty:
            raise EmptyBox(f"the chunk {box} is empty", "leave it out")
        if not self._box.contains(box):
            raise OutOfBounds(f"the chunk {box} leaves the box that is written", f"it is {self._box}")

    def check_room(self, box: Box) -> None:
        """Refuse a chunk that is more than this stream may hold, whatever its encoded bytes are: before it is decoded.

        Raises:
            LimitExceeded.
        """
        size = raw_size(self._volume.info, box)
        most = max(self._budget_bytes, raw_size(self._volume.info, Box.at(box.start, self._level.write_granule_shape)))
        if size > most:
            raise LimitExceeded(
                f"the chunk {box} has {size} raw bytes, one message may have {most}",
                "send smaller chunks",
                details={"asked": str(size), "limit": str(most)},
            )

    def _granule(self, cell: Box) -> _Granule:
        level = self._level
        # The cell lies in one granule; a granule that the box cuts is only as large as the box lets it be.
        key = aligned_outward(cell, level.write_granule_shape, level.grid_origin).intersection(self._box)
        if key in self._finished:
            raise WriteOverlap(f"voxels of {cell} were sent twice", "send each voxel once")
        granule = self._open.get(key)
        if granule is None:
            size = raw_size(self._volume.info, key)
            if self._open and self._held_bytes + size > self._budget_bytes:
                raise LimitExceeded(
                    "too many write granules are begun and not finished",
                    f"send chunks granule by granule ({self._level.write_granule_shape}), see GetVolume",
                )
            shape = (self._volume.info.channel_count, *key.shape.zyx)
            granule = _Granule(key, np.empty(shape, self._volume.info.dtype), missing=key.voxel_count)
            self._open[key] = granule
            self._held_bytes += size
        return granule

    def _write(self, granule: _Granule) -> None:
        del self._open[granule.box]
        size = raw_size(self._volume.info, granule.box)
        self._held_bytes -= size
        self._finished.add(granule.box)
        try:
            self._writable.write(granule.box, granule.voxels, scale=self._scale)
        except VoxgateError as error:
            self.report.failures.append((granule.box, error))
            raise
        self.report.written.append(granule.box)
        self.report.size_bytes += size

    def finish(self, error: VoxgateError | None = None) -> WriteReport:
        """End the write: granules not written become failures, for `error` or for being incomplete.

        At most MAX_REPORTED_BOXES of them are named.

        Raises:
            The error (or WriteIncomplete) when nothing at all was written: then the whole write is refused.
        """
        level = self._level
        cells = grid_cells(self._box, level.write_granule_shape, level.grid_origin)
        missing = (cell for cell in cells if cell not in self._finished)
        unwritten = list(itertools.islice(missing, MAX_REPORTED_BOXES))
        if not unwritten and not self.report.failures:
            return self.report
        cause = error or WriteIncomplete(
            f"the chunks did not cover {unwritten[0] if unwritten else self._box}", "send every voxel of the box"
        )
        if not self.report.written:
            raise cause
        self.report.failures.extend((cell, cause) for cell in unwritten)
        return self.report
