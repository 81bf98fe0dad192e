"""What a cache knows a chunk by, and what it keeps of it."""

from __future__ import annotations

import hashlib
import json
from typing import NamedTuple

from voxgate.model.geometry import Vec3
from voxgate.model.volumes import OpenOptions, Scale, VolumeInfo

ENCODED = "encoded"
"""The part of a chunk that is its bytes as they are stored. Others: each channel's voxels, and whether it is there."""
PRESENCE = "presence"


class Place(NamedTuple):
    """One scale of a volume as somebody opened it.

    Attributes:
        path: decoded name segments within the remote.
        identity: a digest of everything that decides what a chunk holds: remote, volume, version, time, label view,
            description; and, where the store is asked on behalf of callers, the caller.
        kin: a digest of the volume's description without its name and version. Volumes that differ in it are not the
            same; those that do not may be, under two names.
        scale: its index.
        changes: whether its voxels may be others at another time.
    """

    path: tuple[str, ...]
    identity: str
    kin: str
    scale: int
    changes: bool


class Key(NamedTuple):
    """A part of a chunk.

    Attributes:
        place: where.
        cell: which cell of the scale's stored grid, counted from the grid's origin.
        part: "0", "1" … for a channel's voxels, ENCODED or PRESENCE.
    """

    place: Place
    cell: Vec3
    part: str

    @property
    def file_name(self) -> str:
        """Its name on disk, within its place."""
        return f"{self.cell.x}_{self.cell.y}_{self.cell.z}.{self.part}"

    @property
    def digest(self) -> bytes:
        """32 bytes that stand for this part of this chunk and nothing else."""
        return hashlib.sha256(f"{self.place.identity}/{self.file_name}".encode()).digest()


class Kept(NamedTuple):
    """A part of a chunk that is kept.

    Attributes:
        data: voxels in C-order (z, y, x), or a single one where all are the same; or stored bytes.
        facts: what else there is to say of it, JSON; empty for voxels.
        made: when the store was asked, seconds since 1970.
    """

    data: bytes
    facts: bytes = b""
    made: float = 0.0

    @property
    def cost(self) -> int:
        """Bytes that it takes in memory, about."""
        return len(self.data) + len(self.facts) + _OVERHEAD


_OVERHEAD = 512
"""Of an entry, in bytes: its key, its place in tables."""


def short_digest(*parts: object) -> str:
    """A digest of things that JSON can say, 40 hexadecimal digits."""
    return hashlib.sha256(json.dumps(parts, sort_keys=True, default=str).encode()).hexdigest()[:40]


def place_of(
    remote: str, path: tuple[str, ...], info: VolumeInfo, options: OpenOptions, level: tuple[int, bool, str]
) -> Place:
    """The place of a scale.

    Args:
        remote: a digest of the remote: what it is called, where it is and how it is asked.
        path: of the volume in it.
        info: the volume's description.
        options: as it was opened.
        level: the scale's index, whether its voxels never change, and on whose behalf the store is asked ("" where the
            answer is the same for all).
    """
    index, never_changes, caller = level
    opened = (remote, list(path), info.resolved_version, options.time_index, options.label_view.value)
    described = (info.dtype.str, repr(info.fill_value), info.channel_count, info.time_count)
    identity = short_digest(*opened, never_changes, caller, *described, index, _facts(info.scales[index]))
    return Place(path, identity, kin_of(info), index, not never_changes)


def kin_of(info: VolumeInfo) -> str:
    """What `Place.kin` is of a volume."""
    return short_digest(info.dtype.str, info.channel_count, info.time_count, [_facts(scale) for scale in info.scales])


def _facts(scale: Scale) -> list[object]:
    bounds = [list(scale.bounds.start), list(scale.bounds.stop)]
    return [scale.key, bounds, list(scale.stored_chunk_shape), list(scale.grid_origin)]


def cell_at(level: Scale, point: Vec3) -> Vec3:
    """Which cell of a scale's stored grid a voxel lies in, counted from the grid's origin."""
    at = zip(point, level.grid_origin, level.stored_chunk_shape, strict=True)
    return Vec3(*((where - origin) // size for where, origin, size in at))
