"""The skeletons that a precomputed volume keeps.

Format: github.com/google/neuroglancer, src/datasource/precomputed/skeletons.md. A skeleton is the file `{id}`, or the
value of the id in shards; little-endian: uint32 numbers of vertices and edges, float32 x, y, z in stored coordinates,
uint32 pairs of vertices, then each of `vertex_attributes` of `info`. `transform` makes nanometres of the stored
coordinates; the attribute "radius" is a length in those, so it means one only where all directions grow equally.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from voxgate.model.errors import ChunkCorrupt, MetadataInvalid, UnsupportedFormat
from voxgate.model.skeletons import Skeleton
from voxgate_remotes.precomputed_kept.files import REMEDY, KeptFiles, check_id
from voxgate_remotes.precomputed_kept.places import Transform, check_indices, parsed_transform
from voxgate_remotes.precomputed_kept.shards import Shards, parsed_sharding

TYPE = "neuroglancer_skeletons"
_SIZES = {"float32": 4, "int8": 1, "uint8": 1, "int16": 2, "uint16": 2, "int32": 4, "uint32": 4}
_RADIUS = ("radius", "float32", 1)


@dataclass(frozen=True, slots=True)
class Attribute:
    """A value of each vertex; the names are the format's."""

    id: str
    data_type: str
    num_components: int

    @property
    def size(self) -> int:
        """Bytes for each vertex."""
        return _SIZES[self.data_type] * self.num_components


class PrecomputedSkeletons:
    """Skeletons that are kept, for one caller; satisfies StoredSkeletons. `info` is read once."""

    def __init__(self, files: Callable[[], KeptFiles]) -> None:
        """Take what opens the folder: nothing is looked at before a skeleton is asked for."""
        self._files = files

    def stored_skeleton(self, segment_id: int) -> Skeleton | None:
        """The skeleton of a segment; None where none is kept.

        Radii are left out where the transform does not scale all directions equally.

        Raises:
            ChunkCorrupt, MetadataInvalid, UnsupportedFormat, PathRefused, InvalidSegmentId, StoreUnavailable,
            Cancelled, DeadlineExceeded.
        """
        check_id(segment_id)
        return self._read(segment_id)

    @functools.cached_property
    def _read(self) -> Callable[[int], Skeleton | None]:
        files = self._files()
        info = files.info()
        if info is None or info.get("@type") != TYPE:
            raise MetadataInvalid(f"the folder of the skeletons has no `info` of the type {TYPE}", "add it")
        parser = SkeletonParser(parsed_transform(info.get("transform")), parsed_attributes(info))
        sharding = info.get("sharding")
        if sharding is None:
            return lambda segment_id: files.whole(str(segment_id), functools.partial(parser.parsed, segment_id))
        shards = Shards(files, parsed_sharding(sharding))

        def read(segment_id: int) -> Skeleton | None:
            stored = shards.find(segment_id)
            return None if stored is None else parser.parsed(segment_id, shards.read(stored))

        return read


@dataclass(frozen=True, slots=True)
class SkeletonParser:
    """Parses skeletons of one folder."""

    transform: Transform
    attributes: tuple[Attribute, ...]

    def parsed(self, segment_id: int, data: bytes) -> Skeleton:
        """A skeleton.

        Raises:
            ChunkCorrupt: when it is not exactly one.
        """
        vertex_count, edge_count = np.frombuffer(data, "<u4", 2).tolist() if len(data) >= 8 else (0, 0)
        after = 8 + 12 * vertex_count + 8 * edge_count
        if len(data) != after + vertex_count * sum(each.size for each in self.attributes):
            raise ChunkCorrupt(
                f"a stored skeleton of {len(data)} bytes cannot have {vertex_count} vertices and {edge_count} edges",
                REMEDY,
            )
        stored = np.frombuffer(data, "<f4", 3 * vertex_count, 8).reshape(-1, 3)
        edges = np.frombuffer(data, "<u4", 2 * edge_count, 8 + 12 * vertex_count).reshape(-1, 2).astype(np.uint32)
        check_indices(edges, vertex_count)
        return Skeleton(segment_id, self.transform.apply(stored), edges, self._radii(data, vertex_count, after))

    def _radii(self, data: bytes, count: int, at: int) -> npt.NDArray[np.float32] | None:
        scale = self.transform.scale
        for each in self.attributes:
            if (each.id, each.data_type, each.num_components) == _RADIUS and scale is not None:
                return (np.frombuffer(data, "<f4", count, at).astype(np.float64) * scale).astype(np.float32)
            at += count * each.size
        return None


def parsed_attributes(info: dict[str, Any]) -> tuple[Attribute, ...]:
    """What `info` says of attributes.

    Raises:
        MetadataInvalid: when it cannot be.
        UnsupportedFormat: for a type of numbers that the format does not have.
    """
    stated = info.get("vertex_attributes") or []
    if not isinstance(stated, list) or not all(isinstance(each, dict) for each in stated):
        raise MetadataInvalid("`vertex_attributes` in `info` is no list of objects", "compare it with the format")
    attributes = []
    for each in stated:
        name, data_type, components = each.get("id"), each.get("data_type"), each.get("num_components")
        if not isinstance(name, str) or type(components) is not int or not 0 < components <= 2**20:
            raise MetadataInvalid("a vertex attribute in `info` lacks its id or its components", "compare the format")
        if data_type not in _SIZES:
            raise UnsupportedFormat(f"vertex attributes of type {data_type!r} are not part of this format", "drop it")
        attributes.append(Attribute(name, data_type, components))
    return tuple(attributes)
