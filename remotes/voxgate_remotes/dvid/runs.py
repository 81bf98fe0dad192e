"""The voxels of a segment as runs: GET sparsevol/{id}?format=rles, and the parser of what it answers.

Header: one byte for payloads, uint8 3 dimensions, uint8 0 for runs along x, one reserved byte, uint32 0, uint32 number
of runs; then for each run int32 x, y, z and length, all little-endian (help of labelmap). Nothing at all stands for no
run, 404 for no block in the bounds (measured). `minx` … `maxz` are inclusive voxels of the level asked for. Bounds that
cut blocks are not to be relied on (github.com/janelia-flyem/dvid/issues/380): whole blocks are asked for and cut here.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import chain

import numpy as np

from voxgate.model.errors import ChunkCorrupt, SegmentNotFound
from voxgate.model.geometry import Box, Vec3, aligned_outward, grid_cells
from voxgate.model.requests import check_box, scale_of
from voxgate.model.segments import Runs
from voxgate.model.volumes import VolumeInfo
from voxgate_remotes.dvid.client import Ask, Query
from voxgate_remotes.dvid.instances import ORIGIN
from voxgate_remotes.dvid.labels import LabelSource
from voxgate_remotes.dvid.levels import halved

_HEADER_BYTES = 12
_RUN_BYTES = 16
_BLOCKS_AT_A_TIME = 4096
_RUNS_AT_A_TIME = 1 << 16
_HEADER = np.dtype(
    [("payload", "u1"), ("dimensions", "u1"), ("axis", "u1"), ("more", "u1"), ("x", "<u4"), ("n", "<u4")]
)


class DvidRuns:
    """Knows the voxels of segments as runs; satisfies SegmentRuns."""

    def __init__(self, source: LabelSource, info: VolumeInfo) -> None:
        self._source = source
        self._info = info

    def segment_runs(self, segment_id: int, *, box: Box | None = None, scale: int = 0) -> Iterator[Runs]:
        """The voxels of a segment, in pieces; see `voxgate.model.segments.SegmentRuns`. Large ones slab by slab."""
        level = scale_of(self._info, scale) if box is None else check_box(self._info, box, scale)
        wanted = (box or level.bounds).intersection(level.bounds)
        size = self._source.size(segment_id)
        region = halved(size.box, scale).intersection(wanted)
        found = self._slabs(segment_id, scale, region, size.blocks) if not region.is_empty else iter(())
        first = next(found, None)
        if first is None:
            raise SegmentNotFound(f"segment {segment_id} has no voxel there", "ask for a larger box, or a finer scale")
        return chain([first], found)

    def _slabs(self, segment_id: int, scale: int, region: Box, blocks: int) -> Iterator[Runs]:
        """The runs in a region, read in slabs of about as many blocks as one answer should be of."""
        block = self._source.instance.block
        whole = aligned_outward(region, block, ORIGIN)
        layers = whole.shape.z // block.z
        step = max(1, layers * _BLOCKS_AT_A_TIME // max(1, blocks))
        for slab in grid_cells(whole, Vec3(whole.shape.x, whole.shape.y, block.z * step), whole.start):
            self._source.place.context.check()
            ask = Ask(
                self._source.path("sparsevol", str(segment_id)),
                (("format", "rles"), *self._source.query(scale), *_bounds(slab)),
                most_bytes=1 << 30,
            )
            body = self._source.place.client.find(ask, self._source.place.context)
            runs = clipped(parsed_runs(body or b""), region.intersection(slab))
            for start in range(0, len(runs), _RUNS_AT_A_TIME):
                yield runs[start : start + _RUNS_AT_A_TIME]


def parsed_runs(body: bytes) -> Runs:
    """The runs of an answer: int64 array of shape (n, 4): x, y, z, length.

    Raises:
        ChunkCorrupt: when it is not exactly as long as it says, or says what cannot be.
    """
    if not body:
        return np.empty((0, 4), np.int64)
    if len(body) < _HEADER_BYTES:
        raise _corrupt(f"{len(body)} bytes are no header")
    header = np.frombuffer(body, _HEADER, 1)[0]
    if header["dimensions"] != 3 or header["axis"] != 0:
        raise _corrupt("it is not of runs along x")
    count = int(header["n"])
    if len(body) != _HEADER_BYTES + count * _RUN_BYTES:
        raise _corrupt(f"{count} runs are announced, {len(body) - _HEADER_BYTES} bytes follow")
    runs = np.frombuffer(body, "<i4", offset=_HEADER_BYTES).reshape(-1, 4).astype(np.int64)
    if count and runs[:, 3].min() < 1:
        raise _corrupt("a run has no voxel")
    return runs


def clipped(runs: Runs, box: Box) -> Runs:
    """The parts of runs that lie in a box."""
    x, y, z, length = runs.T
    start, stop = np.maximum(x, box.start.x), np.minimum(x + length, box.stop.x)
    inside = (start < stop) & (box.start.y <= y) & (y < box.stop.y) & (box.start.z <= z) & (z < box.stop.z)
    kept: Runs = np.stack([start, y, z, stop - start], axis=1)[inside]
    return kept


def _bounds(box: Box) -> Query:
    low = tuple((f"min{axis}", str(value)) for axis, value in zip("xyz", box.start, strict=True))
    return low + tuple((f"max{axis}", str(value - 1)) for axis, value in zip("xyz", box.stop, strict=True))


def _corrupt(why: str) -> ChunkCorrupt:
    return ChunkCorrupt(f"the store's sparse volume cannot be used: {why}", "try again later")
