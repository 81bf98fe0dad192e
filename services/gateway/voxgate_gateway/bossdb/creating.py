"""Making projects: what comes before a channel is remembered, and with the channel its volume is made."""

from __future__ import annotations

import functools

import anyio.to_thread
import numpy as np
from starlette.responses import JSONResponse, Response

from voxgate.model.errors import MalformedName, NotFound
from voxgate.model.geometry import Box, Vec3, VoxelSize
from voxgate.model.volumes import ScaleSpec, VolumeKind, VolumeSpec
from voxgate_gateway.backend import VolumeRef
from voxgate_gateway.backend.writing import create_volume
from voxgate_gateway.bossdb import fields
from voxgate_gateway.bossdb.call import Call
from voxgate_gateway.bossdb.channels import channel_of, remotes_of
from voxgate_gateway.bossdb.documents import CREATOR, channel_document, frame_document
from voxgate_gateway.bossdb.errors import BossError, Code, takes_no_writes
from voxgate_gateway.bossdb.experiments import find_experiment
from voxgate_gateway.bossdb.merging import refuse_shared_account
from voxgate_gateway.bossdb.naming import experiment_of_frame
from voxgate_gateway.bossdb.projects import Document


async def post_collection(call: Call) -> Response:
    """Make a collection: one that the settings have a place for."""
    refuse_shared_account(call)
    name = fields.checked_name(call.part("collection"))
    told = await fields.read_document(call, fields.COLLECTION)
    naming, remotes = call.dialect.naming, await remotes_of(call.backend, call.dialect)
    if name in remotes or name in call.dialect.settings.collections:
        raise _taken(name)
    await _place_for(call, name)
    group = naming.group_of(name, remotes)
    if _made(call, "collection", name) is not None or (group is not None and await _has_entries(call, str(group))):
        raise _taken(name)
    return _remembered(call, {"public": False, "description": "", **told}, "collection", name)


async def post_frame(call: Call) -> Response:
    """Make a coordinate frame."""
    refuse_shared_account(call)
    name = fields.checked_name(call.part("coordframe"))
    told = await fields.read_document(call, fields.FRAME, fields.FRAME_NEEDS)
    if any(told[f"{axis}_start"] >= told[f"{axis}_stop"] for axis in "xyz"):
        raise BossError(Code.INVALID_POST_ARGUMENT, "each stop must be greater than its start")
    if await find_frame(call, name) is not None:
        raise _taken(name)
    document = {"description": "", **told, "name": name}
    call.dialect.projects.put(document, _owner(call), "coord", name)
    return JSONResponse(document, status_code=201)


async def post_experiment(call: Call) -> Response:
    """Make an experiment."""
    refuse_shared_account(call)
    collection, name = call.part("collection"), fields.checked_name(call.part("experiment"))
    told = await fields.read_document(call, fields.EXPERIMENT, ("coord_frame", "num_hierarchy_levels"))
    if told.get("num_time_samples", 1) > 1:
        raise BossError(Code.INVALID_POST_ARGUMENT, "num_time_samples: volumes are made with one time sample here")
    await _place_for(call, collection)
    if await find_frame(call, told["coord_frame"]) is None:
        raise BossError(Code.RESOURCE_NOT_FOUND, f"Coordinate frame {told['coord_frame'][:200]} does not exist.")
    if _made(call, "experiment", collection, name) is not None or await find_experiment(call, collection, name):
        raise _taken(name)
    document = {
        "public": False,
        "description": "",
        "hierarchy_method": "anisotropic",
        "num_time_samples": 1,
        "time_step": None,
        "time_step_unit": "seconds",
        **told,
        "collection": collection,
        "channels": [],
    }
    return _remembered(call, document, "experiment", collection, name)


async def post_channel(call: Call) -> Response:
    """Make a channel, and with it its volume, of one scale: coarser ones are computed, and none is there before."""
    refuse_shared_account(call)
    collection, experiment, name = call.names
    fields.checked_name(name)
    told = await fields.read_document(call, fields.CHANNEL, ("type", "datatype"))
    if told.get("base_resolution", 0) or told.get("default_time_sample", 0):
        raise BossError(Code.INVALID_POST_ARGUMENT, "base_resolution and default_time_sample can only be 0 here")
    if told.get("storage_type") == "cloudvol":
        raise BossError(Code.INVALID_POST_ARGUMENT, "storage_type: where voxels are kept is not for clients to say")
    await _place_for(call, collection)
    frame = await _frame_for(call, collection, experiment)
    volume = await _new_name(call)
    dtype = np.dtype(told["datatype"]).newbyteorder("<")
    kind = VolumeKind.SEGMENTATION if told["type"] == "annotation" else VolumeKind.IMAGE
    spec = VolumeSpec(dtype, kind, (_scale_of(frame),))
    # Making the same volume again is no mistake to the services; to this dialect it is.
    if await _is_there(call, volume):
        raise _taken(name)
    await anyio.to_thread.run_sync(functools.partial(create_volume, call.backend.calls, volume, spec))
    return JSONResponse(channel_document(await channel_of(call)), status_code=201)


async def find_frame(call: Call, name: str) -> Document | None:
    """A frame that was made, or an experiment's; None where there is neither.

    Raises:
        BossError: where its experiment has no one frame, or nobody says how large voxels are.
    """
    made = _made(call, "coord", name)
    names = experiment_of_frame(name) if made is None else None
    found = None if names is None else await find_experiment(call, *names)
    return frame_document(found.checked()) if found is not None else made


async def _frame_for(call: Call, collection: str, experiment: str) -> Document:
    """The frame of a new channel: that of its experiment, which was made or has channels.

    Raises:
        BossError: 404/4000 where there is no such experiment.
    """
    made = _made(call, "experiment", collection, experiment)
    frame = await find_frame(call, made["coord_frame"]) if made is not None else None
    if frame is not None:
        return frame
    found = await find_experiment(call, collection, experiment)
    if found is None:
        raise BossError(Code.RESOURCE_NOT_FOUND, f"{experiment[:200]} does not exist.")
    return frame_document(found.checked())


async def _place_for(call: Call, collection: str) -> None:
    """Check that something can be made in a collection.

    Raises:
        BossError: 403/3000 where the settings have no place for it, 403/3001 where its remote takes no writes.
    """
    remotes = await remotes_of(call.backend, call.dialect)
    group = call.dialect.naming.group_of(collection, remotes)
    if group is None:
        raise BossError(
            Code.MISSING_ROLE,
            f"no collection {collection[:200]} can be made here: home in [gateway.bossdb] says where new ones are",
        )
    if not remotes.get(group.remote, False):
        raise takes_no_writes(f"the remote {group.remote}")


async def _new_name(call: Call) -> str:
    """The volume that the address of a new channel stands for.

    Raises:
        BossError: 400/1003 for an address that can be no new volume's.
    """
    remotes = await remotes_of(call.backend, call.dialect)
    try:
        told = call.dialect.naming.channel_of(call.names, remotes)
    except (NotFound, MalformedName):
        told = None
    if told is None or told.channel is not None or told.ref.version:
        raise BossError(
            Code.INVALID_POST_ARGUMENT,
            f"no volume can have the name {'/'.join(call.names)[:300]}: _ stands alone between letters or digits",
        )
    return told.ref.name


async def _is_there(call: Call, volume: str) -> bool:
    try:
        await anyio.to_thread.run_sync(lambda: call.backend.describe(VolumeRef(volume), fresh=True))
    except NotFound:
        return False
    return True


async def _has_entries(call: Call, group: str) -> bool:
    try:
        return bool(await anyio.to_thread.run_sync(call.backend.list, group))
    except NotFound:
        return False


def _scale_of(frame: Document) -> ScaleSpec:
    start, stop = (Vec3(*(frame[f"{axis}_{end}"] for axis in "xyz")) for end in ("start", "stop"))
    nm = fields.VOXEL_UNITS[frame["voxel_unit"]]
    return ScaleSpec(Box(start, stop), VoxelSize(*(frame[f"{axis}_voxel_size"] * nm for axis in "xyz")))


def _made(call: Call, *address: str) -> Document | None:
    return call.dialect.projects.get(_owner(call), *address)


def _remembered(call: Call, document: Document, *address: str) -> Response:
    whole = {**document, "name": address[-1], "creator": CREATOR}
    call.dialect.projects.put(whole, _owner(call), *address)
    return JSONResponse(whole, status_code=201)


def _owner(call: Call) -> str:
    return call.backend.calls.identity


def _taken(name: str) -> BossError:
    return BossError(Code.INVALID_POST_ARGUMENT, f"{name}: this name already exists")
