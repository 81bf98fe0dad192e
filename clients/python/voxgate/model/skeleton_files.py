"""Skeletons as SWC text."""

from __future__ import annotations

import numpy as np

from voxgate.model.errors import InvalidArgument
from voxgate.model.skeletons import Skeleton

_UNKNOWN_RADIUS = 0.0


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
