"""Skeletons as files: SWC text, and the bytes of a precomputed skeleton."""

from __future__ import annotations

import struct
from dataclasses import dataclass

import numpy as np

from voxgate.model.errors import InvalidArgument
from voxgate.model.skeletons import Skeleton

_UNKNOWN_RADIUS = 0.0


@dataclass(frozen=True, slots=True)
class SkeletonFileType:
    """What a file is: its media type and the usual ending of its name, empty where there is none."""

    media_type: str
    extension: str


_TYPES = {
    "swc": SkeletonFileType("text/plain", "swc"),
    "precomputed": SkeletonFileType("application/octet-stream", ""),
}
SKELETON_FORMATS: tuple[str, ...] = tuple(_TYPES)
"""Formats a skeleton can be written in."""


def skeleton_file_type(fmt: str) -> SkeletonFileType:
    """What a file of a format is.

    Raises:
        InvalidArgument: for an unknown format.
    """
    if fmt not in _TYPES:
        raise InvalidArgument(f"{fmt!r} is no format of skeletons", f"use one of {', '.join(_TYPES)}")
    return _TYPES[fmt]


def encode_skeleton(skeleton: Skeleton, fmt: str) -> bytes:
    """A skeleton as the bytes of a file.

    Raises:
        InvalidArgument: for an unknown format, and for a skeleton with a ring as SWC.
    """
    skeleton_file_type(fmt)
    return skeleton_to_swc(skeleton).encode() if fmt == "swc" else skeleton_to_precomputed(skeleton)


def skeleton_to_precomputed(skeleton: Skeleton) -> bytes:
    """The file of one skeleton in nanometres, for a folder whose `transform` is the identity.

    Format: github.com/google/neuroglancer, src/datasource/precomputed/skeletons.md. Little-endian: uint32 numbers of
    vertices and edges, float32 x, y, z, uint32 pairs of vertices; then, where radii are known, float32 radii, for which
    the folder's `info` has the vertex attribute {"id": "radius", "data_type": "float32", "num_components": 1}.
    """
    counts = struct.pack("<II", len(skeleton.vertices), len(skeleton.edges))
    data = counts + skeleton.vertices.astype("<f4").tobytes() + skeleton.edges.astype("<u4").tobytes()
    return data if skeleton.radii is None else data + skeleton.radii.astype("<f4").tobytes()


def skeleton_to_swc(skeleton: Skeleton) -> str:
    """SWC (http://www.neuronland.org/NLMorphologyConverter/MorphologyFormats/SWC/Spec.html), in nanometres.

    Nodes are numbered from 1, each after its parent; every connected part is a tree with a root of its own.

    Raises:
        InvalidArgument: for a skeleton with a ring, which SWC cannot say.
    """
    count = len(skeleton.vertices)
    neighbours: list[list[int]] = [[] for _ in range(count)]
    for one, other in skeleton.edges.tolist():
        neighbours[one].append(other)
        neighbours[other].append(one)
    numbers = np.zeros(count, np.int64)
    lines = [f"# segment {skeleton.segment_id}, nanometres: node, type, x, y, z, radius, parent"]
    for root in range(count):
        if numbers[root]:
            continue
        numbers[root] = len(lines)
        lines.append(_line(skeleton, root, len(lines), -1))
        pending = [(root, -1)]
        while pending:
            node, parent = pending.pop()
            for near in neighbours[node]:
                if near == parent:
                    continue
                if numbers[near]:
                    raise InvalidArgument(f"the skeleton of segment {skeleton.segment_id} has a ring", "save its edges")
                numbers[near] = len(lines)
                lines.append(_line(skeleton, near, len(lines), int(numbers[node])))
                pending.append((near, node))
    return "\n".join(lines) + "\n"


def _line(skeleton: Skeleton, vertex: int, number: int, parent: int) -> str:
    x, y, z = skeleton.vertices[vertex].tolist()
    radius = _UNKNOWN_RADIUS if skeleton.radii is None else float(skeleton.radii[vertex])
    return f"{number} 0 {x:.9g} {y:.9g} {z:.9g} {radius:.9g} {parent}"
