"""`/meta/…`: key-values of collections, experiments and channels, in the query and never in a body.

They are those of the group or the volume that the names stand for. A store that keeps none answers as the service does
for what has no key and may not get one.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import anyio.to_thread
from starlette.responses import Response

from voxgate.model.errors import MissingCapability, NotFound, UnknownKey
from voxgate.model.names import VolumeName
from voxgate_gateway.answers import json_answer
from voxgate_gateway.backend import VolumeRef
from voxgate_gateway.backend.calls import Calls
from voxgate_gateway.backend.metadata import delete_value, keys_at, set_value, value_at
from voxgate_gateway.bossdb.call import NAMES, Call, route
from voxgate_gateway.bossdb.channels import channel_of, remotes_of
from voxgate_gateway.bossdb.errors import BossError, Code
from voxgate_gateway.bossdb.experiments import find_experiment
from voxgate_gateway.bossdb.merging import refuse_shared_account
from voxgate_gateway.bossdb.naming import group_below, split_experiment

_MISSING = "Missing optional argument key/value in the request"


@dataclass(frozen=True, slots=True)
class _Place:
    """Where key-values are.

    Attributes:
        calls: to the servers behind, for the caller.
        ref: the group or the volume; None for names that stand for no one group, such as those of a table.
        keys: the keys there are; None where the store keeps no metadata there.
    """

    calls: Calls
    ref: VolumeRef | None
    keys: Sequence[str] | None

    def value(self, key: str) -> str:
        try:
            return value_at(self.calls, self._holding(key), key).decode()
        except UnknownKey:
            raise _not_found(key) from None
        except UnicodeDecodeError:
            message = f"The value of {key[:200]} is no text, and JSON holds nothing else"
            raise BossError(Code.SYSTEM_ERROR, message) from None

    def write(self, key: str, value: str, *, new: bool) -> None:
        if self.ref is None or (self.keys is None and new):
            message = "This store keeps no metadata by key"
            raise BossError(Code.MISSING_PERMISSION, message, reason=MissingCapability.reason)
        if (key in (self.keys or ())) is new:
            why = "already exists" if new else "does not exists"  # in the service's words
            raise BossError(Code.INVALID_POST_ARGUMENT, f"Invalid request. The key {key[:200]} {why}")
        set_value(self.calls, self.ref, key, value.encode())

    def delete(self, key: str) -> None:
        try:
            delete_value(self.calls, self._holding(key), key)
        except UnknownKey:
            raise _not_found(key) from None

    def _holding(self, key: str) -> VolumeRef:
        if self.ref is None or key not in (self.keys or ()):
            raise _not_found(key)
        return self.ref


async def get_meta(call: Call) -> Response:
    """The value of a key, or all keys."""
    place = await _place(call)
    key = call.request.query_params.get("key")
    if key is None:
        return json_answer(call.request, {"keys": list(place.keys or ())})
    value = await anyio.to_thread.run_sync(place.value, _checked(key))
    return json_answer(call.request, {"key": key, "value": value})


async def write_meta(call: Call) -> Response:
    """POST makes a key that is not there, PUT changes one that is."""
    refuse_shared_account(call)
    asked = call.request.query_params
    if "key" not in asked or "value" not in asked:
        raise BossError(Code.INVALID_POST_ARGUMENT, _MISSING)
    place, new = await _place(call), call.request.method == "POST"
    key = _checked(asked["key"])
    await anyio.to_thread.run_sync(lambda: place.write(key, asked["value"], new=new))
    return Response(status_code=201 if new else 200)


async def delete_meta(call: Call) -> Response:
    """Remove a key."""
    refuse_shared_account(call)
    key = call.request.query_params.get("key")
    if key is None:
        raise BossError(Code.INVALID_POST_ARGUMENT, _MISSING)
    place = await _place(call)
    await anyio.to_thread.run_sync(place.delete, _checked(key))
    return Response(status_code=204)


async def _place(call: Call) -> _Place:
    """Where the key-values of the address are.

    Raises:
        BossError: 404/4000 for a collection, an experiment or a channel that is not there.
    """
    collection, experiment, channel = call.names
    if channel:
        return await _place_at(call, (await channel_of(call)).described.ref)
    naming = call.dialect.naming
    group = naming.group_of(collection, await remotes_of(call.backend, call.dialect))
    if group is not None and experiment:
        group = group_below(group, split_experiment(experiment)[0])
    place = await _place_at(call, None if group is None else VolumeRef(str(group)))
    if place.keys is not None or await _exists(call, group):
        return place
    what = f"Experiment {experiment}" if experiment else f"Collection {collection}"
    raise BossError(Code.RESOURCE_NOT_FOUND, f"{what[:200]} not found")


async def _place_at(call: Call, ref: VolumeRef | None) -> _Place:
    calls = call.backend.calls
    return _Place(calls, ref, None if ref is None else await anyio.to_thread.run_sync(keys_at, calls, ref))


async def _exists(call: Call, group: VolumeName | None) -> bool:
    """Whether there is a collection or an experiment whose store keeps no metadata."""
    collection, experiment, _ = call.names
    made = ("experiment", collection, experiment) if experiment else ("collection", collection)
    if call.dialect.projects.get(call.backend.calls.identity, *made) is not None:
        return True
    if experiment:
        return await find_experiment(call, collection, experiment) is not None
    if any(names[0] == collection for names in call.dialect.settings.names):
        return True
    if group is None:
        return False
    try:
        return bool(await anyio.to_thread.run_sync(call.backend.list, str(group)))
    except NotFound:
        return False


def _checked(key: str) -> str:
    if not key:
        raise BossError(Code.INVALID_POST_ARGUMENT, _MISSING)
    return key


def _not_found(key: str) -> BossError:
    return BossError(Code.INVALID_POST_ARGUMENT, f"Invalid request. Key {key[:200]} Not found in the database")


_VIEWS = {"GET": get_meta, "POST": write_meta, "PUT": write_meta, "DELETE": delete_meta}
_NAME = r"[\w-]+"

ROUTES = (
    route("meta", NAMES, **_VIEWS),
    route("meta", rf"(?P<collection>{_NAME})/(?P<experiment>{_NAME})", **_VIEWS),
    route("meta", rf"(?P<collection>{_NAME})", **_VIEWS),
)
