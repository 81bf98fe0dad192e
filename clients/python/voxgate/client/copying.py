"""Voxels copied from one array to another by their own reads and writes: for what no server can reach itself."""

from __future__ import annotations

import hashlib
import itertools
from collections.abc import Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from voxgate.client.array import VolumeArray
from voxgate.client.bars import Meter
from voxgate.client.writing import granule_pieces
from voxgate.model.errors import DataTypeMismatch, InvalidArgument, ReadOnly, ShapeMismatch, VerificationFailed
from voxgate.model.geometry import Box
from voxgate.model.requests import check_version_open
from voxgate.model.volumes import Writable

_AT_ONCE = 4
"""Pieces on their way: enough to read, compare and write at the same time, few enough for a laptop's memory."""


@dataclass(frozen=True, slots=True)
class Copied:
    """What a copy did.

    Attributes:
        written_bytes: voxel bytes that differed and were written.
        equal_bytes: voxel bytes that were there already.
        checksum: SHA-256 over the SHA-256 of the pieces, lower-case hex: equal for equal voxels on an equal grid.
    """

    written_bytes: int
    equal_bytes: int
    checksum: str


def copy_voxels(source: VolumeArray, destination: VolumeArray, meter: Meter, *, verify: bool = True) -> Copied:
    """Make the scale that `destination` shows hold the voxels that `source` shows; what it holds already stays.

    Pieces of whole write granules are read from both sides and written where a byte differs, so that a copy that was
    interrupted goes on where it stopped, and one that is complete writes nothing.

    Args:
        source: of the same extents, channels and dtype; its first voxel goes to the destination's first.
        destination: takes writes.
        meter: called after each piece.
        verify: read back what was written, and compare.

    Raises:
        InvalidArgument, ShapeMismatch, DataTypeMismatch, ReadOnly: before anything is written.
        VerificationFailed: when something else came back than was written.
        VoxgateError: whatever reading or writing fails with; pieces that were written stay.
    """
    copy = _Copy(source, destination, _checked(source, destination), verify)
    level = destination.scales[destination.scale_index]
    voxel_bytes = destination.dtype.itemsize * destination.info.channel_count
    pieces = granule_pieces(level, level.bounds, voxel_bytes)
    total = level.bounds.voxel_count * voxel_bytes
    written, done = 0, 0
    digests: dict[int, bytes] = {}
    meter("import", 0, total)
    for number, outcome in _in_threads(copy, enumerate(pieces)):
        digests[number] = outcome.digest
        done += outcome.byte_count
        written += outcome.byte_count if outcome.written else 0
        meter("import", done, total)
    checksum = hashlib.sha256(b"".join(digests[number] for number in sorted(digests))).hexdigest()
    return Copied(written, done - written, checksum)


@dataclass(frozen=True, slots=True)
class _Outcome:
    byte_count: int
    written: bool
    digest: bytes


@dataclass(frozen=True, slots=True)
class _Copy:
    source: VolumeArray
    destination: VolumeArray
    writable: Writable
    verify: bool

    def piece(self, box: Box) -> _Outcome:
        """Copy one piece, a box of the destination."""
        there = box.shifted(self.source.bounds.start - self.destination.bounds.start)
        wanted = self.source.volume.read(there, scale=self.source.scale_index)
        scale = self.destination.scale_index
        held = self.destination.volume.read(box, scale=scale)
        digest = hashlib.sha256(wanted.tobytes()).digest()
        if _same(held, wanted):
            return _Outcome(wanted.nbytes, False, digest)
        self.writable.write(box, wanted, scale=scale)
        if self.verify and not _same(self.destination.volume.read(box, scale=scale, out=held), wanted):
            raise VerificationFailed(
                f"{self.destination.name} holds other voxels in {box} than were written",
                "import again; look at the store if it stays",
                details={"box": str(box)},
            )
        return _Outcome(wanted.nbytes, True, digest)


def _checked(source: VolumeArray, destination: VolumeArray) -> Writable:
    if "t" in source.axes or source.info.channel_count != destination.info.channel_count:
        raise InvalidArgument(
            f"the source has the axes {source.axes!r}, the destination {destination.axes!r}", "choose one time"
        )
    if source.bounds.shape != destination.bounds.shape:
        raise ShapeMismatch(
            f"{destination.name} has {destination.bounds.shape.zyx} voxels (z, y, x), the source"
            f" {source.bounds.shape.zyx}",
            "import into another volume",
        )
    if source.dtype != destination.dtype:
        raise DataTypeMismatch(
            f"{destination.name} holds {destination.dtype}, the source {source.dtype}", "import into another volume"
        )
    writable = destination.volume.capability(Writable)
    if writable is None:
        check_version_open(destination.info)
        raise ReadOnly(f"{destination.name} takes no writes", "its operator allows them with writable = true")
    return writable


def _in_threads(copy: _Copy, pieces: Iterator[tuple[int, Box]]) -> Iterator[tuple[int, _Outcome]]:
    """The outcome of each piece by its number, in the order in which they are done."""
    with ThreadPoolExecutor(_AT_ONCE, thread_name_prefix="voxgate-import") as pool:
        running: dict[Future[_Outcome], int] = {}
        try:
            while True:
                for number, box in itertools.islice(pieces, _AT_ONCE - len(running)):
                    running[pool.submit(copy.piece, box)] = number
                if not running:
                    return
                for each in wait(running, return_when=FIRST_COMPLETED).done:
                    yield running.pop(each), each.result()
        finally:
            for each in running:
                each.cancel()


def _same(one: npt.NDArray[Any], other: npt.NDArray[Any]) -> bool:
    """Whether every byte is the same: NaN equals itself, and -0.0 is not 0.0."""
    if one.dtype.kind == "f":
        bits = np.dtype(f"<u{one.dtype.itemsize}")
        return np.array_equal(one.view(bits), other.view(bits))
    return np.array_equal(one, other)
