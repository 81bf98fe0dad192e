"""Writing boxes: whole blocks as they are, cut ones merged with what is stored.

DVID takes whole blocks and has no conditional write. So a cut block is read, changed and written while this process
holds the block: writers of one remote in one process lose nothing to one another. Other programs, and other processes,
that write to the same block at the same moment are not seen: one of both writes may be lost.

What is merged are supervoxels, which is what DVID stores: merging bodies would dissolve the supervoxels around.
"""

from __future__ import annotations

import itertools
import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

import numpy as np

from voxgate.model.errors import SegmentSuperseded, UnsupportedFormat
from voxgate.model.geometry import Box, Vec3, aligned_outward, grid_cells
from voxgate.model.volumes import CallContext
from voxgate_remotes.dvid.client import Ask, id_list, json_body
from voxgate_remotes.dvid.instances import ORIGIN, Instance
from voxgate_remotes.dvid.levels import Level
from voxgate_remotes.dvid.voxels import REQUEST_BYTES, Block3, Place, fetched, pieces, stored

_STRIPES = 256
_PATIENCE_S = 0.25
_SMALL_BYTES = REQUEST_BYTES // 4
_IDS_AT_A_TIME = 50_000


class BlockLocks:
    """Who may change which blocks, among the threads of one remote. Thread-safe; of a fixed size."""

    def __init__(self) -> None:
        self._locks = [threading.Lock() for _ in range(_STRIPES)]

    @contextmanager
    def hold(self, place: Place, instance: Instance, box: Box) -> Iterator[None]:
        """Hold the blocks of a box; waits as long as the caller has patience.

        Raises:
            Cancelled, DeadlineExceeded.
        """
        version = place.uuid if instance.is_versioned else ""
        blocks = aligned_outward(box, instance.block, ORIGIN).voxel_count // instance.block.product
        wanted = set(range(_STRIPES))
        if blocks < _STRIPES:
            cells = grid_cells(aligned_outward(box, instance.block, ORIGIN), instance.block, ORIGIN)
            wanted = {hash((version, instance.name, cell.start)) % _STRIPES for cell in cells}
        with ExitStack() as held:
            for stripe in sorted(wanted):  # in one order, so that nobody waits in a circle
                _take(self._locks[stripe], place.context)
                held.callback(self._locks[stripe].release)
            yield


def _take(lock: threading.Lock, context: CallContext) -> None:
    context.check()
    while not lock.acquire(timeout=_PATIENCE_S):
        context.check()


def write_box(place: Place, level: Level, box: Box, voxels: Block3, locks: BlockLocks) -> None:
    """Write a box (z, y, x) of any alignment to the finest level of an instance.

    Raises:
        UnsupportedFormat: where DVID would fail half-way: its levels below do not go below voxel 0 (measured).
        VersionLocked, StoreUnavailable, ChunkCorrupt, Cancelled, DeadlineExceeded.
    """
    instance = level.instance
    if instance.max_level and min(aligned_outward(box, instance.block, ORIGIN).start) < 0:
        raise UnsupportedFormat(
            f"DVID cannot make the coarser levels of {instance.name!r} below voxel 0",
            "write to an instance without coarser levels (MaxDownresLevel 0)",
        )
    for part in _parts(box, instance.block, instance.dtype.itemsize):
        for piece in pieces(part, instance.block, instance.dtype.itemsize):
            place.context.check()
            with locks.hold(place, instance, piece):
                _write_piece(place, level, piece, voxels[piece.slices_zyx(box.start)])


def _write_piece(place: Place, level: Level, piece: Box, voxels: Block3) -> None:
    whole = aligned_outward(piece, level.instance.block, ORIGIN)
    if whole != piece:
        merged = np.array(fetched(place, level, whole, supervoxels=True))
        merged[piece.slices_zyx(whole.start)] = voxels
        voxels = merged
    stored(place, level.instance, whole, voxels)


def _parts(box: Box, block: Vec3, itemsize: int) -> Iterator[Box]:
    """A box cut so that most of it is whole blocks; a small one is left as it is, to be two requests and not 28."""
    if box.voxel_count * itemsize <= _SMALL_BYTES:
        yield box
        return
    cuts = []
    for start, stop, size in zip(box.start, box.stop, block, strict=True):
        low, high = -(-start // size) * size, stop // size * size
        inner = [low, high] if low < high else []
        ends = [start, *inner, stop]
        cuts.append([(a, b) for a, b in itertools.pairwise(ends) if a < b])
    for z, y, x in itertools.product(*reversed(cuts)):
        yield Box.of(x=x, y=y, z=z)


def check_bodies(place: Place, instance: Instance, voxels: Block3) -> None:
    """Refuse ids that would read back as others: DVID stores supervoxels and maps them to bodies when it reads.

    Raises:
        SegmentSuperseded: for the id of a supervoxel that belongs to another body, or to none any more.
    """
    ids = _ids_in(voxels)
    for start in range(0, len(ids), _IDS_AT_A_TIME):
        asked = ids[start : start + _IDS_AT_A_TIME]
        # nolookup: an id that no voxel has yet is no mistake here.
        ask = Ask(place.ask(instance.name, "mapping"), (("nolookup", "true"),), body=json_body(asked))
        for one, body in zip(asked, id_list(place.client.get(ask, place.context), len(asked)), strict=True):
            if body != one:
                raise SegmentSuperseded(
                    f"voxels written as {one} would read back as {body}: it is the id of a supervoxel, or of no body",
                    "write the id of a body, or open the volume with supervoxels as its labels",
                    details={"segment_id": str(one), "current": str(body) if body else ""},
                )


def _ids_in(voxels: Block3) -> list[int]:
    """The ids in an array, background left out; few voxels differ from the one before, so few are sorted."""
    flat = np.ravel(voxels)
    changes = np.flatnonzero(flat[1:] != flat[:-1]) + 1
    found = np.unique(np.concatenate([flat[:1], flat[changes]]))
    return [int(one) for one in found if one]
