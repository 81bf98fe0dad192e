"""Which supervoxels make which body, and how many voxels of each are in which block, under one version."""

from __future__ import annotations

import copy
from dataclasses import dataclass, field

from .blocks import Point
from .wire import Refused


@dataclass
class Bodies:
    """The index of one version. Voxels store supervoxels; a body is what they are mapped to.

    The index is a ledger: it adds what a write says and takes away what a write with `mutate` replaced. It is never
    counted again from the voxels, so that a second write of the same box without `mutate` doubles every size.
    """

    counts: dict[int, dict[Point, int]] = field(default_factory=dict)
    mapping: dict[int, int] = field(default_factory=dict)
    members: dict[int, set[int]] = field(default_factory=dict)
    mutations: dict[int, tuple[int, str]] = field(default_factory=dict)

    def branched(self) -> Bodies:
        return copy.deepcopy(self)

    def body_of(self, supervoxel: int) -> int:
        return self.mapping.get(supervoxel, supervoxel)

    def known_body(self, supervoxel: int) -> int:
        """The body of a supervoxel, 0 for one that has no voxels or was retired."""
        return self.body_of(supervoxel) if supervoxel in self.counts else 0

    def add(self, where: Point, labels: dict[int, int], sign: int) -> None:
        for supervoxel, count in labels.items():
            if supervoxel == 0:
                continue
            blocks = self.counts.setdefault(supervoxel, {})
            blocks[where] = blocks.get(where, 0) + sign * count
            if blocks[where] <= 0:
                del blocks[where]
            body = self.body_of(supervoxel)
            if blocks:
                self.members.setdefault(body, set()).add(supervoxel)
            else:
                self._drop(supervoxel, body)

    def _drop(self, supervoxel: int, body: int) -> None:
        del self.counts[supervoxel]
        self.members.get(body, set()).discard(supervoxel)
        if not self.members.get(body):
            self.members.pop(body, None)

    def supervoxels(self, body: int) -> list[int]:
        return sorted(self.members.get(body, ()))

    def of(self, label: int, supervoxel: bool) -> list[int] | None:
        """The supervoxels a label means: itself, or those of the body; None when there is no such label."""
        if supervoxel:
            return [label] if label in self.counts else None
        return self.supervoxels(label) if label in self.members else None

    def size(self, supervoxels: list[int]) -> int:
        return sum(sum(self.counts[one].values()) for one in supervoxels)

    def blocks(self, supervoxels: list[int]) -> list[Point]:
        """The blocks that hold any of these, in the order of the store: z slowest, x fastest."""
        found = {where for one in supervoxels for where in self.counts[one]}
        return sorted(found, key=lambda where: where[::-1])

    def merge(self, target: int, others: list[int]) -> None:
        if target not in self.members:
            raise Refused(f"Error on merge: can't merge into a non-existent label {target}")
        for other in others:
            if other == target:
                raise Refused(f"Error on merge: supervoxel {other} already in index for target label {target}")
            if other not in self.members:
                raise Refused(f"Error on merge: can't merge non-existent label {other}")
        for other in others:
            for supervoxel in self.members.pop(other, set()):
                self.mapping[supervoxel] = target
                self.members[target].add(supervoxel)

    def cleave(self, body: int, supervoxels: list[int], new: int) -> None:
        """Take supervoxels out of a body into a new one; none at all makes a body without voxels, as the original."""
        if body not in self.members:
            raise Refused(f"cannot cleave non-existent label {body}")
        for one in supervoxels:
            if one not in self.members[body]:
                raise Refused(f"cannot cleave supervoxel {one}, which does not exist in label {body} (seg)")
        if set(supervoxels) == self.members[body]:
            raise Refused(f"cannot cleave all supervoxels from the label {body}")
        self.members[body] -= set(supervoxels)
        self.members[new] = set(supervoxels)
        self.mapping.update(dict.fromkeys(supervoxels, new))
        self.mapping[new] = 0

    def renumber(self, old: int, new: int) -> None:
        if old not in self.members:
            raise Refused(f"Error on merge: can't renumber non-existent label {old}")
        if new in self.members:
            raise Refused(f"Error on merge: label {new} already exists")
        self.members[new] = self.members.pop(old)
        self.mapping.update(dict.fromkeys(self.members[new], new))
        self.mapping[new] = 0
