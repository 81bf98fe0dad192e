"""Which cells of docs/reference/stores.md and dialects.md a run proves: who wrote what ours read, and the reverse."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from pathlib import Path

OWN_FAKE = ""
"""The peer of what only a server of ours stands for."""


@dataclass(frozen=True, order=True)
class Proof:
    """One cell, and what proves it.

    Attributes:
        store: as in tools.stores_table.STORES; for dialects a row of tools.dialects_table.
        feature: as in tools.stores_table.FEATURES; for dialects what `cell_of` answers.
        peer: a published program that is not ours, by its name and release; OWN_FAKE where there is none.
        voxels: how many voxels (or ids, keys, vertices) were compared.
    """

    store: str
    feature: str
    peer: str
    voxels: int


def cell_of(dialect: str, client: str) -> str:
    """What a proof about a client in a dialect of the gateway says as its feature."""
    return f"{dialect} / {client}"


@dataclass
class Proofs:
    """What one run has proved so far: the notes of tests that passed."""

    passed: list[Proof] = field(default_factory=list)
    failed: set[tuple[str, str]] = field(default_factory=set)

    def cells(self) -> list[Proof]:
        """One proof for each cell and peer, voxels added up; nothing for a cell that a test failed on."""
        sums: dict[tuple[str, str, str], int] = {}
        for each in self.passed:
            if (each.store, each.feature) not in self.failed:
                key = (each.store, each.feature, each.peer)
                sums[key] = sums.get(key, 0) + each.voxels
        return sorted(Proof(*key, voxels) for key, voxels in sums.items())

    def add_part(self, path: Path) -> None:
        """Take what another process of the same run has written with `write_part`."""
        part = json.loads(path.read_text())
        self.passed += [Proof(*each) for each in part["passed"]]
        self.failed |= {(store, feature) for store, feature in part["failed"]}

    def write_part(self, path: Path) -> None:
        """Write everything noted, for `add_part`."""
        passed = [(each.store, each.feature, each.peer, each.voxels) for each in self.passed]
        path.write_text(json.dumps({"passed": passed, "failed": sorted(self.failed)}))

    def write(self, path: Path) -> None:
        """Write them as JSON, one cell a line: store, feature, peer and its release (empty for an own fake), voxels."""
        lines = []
        for each in self.cells():
            peer, _, release = each.peer.rpartition(" ")
            cell = {"store": each.store, "feature": each.feature, "peer": peer, "version": release}
            lines.append(json.dumps({**cell, "voxels": each.voxels}))
        path.write_text("[\n " + ",\n ".join(lines) + "\n]\n")
