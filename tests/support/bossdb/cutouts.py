"""/cutout and /cutout/to_black."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from .errors import BossError, Code, ServerError
from .messages import Reply, Request
from .payloads import decode, encode, negotiate
from .resources import Channel
from .state import State, reading_channel
from .voxels import Level, Region

Match = dict[str, str | None]


@dataclass(frozen=True, slots=True)
class Asked:
    """What the address of a cutout says."""

    channel: Channel
    level: Level
    region: Region
    times: range
    timed: bool
    """Whether the address has a time range; voxels have a time axis then, and only then."""

    @property
    def shape(self) -> tuple[int, ...]:
        return (len(self.times), *self.region.shape) if self.timed else self.region.shape

    @property
    def size(self) -> int:
        """Bytes of voxels."""
        return int(np.prod([len(self.times), *self.region.shape], dtype=object)) * self.channel.voxels.dtype.itemsize


def names_in(match: Match) -> tuple[str, str, str]:
    """Collection, experiment and channel of an address."""
    return str(match["collection"]), str(match["experiment"]), str(match["channel"])


def checked_level(channel: Channel, request: Request, resolution: str) -> Level:
    """A resolution within the channel's.

    Raises:
        BossError: 1002 for another.
    """
    if int(resolution) not in channel.resolutions():
        raise BossError(Code.TYPE_ERROR, f"Invalid resolution {resolution}.")
    experiment = channel.experiment
    iso = request.flag("iso") and experiment.hierarchy_method == "anisotropic"
    return Level(int(resolution), iso and int(resolution) > experiment.isotropic_resolution())


def parse_asked(channel: Channel, request: Request, match: Match) -> Asked:
    """What a cutout's address says, checked as the service does.

    Ranges are held against the frame at native resolution, whatever the resolution asked for.
    """
    times, timed = _times(channel, match["t"])
    level = checked_level(channel, request, str(match["resolution"]))
    ranges = [tuple(map(int, str(match[axis]).split(":"))) for axis in "zyx"]
    frame = channel.experiment.coord_frame
    for (start, stop), first, last in zip(ranges, frame.start[::-1], frame.stop[::-1], strict=True):
        if start >= stop or start < first or stop > last:
            raise BossError(Code.INVALID_CUTOUT_ARGS, "Incorrect cutout arguments")
    (z0, z1), (y0, y1), (x0, x1) = ranges
    return Asked(channel, level, Region((z0, y0, x0), (z1, y1, x1)), times, timed)


def _times(channel: Channel, asked: str | None) -> tuple[range, bool]:
    if asked is None:
        return range(channel.default_time_sample, channel.default_time_sample + 1), False
    start, stop = map(int, asked.split(":"))
    last = channel.experiment.num_time_samples
    if start > last or start >= stop or stop > last + 1:  # one more than there are, as the service has it
        raise BossError(Code.INVALID_URL, f"Invalid time range {asked}.")
    return range(start, stop), True


def _refuse_oversize(state: State, asked: Asked) -> None:
    if asked.channel.datatype == "uint32" and not state.serves_uint32:
        raise ServerError
    counted = asked.size / 4 if asked.channel.datatype == "uint64" else asked.size
    if counted > state.cutout_max_bytes:
        raise BossError(Code.REQUEST_TOO_LARGE, "Cutout request is over 500MB when uncompressed.")


def _check_access_mode(request: Request) -> None:
    if "no-cache" in request.query and "access-mode" in request.query:
        raise BossError(Code.INVALID_CUTOUT_ARGS, "access_mode and no-cache specified in URL")
    if request.query.get("no-cache", "true").lower() not in ("true", "false"):
        raise BossError(Code.INVALID_CUTOUT_ARGS, "Incorrect no-cache value. Must be True or False.")
    if request.query.get("access-mode", "cache").lower() not in ("cache", "no-cache", "raw"):
        raise BossError(Code.INVALID_CUTOUT_ARGS, "Incorrect access_mode")


def _filter_ids(channel: Channel, told: str | None) -> list[int] | None:
    if told is None:
        return None
    if channel.type != "annotation":
        raise BossError(Code.DATATYPE_NOT_SUPPORTED, "Filter is only valid for annotation channels")
    try:
        return [int(part) for part in told.split(",")]
    except ValueError as error:
        raise BossError(Code.INVALID_CUTOUT_ARGS, f"Invalid id in list of filter ids {told}.") from error


def get_cutout(state: State, request: Request, match: Match) -> Reply:
    """Voxels of a box."""
    media = negotiate(request.headers.get("accept", ""))
    _check_access_mode(request)
    channel = reading_channel(state, request, names_in(match))
    wanted = _filter_ids(channel, request.query.get("filter"))
    asked = parse_asked(channel, request, match)
    _refuse_oversize(state, asked)
    state.count_egress(asked.size)
    off_base = channel.type == "annotation" and asked.level.resolution != channel.base_resolution
    if off_base and channel.downsample_status != "DOWNSAMPLED":
        raise ServerError  # the service means to sample on the fly, has not written it, and catches nothing
    voxels = channel.voxels.read(asked.level, asked.region, asked.times)
    if wanted is not None:
        voxels[~np.isin(voxels, np.array(wanted, np.uint64).astype(voxels.dtype))] = 0
    return encode(voxels if asked.timed else voxels[0], media, state.compression)


def post_cutout(state: State, request: Request, match: Match) -> Reply:
    """Write a box; zeros in it leave what is there."""
    channel = reading_channel(state, request, names_in(match))
    asked = parse_asked(channel, request, match)
    _refuse_oversize(state, asked)
    voxels = decode(request.body, request.headers.get("content-type", ""), asked.shape, channel.voxels.dtype)
    if asked.level.resolution not in (channel.base_resolution, channel.base_resolution + 1):
        raise BossError(Code.SYSTEM_ERROR, "Error during write_cuboid: You can only write data to a channel's base")
    with channel.lock:
        corner = asked.region.start
        channel.voxels.overlay(asked.level, corner, voxels if asked.timed else voxels[None], asked.times.start)
        _forget_downsampling(channel)
    return Reply(201)


def put_to_black(state: State, request: Request, match: Match) -> Reply:
    """Erase a box."""
    channel = reading_channel(state, request, names_in(match))
    asked = parse_asked(channel, request, match)
    _refuse_oversize(state, asked)
    if asked.level.resolution not in (channel.base_resolution, channel.base_resolution + 1):
        raise ServerError  # the service means to say so, and trips over a name on the way
    # Of two time samples the service erases the first alone.
    times = asked.times if len(asked.times) > 2 else asked.times[:1]
    with channel.lock:
        channel.voxels.erase(asked.level, asked.region, times)
        _forget_downsampling(channel)
    return Reply(200)


def _forget_downsampling(channel: Channel) -> None:
    if channel.downsample_status == "DOWNSAMPLED":
        channel.downsample_status = "NOT_DOWNSAMPLED"
