"""/collection and /coord: what there is, making, changing and soft deletion."""

from __future__ import annotations

from typing import Any

from . import fields
from .cutouts import Match
from .errors import BossError, Code, ServerError
from .messages import Reply, Request, User, json_reply
from .resources import Channel, Collection, CoordinateFrame, Experiment, Resource, living
from .state import State
from .store import Store


def _parents(store: Store, match: Match) -> tuple[Collection | None, Experiment | None]:
    """What a resource is in, deleted or not: only the last part of an address is looked at for that mark."""
    collection = store.collections.get(str(match["collection"]))
    return collection, collection.experiments.get(str(match.get("experiment"))) if collection else None


def _siblings(store: Store, match: Match) -> tuple[dict[str, Any], str]:
    """Where a resource is or would be kept, and its name."""
    if "coordframe" in match:
        return store.frames, str(match["coordframe"])
    if "experiment" not in match:
        return store.collections, str(match["collection"])
    collection, experiment = _parents(store, match)
    if collection is None:
        raise _absent(str(match["collection"]))
    if "channel" not in match:
        return collection.experiments, str(match["experiment"])
    if experiment is None:
        raise _absent(str(match["experiment"]))
    return experiment.channels, str(match["channel"])


def _absent(name: str) -> BossError:
    return BossError(Code.RESOURCE_NOT_FOUND, f"{name} does not exist.")


def _found(store: Store, match: Match) -> Any:
    siblings, name = _siblings(store, match)
    if name not in siblings:
        raise _absent(name)
    return siblings[name]


def _require_role(request: Request) -> None:
    if request.user is not User.OWNER:
        raise BossError(Code.MISSING_ROLE, "The user does not have the required role resource-manager")


def get_resource(state: State, request: Request, match: Match) -> Reply:
    """A resource's document. Coordinate frames are everybody's."""
    found = _found(state.store, match)
    if not isinstance(found, CoordinateFrame) and not found.public and request.user is not User.OWNER:
        raise BossError(Code.MISSING_PERMISSION, f"{found.name}: missing permission read")
    if found.deleted:
        raise BossError(Code.MARKED_FOR_DELETION, "This Resource has been marked for deletion")
    return json_reply(200, found.document())


def post_resource(state: State, request: Request, match: Match) -> Reply:
    """Make a resource; the name of a deleted one stays taken."""
    _require_role(request)
    document = fields.body_of(request)
    with state.store.lock:
        siblings, told = _siblings(state.store, match)
        name = fields.read_fields({"name": told}, {"name": fields.name})["name"]
        if name in siblings:
            raise BossError(Code.INVALID_POST_ARGUMENT, f"{name}: this name already exists")
        made = _make(state.store, match, name, document)
        siblings[name] = made
    return json_reply(201, made.document())


def _make(store: Store, match: Match, name: str, document: dict[str, Any]) -> Resource | CoordinateFrame:
    if "coordframe" in match:
        return _make_frame(name, document)
    if "experiment" not in match:
        told = fields.read_fields({**document, "name": name}, fields.COMMON)
        return Collection(**{"public": False, **told})
    if "channel" not in match:
        return _make_experiment(store, match, name, document)
    return _make_channel(store, match, name, document)


def _make_frame(name: str, document: dict[str, Any]) -> CoordinateFrame:
    required = tuple(key for key in fields.COORD if key not in ("name", "description"))
    told = fields.read_fields({**document, "name": name}, fields.COORD, required)
    start, stop, size = (
        (told[f"x_{what}"], told[f"y_{what}"], told[f"z_{what}"]) for what in ("start", "stop", "voxel_size")
    )
    return CoordinateFrame(name, start, stop, size, told["voxel_unit"], told.get("description", ""))


def _make_experiment(store: Store, match: Match, name: str, document: dict[str, Any]) -> Experiment:
    frame = fields.read_fields(document, {"coord_frame": str}, ("coord_frame",))["coord_frame"]
    if frame not in store.frames:
        raise _absent(frame)
    told = fields.read_fields({**document, "name": name}, fields.EXPERIMENT)
    collection, _ = _parents(store, match)
    assert collection is not None
    return Experiment(**{"public": False, **told, "collection": collection, "coord_frame": store.frames[frame]})


def _make_channel(store: Store, match: Match, name: str, document: dict[str, Any]) -> Channel:
    told = fields.read_fields({**document, "name": name}, fields.CHANNEL, ("type", "datatype"))
    _, experiment = _parents(store, match)
    assert experiment is not None
    _check_channel(told, experiment)
    return Channel(**{"public": False, **told, "experiment": experiment})


def _check_channel(told: dict[str, Any], experiment: Experiment) -> None:
    if told.get("default_time_sample", 0) >= experiment.num_time_samples:
        raise BossError(Code.INVALID_POST_ARGUMENT, "default_time_sample: not less than num_time_samples")
    if set(told.get("sources", [])) & set(told.get("related", [])):
        raise BossError(Code.INVALID_POST_ARGUMENT, "Related channels have to be different from source channels")
    for other in [*told.get("sources", []), *told.get("related", [])]:
        if other not in experiment.channels:
            raise BossError(Code.INVALID_POST_ARGUMENT, f"Invalid channel name {other} in sources or related")


def put_resource(state: State, request: Request, match: Match) -> Reply:
    """Change a resource; renaming it moves it."""
    document = fields.body_of(request)
    with state.store.lock:
        siblings, name = _siblings(state.store, match)
        found = _found(state.store, match)
        if request.user is not User.OWNER:
            raise BossError(Code.MISSING_PERMISSION, f"{name}: missing permission update")
        changes = _changes(found, document)
        renamed = changes.get("name", name)
        if renamed != name and renamed in siblings:
            raise BossError(Code.INVALID_POST_ARGUMENT, f"{renamed}: this name already exists")
        for key, value in changes.items():
            setattr(found, key, value)
        siblings[renamed] = siblings.pop(name)
    return json_reply(200, found.document())


def _changes(found: Resource | CoordinateFrame, document: dict[str, Any]) -> dict[str, Any]:
    """What of a document changes a resource; only collections pass over what they do not know."""
    if isinstance(found, Collection):
        told: dict[str, Any] = fields.read_fields(document, fields.COMMON)
        return told
    if isinstance(found, Channel):
        known = fields.CHANNEL_CHANGES
    elif isinstance(found, Experiment):
        known = fields.EXPERIMENT
    else:
        known = {"name": fields.COORD["name"], "description": fields.COORD["description"]}
    fields.refuse_others(document, known)
    changes: dict[str, Any] = fields.read_fields(document, known)
    if isinstance(found, Channel):
        _check_channel(changes, found.experiment)
        # A change that does not name sources and related channels drops them.
        return {**changes, "sources": changes.get("sources", []), "related": changes.get("related", [])}
    return changes


def delete_resource(state: State, request: Request, match: Match) -> Reply:
    """Mark a resource as deleted, when nothing needs it."""
    _require_role(request)
    with state.store.lock:
        found = _found(state.store, match)
        if any(True for _ in _dependants(state.store, found)):
            raise BossError(Code.INTEGRITY_ERROR, f"{found.name} is referenced and cannot be deleted.")
        found.deleted = True
    return Reply(204)


def _dependants(store: Store, found: Resource | CoordinateFrame) -> list[Any]:
    if isinstance(found, Collection):
        return list(living(found.experiments))
    if isinstance(found, Experiment):
        return list(living(found.channels))
    if isinstance(found, Channel):
        return [other for other in living(found.experiment.channels) if found.name in other.sources]
    experiments = (e for c in list(store.collections.values()) for e in living(c.experiments))
    return [experiment for experiment in experiments if experiment.coord_frame is found]


def list_resources(state: State, request: Request, match: Match) -> Reply:
    """Names that the user may read; a missing parent is a server error."""
    store = state.store
    if match.get("what") == "coord":
        return json_reply(200, {"coords": [frame.name for frame in living(store.frames)]})
    if "collection" not in match:
        # Public collections are listed even when deleted.
        shown = [c for c in list(store.collections.values()) if c.public or (not c.deleted and _reads(request))]
        return json_reply(200, {"collections": [c.name for c in shown]})
    collection, experiment = _parents(store, match)
    if collection is None or ("experiment" in match and experiment is None):
        raise ServerError
    kind, inside = ("channels", experiment.channels) if experiment else ("experiments", collection.experiments)
    return json_reply(200, {kind: [one.name for one in living(inside) if one.public or _reads(request)]})


def _reads(request: Request) -> bool:
    return request.user is User.OWNER
