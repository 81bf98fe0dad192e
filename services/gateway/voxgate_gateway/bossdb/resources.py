"""`/collection` and `/coord`: what there is, and its documents; changing and deleting."""

from __future__ import annotations

import functools
from collections.abc import Mapping

import anyio.to_thread
from starlette.responses import Response

from voxgate.model.errors import NotFound
from voxgate.model.geometry import Box, Vec3
from voxgate.model.hops import LEVELS_HEADER, ToldLevel, levels_text
from voxgate.model.names import VolumeName
from voxgate_gateway.answers import json_answer
from voxgate_gateway.backend import VolumeRef
from voxgate_gateway.backend.writing import delete_volume
from voxgate_gateway.bossdb import creating, fields
from voxgate_gateway.bossdb.call import Call, route
from voxgate_gateway.bossdb.channels import channel_of, remotes_of
from voxgate_gateway.bossdb.documents import channel_document, collection_document, experiment_document
from voxgate_gateway.bossdb.downsample import status_of
from voxgate_gateway.bossdb.errors import BossError, Code
from voxgate_gateway.bossdb.experiments import find_experiment, list_experiments
from voxgate_gateway.bossdb.merging import refuse_shared_account
from voxgate_gateway.bossdb.naming import encoded, frame_of
from voxgate_gateway.bossdb.projects import Document


async def list_collections(call: Call) -> Response:
    """The collections that the settings name, the remotes, and what is right below home."""
    settings = call.dialect.settings
    remotes = await remotes_of(call.backend, call.dialect)
    names = {*remotes, *settings.collections, *(each[0] for each in settings.names)}
    if settings.home:
        names.update(await anyio.to_thread.run_sync(_groups_below, call, VolumeName.parse(settings.home)))
    names.update(_made_below(call, "collection"))
    return json_answer(call.request, {"collections": sorted(names)})


async def get_collection(call: Call) -> Response:
    """A collection, with its experiments."""
    return json_answer(call.request, await _collection(call))


async def get_experiments(call: Call) -> Response:
    """The experiments of a collection."""
    return json_answer(call.request, {"experiments": (await _collection(call))["experiments"]})


async def get_experiment(call: Call) -> Response:
    """An experiment."""
    return json_answer(call.request, await _experiment(call))


async def get_channels(call: Call) -> Response:
    """The channels of an experiment."""
    return json_answer(call.request, {"channels": (await _experiment(call))["channels"]})


async def get_channel(call: Call) -> Response:
    """A channel; a header says where each level lies, for which the dialect has no words."""
    channel = await channel_of(call)
    answer = json_answer(call.request, channel_document(channel, await status_of(call, channel)))
    scales = channel.described.info.scales[: channel.level_count]
    answer.headers[LEVELS_HEADER] = levels_text([ToldLevel(each.bounds, each.voxel_size_nm) for each in scales])
    return answer


async def list_frames(call: Call) -> Response:
    """The frames that were made, and those of the experiments of every collection that has one."""
    names = set(_made_below(call, "coord"))
    for collection in await remotes_of(call.backend, call.dialect):
        try:
            names.update(frame_of(collection, each) for each in await list_experiments(call, collection))
        except NotFound:
            continue
    return json_answer(call.request, {"coords": sorted(names)})


async def get_frame(call: Call) -> Response:
    """A coordinate frame."""
    document = await _frame(call)
    starts, stops = (Vec3(*(document[f"{axis}_{end}"] for axis in "xyz")) for end in ("start", "stop"))
    told = call.told_frame(Box(starts, stops)).start
    return json_answer(call.request, document | {f"{axis}_start": at for axis, at in zip("xyz", told, strict=True)})


async def put_resource(call: Call) -> Response:
    """Change nothing: a change that says what is there already is made, any other refused."""
    refuse_shared_account(call)
    known = await _resource(call)
    told = await fields.read_document(call, _FIELDS[_kind(call)])
    others = sorted(name for name, value in told.items() if known.get(name) != value)
    if others:
        raise BossError(Code.INVALID_POST_ARGUMENT, f"Cannot update the following readonly fields:{others}.")
    return json_answer(call.request, known)


async def delete_resource(call: Call) -> Response:
    """Delete a volume for good, where its remote allows it; forget what was made and has none."""
    refuse_shared_account(call)
    kind, owner = _kind(call), call.backend.calls.identity
    if kind == "channel":
        channel = await channel_of(call)
        if channel.index is not None:
            raise BossError(Code.INTEGRITY_ERROR, "it is one channel of several, which are deleted together only")
        name = channel.described.info.name
        await anyio.to_thread.run_sync(functools.partial(delete_volume, call.backend.calls, name))
        call.backend.forget(VolumeRef(name))
        return Response(status_code=204)
    address = [call.part(part) for part in ("coordframe", "collection", "experiment") if call.part(part)]
    if await _is_used(call, kind):
        raise BossError(Code.INTEGRITY_ERROR, f"{address[-1]} is referenced and cannot be deleted.")
    what = "coord" if kind == "coordframe" else kind
    if not call.dialect.projects.drop(owner, what, *address):
        raise _absent(address[-1])
    return Response(status_code=204)


async def _is_used(call: Call, kind: str) -> bool:
    """Whether something is in it that has to be deleted before."""
    if kind == "collection":
        return bool((await _collection(call))["experiments"])
    if kind == "experiment":
        return bool((await _experiment(call))["channels"])
    owner, name, projects = call.backend.calls.identity, call.part("coordframe"), call.dialect.projects
    if projects.get(owner, "coord", name) is None:
        return await creating.find_frame(call, name) is not None
    return projects.has(owner, "coord_frame", name)


async def _collection(call: Call) -> Document:
    name = call.part("collection")
    settings, remotes = call.dialect.settings, await remotes_of(call.backend, call.dialect)
    made = call.dialect.projects.get(call.backend.calls.identity, "collection", name)
    is_known = made is not None or name in remotes or any(each[0] == name for each in settings.names)
    try:
        found = await list_experiments(call, name)
    except NotFound:
        found = []
    found = sorted({*found, *_made_below(call, "experiment", name)})
    if not (found or is_known or name in settings.collections):
        raise _absent(name)
    return collection_document(name, found, made)


async def _experiment(call: Call) -> Document:
    collection, name = call.part("collection"), call.part("experiment")
    found = await find_experiment(call, collection, name)
    if found is not None:
        return experiment_document(found.checked())
    made = call.dialect.projects.get(call.backend.calls.identity, "experiment", collection, name)
    if made is None:
        raise _absent(name)
    return made


async def _channel(call: Call) -> Document:
    channel = await channel_of(call)
    return channel_document(channel, await status_of(call, channel))


async def _frame(call: Call) -> Document:
    name = call.part("coordframe")
    found = await creating.find_frame(call, name)
    if found is None:
        raise _absent(name)
    return found


async def _resource(call: Call) -> Document:
    readers = {"collection": _collection, "experiment": _experiment, "channel": _channel, "coordframe": _frame}
    return await readers[_kind(call)](call)


def _kind(call: Call) -> str:
    """What the address names: the last of its parts."""
    return [part for part in ("coordframe", "collection", "experiment", "channel") if call.part(part)][-1]


def _made_below(call: Call, *address: str) -> list[str]:
    return call.dialect.projects.below(call.backend.calls.identity, *address)


def _groups_below(call: Call, home: VolumeName) -> list[str]:
    try:
        entries = call.backend.list(str(home))
    except NotFound:
        return []
    return [encoded(VolumeName.parse(each.name).segments[-1]) for each in entries if not each.is_volume]


def _absent(name: str) -> BossError:
    return BossError(Code.RESOURCE_NOT_FOUND, f"{name[:200]} does not exist.")


_FIELDS: Mapping[str, Mapping[str, fields.Field]] = {
    "collection": fields.COLLECTION,
    "experiment": fields.EXPERIMENT,
    "channel": fields.CHANNEL,
    "coordframe": fields.FRAME,
}
_CHANGES = {"PUT": put_resource, "DELETE": delete_resource}
_C, _E, _H = (rf"(?P<{name}>[\w-]+)" for name in ("collection", "experiment", "channel"))

ROUTES = (
    route("collection", rf"{_C}/experiment/{_E}/channel/{_H}", GET=get_channel, POST=creating.post_channel, **_CHANGES),
    route("collection", rf"{_C}/experiment/{_E}/channel", GET=get_channels),
    route("collection", rf"{_C}/experiment/{_E}", GET=get_experiment, POST=creating.post_experiment, **_CHANGES),
    route("collection", rf"{_C}/experiment", GET=get_experiments),
    route("collection", _C, GET=get_collection, POST=creating.post_collection, **_CHANGES),
    route("collection", "", GET=list_collections),
    route("coord", r"(?P<coordframe>[\w-]+)", GET=get_frame, POST=creating.post_frame, **_CHANGES),
    route("coord", "", GET=list_frames),
)
