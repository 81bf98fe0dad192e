"""/downsample: what resolutions there are, and computing them."""

from __future__ import annotations

import threading
from typing import Any

from .cutouts import Match, names_in
from .downsampling import downsample
from .errors import BossError, Code
from .messages import Reply, Request, json_reply
from .resources import CUBOID, Channel
from .state import State, reading_channel


def get_downsample(state: State, request: Request, match: Match) -> Reply:
    """Status, and voxel size, extent and cuboid size of every level, x, y, z.

    Extents are where the frame stops, not how large it is: they tell a size only where frames start at 0.
    """
    channel = reading_channel(state, request, names_in(match))
    experiment = channel.experiment
    try:
        experiment.isotropic_resolution()
    except ValueError as error:
        raise BossError(Code.SYSTEM_ERROR, f"Error while getting downsampled voxel dimensions: {error}") from error
    size: list[Any] = [float(edge) for edge in experiment.coord_frame.voxel_size]
    extent: list[Any] = list(experiment.coord_frame.stop)
    sizes, extents = {"0": size}, {"0": extent}
    for resolution in range(1, experiment.num_hierarchy_levels):
        steps = (2, 2, 2 if experiment.halves_z(resolution, request.flag("iso")) else 1)
        size = [edge * step for edge, step in zip(size, steps, strict=True)]
        extent = [-(-edge // step) for edge, step in zip(extent, steps, strict=True)]
        sizes[str(resolution)], extents[str(resolution)] = size, extent
    document = {
        "status": channel.downsample_status,
        "num_hierarchy_levels": experiment.num_hierarchy_levels,
        "voxel_size": sizes,
        "extent": extents,
        "cuboid_size": {level: list(CUBOID) for level in sizes},
    }
    return json_reply(200, document)


def post_downsample(state: State, request: Request, match: Match) -> Reply:
    """Queue the computation of the lower resolutions; a thread does it."""
    channel = reading_channel(state, request, names_in(match))
    channel.experiment.isotropic_resolution()  # what it raises, the service does not catch here
    with channel.lock:
        if channel.downsample_status in ("QUEUED", "IN_PROGRESS", "DOWNSAMPLED"):
            raise BossError(Code.INVALID_STATE, f"Channel is {channel.downsample_status}. Invalid Request.")
        channel.downsample_status = "QUEUED"
    threading.Thread(target=_work, args=(state, channel), daemon=True).start()
    return Reply(201)


def _work(state: State, channel: Channel) -> None:
    state.downsampling.wait()
    with channel.lock:
        if channel.downsample_status != "QUEUED":
            return
        channel.downsample_status = "IN_PROGRESS"
    try:
        with channel.lock:
            downsample(channel)
            if channel.downsample_status == "IN_PROGRESS":
                channel.downsample_status = "DOWNSAMPLED"
    except (TypeError, ValueError):  # what cannot be interpolated, such as an image of uint64
        channel.downsample_status = "FAILED"


def delete_downsample(state: State, request: Request, match: Match) -> Reply:
    """Cancel."""
    channel = reading_channel(state, request, names_in(match))
    with channel.lock:
        if channel.downsample_status not in ("QUEUED", "IN_PROGRESS"):
            raise BossError(Code.INVALID_STATE, "You can only cancel a queued or in-progress downsample operation.")
        channel.downsample_status = "NOT_DOWNSAMPLED"
    return Reply(204)
