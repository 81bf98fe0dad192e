"""Writing boxes, zeros included.

BossDB's POST changes only the voxels that are not zero in what is sent (`overwrite` of jhuapl-boss/spdb, cube.py); PUT
of `to_black` makes a box zero. So a box is erased, then sent; only sent where nothing of it is zero, only erased where
all of it is. Both are exact to the voxel for boxes that cut cuboids: the store merges them into its cuboids by itself,
so nothing is read first and no neighbour is touched. Both can be repeated, one by one: what is sent twice is the same.

Between the two the box is empty for readers. What was begun is done to the end even if the caller goes away, with the
session's own patience; if the voxels cannot be sent at all, the error says what was erased.
"""

from __future__ import annotations

from typing import Any, NoReturn

import numpy as np
import numpy.typing as npt

from voxgate.model.errors import VerificationFailed, VoxgateError
from voxgate.model.geometry import Box, grid_cells
from voxgate.model.volumes import CallContext
from voxgate_remotes.bossdb.codec import encoded
from voxgate_remotes.bossdb.cutouts import ORIGIN, fetch_piece, in_halves
from voxgate_remotes.bossdb.routes import Region
from voxgate_remotes.bossdb.shared import Shared
from voxgate_remotes.bossdb.workers import Gate
from voxgate_remotes.http.answers import StoreAnswer, StoreCall

_CONTENT = (("Content-Type", "application/blosc"),)
_AT_ONCE = 4

Piece = npt.NDArray[Any]


def write(shared: Shared, region: Region, voxels: npt.NDArray[Any], context: CallContext) -> None:
    """Write an array of shape (z, y, x), of any strides, little-endian, into a region.

    Writers of this process take turns where their boxes overlap; nothing protects from those of other processes.

    Raises:
        VerificationFailed: what was read back is something else.
        OutOfBounds, UnknownVolume, StoreAccessDenied, StoreBusy, StoreUnavailable, StoreRefused, Cancelled,
        DeadlineExceeded: `details["erased"]` has the box that was erased, or may have been, and was not written.
    """

    def put(piece: Box, gate: Gate) -> None:
        with gate.passed():  # whoever is inside is waited for: no piece comes late, over what others write next
            part = np.ascontiguousarray(voxels[piece.slices_zyx(region.box.start)])
            _put(shared, region.at(piece), part, context)

    cells = grid_cells(region.box, shared.request_shape(voxels.dtype.itemsize), ORIGIN)
    with shared.regions.held((region.path, region.time), region.box, context):
        shared.workers.run(cells, put, context, min(_AT_ONCE, shared.tuning.parallel_reads))


def _put(shared: Shared, region: Region, part: Piece, context: CallContext) -> None:
    has_zeros, has_others = not part.all(), bool(part.any())
    context.check()
    patience = context.patient() if has_zeros and has_others else context
    if has_zeros:
        _erase(shared, region, patience)
    if has_others:
        try:
            _send(shared, region, part, patience)
        except VoxgateError as error:
            if not has_zeros:
                raise
            _raise_erased(error, f"the voxels {region.box} were erased and are not written", region.box)
    if shared.options.verify_writes:
        _verify(shared, region, part, context)


def _erase(shared: Shared, region: Region, context: CallContext) -> None:
    erased: list[Box] = []

    def ask(box: Box) -> StoreAnswer:
        return shared.client.answer(StoreCall("PUT", region.at(box).to_black, headers=_CONTENT), context)

    try:
        in_halves(region.box, ask, lambda box, _: erased.append(box), status=200)
    except VoxgateError as error:
        was_refused = error.details.get("status", "").startswith("4")
        if was_refused and not erased:
            raise
        _raise_erased(error, f"the voxels {region.box} may have been erased and are not written", region.box)


def _send(shared: Shared, region: Region, part: Piece, context: CallContext) -> None:
    def ask(box: Box) -> StoreAnswer:
        body = encoded(np.ascontiguousarray(part[box.slices_zyx(region.box.start)]))
        return shared.client.answer(StoreCall("POST", region.at(box).cutout, (), _CONTENT, body), context)

    in_halves(region.box, ask, lambda _box, _: None, status=201)


def _verify(shared: Shared, region: Region, part: Piece, context: CallContext) -> None:
    """Read back past the store's cache.

    Raises:
        VerificationFailed; and whatever reading raises: then the voxels were taken by the store, and not looked at.
    """
    found = np.empty_like(part)
    fetch_piece(shared, region, found, ("no-cache", Gate(), context))
    wrong = int(np.count_nonzero(found != part))
    if wrong:
        raise VerificationFailed(
            f"{wrong} of the {part.size} voxels of {region.box} read back differently",
            "write them again; if it stays, somebody else writes there, too, or look at the store's log",
            details={"box": str(region.box), "differing_voxels": str(wrong)},
        )


def _raise_erased(error: VoxgateError, what: str, box: Box) -> NoReturn:
    raise type(error)(
        f"{what}: {error.message}",
        f"{error.remedy or 'find out why'}, and write them again",
        details={**error.details, "erased": str(box)},
        retry_after_s=error.retry_after_s,
    ) from error
