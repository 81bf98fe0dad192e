"""Reading boxes: requests of about one size, on the grid of the stored cuboids, several at a time."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt

from voxgate.model.geometry import Box, Vec3
from voxgate.model.volumes import CallContext
from voxgate_remotes.bossdb.channels import CUBOID
from voxgate_remotes.bossdb.codec import decode
from voxgate_remotes.bossdb.failures import refused
from voxgate_remotes.bossdb.routes import Region
from voxgate_remotes.bossdb.shared import Shared
from voxgate_remotes.bossdb.workers import Gate
from voxgate_remotes.cuts import requests_of
from voxgate_remotes.http.answers import StoreAnswer, StoreCall

ORIGIN = Vec3(0, 0, 0)
_ACCEPT = (("Accept", "application/blosc"),)
_ROOM_BYTES = 64 << 10
"""Beyond the voxels: a blosc buffer that did not get smaller has a header and an index of its blocks."""

Target = npt.NDArray[Any]


def read(shared: Shared, region: Region, target: Target, context: CallContext) -> None:
    """Read a region into an array of shape (z, y, x), of any strides.

    Raises:
        ChunkCorrupt, OutOfBounds, UnknownVolume, StoreAccessDenied, StoreBusy, StoreUnavailable, StoreRefused,
        Cancelled, DeadlineExceeded: then nobody writes into `target` any more, which may be filled in part.
    """
    mode = shared.options.access_mode

    def fetch(piece: Box, gate: Gate) -> None:
        part = target[piece.slices_zyx(region.box.start)]
        fetch_piece(shared, region.at(piece), part, (mode, gate, context))

    most_voxels = max(1, shared.tuning.request_bytes // target.dtype.itemsize)
    cells = requests_of(region.box, CUBOID, most_voxels)
    shared.workers.run(cells, fetch, context, shared.tuning.parallel_reads)


def fetch_piece(shared: Shared, region: Region, target: Target, how: tuple[str, Gate, CallContext]) -> None:
    """Read a region by one request, or by several where the store finds it too large."""
    mode, gate, context = how

    def ask(piece: Box) -> StoreAnswer:
        size = piece.voxel_count * target.dtype.itemsize
        query = (("access-mode", mode),)
        call = StoreCall(
            "GET", region.at(piece).cutout, query, _ACCEPT, max_answer_bytes=size + size // 64 + _ROOM_BYTES
        )
        return shared.client.answer(call, context)

    def take(piece: Box, answer: StoreAnswer) -> None:
        with gate.passed():
            decode(answer.body, piece, target[piece.slices_zyx(region.box.start)])

    in_halves(region.box, ask, take, status=200)


def in_halves(
    box: Box, ask: Callable[[Box], StoreAnswer], take: Callable[[Box, StoreAnswer], None], *, status: int
) -> None:
    """Ask for a box; where the store finds it too large, for its halves.

    Raises:
        VoxgateError: what an answer of any other status means.
    """
    answer = ask(box)
    if answer.status == status:
        take(box, answer)
        return
    halves = _halves(box) if answer.status == 413 else ()
    if not halves:
        raise refused(answer)
    for half in halves:
        in_halves(half, ask, take, status=status)


def _halves(box: Box) -> tuple[Box, ...]:
    """A box cut in two along z, y or x, between cuboids as long as there are several; nothing for a single voxel."""
    for axis in (2, 1, 0):
        start, stop, step = (tuple(each)[axis] for each in (box.start, box.stop, CUBOID))
        cut = (start + stop) // 2 // step * step
        if cut <= start:
            cut = (start // step + 1) * step
        if start < cut < stop:
            return _cut(box, axis, cut)
    axis = int(np.argmax(tuple(box.shape)))
    start, stop = tuple(box.start)[axis], tuple(box.stop)[axis]
    return _cut(box, axis, (start + stop) // 2) if stop - start > 1 else ()


def _cut(box: Box, axis: int, at: int) -> tuple[Box, Box]:
    middle = [at if i == axis else end for i, end in enumerate(box.stop)]
    begin = [at if i == axis else end for i, end in enumerate(box.start)]
    return Box(box.start, Vec3(*middle)), Box(Vec3(*begin), box.stop)
