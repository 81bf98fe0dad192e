"""`/cutout`: voxels of a box, read, merged and erased.

Facts: django/bossspatialdb of jhuapl-boss/boss, and jhuapl-boss/spdb. Writing leaves alone what the upload has zeros
for; erasing is a request of its own. Deviations of the service that are faults (of two time samples it erases the
first alone) are not repeated.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar

import anyio
import anyio.to_thread
import numpy as np
import numpy.typing as npt
from anyio.lowlevel import RunVar
from starlette.responses import Response

from voxgate_gateway.answers import caching
from voxgate_gateway.backend.cutouts import CutoutWish
from voxgate_gateway.bossdb.bodies import body_of
from voxgate_gateway.bossdb.call import BOX, NAMES, Call, route
from voxgate_gateway.bossdb.channels import BossChannel, channel_of
from voxgate_gateway.bossdb.codecs import JPEG, check_jpeg, decode, encode, media_of, negotiated
from voxgate_gateway.bossdb.errors import BossError, Code
from voxgate_gateway.bossdb.merging import Merge, check_writable, merge
from voxgate_gateway.bossdb.regions import Asked, asked_of

_THREADS = 8
_OVERHEAD_BYTES = 1 << 16
"""What a compressed body may be longer than its voxels, beside a hundredth: headers, and what does not compress."""
_MODES = ("cache", "no-cache", "raw")
A = TypeVar("A")


@dataclass(frozen=True, slots=True)
class _Reading:
    asked: Asked
    wanted: list[int] | None
    media: str


async def get_cutout(call: Call) -> Response:
    """Voxels of a box, in what is accepted."""
    media = negotiated(call.request.headers.get("accept", ""))
    _check_access_mode(call)
    channel = await channel_of(call)
    wanted = _filter_ids(channel, call.request.query_params.get("filter"))
    asked = await asked_of(call, channel)
    if media == JPEG:
        check_jpeg(channel.dtype, is_timed=asked.is_timed)
    _refuse_oversize(call, asked)
    async with call.dialect.memory.held(2 * asked.byte_count):
        body = await _in_a_thread(_READERS, lambda: _read(call, _Reading(asked, wanted, media)))
    cache_control = caching(call.request, lasting=channel.described.is_lasting)
    return Response(body, media_type=media, headers={"cache-control": cache_control, "vary": "Accept"})


async def post_cutout(call: Call) -> Response:
    """Write a box; zeros in it leave what is there."""
    media = media_of(call.request.headers.get("content-type", ""))
    asked = await _asked_to_write(call)
    async with call.dialect.memory.held(3 * asked.byte_count):
        body = await body_of(call.request, asked.byte_count + asked.byte_count // 100 + _OVERHEAD_BYTES)
        await _in_a_thread(_WRITERS, lambda: _post(call, asked, body, media))
    return Response(status_code=201)


async def put_to_black(call: Call) -> Response:
    """Erase a box."""
    asked = await _asked_to_write(call)
    async with call.dialect.memory.held(2 * asked.byte_count):
        await _in_a_thread(_WRITERS, lambda: merge(call, Merge(asked, None)))
    return Response(status_code=200)


def read_voxels(call: Call, asked: Asked) -> npt.NDArray[np.generic]:
    """The voxels of a box, shape (t, z, y, x), C-order, in the dialect's type; 0 where the scale has none.

    Blocks; allocates the whole.

    Raises:
        VoxgateError: what the server answered; never zeros instead.
    """
    channel, inside = asked.channel, asked.inside
    voxels = np.zeros((len(asked.times), *asked.box.shape.zyx), channel.dtype)
    if inside.is_empty:
        return voxels
    channels = None if channel.index is None else (channel.index,)
    for place, sample in enumerate(asked.times):
        wish = CutoutWish(inside, asked.scale, channels, channel.time_of(sample))
        found = call.backend.read_cutout(channel.described, wish)
        voxels[place][inside.slices_zyx(asked.box.start)] = found[0]
    return voxels


def _read(call: Call, reading: _Reading) -> bytes:
    voxels = read_voxels(call, reading.asked)
    if reading.wanted is not None:
        largest = int(np.iinfo(voxels.dtype).max)  # type: ignore[type-var]
        ids = np.array([each for each in reading.wanted if 0 <= each <= largest], voxels.dtype)
        voxels[~np.isin(voxels, ids)] = 0
    return encode(voxels if reading.asked.is_timed else voxels[0], reading.media)


def _post(call: Call, asked: Asked, body: bytes, media: str) -> None:
    voxels = decode(body, media, asked.shape, asked.channel.dtype)
    merge(call, Merge(asked, voxels if asked.is_timed else voxels[np.newaxis]))


async def _asked_to_write(call: Call) -> Asked:
    channel = await channel_of(call)
    asked = await asked_of(call, channel)
    check_writable(call, asked)
    _refuse_oversize(call, asked)
    return asked


def _refuse_oversize(call: Call, asked: Asked) -> None:
    most = call.dialect.settings.max_cutout_bytes
    if asked.byte_count > most:
        raise BossError(
            Code.REQUEST_TOO_LARGE,
            f"Cutout request is over {most >> 20}MB when uncompressed: reduce the size of the cutout.",
        )


def _check_access_mode(call: Call) -> None:
    """Nothing here is older than a description of some seconds, so all modes are the same; wrong ones are refused."""
    query = call.request.query_params
    if "no-cache" in query and "access-mode" in query:
        raise BossError(Code.INVALID_CUTOUT_ARGS, "access_mode and no-cache specified in URL")
    if query.get("no-cache", "true").lower() not in ("true", "false"):
        raise BossError(Code.INVALID_CUTOUT_ARGS, "Incorrect no-cache value. Must be True or False.")
    if query.get("access-mode", "cache").lower() not in _MODES:
        raise BossError(Code.INVALID_CUTOUT_ARGS, f"Incorrect access_mode. Must be one of {', '.join(_MODES)}")
    if query.get("iso", "false").lower() == "true":
        raise BossError(Code.INVALID_CUTOUT_ARGS, "There is no second, isotropic hierarchy here: leave out iso")


def _filter_ids(channel: BossChannel, told: str | None) -> list[int] | None:
    if told is None:
        return None
    if not channel.is_annotation:
        raise BossError(Code.DATATYPE_NOT_SUPPORTED, "Filter is only valid for annotation channels")
    ids = told.split(",")
    if not all(each.isascii() and each.isdigit() and len(each) <= 20 for each in ids):
        raise BossError(Code.INVALID_CUTOUT_ARGS, f"Invalid id in list of filter ids {told[:200]}.")
    return [int(each) for each in ids]


async def _in_a_thread(limiters: RunVar[anyio.CapacityLimiter], work: Callable[[], A]) -> A:
    """Of few: a cutout may take minutes, and chunks of other dialects are not to wait for it."""
    try:
        limiter = limiters.get()
    except LookupError:
        limiter = anyio.CapacityLimiter(_THREADS)
        limiters.set(limiter)
    return await anyio.to_thread.run_sync(work, limiter=limiter)


# Uploads into one volume wait for each other, and no reader is to wait for them.
_READERS: RunVar[anyio.CapacityLimiter] = RunVar("bossdb_readers")
_WRITERS: RunVar[anyio.CapacityLimiter] = RunVar("bossdb_writers")


ROUTES = (
    route("cutout", rf"to_black/{NAMES}/{BOX}", PUT=put_to_black),
    route("cutout", rf"{NAMES}/{BOX}", GET=get_cutout, POST=post_cutout),
)
