"""`/downsample`: which resolutions there are, and asking a store to compute them.

Levels are the volume's own scales, whatever their factors; `?iso=true` changes nothing, for no second pyramid is kept.
A store that computes coarser levels by itself is asked to on POST. Any other's scales come from elsewhere, so that POST
is refused, and nothing that was begun can be cancelled from here.
"""

from __future__ import annotations

from functools import partial

import anyio.to_thread
from starlette.responses import Response

from voxgate.model.downsampling import DownsamplingState
from voxgate.model.errors import MissingCapability
from voxgate.model.geometry import VoxelSize
from voxgate.model.volumes import Scale
from voxgate_gateway.answers import json_answer
from voxgate_gateway.backend.objects import downsampling_of, start_downsampling
from voxgate_gateway.bossdb.call import NAMES, Call, route
from voxgate_gateway.bossdb.channels import BossChannel, channel_of
from voxgate_gateway.bossdb.errors import BossError, Code
from voxgate_gateway.bossdb.merging import refuse_shared_account
from voxgate_gateway.bossdb.objects import CUBOID

NONE, DONE = "NOT_DOWNSAMPLED", "DOWNSAMPLED"
_WORDS = {
    DownsamplingState.NONE: NONE,
    DownsamplingState.QUEUED: "QUEUED",
    DownsamplingState.RUNNING: "IN_PROGRESS",
    DownsamplingState.DONE: DONE,
    DownsamplingState.FAILED: "FAILED",
}
_AT_WORK = ("QUEUED", "IN_PROGRESS")


async def status_of(call: Call, channel: BossChannel) -> str:
    """The status of a channel's coarser levels: the store's, where it computes them; else whether there are any."""
    state = await anyio.to_thread.run_sync(downsampling_of, call.backend.calls, channel.described)
    if state is None:
        return DONE if channel.level_count > 1 else NONE
    return _WORDS[state]


async def get_downsample(call: Call) -> Response:
    """Status, and voxel size, extent and cuboid size of every level, x, y, z.

    As the service has it, an extent is where the voxels stop, which is their size only where they start at 0.
    """
    channel = await channel_of(call)
    levels = [(str(at), channel.described.info.scales[at]) for at in range(channel.level_count)]
    document = {
        "status": await status_of(call, channel),
        "num_hierarchy_levels": len(levels),
        "voxel_size": {key: list(_voxel_size(channel, scale)) for key, scale in levels},
        "extent": {key: list(scale.bounds.stop) for key, scale in levels},
        "cuboid_size": {key: list(CUBOID) for key, _ in levels},
    }
    return json_answer(call.request, document)


def _voxel_size(channel: BossChannel, scale: Scale) -> VoxelSize:
    if scale.voxel_size_nm is None:
        name = channel.described.info.name
        message = f"the voxel size of {name} is unknown, and levels must state it: state voxel_size_nm in voxgate.toml"
        raise BossError(Code.SYSTEM_ERROR, message)
    return scale.voxel_size_nm


async def post_downsample(call: Call) -> Response:
    """Ask the store for the coarser levels."""
    refuse_shared_account(call)
    channel = await channel_of(call)
    status = await status_of(call, channel)
    if status in (*_AT_WORK, DONE):
        raise BossError(Code.INVALID_STATE, f"Channel is {status}. Invalid Request.")
    try:
        await anyio.to_thread.run_sync(partial(start_downsampling, call.backend.calls, channel.described))
    except MissingCapability:
        message = "This channel's store computes no coarser levels by itself; the Transfer service builds them"
        raise BossError(Code.MISSING_PERMISSION, message, reason=MissingCapability.reason) from None
    return Response(status_code=201)


async def delete_downsample(call: Call) -> Response:
    """Cancel: refused, as the service does where nothing is under way."""
    status = await status_of(call, await channel_of(call))
    if status in _AT_WORK:
        raise BossError(Code.MISSING_PERMISSION, "What the store computes can be cancelled with its own tools only")
    message = "You can only cancel a queued or in-progress downsample operation."
    raise BossError(Code.INVALID_STATE, message)


ROUTES = (route("downsample", NAMES, GET=get_downsample, POST=post_downsample, DELETE=delete_downsample),)
