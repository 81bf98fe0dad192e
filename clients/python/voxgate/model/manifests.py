"""The manifest of a job: what each finished block was, as arrays, because a job may have millions."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from voxgate.model import frames
from voxgate.model.geometry import Box, Vec3
from voxgate.model.jobs import JobBlock

_CORNERS = ("x_start", "y_start", "z_start", "x_stop", "y_stop", "z_stop")


@dataclass(frozen=True, slots=True, eq=False)
class JobManifest:
    """What the finished blocks of a job were, in the order of their numbers.

    Attributes:
        block_index: uint64 array of shape (n,), the blocks' numbers.
        scale: uint32 array of shape (n,), indices of scales.
        boxes: int64 array of shape (n, 6): x, y, z of the first voxel, then of the one after the last; voxels of the
            scale, global coordinates of the destination. All 0 where a block is no box.
        checksums: uint8 array of shape (n, 32), SHA-256 of each block's voxels: C-order (c, z, y, x), little-endian.
    """

    block_index: npt.NDArray[np.uint64]
    scale: npt.NDArray[np.uint32]
    boxes: npt.NDArray[np.int64]
    checksums: npt.NDArray[np.uint8]

    @staticmethod
    def of(pages: Iterable[Sequence[JobBlock]]) -> JobManifest:
        """Collect blocks, a page at a time: only the arrays are kept."""
        parts = [_part(page) for page in pages if page]
        if not parts:
            return _part(())
        columns = zip(*((part.block_index, part.scale, part.boxes, part.checksums) for part in parts), strict=True)
        return JobManifest(*(np.concatenate(column) for column in columns))

    @property
    def checksum(self) -> str:
        """SHA-256 over the blocks' checksums in this order, lower-case hex: of a job that succeeded, its result's."""
        return hashlib.sha256(self.checksums.tobytes()).hexdigest()

    def to_pandas(self) -> Any:
        """A `pandas.DataFrame` with one row for each block.

        Its index is "block_index", uint64; its columns are "scale", "x_start", "y_start", "z_start", "x_stop",
        "y_stop", "z_stop" and "checksum", lower-case hex.

        Raises:
            Unimplemented: without pandas: the extra `voxgate[tables]`.
        """
        columns: dict[str, Any] = {"scale": self.scale}
        columns |= {name: self.boxes[:, place] for place, name in enumerate(_CORNERS)}
        columns["checksum"] = frames.column_of([row.tobytes().hex() for row in self.checksums])
        return frames.frame_of(columns, index=("block_index", self.block_index))

    def __len__(self) -> int:
        return len(self.block_index)

    def __iter__(self) -> Iterator[JobBlock]:
        rows = zip(self.block_index.tolist(), self.scale.tolist(), self.boxes.tolist(), self.checksums, strict=True)
        for index, scale, corners, checksum in rows:
            box = Box(Vec3(*corners[:3]), Vec3(*corners[3:])) if any(corners) else None
            yield JobBlock(index, checksum.tobytes(), box, scale)

    def __repr__(self) -> str:
        return f"<JobManifest: {len(self)} blocks>"


def _part(blocks: Sequence[JobBlock]) -> JobManifest:
    corners = [(*block.box.start, *block.box.stop) if block.box else (0,) * 6 for block in blocks]
    digests = b"".join(block.checksum for block in blocks)
    return JobManifest(
        np.array([block.block_index for block in blocks], np.uint64),
        np.array([block.scale for block in blocks], np.uint32),
        np.array(corners, np.int64).reshape(-1, 6),
        np.frombuffer(digests, np.uint8).reshape(-1, 32),
    )
