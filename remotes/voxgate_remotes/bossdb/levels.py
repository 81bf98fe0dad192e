"""Which voxels a channel has at which resolution level, in global coordinates.

BossDB keeps every level in a grid of its own that starts at voxel 0, whatever the coordinate frame; it halves from
there, so voxel v of level r covers the native voxels from v * f up to (v + 1) * f, f being the product of the halvings
(activities/resolution_hierarchy.py of jhuapl-boss/boss-tools aligns frames that do not start at 0 to just that). The
voxels of a level are addressed directly. So the global coordinates of a level are: start = start of the frame // f,
stop = what `/downsample` calls the extent, which is stop of the frame / f, rounded up (get_downsampled_extent_dims of
jhuapl-boss/spdb is given the frame's stop, not its size).

But a request is compared with the native frame at every level (bosscore/request.py; its authors call that wrong). Where
a frame starts at 1000, level 1 starts at 500, and nothing below 1000 of it can be asked for. A level that cannot be
read whole is not offered: a pyramid with a hole in it would look like data. And an address has digits alone, so a frame
that starts below 0 has no voxels there for anybody: bounds begin at 0.
"""

from __future__ import annotations

from dataclasses import dataclass

from voxgate.model.errors import UnsupportedFormat
from voxgate.model.geometry import Box, Vec3, VoxelSize
from voxgate_remotes.bossdb.documents import ChannelDocument, ExperimentDocument, FrameDocument, LevelsDocument
from voxgate_remotes.bossdb.routes import MOST_RESOLUTION

_ORIGIN = Vec3(0, 0, 0)


@dataclass(frozen=True, slots=True)
class Level:
    """A resolution level that can be read whole."""

    resolution: int
    bounds: Box
    voxel_size_nm: VoxelSize | None


def native_box(frame: FrameDocument) -> Box:
    """The voxels of a frame that have an address.

    Raises:
        UnsupportedFormat: when there are none.
    """
    start = Vec3.maximum(_ORIGIN, Vec3(frame.x_start, frame.y_start, frame.z_start))
    box = Box(start, Vec3(frame.x_stop, frame.y_stop, frame.z_stop))
    if box.is_empty:
        raise UnsupportedFormat("no voxel of the coordinate frame can be asked for", "give it some at or above 0")
    return box


def levels_of(
    channel: ChannelDocument, experiment: ExperimentDocument, frame: FrameDocument, told: LevelsDocument | None
) -> tuple[Level, ...]:
    """The levels of a channel that can be read whole, the base first.

    The coarser ones only while the store says that they are made from what is written now, and not of a time series,
    of which BossDB makes those of time 0 alone (lambda/downsample_volume.py of boss-tools) and answers zeros for the
    others. A channel's base may lie beyond the experiment's number of levels, after finer ones were removed; then it is
    the only one that is certain.

    Raises:
        UnsupportedFormat: when not even the base can be read whole.
    """
    base = channel.base_resolution
    has_coarser = channel.is_downsampled and experiment.num_time_samples == 1
    count = max(base + 1, experiment.num_hierarchy_levels) if has_coarser else base + 1
    native = native_box(frame)
    levels = [_level(r, experiment, frame, told) for r in range(base, min(count, MOST_RESOLUTION + 1))]
    whole = tuple(level for level in levels if not level.bounds.is_empty and native.contains(level.bounds))
    if not whole or whole[0].resolution != base:
        raise UnsupportedFormat(
            f"the channel's base resolution {base} cannot be read whole: the store compares with the native frame",
            "move the coordinate frame's start to 0",
        )
    return whole


def _level(resolution: int, experiment: ExperimentDocument, frame: FrameDocument, told: LevelsDocument | None) -> Level:
    native = native_box(frame)
    size = (frame.x_voxel_size, frame.y_voxel_size, frame.z_voxel_size)
    if told is not None and resolution in told.voxel_size and resolution in told.extent:
        coarse = told.voxel_size[resolution]
        factors = [max(1, round(c / s)) for c, s in zip(coarse, size, strict=True)]
        stop = Vec3(*told.extent[resolution])
    else:
        halved = (True, True, experiment.hierarchy_method.lower() == "isotropic")
        factors = [2**resolution if is_halved else 1 for is_halved in halved]
        coarse = (size[0] * factors[0], size[1] * factors[1], size[2] * factors[2])
        stop = Vec3(*(-(-end // factor) for end, factor in zip(native.stop, factors, strict=True)))
    start = Vec3(*(begin // factor for begin, factor in zip(native.start, factors, strict=True)))
    nanometres = VoxelSize(*(length * frame.nanometres for length in coarse))
    return Level(resolution, Box(start, stop), nanometres)
