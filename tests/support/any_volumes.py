"""A registry with one known volume, whatever it is made of."""

from __future__ import annotations

from pathlib import Path
from typing import cast

from support.known_volumes import PATH, KnownVolume, Maker, Writer
from support.memory_volumes import IN_MEMORY
from support.procedural_volumes import COMPUTED
from voxgate_remotes.registry import Registry


def registered(make: Maker | Writer, root: Path, *, writable: bool) -> tuple[KnownVolume, Registry]:
    """The volume that `make` holds, computes or writes below `root`, and a registry that has it as `data/PATH`."""
    if make in IN_MEMORY or make in COMPUTED:
        remote, volume = cast("Maker", make)()
        return volume, Registry({"data": remote})
    volume = cast("Writer", make)(root / PATH)
    return volume, volume.registry(root, writable=writable)
