"""Writing as BossDB writes: voxels of an upload that are not 0 replace what is there, and the others do not.

The merge happens here, under a lock for each volume: uploads through one gateway lose nothing of each other. A gRPC
writer, or another gateway, that writes the same voxels at the same time is not waited for.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from voxgate_gateway.backend.cutouts import CutoutWish
from voxgate_gateway.backend.writing import Place, write_cutout
from voxgate_gateway.bossdb.call import Call
from voxgate_gateway.bossdb.channels import BossChannel
from voxgate_gateway.bossdb.errors import BossError, Code, takes_no_writes
from voxgate_gateway.bossdb.regions import Asked

_WRITABLE_LEVELS = 2
"""The service takes the base resolution and the one above it."""
_SHARED = "public"
"""The token of the service's account that everybody has, which only reads."""


@dataclass(frozen=True, slots=True)
class Merge:
    """What to write.

    Attributes:
        asked: where.
        voxels: shape (t, z, y, x), in the dialect's type; None erases.
    """

    asked: Asked
    voxels: npt.NDArray[Any] | None


def check_writable(call: Call, asked: Asked) -> None:
    """Check that a box can be written, before its body is read.

    Raises:
        BossError: 403/3001 for who may not, and for volumes that take no writes; 400/9001 for other resolutions;
            400/1001 for a box that is partly out of what the channel has.
    """
    refuse_shared_account(call)
    name = asked.channel.described.info.name
    if asked.scale >= _WRITABLE_LEVELS:
        raise BossError(Code.SYSTEM_ERROR, "You can only write data to a channel's base resolution or base + 1")
    if not asked.level.writable:
        raise takes_no_writes(name)
    if asked.inside != asked.box:
        raise BossError(Code.INVALID_CUTOUT_ARGS, f"{asked.box} is not inside of {name}, which is {asked.level.bounds}")


def refuse_shared_account(call: Call) -> None:
    """Refuse changes by the account that everybody has.

    Raises:
        BossError: 403/3001.
    """
    scheme, _, token = call.request.headers.get("authorization", "").partition(" ")
    if scheme.lower() == "token" and token.strip() == _SHARED:
        raise BossError(Code.MISSING_PERMISSION, "The token public is everybody's, and only reads")


def merge(call: Call, told: Merge) -> None:
    """Merge, sample by sample; blocks.

    Raises:
        BossError: 400/2001 for an id that the stored type cannot hold.
        VoxgateError: what the server answered.
    """
    asked, channel = told.asked, told.asked.channel
    stored = None if told.voxels is None else _narrowed(told.voxels, channel.stored_dtype)
    with call.dialect.merging.of(channel.described.info.name):
        for place, sample in enumerate(asked.times):
            wish = CutoutWish(asked.box, asked.scale, None, channel.time_of(sample))
            one = None if stored is None else stored[place]
            if one is not None and not one.any():
                continue
            _merge_one(call, asked.channel, wish, one)


def _merge_one(call: Call, channel: BossChannel, wish: CutoutWish, one: npt.NDArray[Any] | None) -> None:
    """Write one time sample. What is there is read only where some of it stays."""
    described, index = channel.described, channel.index
    if index is None and one is None:
        voxels = np.broadcast_to(np.zeros((), described.info.dtype), (1, *wish.box.shape.zyx))
    elif index is None and one is not None and one.all():
        voxels = one[np.newaxis]
    else:
        voxels = call.backend.read_cutout(described, wish)
        target = voxels[index or 0]
        if one is None:
            target[...] = 0
        else:
            np.copyto(target, one, where=one != 0)
    write_cutout(call.backend.calls, described, Place(wish.box, wish.scale, wish.time), voxels)


def _narrowed(voxels: npt.NDArray[Any], dtype: np.dtype[Any]) -> npt.NDArray[Any]:
    if voxels.dtype == dtype:
        return voxels
    largest = int(np.iinfo(dtype).max)
    if voxels.size and int(voxels.max()) > largest:
        raise BossError(Code.DATATYPE_DOES_NOT_MATCH, f"The volume keeps {dtype.name}: an id is larger than {largest}")
    return voxels.astype(dtype)
