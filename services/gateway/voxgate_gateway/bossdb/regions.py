"""Boxes of addresses: resolution, ranges of x, y and z in voxels of it, and perhaps time samples."""

from __future__ import annotations

from dataclasses import dataclass

from voxgate.model.geometry import Box, Vec3
from voxgate.model.volumes import Scale
from voxgate_gateway.bossdb.call import Call
from voxgate_gateway.bossdb.channels import BossChannel
from voxgate_gateway.bossdb.errors import BossError, Code
from voxgate_gateway.bossdb.experiments import frame_box


@dataclass(frozen=True, slots=True)
class Asked:
    """What the address of a box says.

    Attributes:
        channel: of the address.
        scale: the resolution, an index of the volume's scales.
        box: in voxels of the scale. May stick out of what the scale has: there every voxel is 0.
        times: the time samples.
        is_timed: whether the address has a range of them; voxels have a time axis then, and only then.
    """

    channel: BossChannel
    scale: int
    box: Box
    times: range
    is_timed: bool

    @property
    def level(self) -> Scale:
        """The scale."""
        return self.channel.described.info.scales[self.scale]

    @property
    def inside(self) -> Box:
        """The part that the scale has; may be empty."""
        return self.box.intersection(self.level.bounds)

    @property
    def shape(self) -> tuple[int, ...]:
        """Of the voxels in a body: (z, y, x), with time (t, z, y, x)."""
        return (len(self.times), *self.box.shape.zyx) if self.is_timed else self.box.shape.zyx

    @property
    def byte_count(self) -> int:
        """The raw bytes of the voxels, in the dialect's type."""
        return len(self.times) * self.box.shape.product * self.channel.dtype.itemsize


def checked_scale(channel: BossChannel, resolution: str) -> int:
    """The scale of a resolution.

    Raises:
        BossError: 400/1002 for one that the channel does not have.
    """
    if int(resolution) >= channel.level_count:
        raise BossError(Code.TYPE_ERROR, f"Invalid resolution {resolution}: there are 0 to {channel.level_count - 1}")
    return int(resolution)


async def asked_of(call: Call, channel: BossChannel) -> Asked:
    """What an address with a box says.

    As the service does it, ranges are held against the frame at native resolution, whatever the resolution; a frame
    may be larger than a channel's voxels, for it is its experiment's. A box inside of what the scale has is never
    refused.

    Raises:
        BossError: 400/1001 for an empty box or one out of the frame, 400/1002 for a resolution, 400/1000 for times.
    """
    told = call.match.get("t")
    scale, times = checked_scale(channel, call.part("resolution")), times_of(channel, told)
    return await framed(call, Asked(channel, scale, box_of(call), times, told is not None))


async def framed(call: Call, asked: Asked) -> Asked:
    """The same, sure that its box is in the frame.

    Raises:
        BossError: 400/1001 where it is not.
    """
    channel, box = asked.channel, asked.box
    if asked.level.bounds.contains(box):
        return asked
    frame = call.told_frame(channel.bounds)
    if not frame.contains(box):
        frame = call.told_frame(await frame_box(call, channel))
    corners = Vec3.minimum(frame.start, asked.level.bounds.start), Vec3.maximum(frame.stop, asked.level.bounds.stop)
    if not Box(*corners).contains(box):
        raise BossError(Code.INVALID_CUTOUT_ARGS, f"Incorrect cutout arguments: {box} is out of the frame, {frame}")
    return asked


def box_of(call: Call) -> Box:
    """The ranges of an address.

    Raises:
        BossError: 400/1001 for an empty one.
    """
    x, y, z = (call.part(axis).split(":") for axis in "xyz")
    box = Box(Vec3(int(x[0]), int(y[0]), int(z[0])), Vec3(int(x[1]), int(y[1]), int(z[1])))
    if box.is_empty:
        raise BossError(Code.INVALID_CUTOUT_ARGS, f"Incorrect cutout arguments: {box} is empty")
    return box


def times_of(channel: BossChannel, told: str | None) -> range:
    """The time samples of an address; the first where it has none.

    Raises:
        BossError: 400/1000 for others than there are.
    """
    if told is None:
        return range(1)
    start, stop = map(int, told.split(":"))
    count = channel.described.info.time_count
    if not 0 <= start < stop <= count:
        raise BossError(Code.INVALID_URL, f"Invalid time range {told}: there are samples 0 to {count - 1}")
    return range(start, stop)
