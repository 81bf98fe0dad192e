"""Experiments: the channels of one group, and the frame that they share.

BossDB gives an experiment one frame, one voxel size and one kind of hierarchy; volumes of one group here may differ.
The frame is the smallest that has all of them, and is larger than some: beyond a channel's own voxels there are zeros,
as there are in BossDB where nobody wrote. Where voxel sizes, hierarchies or times differ there is no such experiment,
but one for each of the channels, named `EXPERIMENT__xCHANNEL`.
"""

from __future__ import annotations

import math
import time
from collections import deque
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import anyio.to_thread

from voxgate.model.errors import NotFound, Unavailable, Unimplemented, VoxgateError
from voxgate.model.geometry import Box, Vec3, VoxelSize
from voxgate.model.names import VolumeName
from voxgate_gateway.backend import Backend, VolumeRef
from voxgate_gateway.bossdb.call import Call
from voxgate_gateway.bossdb.channels import BossChannel, as_channel, remotes_of
from voxgate_gateway.bossdb.errors import BossError, Code
from voxgate_gateway.bossdb.naming import (
    NOTHING,
    ChannelRef,
    encoded,
    experiment_of,
    experiment_of_one,
    group_below,
    split_experiment,
)

_MOST_CHANNELS = 500
_MOST_GROUPS = 300
_PATIENCE_S = 10.0
_CLOSE = 1e-6


@dataclass(frozen=True, slots=True)
class Experiment:
    """An experiment with a channel at least.

    Attributes:
        collection: its collection's name.
        name: its own.
        channels: those that the dialect can say, by name.
    """

    collection: str
    name: str
    channels: tuple[BossChannel, ...]

    @property
    def is_one(self) -> bool:
        """Whether one voxel size, one kind of hierarchy and one number of time samples fit all channels."""
        sizes = [size for size in map(_size_of, self.channels) if size is not None]
        methods = {_method_of(each) for each in self.channels if each.level_count > 1}
        alike = all(_alike(size, sizes[0]) for size in sizes)
        return alike and len(methods) <= 1 and len({each.described.info.time_count for each in self.channels}) == 1

    @property
    def box(self) -> Box:
        """The frame: the smallest box that has all channels, at native resolution."""
        box = self.channels[0].bounds
        for each in self.channels:
            box = Box(Vec3.minimum(box.start, each.bounds.start), Vec3.maximum(box.stop, each.bounds.stop))
        return box

    @property
    def voxel_size_nm(self) -> VoxelSize | None:
        """Of a voxel at native resolution; None where no channel's is known."""
        return next((size for size in map(_size_of, self.channels) if size is not None), None)

    @property
    def method(self) -> str:
        """Whether z is halved with x and y: "isotropic", else "anisotropic"."""
        return next((_method_of(each) for each in self.channels if each.level_count > 1), "anisotropic")

    @property
    def level_count(self) -> int:
        """The most resolutions that a channel has."""
        return max(each.level_count for each in self.channels)

    @property
    def time_count(self) -> int:
        """How many time samples there are."""
        return self.channels[0].described.info.time_count

    def checked(self) -> Experiment:
        """The same.

        Raises:
            BossError: 400/9001 where its channels are too unlike to be one experiment.
        """
        if self.is_one:
            return self
        others = ", ".join(dict.fromkeys(experiment_of_one(self.name, each.names[2]) for each in self.channels[:9]))
        raise BossError(
            Code.SYSTEM_ERROR,
            f"the channels of {self.name} differ in voxel size, hierarchy or times; each is an experiment: {others}",
        )


async def find_experiment(call: Call, collection: str, name: str) -> Experiment | None:
    """The experiment of these names; None where it has no channel.

    Raises:
        VoxgateError: what the server answered, but that there is no such group.
    """
    remotes = await remotes_of(call.backend, call.dialect)
    naming = call.dialect.naming
    base, only = split_experiment(name)
    refs = {
        each[2]: naming.channel_of(each, remotes) for each in naming.settings.names if each[:2] == (collection, name)
    }
    group = naming.group_of(collection, remotes)
    inside = None if group is None else group_below(group, base)
    if only is not None and inside is not None:
        try:
            refs[only] = naming.channel_of((collection, name, only), remotes)
        except NotFound:
            return None
    elif inside is not None:
        names = await anyio.to_thread.run_sync(_volumes_in, call.backend, inside)
        refs |= {_channel_name(inside, each): ChannelRef(VolumeRef(each)) for each in names}
    channels = await anyio.to_thread.run_sync(_channels, call.backend, (collection, name), refs)
    return Experiment(collection, name, channels) if channels else None


async def frame_box(call: Call, channel: BossChannel) -> Box:
    """The frame that a channel's boxes are held against: its experiment's, or where that cannot be told its own."""
    try:
        found = await find_experiment(call, channel.names[0], channel.names[1])
    except (NotFound, Unimplemented):
        return channel.bounds
    return channel.bounds if found is None or not found.is_one else found.box


async def list_experiments(call: Call, collection: str) -> list[str]:
    """The names of the experiments of a collection that have a channel; bounded in groups and time.

    Raises:
        VoxgateError: when the collection's group cannot be listed.
    """
    remotes = await remotes_of(call.backend, call.dialect)
    group = call.dialect.naming.group_of(collection, remotes)
    names = {each[1] for each in call.dialect.settings.names if each[0] == collection}
    if group is not None:
        names.update(await anyio.to_thread.run_sync(_walk, call.backend, collection, group))
    return sorted(names)


def _walk(backend: Backend, collection: str, group: VolumeName) -> list[str]:
    until = time.monotonic() + _PATIENCE_S
    waiting = deque([group])
    found: list[str] = []
    looked = 0
    while waiting and looked < _MOST_GROUPS and time.monotonic() < until:
        inside = waiting.popleft()
        looked += 1
        try:
            entries = backend.list(str(inside))
        except NotFound:
            continue
        waiting.extend(VolumeName.parse(each.name) for each in entries if not each.is_volume)
        names = [each.name for each in entries if each.is_volume]
        own = experiment_of(inside.segments[len(group.segments) :])
        found += _experiments_of(backend, (collection, own), inside, names)
    return found


def _experiments_of(backend: Backend, where: tuple[str, str], inside: VolumeName, names: list[str]) -> Iterator[str]:
    """The experiments that the volumes of a group are: one, or one each."""
    refs = {_channel_name(inside, each): ChannelRef(VolumeRef(each)) for each in names}
    channels = _channels(backend, where, refs)
    if channels and Experiment(*where, channels).is_one:
        yield where[1]
    else:
        yield from dict.fromkeys(experiment_of_one(where[1], each.names[2]) for each in channels)


def _volumes_in(backend: Backend, group: VolumeName) -> list[str]:
    """The names of the volumes right below a group, or of the group that is a volume itself; none where it is not."""
    try:
        return [each.name for each in backend.list(str(group)) if each.is_volume]
    except NotFound:
        return []


def _channel_name(group: VolumeName, volume: str) -> str:
    name = VolumeName.parse(volume)
    return encoded(name.segments[-1]) if len(name.segments) > len(group.segments) else NOTHING


def _channels(backend: Backend, where: tuple[str, str], refs: dict[str, ChannelRef]) -> tuple[BossChannel, ...]:
    """Those of the volumes that the dialect can say, each channel by itself.

    Raises:
        Unavailable: when a store does not answer: that a channel is left out would say that it is not there.
    """

    def described(item: tuple[str, ChannelRef]) -> list[BossChannel]:
        name, told = item
        try:
            found = backend.describe(told.ref)
            count = found.info.channel_count
            several = told.channel is None and count > 1
            each = [ChannelRef(told.ref, i) for i in range(count)] if several else [told]
            return [as_channel((*where, _numbered(name, one) if several else name), one, found) for one in each]
        except Unavailable:
            raise
        except (VoxgateError, BossError):
            return []

    some = sorted(refs.items())[:_MOST_CHANNELS]
    with ThreadPoolExecutor(max_workers=8, thread_name_prefix="bossdb") as pool:
        return tuple(channel for found in pool.map(described, some) for channel in found)


def _numbered(name: str, told: ChannelRef) -> str:
    return f"{name}__ch{told.channel}"


def _size_of(channel: BossChannel) -> VoxelSize | None:
    return channel.described.info.scales[0].voxel_size_nm


def _alike(one: Iterable[float], other: Iterable[float]) -> bool:
    return all(math.isclose(a, b, rel_tol=_CLOSE) for a, b in zip(one, other, strict=True))


def _method_of(channel: BossChannel) -> str:
    finest, second = (scale.bounds.shape for scale in channel.described.info.scales[:2])
    return "isotropic" if round(finest.z / second.z) > 1 else "anisotropic"
