"""Channels: what the three names of an address stand for, as the dialect can say it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import anyio.to_thread
import numpy as np

from voxgate.model.geometry import Box
from voxgate.model.volumes import VolumeKind
from voxgate_gateway.backend import Backend, Described
from voxgate_gateway.backend.writing import writable_remotes
from voxgate_gateway.bossdb.call import Call, Dialect
from voxgate_gateway.bossdb.errors import BossError, Code
from voxgate_gateway.bossdb.naming import ChannelRef
from voxgate_gateway.settings import Names

_OFFERED = {"uint8": "uint8", "uint16": "uint16", "uint32": "uint64", "uint64": "uint64"}
"""The voxel type that is told of each stored one: the service fails on uint32, and its clients know none."""
_IMAGES = ("uint8", "uint16")
_MOST_LEVELS = 10
"""An address has one digit for the resolution."""


@dataclass(frozen=True, slots=True)
class BossChannel:
    """One channel of a volume.

    Attributes:
        names: the three that it was asked for by.
        described: its volume.
        index: which channel of several; None where the volume has one.
    """

    names: Names
    described: Described
    index: int | None = None

    @property
    def stored_dtype(self) -> np.dtype[Any]:
        """The type of the volume's voxels."""
        return self.described.info.dtype

    @property
    def dtype(self) -> np.dtype[Any]:
        """The type of the voxels in the dialect: uint32 travel as uint64."""
        return np.dtype(_OFFERED[self.stored_dtype.name]).newbyteorder("<")

    @property
    def is_annotation(self) -> bool:
        """Whether voxels are ids; where nobody says, by their type, as the published intern does."""
        kind = self.described.info.kind
        return kind is VolumeKind.SEGMENTATION or (kind is VolumeKind.UNKNOWN and self.dtype.name not in _IMAGES)

    @property
    def level_count(self) -> int:
        """How many resolutions there are."""
        return min(len(self.described.info.scales), _MOST_LEVELS)

    @property
    def bounds(self) -> Box:
        """Its voxels at native resolution."""
        return self.described.info.scales[0].bounds

    def time_of(self, sample: int) -> int | None:
        """A time sample as the volume's time index; None where it has one time point only."""
        return sample if self.described.info.time_count > 1 else None


async def remotes_of(backend: Backend, dialect: Dialect) -> Mapping[str, bool]:
    """The names of all remotes, and whether they can be written; some seconds old at most."""
    key = backend.calls.identity
    found = dialect.remotes.get(key)
    if found is None:
        found = await anyio.to_thread.run_sync(writable_remotes, backend.calls)
        dialect.remotes.put(key, found)
    return found


async def channel_of(call: Call) -> BossChannel:
    """The channel of an address.

    Raises:
        BossError: 404/4000 where there is none, 400/2003 for one that the dialect cannot say.
        VoxgateError: what the server answered.
    """
    told = call.dialect.naming.channel_of(call.names, await remotes_of(call.backend, call.dialect))
    return as_channel(call.names, told, await call.backend.described(told.ref))


def as_channel(names: Names, told: ChannelRef, described: Described) -> BossChannel:
    """A described volume, or one channel of it, in the dialect.

    Raises:
        BossError: as `channel_of`.
    """
    info = described.info
    count = info.channel_count
    if (told.channel is None) != (count == 1) or (told.channel or 0) >= count:
        which = f"its {count} channels are {names[2]}__ch0 and so on" if count > 1 else "it has one channel"
        raise BossError(Code.RESOURCE_NOT_FOUND, f"{'/'.join(names)} is no channel: {which}")
    if not info.scales:
        raise BossError(Code.RESOURCE_NOT_FOUND, f"{info.name} has no voxels")
    if info.dtype.name not in _OFFERED:
        raise BossError(
            Code.DATATYPE_NOT_SUPPORTED,
            f"{info.name} has voxels of {info.dtype.name}; BossDB knows uint8, uint16, uint32 and uint64: "
            "read it through another dialect",
        )
    return BossChannel(names, described, told.channel)
