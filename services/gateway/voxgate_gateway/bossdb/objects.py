"""`/ids`, `/boundingbox` and `/reserve`: what annotation channels know of their objects."""

from __future__ import annotations

import anyio.to_thread
from starlette.responses import Response

from voxgate.model.errors import MissingCapability, SegmentNotFound
from voxgate.model.geometry import Box, Vec3, aligned_outward
from voxgate_gateway.answers import json_answer
from voxgate_gateway.backend.objects import Where, box_of, ids_in, reserve_ids
from voxgate_gateway.bossdb.call import BOX, NAMES, Call, route
from voxgate_gateway.bossdb.channels import BossChannel, channel_of
from voxgate_gateway.bossdb.errors import BossError, Code
from voxgate_gateway.bossdb.merging import refuse_shared_account
from voxgate_gateway.bossdb.regions import Asked, asked_of, checked_scale
from voxgate_gateway.changes import refuse_changes

CUBOID = Vec3(512, 512, 16)
"""Voxels of a cuboid, the service's unit of storage, at every resolution (jhuapl-boss/spdb, CUBOIDSIZE)."""


async def get_ids(call: Call) -> Response:
    """The ids in a box, as strings, without 0, in order; of several time samples, those of any."""
    channel = await _annotations(call)
    asked = await asked_of(call, channel)
    found: set[int] = set()
    if not asked.inside.is_empty:
        for sample in asked.times:
            found.update(await anyio.to_thread.run_sync(_ids_at, call, asked, sample))
    return json_answer(call.request, {"ids": [str(each) for each in sorted(found)]})


def _ids_at(call: Call, asked: Asked, sample: int) -> list[int]:
    channel = asked.channel
    return ids_in(call.backend.calls, Where(channel.described, asked.scale, channel.time_of(sample)), asked.inside)


async def get_bounding_box(call: Call) -> Response:
    """Around an object: its cuboids (loose) or its voxels (tight)."""
    kind = call.request.query_params.get("type", "loose")
    if kind not in ("loose", "tight"):
        message = f"Invalid option for bounding box type {kind[:40]}. The valid options are : loose or tight"
        raise BossError(Code.INVALID_ARGUMENT, message)
    channel = await _annotations(call)
    scale, label = checked_scale(channel, call.part("resolution")), int(call.part("id"))
    box = await anyio.to_thread.run_sync(_box_around, call, Where(channel.described, scale, channel.time_of(0)), label)
    if kind == "loose":
        box = aligned_outward(box, CUBOID, Vec3(0, 0, 0))
    ranges = {f"{axis}_range": [start, stop] for axis, start, stop in zip("xyz", box.start, box.stop, strict=True)}
    return json_answer(call.request, {**ranges, "t_range": [0, 1]})


def _box_around(call: Call, where: Where, label: int) -> Box:
    gone = BossError(Code.OBJECT_NOT_FOUND, f"The id does not exist. {label}")
    if not 0 < label < 1 << 64:
        raise gone
    try:
        return box_of(call.backend.calls, where, label, exact=True)
    except SegmentNotFound:
        raise gone from None


async def get_reserve(call: Call) -> Response:
    """Reserve ids: the first as a number, how many as the string of the address.

    A GET that changes something, as the service has it: neither HEAD nor another origin's page may ask for it.
    """
    if call.request.method == "HEAD":
        raise BossError(Code.BAD_REQUEST, 'Method "HEAD" not allowed.', status=405)
    refuse_changes(call.request)
    refuse_shared_account(call)
    channel = await _annotations(call)
    count = int(call.part("count"))
    if not 0 < count < 1 << 63:
        raise BossError(Code.TYPE_ERROR, f"Type error in the reserve id view. {call.part('count')} ids are no range")
    try:
        first = await anyio.to_thread.run_sync(reserve_ids, call.backend.calls, channel.described, count)
    except MissingCapability as error:
        message = f"This channel's store hands out no ids: {error.message}"
        raise BossError(Code.MISSING_PERMISSION, message, reason=error.reason) from None
    answer = json_answer(call.request, {"start_id": first, "count": call.part("count")}, cache_control="no-store")
    del answer.headers["etag"]
    return answer


async def _annotations(call: Call) -> BossChannel:
    """The channel of an address.

    Raises:
        BossError: 400/2003 for one whose voxels are no ids.
    """
    channel = await channel_of(call)
    if not channel.is_annotation:
        message = "The channel in request has type image. Can only perform this operation on annotation channels"
        raise BossError(Code.DATATYPE_NOT_SUPPORTED, message)
    return channel


ROUTES = (
    route("ids", f"{NAMES}/{BOX}", GET=get_ids),
    route("boundingbox", rf"{NAMES}/(?P<resolution>\d)/(?P<id>\d{{1,40}})", GET=get_bounding_box),
    route("reserve", rf"{NAMES}/(?P<count>\d{{1,40}})", GET=get_reserve),
)
