"""/meta: key-values of a collection, an experiment or a channel, in the query, never in a body."""

from __future__ import annotations

from .cutouts import Match
from .errors import BossError, Code
from .messages import Reply, Request, User, json_reply
from .resources import Resource
from .state import State


def _resource(state: State, request: Request, match: Match) -> Resource:
    store = state.store
    collection, experiment, channel = (match.get(name) for name in ("collection", "experiment", "channel"))
    found: Resource
    if channel:
        found = store.channel(str(collection), str(experiment), channel)
    elif experiment:
        found = store.experiment(str(collection), experiment)
    else:
        found = store.collection(str(collection))
    if request.user is not User.OWNER:  # being public is not enough here
        raise BossError(Code.MISSING_PERMISSION, "This user does not have the required permissions")
    return found


def _told(request: Request, *names: str) -> list[str]:
    if any(name not in request.query for name in names):
        raise BossError(Code.INVALID_POST_ARGUMENT, "Missing optional argument key/value in the request")
    return [request.query[name] for name in names]


def get_meta(state: State, request: Request, match: Match) -> Reply:
    """The value of a key, or all keys."""
    metadata = _resource(state, request, match).metadata
    if "key" not in request.query:
        return json_reply(200, {"keys": list(metadata)})
    key = request.query["key"]
    if key not in metadata:
        raise BossError(Code.INVALID_POST_ARGUMENT, f"Invalid request. Key {key} Not found in the database")
    return json_reply(200, {"key": key, "value": metadata[key]})


def write_meta(state: State, request: Request, match: Match) -> Reply:
    """POST makes a key that is not there, PUT changes one that is."""
    key, value = _told(request, "key", "value")
    metadata = _resource(state, request, match).metadata
    with state.store.lock:
        if (key in metadata) is (request.method == "POST"):
            raise BossError(Code.INVALID_POST_ARGUMENT, f"Invalid request. The key {key}: wrong verb for it")
        metadata[key] = value
    return Reply(201 if request.method == "POST" else 200)


def delete_meta(state: State, request: Request, match: Match) -> Reply:
    """Remove a key."""
    (key,) = _told(request, "key")
    metadata = _resource(state, request, match).metadata
    with state.store.lock:
        if key not in metadata:
            raise BossError(Code.INVALID_POST_ARGUMENT, f"[ERROR]- Key {key} not found ")
        del metadata[key]
    return Reply(204)
