"""/reserve, /boundingbox and /ids: what annotation channels know of their objects."""

from __future__ import annotations

from functools import reduce

import numpy as np

from .cutouts import Match, checked_level, names_in, parse_asked
from .errors import BossError, Code, ServerError
from .messages import Reply, Request, User, json_reply
from .resources import Channel
from .state import State, reading_channel
from .voxels import CUBOID, Array, Region, grown


def get_reserve(state: State, request: Request, match: Match) -> Reply:
    """Reserve ids: the first as a number, how many as the string of the address."""
    channel = state.store.channel(*names_in(match))
    if request.user is not User.OWNER:
        raise BossError(Code.MISSING_PERMISSION, "This user does not have the required permissions")
    if channel.type != "annotation":
        raise ServerError  # the service means to say so, and trips over a name on the way
    with channel.lock:
        first = channel.next_id
        channel.next_id += int(str(match["count"]))
    return json_reply(200, {"start_id": first, "count": match["count"]})


def get_ids(state: State, request: Request, match: Match) -> Reply:
    """The ids in a box, as strings, without 0, in order."""
    channel = reading_channel(state, request, names_in(match), explicit=True)
    _require_annotation(channel)
    asked = parse_asked(channel, request, match)
    voxels = channel.voxels.read(asked.level, asked.region, asked.times)
    return json_reply(200, {"ids": [str(label) for label in np.unique(voxels) if label != 0]})


def get_bounding_box(state: State, request: Request, match: Match) -> Reply:
    """Around an object: its cuboids (loose) or its voxels (tight)."""
    kind = request.query.get("type", "loose")
    if kind not in ("loose", "tight"):
        raise BossError(Code.INVALID_ARGUMENT, f"Invalid option for bounding box type {kind}.")
    channel = reading_channel(state, request, names_in(match))
    _require_annotation(channel)
    level = checked_level(channel, request, str(match["resolution"]))
    label = int(str(match["id"]))
    found = [] if label > np.iinfo(channel.voxels.dtype).max else list(channel.voxels.tiles_holding(level, label))
    if label == 0 or not found:
        raise BossError(Code.OBJECT_NOT_FOUND, f"The id does not exist. {label}")
    box = reduce(Region.joined, (_around(tile, mask) for tile, mask in found))
    box = grown(box, CUBOID) if kind == "loose" else box
    ranges = {f"{axis}_range": [a, b] for axis, a, b in zip("zyx", box.start, box.stop, strict=True)}
    return json_reply(200, {**ranges, "t_range": [0, 1]})


def _require_annotation(channel: Channel) -> None:
    if channel.type != "annotation":
        raise BossError(Code.DATATYPE_NOT_SUPPORTED, f"The channel in request has type {channel.type}.")


def _around(tile: Region, mask: Array) -> Region:
    z, y, x = (np.flatnonzero(mask.any(axis=others)) for others in ((1, 2), (0, 2), (0, 1)))
    first = tuple(int(places[0]) + start for places, start in zip((z, y, x), tile.start, strict=True))
    last = tuple(int(places[-1]) + 1 + start for places, start in zip((z, y, x), tile.start, strict=True))
    return Region(first, last)
